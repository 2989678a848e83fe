-- The business date: the day that is open for bookings. It moves by the command day.close alone,
-- and what is booked on a day that is closed stays as it is for ever.

-- The default serves workers of the release before, which do not know the column; the dates are
-- checked where postings are applied. What was booked before has its UTC date; that writes every
-- posting anew, and no worker posts while the table and its indexes are copied.
ALTER TABLE ledger.posting ADD COLUMN booking_date date;
ALTER TABLE ledger.posting
    ALTER COLUMN booking_date TYPE date USING (decided_at AT TIME ZONE 'UTC')::date,
    ALTER COLUMN booking_date SET NOT NULL,
    ALTER COLUMN booking_date SET DEFAULT (transaction_timestamp() AT TIME ZONE 'UTC')::date;

SELECT ledger.sample_little(partition.inhrelid::regclass)
FROM pg_inherits AS partition
WHERE partition.inhparent = 'ledger.posting'::regclass
ORDER BY partition.inhrelid::regclass::text;

-- One row for each day that was closed, in the ledger's order: what is decided behind it is booked
-- on next_date. Made from rows of account_change and by nothing else.
CREATE TABLE ledger.closing (
    ledger_sequence bigint PRIMARY KEY,
    business_date   date NOT NULL CONSTRAINT closed_once UNIQUE,
    next_date       date NOT NULL,
    CONSTRAINT days_go_forward CHECK (next_date > business_date)
);
SELECT ledger.guard('ledger.closing');
CREATE TRIGGER closed_by_commands BEFORE INSERT ON ledger.closing
    FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0)
    EXECUTE FUNCTION ledger.refuse_change('only commands close days');

-- A closing waits for all that book beside it, and they wait for it: whoever comes to book
-- afterwards sees it. Workers take the same lock before they decide.
CREATE FUNCTION ledger.apply_closing() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
    own record;
    last record;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('ledger.rules'));
    SELECT said.closed, coalesce(said.next, said.closed + 1) AS next INTO own
    FROM (
        SELECT (NEW.details::jsonb ->> 'business_date')::date AS closed,
               (NEW.details::jsonb ->> 'next_date')::date AS next
    ) AS said;
    SELECT closing.ledger_sequence, closing.next_date INTO last
    FROM closing ORDER BY closing.ledger_sequence DESC LIMIT 1;
    IF last.next_date <> own.closed OR last.ledger_sequence > NEW.ledger_sequence THEN
        RAISE EXCEPTION 'only the open day % can be closed', last.next_date
            USING ERRCODE = 'check_violation', CONSTRAINT = 'days_follow';
    END IF;
    IF EXISTS (SELECT FROM posting WHERE posting.ledger_sequence > NEW.ledger_sequence) THEN
        RAISE EXCEPTION 'something is posted behind this closing'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'closing_is_last';
    END IF;
    INSERT INTO closing VALUES (NEW.ledger_sequence, own.closed, own.next);
    RETURN NULL;
END $$;

CREATE TRIGGER apply_closing AFTER INSERT ON ledger.account_change
    FOR EACH ROW WHEN (NEW.type = 'day.close') EXECUTE FUNCTION ledger.apply_closing();

