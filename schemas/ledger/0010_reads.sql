-- What accountants read: balances at any moment, statements, trial balances, families of payments.
--
-- Postings get an index for each side, which costs the hot path. CPU of PostgreSQL's backend per
-- payment, 20 batches of 2,000 random transfers over 10,000 accounts, interleaved pairs, medians:
-- 21.4 µs without and 27.4 with them on a young ledger (six pairs), 39.8 and 47.0 after 200,000
-- payments on a busier host (seven pairs); 35.8 and 57.8 where the databases of the trial together
-- outgrew shared_buffers, so let that hold the indexes of a month. 700 and 1,100 bytes of WAL.
-- Without ledger_sequence they cost the same CPU and are a quarter smaller, but a page of a busy
-- account would read whole batches. BRIN and GIN can't give entries in order, and without
-- deduplication nothing changes. Partial indexes on what is rare cost nothing that was measured.
-- To make them on a ledger in use holds up postings for some two seconds per million.

CREATE INDEX posting_debits
    ON ledger.posting (debit_account_id, decided_at, ledger_sequence);
CREATE INDEX posting_credits
    ON ledger.posting (credit_account_id, decided_at, ledger_sequence);

-- Money that counts from another day than the one it was booked on. None does yet.
CREATE INDEX posting_debits_of_other_days ON ledger.posting (debit_account_id)
    WHERE value_date <> (decided_at AT TIME ZONE 'UTC')::date;
CREATE INDEX posting_credits_of_other_days ON ledger.posting (credit_account_id)
    WHERE value_date <> (decided_at AT TIME ZONE 'UTC')::date;

CREATE INDEX posting_original ON ledger.posting (original_transaction_id)
    WHERE original_transaction_id IS NOT NULL;

-- The payment or the hold that a refused command was about.
ALTER TABLE ledger.refusal ADD COLUMN about_transaction_id uuid
    GENERATED ALWAYS AS (coalesce(details::jsonb ->> 'original_transaction_id',
                                  details::jsonb ->> 'hold_transaction_id')::uuid) STORED;
CREATE INDEX refusal_about ON ledger.refusal (about_transaction_id)
    WHERE about_transaction_id IS NOT NULL;

SELECT ledger.sample_little(partition.inhrelid::regclass)
FROM pg_inherits AS partition WHERE partition.inhparent = 'ledger.refusal'::regclass
ORDER BY partition.inhrelid::regclass::text;

-- Both sides of each posting by account. Bare columns of one table on each side: so a condition on
-- account_id reaches the indexes, and their order is kept.
CREATE VIEW ledger.entry AS
SELECT debit_account_id AS account_id, decided_at, ledger_sequence, line, 1 AS side,
       amount, debit_balance AS balance, credit_account_id AS counter_account_id,
       value_date, currency, type, reference, transaction_id
FROM ledger.posting
UNION ALL
SELECT credit_account_id, decided_at, ledger_sequence, line, 2,
       amount, credit_balance, debit_account_id,
       value_date, currency, type, reference, transaction_id
FROM ledger.posting;

-- What an account held at a moment, postings of that very moment included; zero before its first,
-- null where there is no such account.
CREATE FUNCTION reporting.balance_at(account text, moment timestamptz) RETURNS numeric
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = ledger, pg_temp
SET plan_cache_mode = force_custom_plan SET enable_sort = off SET enable_bitmapscan = off
AS $$
DECLARE
    own record;
    held bigint;
BEGIN
    SELECT found.account_id, currency.digits INTO own
    FROM ledger.account AS found JOIN ledger.currency ON currency.code = found.currency
    WHERE found.name = balance_at.account;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    SELECT entry.balance INTO held FROM ledger.entry
    WHERE entry.account_id = own.account_id AND entry.decided_at <= moment
    ORDER BY entry.decided_at DESC, entry.ledger_sequence DESC, entry.line DESC LIMIT 1;
    RETURN reporting.major(coalesce(held, 0), own.digits);
END $$;

-- What an account held by value date at the end of a day: its balance at the end of the day, less
-- what was booked by then and counts later, and with what was booked later and counts by then.
CREATE FUNCTION reporting.balance_at_value_date(account text, day date) RETURNS numeric
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = ledger, pg_temp
SET plan_cache_mode = force_custom_plan SET enable_seqscan = off
AS $$
DECLARE
    own record;
    moved numeric;
