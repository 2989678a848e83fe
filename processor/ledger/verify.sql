-- What `processor verify` asks, all within one snapshot. A statement of faults gives lines for
-- people: the first of them, each with the number of all (`total`).

-- name: snapshot
SET LOCAL work_mem = '64MB';

-- name: counts
SELECT (SELECT count(*) FROM ledger.posting) AS postings,
       (SELECT count(*) FROM ledger.posting WHERE line = 1) AS posted,
       (SELECT count(*) FROM ledger.refusal) AS refusals,
       (SELECT count(*) FROM ledger.account_change) AS account_changes,
       (SELECT count(*) FROM ledger.repeat) AS repeats,
       (SELECT count(*) FROM ledger.conflict) AS conflicts,
       (SELECT count(*) FROM ledger.dead_letter) AS dead_letters,
       (SELECT count(*) FROM ledger.hole) AS holes,
       (SELECT count(*) FROM ledger.transaction) AS transactions,
       (SELECT count(*) FROM ledger.account) AS accounts,
       (SELECT count(*) FROM ledger.hold) AS holds,
       (SELECT count(*) FROM ledger.closing) AS closings,
       (SELECT count(*) FROM ledger.spending) AS spendings,
       (SELECT count(*) FROM ledger.reversal_total) AS reversed;

-- name: currencies
-- Each currency's books: the sum of the balances, and of the entries on accounts in that currency.
WITH side AS (
    SELECT debit_account_id AS account_id, currency, sum(amount) AS debits, 0 AS credits
    FROM ledger.posting GROUP BY 1, 2
    UNION ALL
    SELECT credit_account_id, currency, 0, sum(amount) FROM ledger.posting GROUP BY 1, 2
), entries AS (
    SELECT account.currency, sum(side.debits) AS debits, sum(side.credits) AS credits
    FROM side JOIN ledger.account ON account.account_id = side.account_id
         AND account.currency = side.currency
    GROUP BY 1
)
SELECT books.currency, books.balance::text, coalesce(entries.debits, 0)::text AS debits,
       coalesce(entries.credits, 0)::text AS credits
FROM (SELECT currency, sum(posted) AS balance FROM ledger.account GROUP BY 1) AS books
LEFT JOIN entries USING (currency)
ORDER BY books.currency;

-- name: wrong_balances
-- Balances that are not the sum of the account's entries, or below its limit.
WITH movement AS (
    SELECT account_id, sum(change) AS change
    FROM (
        SELECT debit_account_id AS account_id, -sum(amount) AS change FROM ledger.posting GROUP BY 1
        UNION ALL
        SELECT credit_account_id, sum(amount) FROM ledger.posting GROUP BY 1
    ) AS side
    GROUP BY 1
), fault AS (
    SELECT coalesce(account.name::text, 'number ' || movement.account_id) AS account,
           CASE
               WHEN account.name IS NULL THEN 'has entries but does not exist'
               WHEN account.posted <> coalesce(movement.change, 0)
               THEN format('balance %s, entries sum to %s', account.posted,
                           coalesce(movement.change, 0))
               ELSE format('balance %s, held %s, limit %s: below its limit', account.posted,
                           account.held, account.overdraft_limit)
           END AS what
    FROM ledger.account FULL JOIN movement USING (account_id)
    WHERE account.posted IS DISTINCT FROM coalesce(movement.change, 0)
       OR account.posted - account.held + account.overdraft_limit + account.tolerated < 0
)
SELECT format('account %s: %s (minor units)', account, what) AS line, count(*) OVER () AS total
FROM fault ORDER BY account LIMIT 20;

-- name: wrong_terms
-- Accounts whose status or limit is not what their last change says; without one they are open.
WITH last AS (
    SELECT DISTINCT ON (account) account, status, overdraft_limit
    FROM ledger.account_change WHERE status IS NOT NULL
    ORDER BY account, ledger_sequence DESC
)
SELECT format('account %s: status %s, limit %s; its last change says %s, %s (minor units)',
              account.name, account.status, coalesce(account.overdraft_limit::text, 'none'),
              coalesce(last.status, 'open'),
              CASE WHEN last.status IS NULL THEN 'as opened'
                   ELSE coalesce(last.overdraft_limit::text, 'none') END) AS line,
       count(*) OVER () AS total