-- As before, and the dates are those of the day that is open where the postings stand in the
-- ledger's order. A transaction may close a day between two of its postings. No other one may have
-- closed a day since they were decided: of those every closing counts, of its own those before each
-- posting.
CREATE OR REPLACE FUNCTION ledger.apply_postings() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
    unmoved bigint;
    unregistered bigint;
    unfounded bigint;
    last record;
    are_wrong boolean;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtext('ledger.rules'));
    SELECT closing.next_date, closing.xmin = pg_current_xact_id()::xid AS is_own INTO last
    FROM closing ORDER BY closing.ledger_sequence DESC LIMIT 1;
    IF NOT FOUND THEN
        are_wrong := false;
    ELSIF NOT last.is_own THEN
        SELECT min(booking_date) <> last.next_date OR max(booking_date) <> last.next_date
               OR min(value_date) < last.next_date
        INTO are_wrong FROM added;
    ELSE
        SELECT bool_or(added.booking_date <> open.next_date OR added.value_date < open.next_date)
        INTO are_wrong
        FROM added CROSS JOIN LATERAL (
            SELECT closing.next_date FROM closing
            WHERE closing.ledger_sequence < added.ledger_sequence
               OR closing.xmin <> pg_current_xact_id()::xid
            ORDER BY closing.ledger_sequence DESC LIMIT 1
        ) AS open;
    END IF;
    IF are_wrong THEN
        RAISE EXCEPTION 'a posting is not booked on the day that is open'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'period_is_open';
    END IF;

    IF EXISTS (SELECT FROM added WHERE overdraws OR hold_transaction_id IS NOT NULL) THEN
        WITH capture AS (
            SELECT hold_transaction_id, debit_account_id, sum(held)::bigint AS held,
                   sum(amount)::bigint AS captured, sum(released)::bigint AS released
            FROM added WHERE hold_transaction_id IS NOT NULL GROUP BY 1, 2
        ), changed AS (
            UPDATE hold SET remaining = hold.remaining + capture.held,
                            captured = hold.captured + capture.captured,
                            released = hold.released + capture.released
            FROM capture
            WHERE hold.hold_transaction_id = capture.hold_transaction_id
              AND hold.account_id = capture.debit_account_id
            RETURNING 1
        )
        SELECT (SELECT count(*) FROM capture) - (SELECT count(*) FROM changed) INTO unmoved;
        IF unmoved <> 0 THEN
            RAISE EXCEPTION 'a capture is not of a hold in the account that gives'
                USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'capture_of_hold';
        END IF;

        -- More is tolerated than is needed; what is left over goes with the movement below.
        UPDATE account SET
            held = account.held + side.held,
            tolerated = account.tolerated
                + CASE WHEN account.overdraft_limit IS NULL THEN 0 ELSE side.beyond END
        FROM (
            SELECT debit_account_id AS account_id, coalesce(sum(held), 0)::bigint AS held,
                   coalesce(sum(amount) FILTER (WHERE overdraws), 0)::bigint AS beyond
            FROM added WHERE overdraws OR hold_transaction_id IS NOT NULL GROUP BY 1
        ) AS side
        WHERE account.account_id = side.account_id;
    END IF;

    WITH movement AS (
        SELECT side.account_id, side.currency, sum(side.change)::bigint AS change
        FROM (
            SELECT debit_account_id AS account_id, currency, -amount AS change FROM added
            UNION ALL
            SELECT credit_account_id, currency, amount FROM added
        ) AS side
        GROUP BY side.account_id, side.currency
    ), moved AS (
        UPDATE account SET
            posted = account.posted + movement.change,
            tolerated = least(account.tolerated, greatest(0,
                account.held - account.posted - movement.change - account.overdraft_limit))
        FROM movement
        WHERE account.account_id = movement.account_id AND account.currency = movement.currency
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM movement) - (SELECT count(*) FROM moved) INTO unmoved;
    IF unmoved <> 0 THEN
        RAISE EXCEPTION 'a posting names an account that does not exist in its currency'
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'posting_in_currency_of_accounts';
    END IF;

    -- With transaction_id_once and posting_once this makes a second posting of an id impossible.
    -- The id must have been registered by this very transaction, so that one that was refused
    -- before can't be posted later.
    SELECT (SELECT count(*) FROM added) - (
        SELECT count(*) FROM added JOIN transaction USING (transaction_id)
        WHERE transaction.ledger_sequence = added.ledger_sequence
          AND transaction.decided_at = added.decided_at
          AND transaction.xmin = pg_current_xact_id()::xid)
    INTO unregistered;
    IF unregistered <> 0 THEN
        RAISE EXCEPTION 'a posting has no transaction id of its own'
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'posting_of_registered_id';
    END IF;

    IF EXISTS (SELECT FROM added WHERE original_transaction_id IS NOT NULL) THEN
        WITH given_back AS (
            SELECT original_transaction_id, debit_account_id, credit_account_id,
                sum(amount)::bigint AS amount
            FROM added WHERE original_transaction_id IS NOT NULL GROUP BY 1, 2, 3
        ), summed AS (
            INSERT INTO reversal_total AS total
            SELECT given_back.original_transaction_id, original.amount, given_back.amount
            FROM given_back
            JOIN transaction ON transaction.transaction_id = given_back.original_transaction_id
            CROSS JOIN LATERAL (
                SELECT * FROM posting
                WHERE posting.ledger_sequence = transaction.ledger_sequence
                  AND posting.decided_at = transaction.decided_at AND posting.line = 1
                LIMIT 1
            ) AS original
            WHERE original.credit_account_id = given_back.debit_account_id
              AND original.debit_account_id = given_back.credit_account_id
              AND original.original_transaction_id IS NULL
            ON CONFLICT (original_transaction_id) DO UPDATE
                SET reversed_amount = total.reversed_amount + excluded.reversed_amount
            RETURNING 1
        )
        SELECT (SELECT count(*) FROM given_back) - (SELECT count(*) FROM summed) INTO unfounded;
        IF unfounded <> 0 THEN
            RAISE EXCEPTION 'a reversal is not of a posting between the same two accounts'
                USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'reversal_of_posting';
        END IF;
    END IF;
    RETURN NULL;
