-- What people look up: one account, one payment, one position; and an operator's decision.

-- name: account
SELECT name::text AS account, currency, kind, status, posted, held, overdraft_limit, customer,
       to_char(opened_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS opened_at
FROM ledger.account WHERE name = $1;

-- name: account_entries
-- The newest entries of an account.
SELECT transaction_id::text, type, amount::text, currency, direction,
       balance_after::text, counter_account AS other_account, reference, ledger_sequence,
       to_char(booked_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS booked_at
FROM reporting.newest_entries($1, $2);

-- name: payment_entries
-- Both sides of each line of a payment, as reporting.entries numbers them.
SELECT 2 * (posting.line - 1) + side.line AS line, account.name::text AS account, side.direction,
       posting.amount, posting.currency, side.balance AS balance_after, posting.value_date::text,
       posting.reference
FROM ledger.transaction AS known
JOIN ledger.posting ON posting.ledger_sequence = known.ledger_sequence
    AND posting.decided_at = known.decided_at
CROSS JOIN LATERAL (VALUES
    (1, posting.debit_account_id, 'debit', posting.debit_balance),
    (2, posting.credit_account_id, 'credit', posting.credit_balance)
) AS side (line, account_id, direction, balance)
JOIN ledger.account ON account.account_id = side.account_id
WHERE known.transaction_id = $1::uuid
ORDER BY 1;

-- name: payment_repeats
SELECT source.topic, source.partition, repeat.source_offset AS "offset",
       to_char(recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS recorded_at
FROM ledger.repeat JOIN ledger.source USING (source_id)
WHERE transaction_id = $1::uuid ORDER BY recorded_at, source_id, source_offset LIMIT $2;

-- name: payment_conflicts
SELECT source.topic, source.partition, conflict.source_offset AS "offset",
       to_char(decided_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS decided_at,
       conflict.differences::text
FROM ledger.conflict JOIN ledger.source USING (source_id)
WHERE transaction_id = $1::uuid ORDER BY conflict.decided_at, source_id, source_offset LIMIT $2;

-- name: payment_dead_letters
SELECT source.topic, source.partition, letter.source_offset AS "offset", letter.reason AS reason,
       letter.pointer, letter.detail,
       to_char(received_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS received_at
FROM ledger.dead_letter AS letter JOIN ledger.source USING (source_id)
WHERE transaction_id = $1::uuid ORDER BY received_at, source_id, source_offset LIMIT $2;

-- name: payment_reversed
SELECT original_amount, reversed_amount FROM ledger.reversal_total
WHERE original_transaction_id = $1::uuid;

-- name: payment_reversals
SELECT transaction_id::text, type, amount, ledger_sequence,
       to_char(decided_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS decided_at
FROM ledger.posting WHERE original_transaction_id = $1::uuid ORDER BY ledger_sequence LIMIT $2;

-- name: payment_hold
-- What became of a hold.
SELECT placed::text, held::text, captured::text, released::text, capture_max::text,
       to_char(expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS expires_at,
       status
FROM reporting.holds WHERE hold_transaction_id = $1::uuid;

-- name: payment_family
-- The whole family of a payment, whichever member is asked for.
SELECT transaction_id::text, parent_transaction_id::text, type, outcome, reason,
       amount::text, currency, ledger_sequence,
       to_char(decided_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS decided_at
FROM reporting.payment_family
WHERE root_transaction_id = reporting.payment_root($1::uuid)
ORDER BY depth, ledger_sequence LIMIT $2;

-- name: standing
SELECT position.source_id, source.incarnation::text, position.claimed_by,
       position.claimed_at::text, position.first_offset, position.next_offset,
       position.delivered_offset, source.opened_by, source.reason, source.opened_at::text
FROM ledger.position JOIN ledger.source USING (source_id)
WHERE position.topic = $1 AND position.partition = $2;

-- name: decisions
SELECT decided_at::text, decided_by, old_next, new_next, reason FROM ledger.operator_decision
WHERE topic = $1 AND partition = $2 ORDER BY decision_id;

-- name: hold_position
SELECT source_id, next_offset FROM ledger.position
WHERE topic = $1 AND partition = $2 FOR NO KEY UPDATE;

-- name: begin_source
INSERT INTO ledger.source (topic, partition, incarnation, opened_by, reason)
VALUES ($1, $2, gen_random_uuid(), $3, $4) RETURNING source_id;

-- name: move_position
-- The fresh claim fences every worker that still reads the old log.
UPDATE ledger.position SET
    source_id = $3, claim = gen_random_uuid(), claimed_by = $4, claimed_at = clock_timestamp(),
    first_offset = $5, next_offset = $5, delivered_offset = $5,
    last_offset = NULL, last_digest = NULL
WHERE topic = $1 AND partition = $2;

-- name: record_decision
INSERT INTO ledger.operator_decision (
    decided_by, topic, partition, old_source_id, old_next, new_source_id, new_next, reason)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: rules
-- What was said last about each tariff or each limit, those that were ended included.
SELECT DISTINCT ON (details::jsonb ->> $1) type = $1 || '.set' AS is_set,
       details::jsonb ->> $1 AS name, details, ledger_sequence,
       to_char(decided_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS since
FROM ledger.account_change WHERE changes_rules AND type LIKE $1 || '.%'
ORDER BY details::jsonb ->> $1, ledger_sequence DESC;

-- name: account_limits
-- The spending limits of an account and of its customer, with what was spent under each on the open
-- business date.
SELECT bound.name AS limit, side.scope, side.subject, bound.single_amount, bound.daily_amount,
       bound.daily_count, coalesce(spent.amount, 0) AS spent_amount,
       coalesce(spent.count, 0) AS spent_count
FROM ledger.account
CROSS JOIN LATERAL (VALUES (1, 'account', account.name::text), (2, 'customer', account.customer))
    AS side (place, scope, subject)
CROSS JOIN LATERAL (
    SELECT * FROM ledger.spending_limit AS one
    WHERE one.scope = side.scope AND one.currency = account.currency
      AND coalesce(one.subject, side.subject) = side.subject AND one.ended_sequence IS NULL
    ORDER BY one.subject NULLS LAST LIMIT 1
) AS bound
LEFT JOIN ledger.spent ON spent.scope = side.scope AND spent.subject = side.subject
    AND spent.currency = account.currency
    AND spent.booking_date = (SELECT open_date FROM reporting.business_day)
WHERE account.name = $1 ORDER BY side.place;
