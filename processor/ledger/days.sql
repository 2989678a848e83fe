-- What the day end asks of the ledger.

-- name: standing
-- Which ledger it is, which day is open in it, and the time by its own clock.
SELECT (SELECT ledger_id FROM ledger.identity) AS ledger_id, open_date::text,
       ledger_sequence IS NOT NULL AS has_closed,
       (clock_timestamp() AT TIME ZONE 'UTC')::date::text AS today,
       (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now_us
FROM reporting.business_day;

-- name: closed_day
-- A day that was closed; the last one where none is named.
SELECT business_date::text, next_date::text,
       to_char(closed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS closed_at,
       transaction_id::text
FROM reporting.closed_days WHERE business_date = coalesce($1::date, business_date)
ORDER BY ledger_sequence DESC LIMIT 1;

-- name: reasons
-- Of those ids that were decided, why they were refused, if they were.
SELECT known.transaction_id::text, refusal.reason
FROM ledger.transaction AS known
LEFT JOIN ledger.refusal ON refusal.ledger_sequence = known.ledger_sequence
    AND refusal.decided_at = known.decided_at
WHERE known.transaction_id = ANY ($1::uuid[]);
