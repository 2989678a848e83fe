-- What `processor verify` asks of the business dates; see verify.sql.

-- name: wrong_dates
-- Postings that are not booked on the day that was open where they stand in the ledger's order, or
-- count from before it; and closings that do not follow each other as the commands say.
WITH period AS (
    SELECT ledger_sequence AS begins, next_date AS open_date,
           lead(ledger_sequence) OVER walk AS ends, business_date,
           lag(next_date) OVER walk AS was_open
    FROM ledger.closing WINDOW walk AS (ORDER BY ledger_sequence)
), fault AS (
    SELECT posting.ledger_sequence,
           format('ledger_sequence %s: booked on %s with value date %s while %s was open',
                  posting.ledger_sequence, posting.booking_date, posting.value_date,
                  period.open_date) AS what
    FROM period JOIN ledger.posting
        ON posting.ledger_sequence > period.begins
       AND (period.ends IS NULL OR posting.ledger_sequence < period.ends)
    WHERE posting.booking_date <> period.open_date OR posting.value_date < period.open_date
    UNION ALL
    SELECT period.begins,
           format('%s was closed while %s was open', period.business_date, period.was_open)
    FROM period WHERE period.was_open <> period.business_date
    UNION ALL
    SELECT coalesce(change.ledger_sequence, closing.ledger_sequence),
           format('closing %s: not what its command says',
                  coalesce(change.ledger_sequence, closing.ledger_sequence))
    FROM ledger.closing
    FULL JOIN (
        SELECT ledger_sequence, (details::jsonb ->> 'business_date')::date AS closed
        FROM ledger.account_change WHERE changes_rules AND type = 'day.close'
    ) AS change USING (ledger_sequence)
    WHERE change.closed IS DISTINCT FROM closing.business_date
)
SELECT what AS line, count(*) OVER () AS total FROM fault ORDER BY ledger_sequence LIMIT 20;