FROM ledger.account LEFT JOIN last ON last.account = account.name
WHERE account.status <> coalesce(last.status, 'open')
   OR (last.status IS NOT NULL
       AND account.overdraft_limit IS DISTINCT FROM last.overdraft_limit)
ORDER BY account.name LIMIT 20;

-- name: wrong_holds
-- Holds that are not what the commands on them say, and accounts in which something else is held
-- than by their holds.
WITH moved AS (
    SELECT hold_transaction_id, sum(held) AS held, sum(captured) AS captured,
           sum(released) AS released
    FROM (
        SELECT hold_transaction_id, held, 0 AS captured, released
        FROM ledger.account_change WHERE hold_transaction_id IS NOT NULL
        UNION ALL
        SELECT hold_transaction_id, held, amount, released
        FROM ledger.posting WHERE hold_transaction_id IS NOT NULL
    ) AS step
    GROUP BY 1
), holding AS (
    SELECT account_id, sum(remaining) AS held FROM ledger.hold GROUP BY 1
), fault AS (
    SELECT format('hold %s', coalesce(hold.hold_transaction_id, moved.hold_transaction_id)) AS name,
           format('holds %s, captured %s, released %s; its commands say %s, %s, %s',
                  hold.remaining, hold.captured, hold.released, moved.held, moved.captured,
                  moved.released) AS what
    FROM ledger.hold FULL JOIN moved USING (hold_transaction_id)
    WHERE (hold.remaining, hold.captured, hold.released)
          IS DISTINCT FROM (moved.held, moved.captured, moved.released)
    UNION ALL
    SELECT format('account %s', account.name),
           format('%s is held, by its holds %s', account.held, coalesce(holding.held, 0))
    FROM ledger.account LEFT JOIN holding USING (account_id)
    WHERE account.held <> coalesce(holding.held, 0) OR account.ahead <> 0
)
SELECT format('%s: %s (minor units)', name, what) AS line, count(*) OVER () AS total
FROM fault ORDER BY name LIMIT 20;

-- name: broken_chains
-- Entries whose balance is not the one before plus the change, and accounts that ended elsewhere.
WITH entry AS (
    SELECT debit_account_id AS account_id, ledger_sequence, line, -amount AS change,
           debit_balance AS balance
    FROM ledger.posting
    UNION ALL
    SELECT credit_account_id, ledger_sequence, line, amount, credit_balance FROM ledger.posting
), step AS (
    SELECT account_id, ledger_sequence, line, balance,
           lag(balance, 1, 0::bigint) OVER walk + change AS expected,
           lead(ledger_sequence) OVER walk IS NULL AS is_last
    FROM entry
    WINDOW walk AS (PARTITION BY account_id ORDER BY ledger_sequence, line)
), fault AS (
    SELECT account.name::text AS account, step.ledger_sequence,
           CASE
               WHEN step.balance <> step.expected
               THEN format('balance %s after ledger_sequence %s, %s expected', step.balance,
                           step.ledger_sequence, step.expected)
               ELSE format('balance %s, but %s after the last entry, ledger_sequence %s',
                           account.posted, step.balance, step.ledger_sequence)
           END AS what
    FROM step JOIN ledger.account USING (account_id)
    WHERE step.balance <> step.expected OR (step.is_last AND step.balance <> account.posted)
)
SELECT format('account %s: %s (minor units)', account, what) AS line, count(*) OVER () AS total
FROM fault ORDER BY account, ledger_sequence LIMIT 20;

-- name: wrong_lines
-- Lines of a transaction that do not follow the one before them, or are not of the same command.
SELECT format('transaction %s: line %s %s', further.transaction_id, further.line,
              CASE WHEN before.line IS NULL THEN 'has no line before it'
                   ELSE 'is not of the same command as the line before it' END) AS line,
       count(*) OVER () AS total
