-- Every statement that the worker sends. `-- name: x` starts one; what follows on that comment says
-- what it is for.

-- name: fence
-- Locks the batch's positions in one order, and tells on which timeline it is decided. Locks the
-- rules too, together with all other batches, or alone where the batch changes them: as of
-- `rules_version` they hold until the commit.
SELECT topic, partition, claim, next_offset, rules_version,
       (SELECT max(timeline_id) FROM ledger.timeline) AS timeline_id
FROM ledger.lock_rules($3::boolean) AS rules_version, ledger.position
WHERE (topic, partition) IN (SELECT * FROM unnest($1::text[], $2::integer[]))
ORDER BY topic, partition
FOR NO KEY UPDATE OF position;

-- name: decided
-- The recorded first answers of transaction ids, wherever they lie. LIMIT keeps each subquery a
-- look-up by its key: planned without statistics, as on a young ledger, a join reads whole tables.
SELECT t.transaction_id::text AS transaction_id, t.fingerprint, t.fingerprint_version,
    t.ledger_sequence,
       to_char(t.decided_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS decided_at,
       coalesce(p.type, c.type, r.type) AS type,
       coalesce(p.channel, c.channel, r.channel) AS channel,
       coalesce(p.reference, c.reference, r.reference) AS reference,
       coalesce(p.metadata, c.metadata, r.metadata) AS metadata,
       coalesce(p.details, c.details, r.details) AS details,
       coalesce(p.source_id, c.source_id, r.source_id) AS source_id,
       coalesce(p.source_offset, c.source_offset, r.source_offset) AS source_offset,
       s.topic, s.partition,
       r.reason,
       coalesce(p.amount, c.amount) AS amount_minor, r.amount AS amount_text,
       coalesce(p.currency, c.currency, r.currency) AS currency,
       coalesce(debit.name::text, c.debit_account, r.debit_account) AS debit_account,
       coalesce(credit.name::text, c.credit_account, r.credit_account) AS credit_account,
       CASE WHEN c.hold_transaction_id IS NULL THEN coalesce(c.account, r.account) END AS account,
       c.status, c.overdraft_limit, c.available,
       coalesce(p.shown, c.shown, r.shown) AS shown
FROM ledger.transaction t
LEFT JOIN LATERAL (
    SELECT * FROM ledger.posting WHERE posting.ledger_sequence = t.ledger_sequence
        AND posting.decided_at = t.decided_at AND posting.line = 1 LIMIT 1) AS p ON true
LEFT JOIN LATERAL (
    SELECT * FROM ledger.refusal WHERE refusal.ledger_sequence = t.ledger_sequence
        AND refusal.decided_at = t.decided_at LIMIT 1) AS r ON true
LEFT JOIN LATERAL (
    SELECT * FROM ledger.account_change
    WHERE account_change.ledger_sequence = t.ledger_sequence LIMIT 1) AS c ON true
LEFT JOIN ledger.account debit ON debit.account_id = p.debit_account_id
LEFT JOIN ledger.account credit ON credit.account_id = p.credit_account_id
JOIN ledger.source s ON s.source_id = coalesce(p.source_id, c.source_id, r.source_id)
WHERE t.transaction_id = ANY ($1::uuid[]);

-- name: answered
-- What was recorded at positions besides first answers.
SELECT 'repeat' AS kind, a.source_id, a.source_offset, a.timeline_id,
       to_char(a.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at,
       NULL AS reason, NULL AS pointer, NULL AS detail, NULL AS transaction_id, NULL AS channel
FROM unnest($1::integer[], $2::bigint[], $3::bigint[]) AS w (source_id, low, high)
JOIN ledger.repeat a ON a.source_id = w.source_id AND a.source_offset >= w.low
    AND a.source_offset < w.high
UNION ALL
SELECT 'conflict', a.source_id, a.source_offset, a.timeline_id,
       to_char(a.decided_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
       NULL, NULL, NULL, NULL, NULL
FROM unnest($1::integer[], $2::bigint[], $3::bigint[]) AS w (source_id, low, high)
JOIN ledger.conflict a ON a.source_id = w.source_id AND a.source_offset >= w.low
    AND a.source_offset < w.high
UNION ALL
SELECT 'dead_letter', a.source_id, a.source_offset, a.timeline_id,
       to_char(a.received_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
       a.reason, a.pointer, a.detail, a.transaction_id::text, a.channel
FROM unnest($1::integer[], $2::bigint[], $3::bigint[]) AS w (source_id, low, high)
JOIN ledger.dead_letter a ON a.source_id = w.source_id AND a.source_offset >= w.low
    AND a.source_offset < w.high;

-- name: lock
-- Locks accounts in the global order; the rows are as they are under the lock. The columns are the
-- fields of an Account, in their order.
SELECT name, currency, kind, status, posted, held, overdraft_limit, account_id, customer
    FROM ledger.lock_accounts($1);

-- name: reversed_totals
-- How much of each original was given back. Sent after the locks, so that it sees what they waited
-- for.
SELECT original_transaction_id::text, reversed_amount FROM ledger.reversal_total
WHERE original_transaction_id = ANY ($1::uuid[]);

-- name: holds
-- The state of holds. Sent after the locks, so that it sees what they waited for.
SELECT hold_transaction_id::text, placed, remaining, capture_max, expires_at_us, captured, released
FROM ledger.hold WHERE hold_transaction_id = ANY ($1::uuid[]);

-- name: lock_spent
-- Locks what subjects have spent in the global order, behind the accounts.
SELECT scope, subject, currency, booking_date::text, amount, count
FROM ledger.lock_spent($1, $2, $3);

-- name: clock
-- The clock and the ledger_sequences of a batch. Sent after the locks: this is the serialisation
-- order.
SELECT moment AS now,
       (extract(epoch FROM moment) * 1000000)::bigint AS now_us,
       to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS now_text,
       ARRAY(SELECT nextval('ledger.ledger_sequence') FROM generate_series(1, $1::integer))
           AS sequences
FROM clock_timestamp() AS moment;

-- name: rules
-- What was said last about each tariff and each limit behind the version that is known; and, as it
-- names neither, the last closing of a day.
SELECT DISTINCT ON (details::jsonb ->> 'tariff', details::jsonb ->> 'limit')
       ledger_sequence, type, details
FROM ledger.account_change WHERE changes_rules AND ledger_sequence > $1
ORDER BY details::jsonb ->> 'tariff', details::jsonb ->> 'limit', ledger_sequence DESC;

-- name: insert_accounts
-- New accounts, in the order of their names so that two workers can't wait for each other in a
-- circle.
INSERT INTO ledger.account (name, currency, kind, overdraft_limit, customer, opened_at)
SELECT n.name, n.currency, n.kind, n.overdraft_limit, n.customer, $6
FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[])
     AS n (name, currency, kind, overdraft_limit, customer)
ORDER BY n.name
ON CONFLICT (name) DO NOTHING
RETURNING account_id, name::text;

-- name: insert_spendings
-- What was spent under limits. Sent last: it is held against limits that the batch has set.
INSERT INTO ledger.spending (
    scope, subject, currency, ledger_sequence, limit_name, booking_date, amount, spent_amount,
    spent_count)
SELECT n.scope, n.subject, n.currency, n.ledger_sequence, n.limit_name, n.booking_date::date,
       n.amount, n.spent_amount, n.spent_count
FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[],
    $7::bigint[], $8::bigint[], $9::bigint[])
     AS n (scope, subject, currency, ledger_sequence, limit_name, booking_date, amount,
         spent_amount, spent_count);

-- name: insert_repeats
INSERT INTO ledger.repeat (source_id, source_offset, transaction_id, ledger_sequence, timeline_id,
    recorded_at)
SELECT n.source_id, n.source_offset, n.transaction_id, n.ledger_sequence, $5, $6
FROM unnest($1::integer[], $2::bigint[], $3::uuid[], $4::bigint[])
     AS n (source_id, source_offset, transaction_id, ledger_sequence);

-- name: insert_conflicts
INSERT INTO ledger.conflict (
    source_id, source_offset, transaction_id, first_sequence, timeline_id, decided_at, type,
        channel, differences)
SELECT n.source_id, n.source_offset, n.transaction_id, n.first_sequence, $8, $9, n.type, n.channel,
    n.differences::jsonb
FROM unnest($1::integer[], $2::bigint[], $3::uuid[], $4::bigint[], $5::text[], $6::text[],
    $7::text[])
     AS n (source_id, source_offset, transaction_id, first_sequence, type, channel, differences);

-- name: insert_dead_letters
INSERT INTO ledger.dead_letter (
    source_id, source_offset, reason, pointer, detail, transaction_id, channel, key, value,
        headers, timeline_id,
    received_at)
SELECT n.source_id, n.source_offset, n.reason, n.pointer, n.detail, n.transaction_id, n.channel,
    n.key, n.value,
       n.headers, $11, $12
FROM unnest($1::integer[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::uuid[],
    $7::text[], $8::bytea[],
            $9::bytea[], $10::text[])
     AS n (source_id, source_offset, reason, pointer, detail, transaction_id, channel, key, value,
         headers);

-- name: insert_holes
-- Only what lies beyond the position: the holes of a redelivered run were noted before. Sent before
-- `advance`.
INSERT INTO ledger.hole (source_id, from_offset, to_offset, recorded_at)
SELECT n.source_id, greatest(n.from_offset, p.next_offset), n.to_offset, clock_timestamp()
FROM unnest($1::integer[], $2::bigint[], $3::bigint[]) AS n (source_id, from_offset, to_offset)
JOIN ledger.position p ON p.source_id = n.source_id
WHERE n.to_offset > p.next_offset;

-- name: advance
-- Moves positions past the batch: an overlap leaves them where they are, a gap never gets here.
UPDATE ledger.position AS p SET
    next_offset = greatest(p.next_offset, n.end_offset),
    delivered_offset = greatest(p.delivered_offset, n.delivered),
    last_offset = CASE WHEN n.end_offset > p.next_offset THEN coalesce(n.last_offset, p.last_offset)
                       ELSE p.last_offset END,
    last_digest = CASE WHEN n.end_offset > p.next_offset THEN coalesce(n.last_digest, p.last_digest)
                       ELSE p.last_digest END
FROM unnest($1::text[], $2::integer[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bytea[])
     AS n (topic, partition, end_offset, delivered, last_offset, last_digest)
WHERE p.topic = n.topic AND p.partition = n.partition;

-- name: delivered
-- How far outcomes were delivered, when no further batch carries it along.
UPDATE ledger.position AS p SET delivered_offset = least(greatest(p.delivered_offset, n.delivered),
    p.next_offset)
FROM unnest($1::uuid[], $2::bigint[]) AS n (claim, delivered)
WHERE p.claim = n.claim AND p.delivered_offset < n.delivered;

-- name: position
SELECT p.topic, p.partition, p.source_id, s.incarnation, p.claim, p.first_offset, p.next_offset,
    p.delivered_offset,
       p.last_offset, p.last_digest
FROM ledger.position p JOIN ledger.source s USING (source_id)
WHERE p.topic = $1 AND p.partition = $2;

-- name: claim
UPDATE ledger.position SET claim = $3, claimed_by = $4, claimed_at = clock_timestamp()
WHERE topic = $1 AND partition = $2;

-- name: open_source
INSERT INTO ledger.source (topic, partition, incarnation, opened_by, reason)
VALUES ($1, $2, $3, $4, $5) RETURNING source_id;

-- name: open_position
INSERT INTO ledger.position (
    topic, partition, source_id, claim, claimed_by, first_offset, next_offset, delivered_offset)
VALUES ($1, $2, $3, $4, $5, $6, $6, $6);

-- name: timelines
SELECT timeline_id, token, from_sequence FROM ledger.timeline ORDER BY timeline_id;

-- name: start_timeline
SELECT timeline_id, token, from_sequence FROM ledger.start_timeline($1, $2);

-- name: incarnations
SELECT source_id, incarnation FROM ledger.source;

-- name: durability
-- Whether a commit here stays.
SELECT current_setting('synchronous_commit') AS synchronous_commit, pg_is_in_recovery() AS standby;

-- name: server
-- What the worker tells of the server, and by which it notices a failover.
SELECT current_setting('server_version') AS version,
       current_setting('synchronous_standby_names') AS synchronous_standby_names,
       current_setting('fsync') AS fsync,
       substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) AS server,
       (SELECT timeline.server FROM ledger.timeline ORDER BY timeline_id DESC LIMIT 1)
           AS known_server;

-- name: take_expiry
-- One worker lets holds expire: the one whose connection holds this lock.
SELECT pg_try_advisory_lock(hashtext('ledger.expiry')) AS is_taken;

-- name: due_holds
SELECT hold.hold_transaction_id::text, account.name::text, hold.expires_at_us,
       (moment.now_us - hold.expires_at_us)::float8 / 1000000 AS overdue_s
FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now_us) AS moment
JOIN ledger.hold ON hold.expires_at_us < moment.now_us
JOIN ledger.account USING (account_id)
WHERE hold.captured + hold.released < hold.capture_max
ORDER BY hold.expires_at_us LIMIT $1;

-- name: known
SELECT transaction_id::text FROM ledger.transaction WHERE transaction_id = ANY ($1::uuid[]);

-- name: create_month_partitions
SELECT ledger.create_month_partitions($1);