END $$;

-- As before, with the business date.
CREATE OR REPLACE VIEW reporting.entries AS
SELECT posting.transaction_id, 2 * (posting.line - 1) + side.line AS line,
       account.name::text AS account, side.direction,
       reporting.major(posting.amount, currency.digits) AS amount, posting.currency,
       reporting.major(side.balance, currency.digits) AS balance_after,
       posting.decided_at AS booked_at, posting.value_date, posting.ledger_sequence,
       posting.type, posting.channel, posting.reference, posting.booking_date
FROM ledger.posting
CROSS JOIN LATERAL (VALUES
    (1, posting.debit_account_id, 'debit', posting.debit_balance),
    (2, posting.credit_account_id, 'credit', posting.credit_balance)
) AS side (line, account_id, direction, balance)
JOIN ledger.account ON account.account_id = side.account_id
JOIN ledger.currency ON currency.code = posting.currency;

CREATE OR REPLACE VIEW ledger.entry AS
SELECT debit_account_id AS account_id, decided_at, ledger_sequence, line, 1 AS side,
       amount, debit_balance AS balance, credit_account_id AS counter_account_id,
       value_date, currency, type, reference, transaction_id, booking_date
FROM ledger.posting
UNION ALL
SELECT credit_account_id, decided_at, ledger_sequence, line, 2,
       amount, credit_balance, debit_account_id,
       value_date, currency, type, reference, transaction_id, booking_date
FROM ledger.posting;

DROP FUNCTION reporting.statement;

-- As before, with the business date that each entry was booked on.
CREATE FUNCTION reporting.statement(
    account text, from_moment timestamptz, to_moment timestamptz DEFAULT 'infinity',
    after text DEFAULT NULL, page_size bigint DEFAULT NULL)
