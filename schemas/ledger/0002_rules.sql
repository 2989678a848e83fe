-- What the database itself refuses and does: partitions, moved balances, bounded reversals, records
-- that stay.

-- Eight hash partitions keep each index small enough for the cache of a busy day; ids are spread
-- evenly.
DO $$
BEGIN
    FOR part IN 0..7 LOOP
        EXECUTE format(
            'CREATE TABLE ledger.transaction_%s PARTITION OF ledger.transaction '
            'FOR VALUES WITH (MODULUS 8, REMAINDER %s)', part, part);
    END LOOP;
END $$;

-- Rows of a month that has no partition yet must not be refused: they would look like bad payments.
CREATE TABLE ledger.posting_default PARTITION OF ledger.posting DEFAULT;
CREATE TABLE ledger.refusal_default PARTITION OF ledger.refusal DEFAULT;

CREATE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of %.% is refused: %', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME,
        coalesce(TG_ARGV[0], 'what is recorded stays as it is')
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'records_stay';
END $$;

-- Applies a batch of postings: moves the balances (one update per touched account, so that all
-- movements on a hot account fold into one), sums up reversals, and refuses what must never happen.
-- Runs once per statement.
CREATE FUNCTION ledger.apply_postings() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
    unmoved bigint;
    unregistered bigint;
    unfounded bigint;
BEGIN
    WITH movement AS (
        SELECT side.account_id, side.currency, sum(side.change)::bigint AS change
        FROM (
            SELECT debit_account_id AS account_id, currency, -amount AS change FROM added
            UNION ALL
            SELECT credit_account_id, currency, amount FROM added
        ) AS side
        GROUP BY side.account_id, side.currency
    ), moved AS (
        UPDATE account SET posted = account.posted + movement.change
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
            JOIN posting AS original
                ON original.ledger_sequence = transaction.ledger_sequence
               AND original.decided_at = transaction.decided_at
               AND original.credit_account_id = given_back.debit_account_id
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

CREATE TRIGGER apply_postings AFTER INSERT ON ledger.posting
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ledger.apply_postings();

-- Guards a table or a partition: triggers of a partitioned table do not see statements aimed at one
-- partition.
CREATE FUNCTION ledger.guard(guarded regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'CREATE TRIGGER records_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON %s '
        'FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()', guarded);
END $$;

CREATE FUNCTION ledger.guard_posting_partition(guarded regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'CREATE TRIGGER apply_postings AFTER INSERT ON %s REFERENCING NEW TABLE AS added '
        'FOR EACH STATEMENT EXECUTE FUNCTION ledger.apply_postings()', guarded);
END $$;

-- Creates the monthly partitions from this month on. Called by the migration, by every worker at
-- its start and once a day after that, so that months are there long before their first row.
CREATE FUNCTION ledger.create_month_partitions(months_ahead integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
    month_start timestamp;
    name text;
    parent text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('ledger.create_month_partitions'));
    FOR ahead IN 0..months_ahead LOOP
        month_start := date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC')
            + make_interval(months => ahead);
        FOREACH parent IN ARRAY ARRAY['posting', 'refusal'] LOOP
            name := format('%s_%s', parent, to_char(month_start, 'YYYY_MM'));
            CONTINUE WHEN to_regclass('ledger.' || name) IS NOT NULL;
            EXECUTE format(
                'CREATE TABLE ledger.%I PARTITION OF ledger.%I FOR VALUES FROM (%L) TO (%L)',
                name, parent, month_start::text || '+00',
                    (month_start + interval '1 month')::text || '+00');
            PERFORM ledger.guard(('ledger.' || name)::regclass);
            IF parent = 'posting' THEN
                PERFORM ledger.guard_posting_partition(('ledger.' || name)::regclass);
            END IF;
        END LOOP;
    END LOOP;
END $$;

SELECT ledger.create_month_partitions(3);

DO $$
DECLARE
    guarded regclass;
BEGIN
    FOR guarded IN
        SELECT format('ledger.%I', relname)::regclass FROM pg_class
        WHERE relnamespace = 'ledger'::regnamespace AND relkind IN ('r', 'p')
          AND relname NOT IN ('position', 'account', 'reversal_total')
          AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = pg_class.oid
              AND tgname = 'records_stay')
        ORDER BY relname
    LOOP
        PERFORM ledger.guard(guarded);
    END LOOP;
END $$;
SELECT ledger.guard_posting_partition('ledger.posting_default');

-- Balances and totals are moved from within apply_postings, one trigger deep, and by no hand: the
-- owner's included.
CREATE TRIGGER moved_by_postings
    BEFORE UPDATE OF account_id, name, currency, kind, posted, opened_at OR DELETE OR TRUNCATE
        ON ledger.account
    FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0)
    EXECUTE FUNCTION ledger.refuse_change('only postings move balances');
CREATE TRIGGER begins_at_zero BEFORE INSERT ON ledger.account
    FOR EACH ROW WHEN (NEW.posted <> 0 OR NEW.held <> 0)
    EXECUTE FUNCTION ledger.refuse_change('only postings move balances');
CREATE TRIGGER moved_by_postings BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE
    ON ledger.reversal_total
    FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0)
    EXECUTE FUNCTION ledger.refuse_change('only postings sum up reversals');
-- A partition that was read stays known: forgetting it would let it be read from anywhere.
CREATE TRIGGER position_stays BEFORE DELETE OR TRUNCATE ON ledger.position
    FOR EACH STATEMENT
    EXECUTE FUNCTION ledger.refuse_change('a partition that was read stays known');

-- Locks accounts in the one global order (account_id) and gives their state as it is once the lock
-- is held: a row that another transaction changed meanwhile is read again by the lock itself. A
-- function, because the worker's role may lock an account and may not update it.
CREATE FUNCTION ledger.lock_accounts(names text[])
RETURNS TABLE (
    account_id bigint, name text, currency text, kind text, status text,
    posted bigint, held bigint, overdraft_limit bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
BEGIN
    RETURN QUERY
        SELECT account.account_id, account.name::text, account.currency, account.kind,
            account.status,
               account.posted, account.held, account.overdraft_limit
        FROM account WHERE account.name = ANY (names)
        ORDER BY account.account_id
        FOR NO KEY UPDATE OF account;
END $$;

-- Begins a new life of the ledger. Postings in flight finish first and later ones see it, so a
-- ledger_sequence tells its timeline. Nothing happens where another worker has begun one since
-- `known` was the last.
CREATE FUNCTION ledger.start_timeline(known integer, why text)
RETURNS SETOF ledger.timeline
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
    last integer;
BEGIN
    LOCK TABLE position IN EXCLUSIVE MODE;
    SELECT max(timeline_id) INTO last FROM timeline;
    IF last IS NULL OR last = known THEN
        last := coalesce(last, 0) + 1;
        INSERT INTO timeline (timeline_id, token, from_sequence, server, reason)
        VALUES (last, gen_random_uuid(), nextval('ledger_sequence'),
                substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8), why);
    END IF;
    RETURN QUERY SELECT * FROM timeline WHERE timeline_id = last;
END $$;