BEGIN
    SELECT found.account_id, currency.digits INTO own
    FROM ledger.account AS found JOIN ledger.currency ON currency.code = found.currency
    WHERE found.name = balance_at_value_date.account;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    SELECT sum(CASE WHEN entry.value_date <= day THEN 1 ELSE -1 END
               * CASE entry.side WHEN 1 THEN -entry.amount ELSE entry.amount END) INTO moved
    FROM ledger.entry
    WHERE entry.account_id = own.account_id
      AND entry.value_date <> (entry.decided_at AT TIME ZONE 'UTC')::date
      AND (entry.value_date <= day) <> ((entry.decided_at AT TIME ZONE 'UTC')::date <= day);
    RETURN reporting.balance_at(
               balance_at_value_date.account,
               (day + 1)::timestamp AT TIME ZONE 'UTC' - interval '1 microsecond')
        + reporting.major(coalesce(moved, 0), own.digits);
END $$;

-- The entries of an account from `from_moment` on and before `to_moment`, oldest first; a page of
-- them after the cursor of an entry. A page reads its own entries whatever the size of the whole.
CREATE FUNCTION reporting.statement(
    account text, from_moment timestamptz, to_moment timestamptz DEFAULT 'infinity',
    after text DEFAULT NULL, page_size bigint DEFAULT NULL)
