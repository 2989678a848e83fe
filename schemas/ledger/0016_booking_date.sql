-- What an account held by booking date: what is booked on a day and before. Closings part the days
-- in the ledger's order, so that is the balance before the closing behind which nothing is booked
-- by then any more. Before the first closing each booking has its UTC date, which may be later than
-- the day that was closed first: what was booked so beyond the day is taken off again.
CREATE FUNCTION reporting.balance_at_booking_date(account text, day date) RETURNS numeric
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = ledger, pg_temp
SET plan_cache_mode = force_custom_plan SET enable_sort = off SET enable_bitmapscan = off
AS $$
DECLARE
    own record;
    evening timestamptz := (day + 1)::timestamp AT TIME ZONE 'UTC';
    first record;
    next record;
    held bigint;
    beyond numeric;
BEGIN
    SELECT found.account_id, currency.digits INTO own
    FROM ledger.account AS found JOIN ledger.currency ON currency.code = found.currency
    WHERE found.name = balance_at_booking_date.account;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    SELECT closing.ledger_sequence, change.decided_at INTO first
    FROM closing JOIN account_change AS change USING (ledger_sequence)
    ORDER BY closing.ledger_sequence LIMIT 1;
    IF NOT FOUND THEN
        RETURN reporting.balance_at(
            balance_at_booking_date.account, evening - interval '1 microsecond');
    END IF;
    SELECT closing.ledger_sequence, change.decided_at INTO next
    FROM closing JOIN account_change AS change USING (ledger_sequence)
    WHERE closing.next_date > day ORDER BY closing.ledger_sequence LIMIT 1;
    SELECT entry.balance INTO held FROM ledger.entry
    WHERE entry.account_id = own.account_id
      AND entry.decided_at <= coalesce(next.decided_at, 'infinity')
      AND (next.ledger_sequence IS NULL OR entry.ledger_sequence < next.ledger_sequence)
    ORDER BY entry.decided_at DESC, entry.ledger_sequence DESC, entry.line DESC LIMIT 1;
    SELECT sum(CASE entry.side WHEN 1 THEN -entry.amount ELSE entry.amount END) INTO beyond
    FROM ledger.entry
    WHERE entry.account_id = own.account_id
      AND entry.decided_at >= evening AND entry.decided_at <= first.decided_at
      AND entry.ledger_sequence < first.ledger_sequence;
    RETURN reporting.major(coalesce(held, 0) - coalesce(beyond, 0), own.digits);
END $$;

REVOKE ALL ON FUNCTION reporting.balance_at_booking_date FROM PUBLIC;
GRANT EXECUTE ON FUNCTION reporting.balance_at_booking_date TO processor_worker, processor_reader;