FROM ledger.posting AS further
LEFT JOIN ledger.posting AS before
    ON before.ledger_sequence = further.ledger_sequence AND before.decided_at = further.decided_at
   AND before.line = further.line - 1
WHERE further.line > 1
  AND (before.transaction_id, before.source_id, before.source_offset, before.type)
      IS DISTINCT FROM
      (further.transaction_id, further.source_id, further.source_offset, further.type)
ORDER BY further.transaction_id, further.line LIMIT 20;

-- name: wrong_ids
-- Transaction ids without exactly one posting, refusal or account change of the same sequence.
WITH record AS (
    SELECT transaction_id, ledger_sequence, decided_at FROM ledger.posting WHERE line = 1
    UNION ALL SELECT transaction_id, ledger_sequence, decided_at FROM ledger.refusal
    UNION ALL SELECT transaction_id, ledger_sequence, decided_at FROM ledger.account_change
), decision AS (
    SELECT transaction_id, count(*) AS times, min(ledger_sequence) AS ledger_sequence,
           min(decided_at) AS decided_at
    FROM record GROUP BY 1
), fault AS (
    SELECT coalesce(known.transaction_id, decision.transaction_id) AS transaction_id,
           CASE
               WHEN decision.transaction_id IS NULL THEN 'is registered, but nothing was decided'
               WHEN known.transaction_id IS NULL THEN 'was decided, but is not registered'
               WHEN decision.times > 1 THEN format('was decided %s times', decision.times)
               ELSE format('is registered at ledger_sequence %s, decided at %s',
                           known.ledger_sequence, decision.ledger_sequence)
           END AS what
    FROM ledger.transaction AS known FULL JOIN decision USING (transaction_id)
    WHERE (known.ledger_sequence, known.decided_at) IS DISTINCT FROM
          (decision.ledger_sequence, decision.decided_at)
       OR decision.times > 1
)
SELECT format('transaction %s %s', transaction_id, what) AS line, count(*) OVER () AS total
FROM fault ORDER BY transaction_id LIMIT 20;

-- name: wrong_sequences
-- ledger_sequences drawn twice, or not growing with the offset within a partition.
WITH record AS (
    SELECT source_id, source_offset, ledger_sequence FROM ledger.posting WHERE line = 1
    UNION ALL SELECT source_id, source_offset, ledger_sequence FROM ledger.refusal
    UNION ALL SELECT source_id, source_offset, ledger_sequence FROM ledger.account_change
), step AS (
    SELECT *, lag(ledger_sequence) OVER (PARTITION BY source_id ORDER BY source_offset) AS before
    FROM record
), fault AS (
    SELECT format('%s/%s: offset %s has ledger_sequence %s, an earlier offset %s', source.topic,
                  source.partition, step.source_offset, step.ledger_sequence, step.before) AS line
    FROM step JOIN ledger.source USING (source_id)
    WHERE step.before > step.ledger_sequence
    UNION ALL
    SELECT format('ledger_sequence %s was drawn %s times', ledger_sequence, count(*))
    FROM record GROUP BY ledger_sequence HAVING count(*) > 1
)
SELECT line, count(*) OVER () AS total FROM fault ORDER BY line LIMIT 20;

-- name: wrong_references
-- Repeats and conflicts whose first answer is not the one that is recorded under the id.
WITH reference AS (
    SELECT 'repeat' AS kind, source_id, source_offset, transaction_id, ledger_sequence
    FROM ledger.repeat
    UNION ALL
    SELECT 'conflict', source_id, source_offset, transaction_id, first_sequence
    FROM ledger.conflict
)
SELECT format('%s/%s@%s: the %s of %s names ledger_sequence %s, the ledger has %s', source.topic,
              source.partition, reference.source_offset, reference.kind, reference.transaction_id,
              reference.ledger_sequence, coalesce(known.ledger_sequence::text, 'none')) AS line,
       count(*) OVER () AS total
FROM reference
JOIN ledger.source USING (source_id)
LEFT JOIN ledger.transaction AS known USING (transaction_id)
WHERE known.ledger_sequence IS DISTINCT FROM reference.ledger_sequence
ORDER BY source.topic, source.partition, reference.source_offset LIMIT 20;