RETURNS TABLE (
    booked_at timestamptz, value_date date, type text, direction text, amount numeric,
    currency text, balance_after numeric, counter_account text, reference text,
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
    SELECT entry.decided_at, entry.value_date, entry.type,
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

-- The newest entries of an account, newest first.
CREATE FUNCTION reporting.newest_entries(account text, entries bigint)
RETURNS TABLE (
    booked_at timestamptz, value_date date, type text, direction text, amount numeric,
    currency text, balance_after numeric, counter_account text, reference text,
    transaction_id uuid, line integer, ledger_sequence bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = ledger, pg_temp
SET plan_cache_mode = force_custom_plan SET enable_sort = off SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
DECLARE
    own_id bigint;
    own_digits smallint;
BEGIN
    SELECT found.account_id, currency.digits INTO own_id, own_digits
    FROM ledger.account AS found JOIN ledger.currency ON currency.code = found.currency
    WHERE found.name = newest_entries.account;
    RETURN QUERY
    SELECT entry.decided_at, entry.value_date, entry.type,
           CASE entry.side WHEN 1 THEN 'debit' ELSE 'credit' END,
           reporting.major(entry.amount, own_digits), entry.currency,
           reporting.major(entry.balance, own_digits),
           (SELECT other.name::text FROM ledger.account AS other
            WHERE other.account_id = entry.counter_account_id),
           entry.reference, entry.transaction_id, 2 * (entry.line - 1) + entry.side,
           entry.ledger_sequence
    FROM ledger.entry
    WHERE entry.account_id = own_id
    ORDER BY entry.decided_at DESC, entry.ledger_sequence DESC, entry.line DESC
    LIMIT newest_entries.entries;
END $$;

-- As before, of a sum, which may exceed 64 bits.
CREATE FUNCTION reporting.major(minor numeric, digits smallint) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN round(minor / power(10::numeric, digits::integer), digits::integer);

-- Each account's debits and credits up to a moment, from all postings, and its balance on the side
-- where it stands, from the balance that the account keeps less what came later. That these agree
-- is what a trial balance shows. Reads every posting.
CREATE FUNCTION reporting.trial_balance_of_accounts(moment timestamptz DEFAULT 'infinity')
RETURNS TABLE (
    account text, currency text, kind text, code text, class text, normal_side text,
    debits numeric, credits numeric, debit_balance numeric, credit_balance numeric)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
    WITH moved AS (
        SELECT side.account_id, sum(side.debits) AS debits, sum(side.credits) AS credits,
               sum(side.later) AS later
        FROM (
            SELECT debit_account_id AS account_id,
                   sum(amount) FILTER (WHERE decided_at <= moment) AS debits,
                   NULL::numeric AS credits,
                   -sum(amount) FILTER (WHERE decided_at > moment) AS later
            FROM ledger.posting GROUP BY 1
            UNION ALL
            SELECT credit_account_id, NULL, sum(amount) FILTER (WHERE decided_at <= moment),
                   sum(amount) FILTER (WHERE decided_at > moment)
            FROM ledger.posting GROUP BY 1
        ) AS side
        GROUP BY 1
    ), standing AS (
        SELECT account.name::text AS account, account.currency, account.kind, currency.digits,
               coalesce(moved.debits, 0) AS debits, coalesce(moved.credits, 0) AS credits,
               account.posted - coalesce(moved.later, 0) AS balance
        FROM ledger.account
        JOIN ledger.currency ON currency.code = account.currency
        LEFT JOIN moved USING (account_id)
        WHERE account.opened_at <= moment OR moved.debits IS NOT NULL OR moved.credits IS NOT NULL
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
CREATE FUNCTION reporting.trial_balance_at(moment timestamptz)
RETURNS TABLE (
    currency text, kind text, code text, class text, normal_side text, accounts bigint,
    debits numeric, credits numeric, debit_balance numeric, credit_balance numeric)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
    SELECT one.currency, one.kind, one.code, one.class, one.normal_side, count(*),
           sum(one.debits), sum(one.credits),
           round(greatest(sum(one.debit_balance - one.credit_balance), 0), known.digits),
           round(greatest(sum(one.credit_balance - one.debit_balance), 0), known.digits)
    FROM reporting.trial_balance_of_accounts(moment) AS one
    JOIN ledger.currency AS known ON known.code = one.currency
    GROUP BY 1, 2, 3, 4, 5, known.digits
$$;

-- One row for each currency and kind of account, as of now.
CREATE VIEW reporting.trial_balance AS
SELECT * FROM reporting.trial_balance_at('infinity');

-- Which payment a payment belongs to: what gives back names what it gives back, also where it was
-- refused. The one place that knows; whatever else names another payment becomes a part of this
-- union. An attempt that names a payment decided after it belongs to it too, unless that is such an
-- attempt itself: so nothing goes in circles.
CREATE VIEW ledger.kinship AS
SELECT posting.ledger_sequence, posting.decided_at, posting.transaction_id,
       posting.original_transaction_id AS parent_transaction_id
FROM ledger.posting
WHERE posting.original_transaction_id IS NOT NULL AND posting.line = 1
UNION ALL
SELECT attempt.ledger_sequence, attempt.decided_at, attempt.transaction_id,
       attempt.about_transaction_id
FROM ledger.refusal AS attempt
WHERE attempt.about_transaction_id IS NOT NULL
  AND (
      SELECT known.ledger_sequence < attempt.ledger_sequence OR NOT EXISTS (
          SELECT FROM ledger.refusal AS other
          WHERE other.ledger_sequence = known.ledger_sequence
            AND other.decided_at = known.decided_at
            AND other.about_transaction_id IS NOT NULL)
      FROM ledger.transaction AS known
      WHERE known.transaction_id = attempt.about_transaction_id);

-- The payment at the top of a payment's family: itself, where it names no other. Null for an id
-- that was never decided.
CREATE FUNCTION reporting.payment_root(transaction_id uuid) RETURNS uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = ledger, pg_temp SET enable_seqscan = off
AS $$
DECLARE
    member record;
    parent uuid := payment_root.transaction_id;
BEGIN
    LOOP
        SELECT known.transaction_id, known.ledger_sequence, known.decided_at INTO member
        FROM ledger.transaction AS known WHERE known.transaction_id = parent;
        SELECT kin.parent_transaction_id INTO parent FROM ledger.kinship AS kin
        WHERE kin.ledger_sequence = member.ledger_sequence AND kin.decided_at = member.decided_at;
        IF NOT FOUND THEN
            RETURN member.transaction_id;
        END IF;
    END LOOP;
END $$;

-- Each payment under the one at the top of its family. Ask by root_transaction_id, which
-- payment_root finds. OFFSET 0 keeps a subquery whole, so that its conditions reach the indexes.
CREATE VIEW reporting.payment_family AS
SELECT root.transaction_id AS root_transaction_id, member.transaction_id,
       member.parent_transaction_id, member.depth,
       payment.type, payment.outcome, payment.reason, payment.amount, payment.currency,
       payment.decided_at, payment.ledger_sequence
FROM ledger.transaction AS root
CROSS JOIN LATERAL (
    WITH RECURSIVE tree AS (
        SELECT root.transaction_id, NULL::uuid AS parent_transaction_id, 0 AS depth,
               root.ledger_sequence, root.decided_at
        UNION ALL
        SELECT child.transaction_id, tree.transaction_id, tree.depth + 1,
               child.ledger_sequence, child.decided_at
        FROM tree CROSS JOIN LATERAL (
            SELECT kin.* FROM ledger.kinship AS kin
            WHERE kin.parent_transaction_id = tree.transaction_id OFFSET 0
        ) AS child
    )
    SELECT * FROM tree
) AS member
CROSS JOIN LATERAL (
    SELECT known.* FROM reporting.payments AS known
    WHERE known.ledger_sequence = member.ledger_sequence
      AND known.decided_at = member.decided_at OFFSET 0
) AS payment
WHERE reporting.payment_root(root.transaction_id) = root.transaction_id;

REVOKE ALL ON FUNCTION
    reporting.balance_at, reporting.balance_at_value_date, reporting.statement,
    reporting.newest_entries, reporting.trial_balance_of_accounts, reporting.trial_balance_at,
    reporting.payment_root
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    reporting.balance_at, reporting.balance_at_value_date, reporting.statement,
    reporting.newest_entries, reporting.trial_balance_of_accounts, reporting.trial_balance_at,
    reporting.payment_root
    TO processor_worker, processor_reader;
GRANT SELECT ON ledger.entry, ledger.kinship TO processor_worker;
GRANT SELECT ON reporting.trial_balance, reporting.payment_family
    TO processor_worker, processor_reader;