RETURNS TABLE (
    booked_at timestamptz, booking_date date, value_date date, type text, direction text,
    amount numeric, currency text, balance_after numeric, counter_account text, reference text,
    transaction_id uuid, line integer, ledger_sequence bigint, "cursor" text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = ledger, pg_temp
SET plan_cache_mode = force_custom_plan SET enable_sort = off SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
DECLARE
    own_id bigint;
    own_digits smallint;
    start_at timestamptz := from_moment;
    start_sequence bigint := -1;
    start_line integer := 0;
    parts text[] := string_to_array(after, '_');
BEGIN
    SELECT found.account_id, currency.digits INTO own_id, own_digits
    FROM ledger.account AS found JOIN ledger.currency ON currency.code = found.currency
    WHERE found.name = statement.account;
    IF parts[1]::timestamptz >= from_moment THEN
        start_at := parts[1];
        start_sequence := parts[2];
        start_line := parts[3];
    END IF;
    RETURN QUERY
    SELECT entry.decided_at, entry.booking_date, entry.value_date, entry.type,
           CASE entry.side WHEN 1 THEN 'debit' ELSE 'credit' END,
           reporting.major(entry.amount, own_digits), entry.currency,
           reporting.major(entry.balance, own_digits),
           (SELECT other.name::text FROM ledger.account AS other
            WHERE other.account_id = entry.counter_account_id),
           entry.reference, entry.transaction_id, 2 * (entry.line - 1) + entry.side,
           entry.ledger_sequence,
           to_char(entry.decided_at AT TIME ZONE 'UTC', 'YYYYMMDD"T"HH24MISS.US"Z"')
               || '_' || entry.ledger_sequence || '_' || entry.line
    FROM ledger.entry
    WHERE entry.account_id = own_id
      AND entry.decided_at >= start_at AND entry.decided_at < to_moment
      AND (entry.decided_at, entry.ledger_sequence, entry.line)
          > (start_at, start_sequence, start_line)
    ORDER BY entry.decided_at, entry.ledger_sequence, entry.line
    LIMIT page_size;
END $$;

-- The days that were closed, and by which command.
CREATE VIEW reporting.closed_days AS
SELECT closing.business_date, closing.next_date, change.decided_at AS closed_at,
       change.transaction_id, closing.ledger_sequence
FROM ledger.closing
JOIN ledger.account_change AS change USING (ledger_sequence);

-- The open business date, since when, and by which command; while no day was ever closed, the UTC
-- date, since nothing.
CREATE VIEW reporting.business_day AS
SELECT coalesce(last.next_date, (now() AT TIME ZONE 'UTC')::date) AS open_date,
       last.closed_at AS since, last.transaction_id, last.ledger_sequence
FROM (VALUES (1)) AS one
LEFT JOIN LATERAL (
    SELECT * FROM reporting.closed_days ORDER BY ledger_sequence DESC LIMIT 1
) AS last ON true;

-- Each account's debits and credits booked on a day or before it, and its balance on the side where
-- it stands, from the balance that the account keeps less what was booked on later days. Of a day
-- that is closed it never changes. Reads every posting.
CREATE FUNCTION reporting.trial_balance_of_accounts_of_day(day date)
RETURNS TABLE (
    account text, currency text, kind text, code text, class text, normal_side text,
    debits numeric, credits numeric, debit_balance numeric, credit_balance numeric)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
    WITH moved AS (
        SELECT side.account_id, sum(side.debits) AS debits, sum(side.credits) AS credits,
               sum(side.later) AS later
        FROM (
            SELECT debit_account_id AS account_id,
                   sum(amount) FILTER (WHERE booking_date <= day) AS debits,
                   NULL::numeric AS credits,
                   -sum(amount) FILTER (WHERE booking_date > day) AS later
            FROM ledger.posting GROUP BY 1
            UNION ALL
            SELECT credit_account_id, NULL, sum(amount) FILTER (WHERE booking_date <= day),
                   sum(amount) FILTER (WHERE booking_date > day)
            FROM ledger.posting GROUP BY 1
        ) AS side
        GROUP BY 1
    ), ended AS (
        -- When the day ended: with its closing, that of the day before where it was no business
        -- day, by UTC before the first closing. The open one has not.
        SELECT coalesce(
            (SELECT closed.closed_at FROM reporting.closed_days AS closed
             WHERE closed.business_date <= day AND day < closed.next_date),
            CASE WHEN EXISTS (SELECT FROM closing WHERE closing.business_date <= day)
                 THEN 'infinity'
                 ELSE (day + 1)::timestamp AT TIME ZONE 'UTC' - interval '1 microsecond' END
        ) AS moment
    ), standing AS (
        SELECT account.name::text AS account, account.currency, account.kind, currency.digits,
               coalesce(moved.debits, 0) AS debits, coalesce(moved.credits, 0) AS credits,
               account.posted - coalesce(moved.later, 0) AS balance
        FROM ledger.account
        JOIN ledger.currency ON currency.code = account.currency
        CROSS JOIN ended
        LEFT JOIN moved USING (account_id)
        WHERE account.opened_at <= ended.moment
           OR moved.debits IS NOT NULL OR moved.credits IS NOT NULL
    )
    SELECT standing.account, standing.currency, standing.kind, account_kind.code,
           account_kind.class, account_kind.normal_side,
           reporting.major(standing.debits, standing.digits),
           reporting.major(standing.credits, standing.digits),
           reporting.major(greatest(-standing.balance, 0), standing.digits),
           reporting.major(greatest(standing.balance, 0), standing.digits)
    FROM standing JOIN ledger.account_kind USING (kind)
$$;

-- The same by kind of account.
CREATE FUNCTION reporting.trial_balance_of_day(day date)
RETURNS TABLE (
    currency text, kind text, code text, class text, normal_side text, accounts bigint,
    debits numeric, credits numeric, debit_balance numeric, credit_balance numeric)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
    SELECT one.currency, one.kind, one.code, one.class, one.normal_side, count(*),
           sum(one.debits), sum(one.credits),
           round(greatest(sum(one.debit_balance - one.credit_balance), 0), known.digits),
           round(greatest(sum(one.credit_balance - one.debit_balance), 0), known.digits)
    FROM reporting.trial_balance_of_accounts_of_day(day) AS one
    JOIN ledger.currency AS known ON known.code = one.currency
    GROUP BY 1, 2, 3, 4, 5, known.digits
$$;

REVOKE ALL ON FUNCTION
    ledger.apply_closing, reporting.statement, reporting.trial_balance_of_accounts_of_day,
    reporting.trial_balance_of_day
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    reporting.statement, reporting.trial_balance_of_accounts_of_day, reporting.trial_balance_of_day
    TO processor_worker, processor_reader;
GRANT SELECT ON ledger.closing, reporting.closed_days, reporting.business_day TO processor_worker;
GRANT SELECT ON reporting.closed_days, reporting.business_day TO processor_reader;