-- name: wrong_reversals
-- Originals of which more was given back than they moved or than the reversals' total says, and
-- reversals that do not turn their original's sides around.
WITH given_back AS (
    SELECT original_transaction_id, sum(amount) AS amount
    FROM ledger.posting WHERE original_transaction_id IS NOT NULL GROUP BY 1
), original AS (
    SELECT known.transaction_id, posting.amount, posting.currency,
           posting.debit_account_id, posting.credit_account_id
    FROM (SELECT original_transaction_id AS transaction_id FROM given_back
          UNION SELECT original_transaction_id FROM ledger.reversal_total) AS wanted
    JOIN ledger.transaction AS known USING (transaction_id)
    JOIN ledger.posting ON posting.ledger_sequence = known.ledger_sequence
        AND posting.decided_at = known.decided_at AND posting.line = 1
), fault AS (
    SELECT coalesce(given_back.original_transaction_id, total.original_transaction_id) AS id,
           format('moved %s, gave back %s, total says %s of %s', coalesce(original.amount, 0),
                  coalesce(given_back.amount, 0), coalesce(total.reversed_amount, 0),
                  coalesce(total.original_amount, 0)) AS what
    FROM given_back
    FULL JOIN ledger.reversal_total AS total USING (original_transaction_id)
    LEFT JOIN original ON original.transaction_id
        = coalesce(given_back.original_transaction_id, total.original_transaction_id)
    WHERE total.reversed_amount IS DISTINCT FROM given_back.amount
       OR total.original_amount IS DISTINCT FROM original.amount
       OR given_back.amount > original.amount
    UNION ALL
    SELECT reversal.transaction_id, 'is a reversal that does not turn its original around'
    FROM ledger.posting AS reversal
    JOIN original ON original.transaction_id = reversal.original_transaction_id
    WHERE (reversal.debit_account_id, reversal.credit_account_id, reversal.currency)
       <> (original.credit_account_id, original.debit_account_id, original.currency)
)
SELECT format('transaction %s %s', id, what) AS line, count(*) OVER () AS total
FROM fault ORDER BY id LIMIT 20;

-- name: wrong_offsets
-- Offsets between where a source was begun and where the ledger stands that are recorded not at
-- all or more than once, and records that lie outside. A source that an operator has ended reaches
-- to where the decision found it; where it began is not kept, so its first record counts.
WITH piece AS (
    SELECT source_id, source_offset AS low, source_offset + 1 AS high
    FROM ledger.posting WHERE line = 1
    UNION ALL SELECT source_id, source_offset, source_offset + 1 FROM ledger.refusal
    UNION ALL SELECT source_id, source_offset, source_offset + 1 FROM ledger.account_change
    UNION ALL SELECT source_id, source_offset, source_offset + 1 FROM ledger.repeat
    UNION ALL SELECT source_id, source_offset, source_offset + 1 FROM ledger.conflict
    UNION ALL SELECT source_id, source_offset, source_offset + 1 FROM ledger.dead_letter
    UNION ALL SELECT source_id, from_offset, to_offset FROM ledger.hole
), step AS (
    SELECT source_id, low, high,
           max(high) OVER (PARTITION BY source_id ORDER BY low, high
                           ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reached
    FROM piece
), range AS (
    SELECT source.source_id, format('%s/%s', source.topic, source.partition) AS place,
           position.first_offset, coalesce(position.next_offset, decision.old_next) AS next_offset
    FROM ledger.source
    LEFT JOIN ledger.position USING (source_id)
    LEFT JOIN ledger.operator_decision AS decision ON decision.old_source_id = source.source_id
), tail AS (
    SELECT source_id, max(high) AS high FROM piece GROUP BY 1
), fault AS (
    SELECT place, low, 'is recorded more than once' AS what, low AS first,
           least(high, reached) AS past
    FROM step JOIN range USING (source_id) WHERE low < reached
    UNION ALL
    SELECT place, low, 'no record', coalesce(reached, first_offset), low
    FROM step JOIN range USING (source_id) WHERE low > coalesce(reached, first_offset)
    UNION ALL
    SELECT place, low, 'is recorded before the beginning', low, least(high, first_offset)
    FROM step JOIN range USING (source_id) WHERE low < first_offset
    UNION ALL
    SELECT place, next_offset, 'no record', coalesce(tail.high, first_offset), next_offset
    FROM range LEFT JOIN tail USING (source_id)
    WHERE coalesce(tail.high, first_offset) < next_offset
    UNION ALL
    SELECT place, next_offset, 'is recorded beyond the position', next_offset, tail.high
    FROM range JOIN tail USING (source_id) WHERE tail.high > next_offset
    UNION ALL
    SELECT coalesce(place, 'source ' || tail.source_id), 0,
           CASE WHEN place IS NULL THEN 'is of a source that does not exist'
                ELSE 'is of a source that no position or decision ends' END, 0, tail.high
    FROM tail LEFT JOIN range USING (source_id) WHERE next_offset IS NULL
)
SELECT CASE
           WHEN past - first = 1 THEN format('%s: offset %s: %s', place, first, what)
           ELSE format('%s: offsets %s to %s: %s', place, first, past - 1, what)
       END AS line,
       count(*) OVER () AS total
FROM fault ORDER BY place, low LIMIT 20;

-- name: positions
-- Where the ledger stands in each partition.
SELECT source_id, topic, partition, first_offset, next_offset, delivered_offset, last_offset,
       last_digest
FROM ledger.position ORDER BY topic, partition;

-- name: holes
-- Holes of the current sources, the newest first.
SELECT position.topic, position.partition, hole.from_offset, hole.to_offset
FROM ledger.hole JOIN ledger.position USING (source_id)
ORDER BY hole.recorded_at DESC, hole.source_id, hole.from_offset LIMIT $1;

-- name: sampled_ids
-- Some transaction ids, or all.
SELECT transaction_id::text FROM ledger.transaction TABLESAMPLE BERNOULLI ($1);

-- name: unknown_ids
-- Ids of the dedupe table that the ledger has not, or has under another sequence.
SELECT format('transaction %s: the table says ledger_sequence %s, the ledger has %s',
              seen.transaction_id, seen.ledger_sequence,
              coalesce(known.ledger_sequence::text, 'none')) AS line
FROM (SELECT encode(id, 'hex')::uuid AS transaction_id, ledger_sequence
      FROM unnest($1::bytea[], $2::bigint[]) AS given (id, ledger_sequence)) AS seen
LEFT JOIN ledger.transaction AS known USING (transaction_id)
WHERE known.ledger_sequence IS DISTINCT FROM seen.ledger_sequence;

-- name: sources
SELECT source_id, topic, partition, incarnation FROM ledger.source;

-- name: timelines
SELECT timeline_id, token, from_sequence FROM ledger.timeline ORDER BY timeline_id;

-- name: answers
-- Every recorded answer of the sources: what its events are named after. First answers have no
-- timeline of their own, it follows from their sequence; `has_outcome` is false for a dead letter
-- whose transaction id could not be read.
SELECT source_id, source_offset, ledger_sequence, NULL::integer AS timeline_id,
       true AS has_outcome, false AS is_dead
FROM ledger.posting WHERE source_id = ANY ($1::integer[]) AND line = 1
UNION ALL
SELECT source_id, source_offset, ledger_sequence, NULL, true, false
FROM ledger.refusal WHERE source_id = ANY ($1::integer[])
UNION ALL
SELECT source_id, source_offset, ledger_sequence, NULL, true, false
FROM ledger.account_change WHERE source_id = ANY ($1::integer[])
UNION ALL
SELECT source_id, source_offset, NULL, timeline_id, true, false
FROM ledger.repeat WHERE source_id = ANY ($1::integer[])
UNION ALL
SELECT source_id, source_offset, NULL, timeline_id, true, false
FROM ledger.conflict WHERE source_id = ANY ($1::integer[])
UNION ALL
SELECT source_id, source_offset, NULL, timeline_id, transaction_id IS NOT NULL, true
FROM ledger.dead_letter WHERE source_id = ANY ($1::integer[]);
