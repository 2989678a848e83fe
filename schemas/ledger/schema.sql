-- The database that all migrations together make, for reading; nothing is made from this file.
-- Left out: the monthly partitions of ledger.posting and ledger.refusal, which are made as time
-- goes by, and the rows of ledger.currency. Made by `python -m tests.integration.schema_dump`.

CREATE SCHEMA ledger;

CREATE SCHEMA reporting;

CREATE DOMAIN ledger.account_name AS text
	CONSTRAINT account_name_check CHECK ((VALUE ~ '^[A-Za-z0-9._:-]{1,64}$'::text));

CREATE FUNCTION ledger.apply_change() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp'
    AS $$
BEGIN
    IF EXISTS (SELECT FROM account_change AS later
               WHERE later.account = NEW.account AND later.ledger_sequence > NEW.ledger_sequence
                 AND later.status IS NOT NULL)
    THEN
        RETURN NULL;
    END IF;
    UPDATE account SET ahead = 0 WHERE name = NEW.account AND ahead <> 0;
    UPDATE account SET
        status = NEW.status,
        overdraft_limit = NEW.overdraft_limit,
        tolerated = greatest(0, held - posted - NEW.overdraft_limit)
    WHERE name = NEW.account AND currency = NEW.currency AND status <> 'closed';
    IF NOT FOUND THEN
        RAISE EXCEPTION 'a change names an account that is closed or does not exist'
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'change_of_account';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION ledger.apply_closing() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp'
    AS $$
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

CREATE FUNCTION ledger.apply_holds() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp'
    AS $$
DECLARE
    unmoved bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM added WHERE hold_transaction_id IS NOT NULL) THEN
        RETURN NULL;
    END IF;
    INSERT INTO hold (
        hold_transaction_id, account_id, placed, capture_max, expires_at_us, remaining)
    SELECT added.hold_transaction_id, account.account_id, added.amount, added.capture_max,
           added.expires_at_us, added.amount
    FROM added
    JOIN account ON account.name = added.debit_account AND account.currency = added.currency
    WHERE added.type = 'hold.place';

    WITH change AS (
        SELECT hold_transaction_id, currency, debit_account, sum(held)::bigint AS held,
               sum(released)::bigint AS released
        FROM added WHERE hold_transaction_id IS NOT NULL AND type <> 'hold.place' GROUP BY 1, 2, 3
    ), changed AS (
        UPDATE hold SET remaining = remaining + change.held,
                        released = hold.released + change.released
        FROM change JOIN account
            ON account.name = change.debit_account AND account.currency = change.currency
        WHERE hold.hold_transaction_id = change.hold_transaction_id
          AND hold.account_id = account.account_id
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM change) - (SELECT count(*) FROM changed)
         + (SELECT count(*) FROM added WHERE type = 'hold.place')
         - (SELECT count(*) FROM hold JOIN added USING (hold_transaction_id)
            WHERE added.type = 'hold.place')
    INTO unmoved;
    IF unmoved <> 0 THEN
        RAISE EXCEPTION 'a change names a hold or an account that does not exist'
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'change_of_hold';
    END IF;

    UPDATE account SET
        held = account.held + change.held,
        tolerated = least(account.tolerated, greatest(0,
            account.held + change.held - account.posted - account.overdraft_limit)),
        ahead = greatest(0, account.held + change.held - account.posted - account.overdraft_limit
                            - account.tolerated)
    FROM (
        SELECT debit_account AS name, sum(held)::bigint AS held
        FROM added WHERE hold_transaction_id IS NOT NULL GROUP BY 1
    ) AS change
    WHERE account.name = change.name;
    RETURN NULL;
END $$;

CREATE FUNCTION ledger.apply_limit() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp'
    AS $$
DECLARE
    asked jsonb := NEW.details::jsonb;
    unit numeric;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('ledger.rules'));
    UPDATE spending_limit SET ended_sequence = NEW.ledger_sequence
    WHERE spending_limit.name = asked ->> 'limit' AND spending_limit.ended_sequence IS NULL;
    IF NEW.type = 'limit.end' THEN
        IF NOT FOUND THEN
            RAISE EXCEPTION 'no limit % to end', asked ->> 'limit'
                USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'end_of_limit';
        END IF;
        RETURN NULL;
    END IF;
    SELECT power(10::numeric, digits) INTO unit FROM currency WHERE code = asked ->> 'currency';
    INSERT INTO spending_limit VALUES (
        NEW.ledger_sequence, NULL, asked ->> 'limit', asked ->> 'scope', asked ->> 'subject',
        asked ->> 'currency', (asked ->> 'single_amount')::numeric * unit,
        (asked ->> 'daily_amount')::numeric * unit, (asked ->> 'daily_count')::bigint);
    RETURN NULL;
END $$;

CREATE FUNCTION ledger.apply_postings() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp'
    AS $$
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
    -- before can't be posted later. LIMIT keeps it a look-up by the key.
    SELECT (SELECT count(*) FROM added) - (
        SELECT count(*) FROM added CROSS JOIN LATERAL (
            SELECT transaction.ledger_sequence, transaction.decided_at,
                   transaction.xmin = pg_current_xact_id()::xid AS is_own
            FROM transaction WHERE transaction.transaction_id = added.transaction_id LIMIT 1
        ) AS registered
        WHERE registered.ledger_sequence = added.ledger_sequence
          AND registered.decided_at = added.decided_at
          AND registered.is_own)
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

CREATE FUNCTION ledger.apply_spending() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp'
    AS $$
DECLARE
    uncounted bigint;
BEGIN
    IF EXISTS (
        SELECT FROM (
            SELECT added.spent_amount - sum(added.amount) OVER walk
                       <> coalesce(before.amount, 0)
                   OR added.spent_count - row_number() OVER walk
                       <> coalesce(before.count, 0) AS is_wrong
            FROM added LEFT JOIN spent AS before USING (scope, subject, currency, booking_date)
            WINDOW walk AS (PARTITION BY scope, subject, currency, booking_date
                            ORDER BY added.ledger_sequence)
        ) AS counted WHERE counted.is_wrong
    ) THEN
        RAISE EXCEPTION 'a spending does not count on from the one before it'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'spending_counts_on';
    END IF;

    IF EXISTS (
        SELECT FROM added LEFT JOIN spending_limit AS bound
            ON bound.name = added.limit_name AND bound.scope = added.scope
           AND bound.currency = added.currency
           AND coalesce(bound.subject, added.subject) = added.subject
           AND bound.set_sequence < added.ledger_sequence
           AND coalesce(bound.ended_sequence > added.ledger_sequence, true)
        WHERE bound.set_sequence IS NULL
           OR added.amount > bound.single_amount
           OR added.spent_amount > bound.daily_amount
           OR added.spent_count > bound.daily_count
           OR (bound.subject IS NULL AND EXISTS (
                  SELECT FROM spending_limit AS own
                  WHERE own.scope = added.scope AND own.subject = added.subject
                    AND own.currency = added.currency AND own.set_sequence < added.ledger_sequence
                    AND coalesce(own.ended_sequence > added.ledger_sequence, true)))
    ) THEN
        RAISE EXCEPTION 'a spending is not within the limit of its subject'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'spent_within_limit';
    END IF;

    WITH last AS (
        SELECT DISTINCT ON (scope, subject, currency)
               scope, subject, currency, booking_date, spent_amount, spent_count
        FROM added ORDER BY scope, subject, currency, ledger_sequence DESC
    ), counted AS (
        UPDATE spent SET booking_date = last.booking_date, amount = last.spent_amount,
                         count = last.spent_count
        FROM last
        WHERE spent.scope = last.scope AND spent.subject = last.subject
          AND spent.currency = last.currency
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM last) - (SELECT count(*) FROM counted) INTO uncounted;
    IF uncounted <> 0 THEN
        RAISE EXCEPTION 'a spending is of a subject that was not locked'
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'spending_of_locked';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION ledger.create_month_partitions(months_ahead integer) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp'
    AS $$
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
            PERFORM ledger.sample_little(('ledger.' || name)::regclass);
            PERFORM ledger.guard(('ledger.' || name)::regclass);
            IF parent = 'posting' THEN
                PERFORM ledger.guard_posting_partition(('ledger.' || name)::regclass);
            END IF;
        END LOOP;
    END LOOP;
END $$;

CREATE FUNCTION ledger.guard(guarded regclass) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    EXECUTE format(
        'CREATE TRIGGER records_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON %s '
        'FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()', guarded);
END $$;

CREATE FUNCTION ledger.guard_posting_partition(guarded regclass) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    EXECUTE format(
        'CREATE TRIGGER apply_postings AFTER INSERT ON %s REFERENCING NEW TABLE AS added '
        'FOR EACH STATEMENT EXECUTE FUNCTION ledger.apply_postings()', guarded);
END $$;

CREATE FUNCTION ledger.lock_accounts(names text[]) RETURNS TABLE(account_id bigint, name text, currency text, kind text, status text, posted bigint, held bigint, overdraft_limit bigint, customer text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp'
    AS $$
BEGIN
    RETURN QUERY
        SELECT account.account_id, account.name::text, account.currency, account.kind,
               account.status, account.posted, account.held, account.overdraft_limit,
               account.customer
        FROM account WHERE account.name = ANY (names)
        ORDER BY account.account_id
        FOR NO KEY UPDATE OF account;
END $$;

CREATE FUNCTION ledger.lock_rules(alone boolean) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'ledger', 'pg_temp'
    AS $$
BEGIN
    IF alone THEN
        PERFORM pg_advisory_xact_lock(hashtext('ledger.rules'));
    ELSE
        PERFORM pg_advisory_xact_lock_shared(hashtext('ledger.rules'));
    END IF;
    RETURN coalesce((SELECT max(ledger_sequence) FROM account_change WHERE changes_rules), 0);
END $$;

CREATE FUNCTION ledger.lock_spent(scopes text[], subjects text[], currencies text[]) RETURNS TABLE(scope text, subject text, currency text, booking_date date, amount bigint, count bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp'
    AS $$
#variable_conflict use_column
BEGIN
    INSERT INTO spent (scope, subject, currency)
    SELECT asked.scope, asked.subject, asked.currency
    FROM unnest(scopes, subjects, currencies) AS asked (scope, subject, currency)
    ORDER BY 1, 2, 3
    ON CONFLICT DO NOTHING;
    RETURN QUERY
        SELECT spent.scope, spent.subject, spent.currency, spent.booking_date, spent.amount,
               spent.count
        FROM spent
        WHERE (spent.scope, spent.subject, spent.currency)
              IN (SELECT * FROM unnest(scopes, subjects, currencies))
        ORDER BY 1, 2, 3
        FOR NO KEY UPDATE OF spent;
END $$;

CREATE FUNCTION ledger.raise_limits() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp'
    AS $$
BEGIN
    UPDATE account SET overdraft_limit = change.highest
    FROM (
        SELECT added.account AS name, max(added.overdraft_limit) AS highest
        FROM added WHERE added.status IS NOT NULL GROUP BY added.account
    ) AS change
    WHERE account.name = change.name AND account.overdraft_limit < change.highest;
    RETURN NULL;
END $$;

CREATE FUNCTION ledger.refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION '% of %.% is refused: %', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME,
        coalesce(TG_ARGV[0], 'what is recorded stays as it is')
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'records_stay';
END $$;

CREATE FUNCTION ledger.sample_little(sampled regclass) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    changes text;
BEGIN
    SELECT string_agg(format('ALTER COLUMN %I SET STATISTICS 10', attname), ', ') INTO changes
    FROM pg_attribute WHERE attrelid = sampled AND attnum > 0 AND NOT attisdropped;
    EXECUTE format('ALTER TABLE %s %s', sampled, changes);
END $$;

CREATE FUNCTION ledger.settle_hold() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp'
    AS $$
BEGIN
    UPDATE account SET ahead = 0 WHERE name = NEW.debit_account AND ahead <> 0;
    RETURN NULL;
END $$;

CREATE TABLE ledger.timeline (
    timeline_id integer NOT NULL,
    token uuid NOT NULL,
    from_sequence bigint NOT NULL,
    started_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    server text NOT NULL,
    reason text NOT NULL
);

CREATE FUNCTION ledger.start_timeline(known integer, why text) RETURNS SETOF ledger.timeline
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp'
    AS $$
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

CREATE FUNCTION reporting.balance_at(account text, moment timestamp with time zone) RETURNS numeric
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp'
    SET plan_cache_mode TO 'force_custom_plan'
    SET enable_sort TO 'off'
    SET enable_bitmapscan TO 'off'
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

CREATE FUNCTION reporting.balance_at_booking_date(account text, day date) RETURNS numeric
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp'
    SET plan_cache_mode TO 'force_custom_plan'
    SET enable_sort TO 'off'
    SET enable_bitmapscan TO 'off'
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

CREATE FUNCTION reporting.balance_at_value_date(account text, day date) RETURNS numeric
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp'
    SET plan_cache_mode TO 'force_custom_plan'
    SET enable_seqscan TO 'off'
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

CREATE FUNCTION reporting.major(minor bigint, digits smallint) RETURNS numeric
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN round(((minor)::numeric / power((10)::numeric, ((digits)::integer)::numeric)), (digits)::integer);

CREATE FUNCTION reporting.major(minor numeric, digits smallint) RETURNS numeric
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN round((minor / power((10)::numeric, ((digits)::integer)::numeric)), (digits)::integer);

CREATE FUNCTION reporting.newest_entries(account text, entries bigint) RETURNS TABLE(booked_at timestamp with time zone, value_date date, type text, direction text, amount numeric, currency text, balance_after numeric, counter_account text, reference text, transaction_id uuid, line integer, ledger_sequence bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp'
    SET plan_cache_mode TO 'force_custom_plan'
    SET enable_sort TO 'off'
    SET enable_bitmapscan TO 'off'
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

CREATE FUNCTION reporting.payment_root(transaction_id uuid) RETURNS uuid
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp'
    SET enable_seqscan TO 'off'
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

CREATE FUNCTION reporting.statement(account text, from_moment timestamp with time zone, to_moment timestamp with time zone DEFAULT 'infinity'::timestamp with time zone, after text DEFAULT NULL::text, page_size bigint DEFAULT NULL::bigint) RETURNS TABLE(booked_at timestamp with time zone, booking_date date, value_date date, type text, direction text, amount numeric, currency text, balance_after numeric, counter_account text, reference text, transaction_id uuid, line integer, ledger_sequence bigint, cursor text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp'
    SET plan_cache_mode TO 'force_custom_plan'
    SET enable_sort TO 'off'
    SET enable_bitmapscan TO 'off'
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

CREATE FUNCTION reporting.trial_balance_at(moment timestamp with time zone) RETURNS TABLE(currency text, kind text, code text, class text, normal_side text, accounts bigint, debits numeric, credits numeric, debit_balance numeric, credit_balance numeric)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp'
    AS $$
    SELECT one.currency, one.kind, one.code, one.class, one.normal_side, count(*),
           sum(one.debits), sum(one.credits),
           round(greatest(sum(one.debit_balance - one.credit_balance), 0), known.digits),
           round(greatest(sum(one.credit_balance - one.debit_balance), 0), known.digits)
    FROM reporting.trial_balance_of_accounts(moment) AS one
    JOIN ledger.currency AS known ON known.code = one.currency
    GROUP BY 1, 2, 3, 4, 5, known.digits
$$;

CREATE FUNCTION reporting.trial_balance_of_accounts(moment timestamp with time zone DEFAULT 'infinity'::timestamp with time zone) RETURNS TABLE(account text, currency text, kind text, code text, class text, normal_side text, debits numeric, credits numeric, debit_balance numeric, credit_balance numeric)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp'
    AS $$
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

CREATE FUNCTION reporting.trial_balance_of_accounts_of_day(day date) RETURNS TABLE(account text, currency text, kind text, code text, class text, normal_side text, debits numeric, credits numeric, debit_balance numeric, credit_balance numeric)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp'
    AS $$
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

CREATE FUNCTION reporting.trial_balance_of_day(day date) RETURNS TABLE(currency text, kind text, code text, class text, normal_side text, accounts bigint, debits numeric, credits numeric, debit_balance numeric, credit_balance numeric)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp'
    AS $$
    SELECT one.currency, one.kind, one.code, one.class, one.normal_side, count(*),
           sum(one.debits), sum(one.credits),
           round(greatest(sum(one.debit_balance - one.credit_balance), 0), known.digits),
           round(greatest(sum(one.credit_balance - one.debit_balance), 0), known.digits)
    FROM reporting.trial_balance_of_accounts_of_day(day) AS one
    JOIN ledger.currency AS known ON known.code = one.currency
    GROUP BY 1, 2, 3, 4, 5, known.digits
$$;

CREATE TABLE ledger.account (
    account_id bigint NOT NULL,
    name ledger.account_name NOT NULL,
    currency text NOT NULL,
    kind text NOT NULL,
    status text DEFAULT 'open'::text NOT NULL,
    posted bigint DEFAULT 0 NOT NULL,
    held bigint DEFAULT 0 NOT NULL,
    overdraft_limit bigint,
    opened_at timestamp with time zone NOT NULL,
    tolerated bigint DEFAULT 0 NOT NULL,
    ahead bigint DEFAULT 0 NOT NULL,
    customer text,
    CONSTRAINT account_ahead_check CHECK ((ahead >= 0)),
    CONSTRAINT account_customer_check CHECK ((customer ~ '^[A-Za-z0-9._:-]{1,64}$'::text)),
    CONSTRAINT account_held_check CHECK ((held >= 0)),
    CONSTRAINT account_overdraft_limit_check CHECK ((overdraft_limit >= 0)),
    CONSTRAINT account_status CHECK ((status = ANY (ARRAY['open'::text, 'debits_frozen'::text, 'credits_frozen'::text, 'frozen'::text, 'closed'::text]))),
    CONSTRAINT account_tolerated_check CHECK ((tolerated >= 0)),
    CONSTRAINT balance_within_bounds CHECK (((posted >= '-9000000000000000000'::bigint) AND (posted <= '9000000000000000000'::bigint))),
    CONSTRAINT balance_within_limit CHECK (((overdraft_limit IS NULL) OR (((((posted - held) + overdraft_limit) + tolerated) + ahead) >= 0))),
    CONSTRAINT clearing_is_even CHECK (((kind <> 'clearing'::text) OR (posted = 0))),
    CONSTRAINT closed_is_empty CHECK (((status <> 'closed'::text) OR ((posted = 0) AND (held = 0)))),
    CONSTRAINT customers_have_limits CHECK (((customer IS NULL) OR (overdraft_limit IS NOT NULL))),
    CONSTRAINT kind_has_limit CHECK (((kind = ANY (ARRAY['internal'::text, 'nostro'::text, 'position'::text, 'suspense'::text, 'clearing'::text, 'income'::text, 'expense'::text])) = (overdraft_limit IS NULL))),
    CONSTRAINT kind_may_overdraw CHECK (((kind <> ALL (ARRAY['savings'::text, 'term_deposit'::text])) OR (overdraft_limit = 0)))
)
WITH (fillfactor='50');

ALTER TABLE ledger.account ALTER COLUMN account_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME ledger.account_account_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE ledger.account_change (
    ledger_sequence bigint NOT NULL,
    decided_at timestamp with time zone NOT NULL,
    transaction_id uuid NOT NULL,
    source_id integer NOT NULL,
    source_offset bigint NOT NULL,
    account text,
    currency text,
    type text NOT NULL,
    channel text NOT NULL,
    reference text,
    metadata text,
    details text NOT NULL,
    status text,
    overdraft_limit bigint,
    available bigint,
    shown text,
    debit_account text,
    credit_account text,
    amount bigint,
    hold_transaction_id uuid,
    held bigint,
    released bigint,
    capture_max bigint,
    expires_at_us bigint,
    changes_rules boolean DEFAULT false NOT NULL,
    CONSTRAINT account_change_released_check CHECK ((released >= 0)),
    CONSTRAINT change_has_status CHECK ((((type = 'account.open'::text) OR (hold_transaction_id IS NOT NULL) OR changes_rules) = (status IS NULL))),
    CONSTRAINT change_of_hold_is_whole CHECK ((((hold_transaction_id IS NULL) = (held IS NULL)) AND ((hold_transaction_id IS NULL) = (released IS NULL)) AND ((hold_transaction_id IS NULL) = (amount IS NULL)))),
    CONSTRAINT change_of_something CHECK ((changes_rules OR ((account IS NOT NULL) AND (currency IS NOT NULL)))),
    CONSTRAINT hold_is_placed_first CHECK (((type <> 'hold.place'::text) OR ((hold_transaction_id = transaction_id) AND (held = amount) AND (released = 0) AND (capture_max IS NOT NULL)))),
    CONSTRAINT hold_only_shrinks CHECK (((type = 'hold.place'::text) OR (held <= 0)))
);

CREATE TABLE ledger.account_kind (
    kind text NOT NULL,
    code text NOT NULL,
    class text NOT NULL,
    normal_side text NOT NULL,
    limited boolean NOT NULL,
    may_overdraw boolean NOT NULL,
    name text NOT NULL,
    CONSTRAINT account_kind_check1 CHECK ((limited OR (NOT may_overdraw))),
    CONSTRAINT account_kind_class CHECK ((class = ANY (ARRAY['asset'::text, 'liability'::text, 'income'::text, 'expense'::text]))),
    CONSTRAINT account_kind_normal_side_check CHECK ((normal_side = ANY (ARRAY['debit'::text, 'credit'::text])))
);

CREATE TABLE ledger.closing (
    ledger_sequence bigint NOT NULL,
    business_date date NOT NULL,
    next_date date NOT NULL,
    CONSTRAINT days_go_forward CHECK ((next_date > business_date))
);

CREATE TABLE ledger.conflict (
    source_id integer NOT NULL,
    source_offset bigint NOT NULL,
    transaction_id uuid NOT NULL,
    first_sequence bigint NOT NULL,
    timeline_id integer NOT NULL,
    decided_at timestamp with time zone NOT NULL,
    type text NOT NULL,
    channel text NOT NULL,
    differences jsonb NOT NULL
);

CREATE TABLE ledger.currency (
    code text NOT NULL,
    digits smallint NOT NULL,
    CONSTRAINT currency_code_check CHECK ((code ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT currency_digits_check CHECK (((digits >= 0) AND (digits <= 4)))
);

CREATE TABLE ledger.dead_letter (
    source_id integer NOT NULL,
    source_offset bigint NOT NULL,
    reason text NOT NULL,
    pointer text NOT NULL,
    detail text NOT NULL,
    transaction_id uuid,
    channel text,
    key bytea,
    value bytea,
    headers text NOT NULL,
    timeline_id integer NOT NULL,
    received_at timestamp with time zone NOT NULL,
    CONSTRAINT dead_letter_reason_check CHECK ((reason <> ''::text))
);

CREATE TABLE ledger.posting (
    ledger_sequence bigint NOT NULL,
    decided_at timestamp with time zone NOT NULL,
    transaction_id uuid NOT NULL,
    source_id integer NOT NULL,
    source_offset bigint NOT NULL,
    debit_account_id bigint NOT NULL,
    credit_account_id bigint NOT NULL,
    amount bigint NOT NULL,
    debit_balance bigint NOT NULL,
    credit_balance bigint NOT NULL,
    value_date date NOT NULL,
    currency text NOT NULL,
    type text NOT NULL,
    channel text NOT NULL,
    reference text,
    original_transaction_id uuid,
    metadata text,
    details text,
    line smallint DEFAULT 1 NOT NULL,
    overdraws boolean DEFAULT false NOT NULL,
    shown text,
    hold_transaction_id uuid,
    held bigint,
    released bigint,
    booking_date date DEFAULT ((transaction_timestamp() AT TIME ZONE 'UTC'::text))::date NOT NULL,
    CONSTRAINT capture_of_hold_is_whole CHECK ((((hold_transaction_id IS NULL) AND (held IS NULL) AND (released IS NULL)) OR ((hold_transaction_id IS NOT NULL) AND (held IS NOT NULL) AND (released IS NOT NULL) AND (held <= 0) AND (released >= 0)))),
    CONSTRAINT posting_has_two_sides CHECK ((debit_account_id <> credit_account_id)),
    CONSTRAINT posting_line_check CHECK (((line >= 1) AND (line <= 1000))),
    CONSTRAINT posting_moves_money CHECK ((amount > 0))
)
PARTITION BY RANGE (decided_at);

CREATE VIEW ledger.entry AS
 SELECT posting.debit_account_id AS account_id,
    posting.decided_at,
    posting.ledger_sequence,
    posting.line,
    1 AS side,
    posting.amount,
    posting.debit_balance AS balance,
    posting.credit_account_id AS counter_account_id,
    posting.value_date,
    posting.currency,
    posting.type,
    posting.reference,
    posting.transaction_id,
    posting.booking_date
   FROM ledger.posting
UNION ALL
 SELECT posting.credit_account_id AS account_id,
    posting.decided_at,
    posting.ledger_sequence,
    posting.line,
    2 AS side,
    posting.amount,
    posting.credit_balance AS balance,
    posting.debit_account_id AS counter_account_id,
    posting.value_date,
    posting.currency,
    posting.type,
    posting.reference,
    posting.transaction_id,
    posting.booking_date
   FROM ledger.posting;

CREATE TABLE ledger.hold (
    hold_transaction_id uuid NOT NULL,
    account_id bigint NOT NULL,
    placed bigint NOT NULL,
    capture_max bigint NOT NULL,
    expires_at_us bigint,
    remaining bigint NOT NULL,
    captured bigint DEFAULT 0 NOT NULL,
    released bigint DEFAULT 0 NOT NULL,
    CONSTRAINT allows_what_it_holds CHECK ((capture_max >= placed)),
    CONSTRAINT captured_within_hold CHECK (((captured + released) <= capture_max)),
    CONSTRAINT hold_captured_check CHECK ((captured >= 0)),
    CONSTRAINT hold_placed_check CHECK ((placed > 0)),
    CONSTRAINT hold_released_check CHECK ((released >= 0)),
    CONSTRAINT holds_what_may_be_captured CHECK ((remaining <= ((capture_max - captured) - released))),
    CONSTRAINT remaining_of_placed CHECK (((remaining >= 0) AND (remaining <= placed)))
)
WITH (fillfactor='50');

CREATE TABLE ledger.hole (
    source_id integer NOT NULL,
    from_offset bigint NOT NULL,
    to_offset bigint NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    CONSTRAINT hole_is_not_empty CHECK ((to_offset > from_offset))
);

CREATE TABLE ledger.identity (
    only_row boolean DEFAULT true NOT NULL,
    ledger_id uuid NOT NULL,
    is_test boolean NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT identity_only_row_check CHECK (only_row)
);

CREATE TABLE ledger.refusal (
    ledger_sequence bigint NOT NULL,
    decided_at timestamp with time zone NOT NULL,
    transaction_id uuid NOT NULL,
    source_id integer NOT NULL,
    source_offset bigint NOT NULL,
    reason text NOT NULL,
    account text,
    debit_account text,
    credit_account text,
    amount text,
    currency text,
    type text NOT NULL,
    channel text NOT NULL,
    reference text,
    metadata text,
    details text,
    shown text,
    about_transaction_id uuid GENERATED ALWAYS AS ((COALESCE(((details)::jsonb ->> 'original_transaction_id'::text), ((details)::jsonb ->> 'hold_transaction_id'::text)))::uuid) STORED,
    CONSTRAINT refusal_reason_check CHECK ((reason <> ''::text))
)
PARTITION BY RANGE (decided_at);

CREATE TABLE ledger.transaction (
    transaction_id uuid NOT NULL,
    fingerprint bytea NOT NULL,
    fingerprint_version smallint NOT NULL,
    ledger_sequence bigint NOT NULL,
    decided_at timestamp with time zone NOT NULL,
    CONSTRAINT transaction_fingerprint_check CHECK ((octet_length(fingerprint) = 32))
)
PARTITION BY HASH (transaction_id);

CREATE VIEW ledger.kinship AS
 SELECT posting.ledger_sequence,
    posting.decided_at,
    posting.transaction_id,
    posting.original_transaction_id AS parent_transaction_id
   FROM ledger.posting
  WHERE ((posting.original_transaction_id IS NOT NULL) AND (posting.line = 1))
UNION ALL
 SELECT capture.ledger_sequence,
    capture.decided_at,
    capture.transaction_id,
    capture.hold_transaction_id AS parent_transaction_id
   FROM ledger.posting capture
  WHERE (capture.hold_transaction_id IS NOT NULL)
UNION ALL
 SELECT change.ledger_sequence,
    change.decided_at,
    change.transaction_id,
    change.hold_transaction_id AS parent_transaction_id
   FROM ledger.account_change change
  WHERE (change.hold_transaction_id <> change.transaction_id)
UNION ALL
 SELECT attempt.ledger_sequence,
    attempt.decided_at,
    attempt.transaction_id,
    attempt.about_transaction_id AS parent_transaction_id
   FROM ledger.refusal attempt
  WHERE ((attempt.about_transaction_id IS NOT NULL) AND ( SELECT ((known.ledger_sequence < attempt.ledger_sequence) OR (NOT (EXISTS ( SELECT
                   FROM ledger.refusal other
                  WHERE ((other.ledger_sequence = known.ledger_sequence) AND (other.decided_at = known.decided_at) AND (other.about_transaction_id IS NOT NULL))))))
           FROM ledger.transaction known
          WHERE (known.transaction_id = attempt.about_transaction_id)));

CREATE SEQUENCE ledger.ledger_sequence
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE TABLE ledger.migration (
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

CREATE TABLE ledger.operator_decision (
    decision_id bigint NOT NULL,
    decided_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    decided_by text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    old_source_id integer,
    old_next bigint,
    new_source_id integer NOT NULL,
    new_next bigint NOT NULL,
    reason text NOT NULL,
    CONSTRAINT operator_decision_decided_by_check CHECK ((decided_by <> ''::text)),
    CONSTRAINT operator_decision_reason_check CHECK ((reason <> ''::text))
);

ALTER TABLE ledger.operator_decision ALTER COLUMN decision_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME ledger.operator_decision_decision_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE ledger."position" (
    topic text NOT NULL,
    partition integer NOT NULL,
    source_id integer NOT NULL,
    claim uuid NOT NULL,
    claimed_by text NOT NULL,
    claimed_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    first_offset bigint NOT NULL,
    next_offset bigint NOT NULL,
    delivered_offset bigint NOT NULL,
    last_offset bigint,
    last_digest bytea,
    CONSTRAINT delivered_is_posted CHECK (((delivered_offset >= first_offset) AND (delivered_offset <= next_offset))),
    CONSTRAINT last_is_before_next CHECK ((last_offset < next_offset)),
    CONSTRAINT last_is_whole CHECK (((last_offset IS NULL) = (last_digest IS NULL))),
    CONSTRAINT position_check CHECK ((next_offset >= first_offset)),
    CONSTRAINT position_first_offset_check CHECK ((first_offset >= 0))
)
WITH (fillfactor='50');

CREATE TABLE ledger.posting_default (
    ledger_sequence bigint CONSTRAINT posting_ledger_sequence_not_null NOT NULL,
    decided_at timestamp with time zone CONSTRAINT posting_decided_at_not_null NOT NULL,
    transaction_id uuid CONSTRAINT posting_transaction_id_not_null NOT NULL,
    source_id integer CONSTRAINT posting_source_id_not_null NOT NULL,
    source_offset bigint CONSTRAINT posting_source_offset_not_null NOT NULL,
    debit_account_id bigint CONSTRAINT posting_debit_account_id_not_null NOT NULL,
    credit_account_id bigint CONSTRAINT posting_credit_account_id_not_null NOT NULL,
    amount bigint CONSTRAINT posting_amount_not_null NOT NULL,
    debit_balance bigint CONSTRAINT posting_debit_balance_not_null NOT NULL,
    credit_balance bigint CONSTRAINT posting_credit_balance_not_null NOT NULL,
    value_date date CONSTRAINT posting_value_date_not_null NOT NULL,
    currency text CONSTRAINT posting_currency_not_null NOT NULL,
    type text CONSTRAINT posting_type_not_null NOT NULL,
    channel text CONSTRAINT posting_channel_not_null NOT NULL,
    reference text,
    original_transaction_id uuid,
    metadata text,
    details text,
    line smallint DEFAULT 1 CONSTRAINT posting_line_not_null NOT NULL,
    overdraws boolean DEFAULT false CONSTRAINT posting_overdraws_not_null NOT NULL,
    shown text,
    hold_transaction_id uuid,
    held bigint,
    released bigint,
    booking_date date DEFAULT ((transaction_timestamp() AT TIME ZONE 'UTC'::text))::date CONSTRAINT posting_booking_date_not_null NOT NULL,
    CONSTRAINT capture_of_hold_is_whole CHECK ((((hold_transaction_id IS NULL) AND (held IS NULL) AND (released IS NULL)) OR ((hold_transaction_id IS NOT NULL) AND (held IS NOT NULL) AND (released IS NOT NULL) AND (held <= 0) AND (released >= 0)))),
    CONSTRAINT posting_has_two_sides CHECK ((debit_account_id <> credit_account_id)),
    CONSTRAINT posting_line_check CHECK (((line >= 1) AND (line <= 1000))),
    CONSTRAINT posting_moves_money CHECK ((amount > 0))
);
ALTER TABLE ONLY ledger.posting_default ALTER COLUMN ledger_sequence SET STATISTICS 10;
ALTER TABLE ONLY ledger.posting_default ALTER COLUMN decided_at SET STATISTICS 10;
ALTER TABLE ONLY ledger.posting_default ALTER COLUMN transaction_id SET STATISTICS 10;
ALTER TABLE ONLY ledger.posting_default ALTER COLUMN source_id SET STATISTICS 10;
ALTER TABLE ONLY ledger.posting_default ALTER COLUMN source_offset SET STATISTICS 10;
ALTER TABLE ONLY ledger.posting_default ALTER COLUMN debit_account_id SET STATISTICS 10;
ALTER TABLE ONLY ledger.posting_default ALTER COLUMN credit_account_id SET STATISTICS 10;
ALTER TABLE ONLY ledger.posting_default ALTER COLUMN amount SET STATISTICS 10;
ALTER TABLE ONLY ledger.posting_default ALTER COLUMN debit_balance SET STATISTICS 10;
ALTER TABLE ONLY ledger.posting_default ALTER COLUMN credit_balance SET STATISTICS 10;
ALTER TABLE ONLY ledger.posting_default ALTER COLUMN value_date SET STATISTICS 10;
ALTER TABLE ONLY ledger.posting_default ALTER COLUMN currency SET STATISTICS 10;
ALTER TABLE ONLY ledger.posting_default ALTER COLUMN type SET STATISTICS 10;
ALTER TABLE ONLY ledger.posting_default ALTER COLUMN channel SET STATISTICS 10;
ALTER TABLE ONLY ledger.posting_default ALTER COLUMN reference SET STATISTICS 10;
ALTER TABLE ONLY ledger.posting_default ALTER COLUMN original_transaction_id SET STATISTICS 10;
ALTER TABLE ONLY ledger.posting_default ALTER COLUMN metadata SET STATISTICS 10;
ALTER TABLE ONLY ledger.posting_default ALTER COLUMN details SET STATISTICS 10;
ALTER TABLE ONLY ledger.posting_default ALTER COLUMN line SET STATISTICS 10;
ALTER TABLE ONLY ledger.posting_default ALTER COLUMN overdraws SET STATISTICS 10;
ALTER TABLE ONLY ledger.posting_default ALTER COLUMN shown SET STATISTICS 10;
ALTER TABLE ONLY ledger.posting_default ALTER COLUMN hold_transaction_id SET STATISTICS 10;
ALTER TABLE ONLY ledger.posting_default ALTER COLUMN held SET STATISTICS 10;
ALTER TABLE ONLY ledger.posting_default ALTER COLUMN released SET STATISTICS 10;
ALTER TABLE ONLY ledger.posting_default ALTER COLUMN booking_date SET STATISTICS 10;

CREATE TABLE ledger.refusal_default (
    ledger_sequence bigint CONSTRAINT refusal_ledger_sequence_not_null NOT NULL,
    decided_at timestamp with time zone CONSTRAINT refusal_decided_at_not_null NOT NULL,
    transaction_id uuid CONSTRAINT refusal_transaction_id_not_null NOT NULL,
    source_id integer CONSTRAINT refusal_source_id_not_null NOT NULL,
    source_offset bigint CONSTRAINT refusal_source_offset_not_null NOT NULL,
    reason text CONSTRAINT refusal_reason_not_null NOT NULL,
    account text,
    debit_account text,
    credit_account text,
    amount text,
    currency text,
    type text CONSTRAINT refusal_type_not_null NOT NULL,
    channel text CONSTRAINT refusal_channel_not_null NOT NULL,
    reference text,
    metadata text,
    details text,
    shown text,
    about_transaction_id uuid GENERATED ALWAYS AS ((COALESCE(((details)::jsonb ->> 'original_transaction_id'::text), ((details)::jsonb ->> 'hold_transaction_id'::text)))::uuid) STORED,
    CONSTRAINT refusal_reason_check CHECK ((reason <> ''::text))
);
ALTER TABLE ONLY ledger.refusal_default ALTER COLUMN ledger_sequence SET STATISTICS 10;
ALTER TABLE ONLY ledger.refusal_default ALTER COLUMN decided_at SET STATISTICS 10;
ALTER TABLE ONLY ledger.refusal_default ALTER COLUMN transaction_id SET STATISTICS 10;
ALTER TABLE ONLY ledger.refusal_default ALTER COLUMN source_id SET STATISTICS 10;
ALTER TABLE ONLY ledger.refusal_default ALTER COLUMN source_offset SET STATISTICS 10;
ALTER TABLE ONLY ledger.refusal_default ALTER COLUMN reason SET STATISTICS 10;
ALTER TABLE ONLY ledger.refusal_default ALTER COLUMN account SET STATISTICS 10;
ALTER TABLE ONLY ledger.refusal_default ALTER COLUMN debit_account SET STATISTICS 10;
ALTER TABLE ONLY ledger.refusal_default ALTER COLUMN credit_account SET STATISTICS 10;
ALTER TABLE ONLY ledger.refusal_default ALTER COLUMN amount SET STATISTICS 10;
ALTER TABLE ONLY ledger.refusal_default ALTER COLUMN currency SET STATISTICS 10;
ALTER TABLE ONLY ledger.refusal_default ALTER COLUMN type SET STATISTICS 10;
ALTER TABLE ONLY ledger.refusal_default ALTER COLUMN channel SET STATISTICS 10;
ALTER TABLE ONLY ledger.refusal_default ALTER COLUMN reference SET STATISTICS 10;
ALTER TABLE ONLY ledger.refusal_default ALTER COLUMN metadata SET STATISTICS 10;
ALTER TABLE ONLY ledger.refusal_default ALTER COLUMN details SET STATISTICS 10;
ALTER TABLE ONLY ledger.refusal_default ALTER COLUMN shown SET STATISTICS 10;
ALTER TABLE ONLY ledger.refusal_default ALTER COLUMN about_transaction_id SET STATISTICS 10;

CREATE TABLE ledger.repeat (
    source_id integer NOT NULL,
    source_offset bigint NOT NULL,
    transaction_id uuid NOT NULL,
    ledger_sequence bigint NOT NULL,
    timeline_id integer NOT NULL,
    recorded_at timestamp with time zone NOT NULL
);

CREATE TABLE ledger.reversal_total (
    original_transaction_id uuid NOT NULL,
    original_amount bigint NOT NULL,
    reversed_amount bigint NOT NULL,
    CONSTRAINT reversal_total_reversed_amount_check CHECK ((reversed_amount > 0)),
    CONSTRAINT reversed_within_original CHECK ((reversed_amount <= original_amount))
)
WITH (fillfactor='50');

CREATE TABLE ledger.source (
    source_id integer NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    incarnation uuid NOT NULL,
    opened_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    opened_by text NOT NULL,
    reason text NOT NULL,
    CONSTRAINT source_partition_check CHECK ((partition >= 0))
);

ALTER TABLE ledger.source ALTER COLUMN source_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME ledger.source_source_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE ledger.spending (
    scope text NOT NULL,
    subject text NOT NULL,
    currency text NOT NULL,
    ledger_sequence bigint NOT NULL,
    limit_name text CONSTRAINT spending_limit_name_not_null1 NOT NULL,
    booking_date date NOT NULL,
    amount bigint NOT NULL,
    spent_amount bigint NOT NULL,
    spent_count bigint NOT NULL,
    CONSTRAINT spending_takes_money CHECK ((amount > 0)),
    CONSTRAINT spent_within_bounds CHECK ((spent_amount <= '9000000000000000000'::bigint))
);

CREATE TABLE ledger.spending_limit (
    set_sequence bigint NOT NULL,
    ended_sequence bigint,
    name text NOT NULL,
    scope text NOT NULL,
    subject text,
    currency text NOT NULL,
    single_amount bigint,
    daily_amount bigint,
    daily_count bigint,
    CONSTRAINT ends_after_it_was_set CHECK ((ended_sequence > set_sequence)),
    CONSTRAINT limits_something CHECK ((num_nonnulls(single_amount, daily_amount, daily_count) > 0)),
    CONSTRAINT spending_limit_daily_amount_check CHECK ((daily_amount > 0)),
    CONSTRAINT spending_limit_daily_count_check CHECK ((daily_count > 0)),
    CONSTRAINT spending_limit_scope_check CHECK ((scope = ANY (ARRAY['account'::text, 'customer'::text, 'channel'::text]))),
    CONSTRAINT spending_limit_single_amount_check CHECK ((single_amount > 0))
);

CREATE TABLE ledger.spent (
    scope text NOT NULL,
    subject text NOT NULL,
    currency text NOT NULL,
    booking_date date,
    amount bigint DEFAULT 0 NOT NULL,
    count bigint DEFAULT 0 NOT NULL
)
WITH (fillfactor='50');

CREATE TABLE ledger.transaction_0 (
    transaction_id uuid CONSTRAINT transaction_transaction_id_not_null NOT NULL,
    fingerprint bytea CONSTRAINT transaction_fingerprint_not_null NOT NULL,
    fingerprint_version smallint CONSTRAINT transaction_fingerprint_version_not_null NOT NULL,
    ledger_sequence bigint CONSTRAINT transaction_ledger_sequence_not_null NOT NULL,
    decided_at timestamp with time zone CONSTRAINT transaction_decided_at_not_null NOT NULL,
    CONSTRAINT transaction_fingerprint_check CHECK ((octet_length(fingerprint) = 32))
);
ALTER TABLE ONLY ledger.transaction_0 ALTER COLUMN transaction_id SET STATISTICS 10;
ALTER TABLE ONLY ledger.transaction_0 ALTER COLUMN fingerprint SET STATISTICS 10;
ALTER TABLE ONLY ledger.transaction_0 ALTER COLUMN fingerprint_version SET STATISTICS 10;
ALTER TABLE ONLY ledger.transaction_0 ALTER COLUMN ledger_sequence SET STATISTICS 10;
ALTER TABLE ONLY ledger.transaction_0 ALTER COLUMN decided_at SET STATISTICS 10;

CREATE TABLE ledger.transaction_1 (
    transaction_id uuid CONSTRAINT transaction_transaction_id_not_null NOT NULL,
    fingerprint bytea CONSTRAINT transaction_fingerprint_not_null NOT NULL,
    fingerprint_version smallint CONSTRAINT transaction_fingerprint_version_not_null NOT NULL,
    ledger_sequence bigint CONSTRAINT transaction_ledger_sequence_not_null NOT NULL,
    decided_at timestamp with time zone CONSTRAINT transaction_decided_at_not_null NOT NULL,
    CONSTRAINT transaction_fingerprint_check CHECK ((octet_length(fingerprint) = 32))
);
ALTER TABLE ONLY ledger.transaction_1 ALTER COLUMN transaction_id SET STATISTICS 10;
ALTER TABLE ONLY ledger.transaction_1 ALTER COLUMN fingerprint SET STATISTICS 10;
ALTER TABLE ONLY ledger.transaction_1 ALTER COLUMN fingerprint_version SET STATISTICS 10;
ALTER TABLE ONLY ledger.transaction_1 ALTER COLUMN ledger_sequence SET STATISTICS 10;
ALTER TABLE ONLY ledger.transaction_1 ALTER COLUMN decided_at SET STATISTICS 10;

CREATE TABLE ledger.transaction_2 (
    transaction_id uuid CONSTRAINT transaction_transaction_id_not_null NOT NULL,
    fingerprint bytea CONSTRAINT transaction_fingerprint_not_null NOT NULL,
    fingerprint_version smallint CONSTRAINT transaction_fingerprint_version_not_null NOT NULL,
    ledger_sequence bigint CONSTRAINT transaction_ledger_sequence_not_null NOT NULL,
    decided_at timestamp with time zone CONSTRAINT transaction_decided_at_not_null NOT NULL,
    CONSTRAINT transaction_fingerprint_check CHECK ((octet_length(fingerprint) = 32))
);
ALTER TABLE ONLY ledger.transaction_2 ALTER COLUMN transaction_id SET STATISTICS 10;
ALTER TABLE ONLY ledger.transaction_2 ALTER COLUMN fingerprint SET STATISTICS 10;
ALTER TABLE ONLY ledger.transaction_2 ALTER COLUMN fingerprint_version SET STATISTICS 10;
ALTER TABLE ONLY ledger.transaction_2 ALTER COLUMN ledger_sequence SET STATISTICS 10;
ALTER TABLE ONLY ledger.transaction_2 ALTER COLUMN decided_at SET STATISTICS 10;

CREATE TABLE ledger.transaction_3 (
    transaction_id uuid CONSTRAINT transaction_transaction_id_not_null NOT NULL,
    fingerprint bytea CONSTRAINT transaction_fingerprint_not_null NOT NULL,
    fingerprint_version smallint CONSTRAINT transaction_fingerprint_version_not_null NOT NULL,
    ledger_sequence bigint CONSTRAINT transaction_ledger_sequence_not_null NOT NULL,
    decided_at timestamp with time zone CONSTRAINT transaction_decided_at_not_null NOT NULL,
    CONSTRAINT transaction_fingerprint_check CHECK ((octet_length(fingerprint) = 32))
);
ALTER TABLE ONLY ledger.transaction_3 ALTER COLUMN transaction_id SET STATISTICS 10;
ALTER TABLE ONLY ledger.transaction_3 ALTER COLUMN fingerprint SET STATISTICS 10;
ALTER TABLE ONLY ledger.transaction_3 ALTER COLUMN fingerprint_version SET STATISTICS 10;
ALTER TABLE ONLY ledger.transaction_3 ALTER COLUMN ledger_sequence SET STATISTICS 10;
ALTER TABLE ONLY ledger.transaction_3 ALTER COLUMN decided_at SET STATISTICS 10;

CREATE TABLE ledger.transaction_4 (
    transaction_id uuid CONSTRAINT transaction_transaction_id_not_null NOT NULL,
    fingerprint bytea CONSTRAINT transaction_fingerprint_not_null NOT NULL,
    fingerprint_version smallint CONSTRAINT transaction_fingerprint_version_not_null NOT NULL,
    ledger_sequence bigint CONSTRAINT transaction_ledger_sequence_not_null NOT NULL,
    decided_at timestamp with time zone CONSTRAINT transaction_decided_at_not_null NOT NULL,
    CONSTRAINT transaction_fingerprint_check CHECK ((octet_length(fingerprint) = 32))
);
ALTER TABLE ONLY ledger.transaction_4 ALTER COLUMN transaction_id SET STATISTICS 10;
ALTER TABLE ONLY ledger.transaction_4 ALTER COLUMN fingerprint SET STATISTICS 10;
ALTER TABLE ONLY ledger.transaction_4 ALTER COLUMN fingerprint_version SET STATISTICS 10;
ALTER TABLE ONLY ledger.transaction_4 ALTER COLUMN ledger_sequence SET STATISTICS 10;
ALTER TABLE ONLY ledger.transaction_4 ALTER COLUMN decided_at SET STATISTICS 10;

CREATE TABLE ledger.transaction_5 (
    transaction_id uuid CONSTRAINT transaction_transaction_id_not_null NOT NULL,
    fingerprint bytea CONSTRAINT transaction_fingerprint_not_null NOT NULL,
    fingerprint_version smallint CONSTRAINT transaction_fingerprint_version_not_null NOT NULL,
    ledger_sequence bigint CONSTRAINT transaction_ledger_sequence_not_null NOT NULL,
    decided_at timestamp with time zone CONSTRAINT transaction_decided_at_not_null NOT NULL,
    CONSTRAINT transaction_fingerprint_check CHECK ((octet_length(fingerprint) = 32))
);
ALTER TABLE ONLY ledger.transaction_5 ALTER COLUMN transaction_id SET STATISTICS 10;
ALTER TABLE ONLY ledger.transaction_5 ALTER COLUMN fingerprint SET STATISTICS 10;
ALTER TABLE ONLY ledger.transaction_5 ALTER COLUMN fingerprint_version SET STATISTICS 10;
ALTER TABLE ONLY ledger.transaction_5 ALTER COLUMN ledger_sequence SET STATISTICS 10;
ALTER TABLE ONLY ledger.transaction_5 ALTER COLUMN decided_at SET STATISTICS 10;

CREATE TABLE ledger.transaction_6 (
    transaction_id uuid CONSTRAINT transaction_transaction_id_not_null NOT NULL,
    fingerprint bytea CONSTRAINT transaction_fingerprint_not_null NOT NULL,
    fingerprint_version smallint CONSTRAINT transaction_fingerprint_version_not_null NOT NULL,
    ledger_sequence bigint CONSTRAINT transaction_ledger_sequence_not_null NOT NULL,
    decided_at timestamp with time zone CONSTRAINT transaction_decided_at_not_null NOT NULL,
    CONSTRAINT transaction_fingerprint_check CHECK ((octet_length(fingerprint) = 32))
);
ALTER TABLE ONLY ledger.transaction_6 ALTER COLUMN transaction_id SET STATISTICS 10;
ALTER TABLE ONLY ledger.transaction_6 ALTER COLUMN fingerprint SET STATISTICS 10;
ALTER TABLE ONLY ledger.transaction_6 ALTER COLUMN fingerprint_version SET STATISTICS 10;
ALTER TABLE ONLY ledger.transaction_6 ALTER COLUMN ledger_sequence SET STATISTICS 10;
ALTER TABLE ONLY ledger.transaction_6 ALTER COLUMN decided_at SET STATISTICS 10;

CREATE TABLE ledger.transaction_7 (
    transaction_id uuid CONSTRAINT transaction_transaction_id_not_null NOT NULL,
    fingerprint bytea CONSTRAINT transaction_fingerprint_not_null NOT NULL,
    fingerprint_version smallint CONSTRAINT transaction_fingerprint_version_not_null NOT NULL,
    ledger_sequence bigint CONSTRAINT transaction_ledger_sequence_not_null NOT NULL,
    decided_at timestamp with time zone CONSTRAINT transaction_decided_at_not_null NOT NULL,
    CONSTRAINT transaction_fingerprint_check CHECK ((octet_length(fingerprint) = 32))
);
ALTER TABLE ONLY ledger.transaction_7 ALTER COLUMN transaction_id SET STATISTICS 10;
ALTER TABLE ONLY ledger.transaction_7 ALTER COLUMN fingerprint SET STATISTICS 10;
ALTER TABLE ONLY ledger.transaction_7 ALTER COLUMN fingerprint_version SET STATISTICS 10;
ALTER TABLE ONLY ledger.transaction_7 ALTER COLUMN ledger_sequence SET STATISTICS 10;
ALTER TABLE ONLY ledger.transaction_7 ALTER COLUMN decided_at SET STATISTICS 10;

CREATE VIEW reporting.balances AS
 SELECT (account.name)::text AS account,
    account.currency,
    reporting.major(account.posted, currency.digits) AS posted,
    reporting.major(account.held, currency.digits) AS held,
    reporting.major(((account.posted - account.held) + account.overdraft_limit), currency.digits) AS available,
    account.status,
    account.kind,
    account_kind.code,
    account.customer
   FROM ((ledger.account
     JOIN ledger.currency ON ((currency.code = account.currency)))
     JOIN ledger.account_kind USING (kind));

CREATE VIEW reporting.closed_days AS
 SELECT closing.business_date,
    closing.next_date,
    change.decided_at AS closed_at,
    change.transaction_id,
    closing.ledger_sequence
   FROM (ledger.closing
     JOIN ledger.account_change change USING (ledger_sequence));

CREATE VIEW reporting.business_day AS
 SELECT COALESCE(last.next_date, ((now() AT TIME ZONE 'UTC'::text))::date) AS open_date,
    last.closed_at AS since,
    last.transaction_id,
    last.ledger_sequence
   FROM (( VALUES (1)) one
     LEFT JOIN LATERAL ( SELECT closed_days.business_date,
            closed_days.next_date,
            closed_days.closed_at,
            closed_days.transaction_id,
            closed_days.ledger_sequence
           FROM reporting.closed_days
          ORDER BY closed_days.ledger_sequence DESC
         LIMIT 1) last ON (true));

CREATE VIEW reporting.chart_of_accounts AS
 SELECT code,
    kind,
    class,
    normal_side,
    limited,
    may_overdraw,
    name
   FROM ledger.account_kind;

CREATE VIEW reporting.entries AS
 SELECT posting.transaction_id,
    ((2 * (posting.line - 1)) + side.line) AS line,
    (account.name)::text AS account,
    side.direction,
    reporting.major(posting.amount, currency.digits) AS amount,
    posting.currency,
    reporting.major(side.balance, currency.digits) AS balance_after,
    posting.decided_at AS booked_at,
    posting.value_date,
    posting.ledger_sequence,
    posting.type,
    posting.channel,
    posting.reference,
    posting.booking_date
   FROM (((ledger.posting
     CROSS JOIN LATERAL ( VALUES (1,posting.debit_account_id,'debit'::text,posting.debit_balance), (2,posting.credit_account_id,'credit'::text,posting.credit_balance)) side(line, account_id, direction, balance))
     JOIN ledger.account ON ((account.account_id = side.account_id)))
     JOIN ledger.currency ON ((currency.code = posting.currency)));

CREATE VIEW reporting.holds AS
 SELECT hold.hold_transaction_id,
    change.debit_account,
    change.credit_account,
    change.currency,
    reporting.major(hold.placed, currency.digits) AS placed,
    reporting.major(hold.remaining, currency.digits) AS held,
    reporting.major(hold.captured, currency.digits) AS captured,
    reporting.major(hold.released, currency.digits) AS released,
    reporting.major(hold.capture_max, currency.digits) AS capture_max,
    ('1970-01-01 00:00:00+00'::timestamp with time zone + ((hold.expires_at_us)::double precision * '00:00:00.000001'::interval)) AS expires_at,
        CASE
            WHEN ((hold.captured + hold.released) < hold.capture_max) THEN 'open'::text
            ELSE 'ended'::text
        END AS status,
    change.decided_at AS placed_at,
    change.ledger_sequence
   FROM ((ledger.hold
     JOIN ledger.account_change change ON (((change.hold_transaction_id = hold.hold_transaction_id) AND (change.type = 'hold.place'::text))))
     JOIN ledger.currency ON ((currency.code = change.currency)));

CREATE VIEW reporting.payments AS
 SELECT posting.transaction_id,
    posting.type,
    'posted'::text AS outcome,
    NULL::text AS reason,
        CASE
            WHEN (posting.type <> 'journal'::text) THEN reporting.major(posting.amount, currency.digits)
            ELSE NULL::numeric
        END AS amount,
        CASE
            WHEN (posting.type <> 'journal'::text) THEN posting.currency
            ELSE NULL::text
        END AS currency,
        CASE
            WHEN (posting.type <> 'journal'::text) THEN (debit.name)::text
            ELSE NULL::text
        END AS debit_account,
        CASE posting.type
            WHEN 'journal'::text THEN NULL::text
            WHEN 'fx.transfer'::text THEN ((posting.shown)::jsonb ->> 'credit_account'::text)
            ELSE (credit.name)::text
        END AS credit_account,
    posting.decided_at,
    posting.ledger_sequence,
    source.topic,
    source.partition,
    posting.source_offset AS "offset",
    NULL::text AS account,
    posting.channel,
        CASE
            WHEN (posting.type = 'journal'::text) THEN ((posting.details)::jsonb ->> 'reference'::text)
            ELSE posting.reference
        END AS reference
   FROM ((((ledger.posting
     JOIN ledger.currency ON ((currency.code = posting.currency)))
     JOIN ledger.account debit ON ((debit.account_id = posting.debit_account_id)))
     JOIN ledger.account credit ON ((credit.account_id = posting.credit_account_id)))
     JOIN ledger.source ON ((source.source_id = posting.source_id)))
  WHERE (posting.line = 1)
UNION ALL
 SELECT change.transaction_id,
    change.type,
    'posted'::text AS outcome,
    NULL::text AS reason,
    reporting.major(change.amount, currency.digits) AS amount,
    change.currency,
    change.debit_account,
    change.credit_account,
    change.decided_at,
    change.ledger_sequence,
    source.topic,
    source.partition,
    change.source_offset AS "offset",
        CASE
            WHEN (change.hold_transaction_id IS NULL) THEN change.account
            ELSE NULL::text
        END AS account,
    change.channel,
    change.reference
   FROM ((ledger.account_change change
     LEFT JOIN ledger.currency ON ((currency.code = change.currency)))
     JOIN ledger.source ON ((source.source_id = change.source_id)))
UNION ALL
 SELECT refusal.transaction_id,
    refusal.type,
    'rejected'::text AS outcome,
    refusal.reason,
    (refusal.amount)::numeric AS amount,
    refusal.currency,
    refusal.debit_account,
    refusal.credit_account,
    refusal.decided_at,
    refusal.ledger_sequence,
    source.topic,
    source.partition,
    refusal.source_offset AS "offset",
    refusal.account,
    refusal.channel,
    refusal.reference
   FROM (ledger.refusal
     JOIN ledger.source ON ((source.source_id = refusal.source_id)));

CREATE VIEW reporting.payment_family AS
 SELECT root.transaction_id AS root_transaction_id,
    member.transaction_id,
    member.parent_transaction_id,
    member.depth,
    payment.type,
    payment.outcome,
    payment.reason,
    payment.amount,
    payment.currency,
    payment.decided_at,
    payment.ledger_sequence
   FROM ((ledger.transaction root
     CROSS JOIN LATERAL ( WITH RECURSIVE tree AS (
                 SELECT root.transaction_id,
                    NULL::uuid AS parent_transaction_id,
                    0 AS depth,
                    root.ledger_sequence,
                    root.decided_at
                UNION ALL
                 SELECT child.transaction_id,
                    tree_1.transaction_id,
                    (tree_1.depth + 1),
                    child.ledger_sequence,
                    child.decided_at
                   FROM (tree tree_1
                     CROSS JOIN LATERAL ( SELECT kin.ledger_sequence,
                            kin.decided_at,
                            kin.transaction_id,
                            kin.parent_transaction_id
                           FROM ledger.kinship kin
                          WHERE (kin.parent_transaction_id = tree_1.transaction_id)
                         OFFSET 0) child)
                )
         SELECT tree.transaction_id,
            tree.parent_transaction_id,
            tree.depth,
            tree.ledger_sequence,
            tree.decided_at
           FROM tree) member)
     CROSS JOIN LATERAL ( SELECT known.transaction_id,
            known.type,
            known.outcome,
            known.reason,
            known.amount,
            known.currency,
            known.debit_account,
            known.credit_account,
            known.decided_at,
            known.ledger_sequence,
            known.topic,
            known.partition,
            known."offset",
            known.account,
            known.channel,
            known.reference
           FROM reporting.payments known
          WHERE ((known.ledger_sequence = member.ledger_sequence) AND (known.decided_at = member.decided_at))
         OFFSET 0) payment)
  WHERE (reporting.payment_root(root.transaction_id) = root.transaction_id);

CREATE VIEW reporting.spending_limits AS
 SELECT bound.name AS limit_name,
    bound.scope,
    bound.subject,
    bound.currency,
    reporting.major(bound.single_amount, currency.digits) AS single_amount,
    reporting.major(bound.daily_amount, currency.digits) AS daily_amount,
    bound.daily_count,
    change.decided_at AS since,
    bound.set_sequence AS ledger_sequence
   FROM ((ledger.spending_limit bound
     JOIN ledger.currency ON ((currency.code = bound.currency)))
     JOIN ledger.account_change change ON ((change.ledger_sequence = bound.set_sequence)))
  WHERE (bound.ended_sequence IS NULL);

CREATE VIEW reporting.spent AS
 SELECT spent.scope,
    spent.subject,
    spent.currency,
    spent.booking_date,
    reporting.major(spent.amount, currency.digits) AS amount,
    spent.count
   FROM (ledger.spent
     JOIN ledger.currency ON ((currency.code = spent.currency)))
  WHERE (spent.booking_date IS NOT NULL);

CREATE VIEW reporting.tariffs AS
 SELECT (details ->> 'tariff'::text) AS tariff,
    (details ->> 'command'::text) AS command,
    (details ->> 'for_channel'::text) AS channel,
    (details ->> 'product'::text) AS product,
    (details ->> 'currency'::text) AS currency,
    (details ->> 'payer'::text) AS payer,
    (details -> 'tiers'::text) AS tiers,
    ((details ->> 'minimum'::text))::numeric AS minimum,
    ((details ->> 'maximum'::text))::numeric AS maximum,
    decided_at AS since,
    ledger_sequence
   FROM ( SELECT DISTINCT ON (((account_change.details)::jsonb ->> 'tariff'::text)) account_change.type,
            (account_change.details)::jsonb AS details,
            account_change.decided_at,
            account_change.ledger_sequence
           FROM ledger.account_change
          WHERE (account_change.changes_rules AND (account_change.type ~~ 'tariff.%'::text))
          ORDER BY ((account_change.details)::jsonb ->> 'tariff'::text), account_change.ledger_sequence DESC) last
  WHERE (type = 'tariff.set'::text);

CREATE VIEW reporting.trial_balance AS
 SELECT currency,
    kind,
    code,
    class,
    normal_side,
    accounts,
    debits,
    credits,
    debit_balance,
    credit_balance
   FROM reporting.trial_balance_at('infinity'::timestamp with time zone) trial_balance_at(currency, kind, code, class, normal_side, accounts, debits, credits, debit_balance, credit_balance);

ALTER TABLE ONLY ledger.posting ATTACH PARTITION ledger.posting_default DEFAULT;

ALTER TABLE ONLY ledger.refusal ATTACH PARTITION ledger.refusal_default DEFAULT;

ALTER TABLE ONLY ledger.transaction ATTACH PARTITION ledger.transaction_0 FOR VALUES WITH (modulus 8, remainder 0);

ALTER TABLE ONLY ledger.transaction ATTACH PARTITION ledger.transaction_1 FOR VALUES WITH (modulus 8, remainder 1);

ALTER TABLE ONLY ledger.transaction ATTACH PARTITION ledger.transaction_2 FOR VALUES WITH (modulus 8, remainder 2);

ALTER TABLE ONLY ledger.transaction ATTACH PARTITION ledger.transaction_3 FOR VALUES WITH (modulus 8, remainder 3);

ALTER TABLE ONLY ledger.transaction ATTACH PARTITION ledger.transaction_4 FOR VALUES WITH (modulus 8, remainder 4);

ALTER TABLE ONLY ledger.transaction ATTACH PARTITION ledger.transaction_5 FOR VALUES WITH (modulus 8, remainder 5);

ALTER TABLE ONLY ledger.transaction ATTACH PARTITION ledger.transaction_6 FOR VALUES WITH (modulus 8, remainder 6);

ALTER TABLE ONLY ledger.transaction ATTACH PARTITION ledger.transaction_7 FOR VALUES WITH (modulus 8, remainder 7);

ALTER TABLE ONLY ledger.account_change
    ADD CONSTRAINT account_change_pkey PRIMARY KEY (ledger_sequence);

ALTER TABLE ONLY ledger.account_kind
    ADD CONSTRAINT account_kind_code_key UNIQUE (code);

ALTER TABLE ONLY ledger.account_kind
    ADD CONSTRAINT account_kind_pkey PRIMARY KEY (kind);

ALTER TABLE ONLY ledger.account
    ADD CONSTRAINT account_name_once UNIQUE (name);

ALTER TABLE ONLY ledger.account
    ADD CONSTRAINT account_pkey PRIMARY KEY (account_id);

ALTER TABLE ONLY ledger.closing
    ADD CONSTRAINT closed_once UNIQUE (business_date);

ALTER TABLE ONLY ledger.closing
    ADD CONSTRAINT closing_pkey PRIMARY KEY (ledger_sequence);

ALTER TABLE ONLY ledger.conflict
    ADD CONSTRAINT conflict_once PRIMARY KEY (source_id, source_offset);

ALTER TABLE ONLY ledger.currency
    ADD CONSTRAINT currency_pkey PRIMARY KEY (code);

ALTER TABLE ONLY ledger.dead_letter
    ADD CONSTRAINT dead_letter_once PRIMARY KEY (source_id, source_offset);

ALTER TABLE ONLY ledger.hold
    ADD CONSTRAINT hold_pkey PRIMARY KEY (hold_transaction_id);

ALTER TABLE ONLY ledger.hole
    ADD CONSTRAINT hole_once PRIMARY KEY (source_id, from_offset);

ALTER TABLE ONLY ledger.identity
    ADD CONSTRAINT identity_pkey PRIMARY KEY (only_row);

ALTER TABLE ONLY ledger.migration
    ADD CONSTRAINT migration_pkey PRIMARY KEY (name);

ALTER TABLE ONLY ledger.operator_decision
    ADD CONSTRAINT operator_decision_pkey PRIMARY KEY (decision_id);

ALTER TABLE ONLY ledger."position"
    ADD CONSTRAINT position_pkey PRIMARY KEY (topic, partition);

ALTER TABLE ONLY ledger."position"
    ADD CONSTRAINT position_source_id_key UNIQUE (source_id);

ALTER TABLE ONLY ledger.posting
    ADD CONSTRAINT posting_once PRIMARY KEY (ledger_sequence, decided_at, line);

ALTER TABLE ONLY ledger.posting_default
    ADD CONSTRAINT posting_default_pkey PRIMARY KEY (ledger_sequence, decided_at, line);

ALTER TABLE ONLY ledger.refusal
    ADD CONSTRAINT refusal_once PRIMARY KEY (ledger_sequence, decided_at);

ALTER TABLE ONLY ledger.refusal_default
    ADD CONSTRAINT refusal_default_pkey PRIMARY KEY (ledger_sequence, decided_at);

ALTER TABLE ONLY ledger.repeat
    ADD CONSTRAINT repeat_once PRIMARY KEY (source_id, source_offset);

ALTER TABLE ONLY ledger.reversal_total
    ADD CONSTRAINT reversal_total_pkey PRIMARY KEY (original_transaction_id);

ALTER TABLE ONLY ledger.source
    ADD CONSTRAINT source_incarnation_key UNIQUE (incarnation);

ALTER TABLE ONLY ledger.source
    ADD CONSTRAINT source_pkey PRIMARY KEY (source_id);

ALTER TABLE ONLY ledger.spending_limit
    ADD CONSTRAINT spending_limit_pkey PRIMARY KEY (set_sequence);

ALTER TABLE ONLY ledger.spending
    ADD CONSTRAINT spending_once PRIMARY KEY (scope, subject, currency, ledger_sequence);

ALTER TABLE ONLY ledger.spent
    ADD CONSTRAINT spent_pkey PRIMARY KEY (scope, subject, currency);

ALTER TABLE ONLY ledger.timeline
    ADD CONSTRAINT timeline_pkey PRIMARY KEY (timeline_id);

ALTER TABLE ONLY ledger.timeline
    ADD CONSTRAINT timeline_token_key UNIQUE (token);

ALTER TABLE ONLY ledger.transaction
    ADD CONSTRAINT transaction_id_once PRIMARY KEY (transaction_id);

ALTER TABLE ONLY ledger.transaction_0
    ADD CONSTRAINT transaction_0_pkey PRIMARY KEY (transaction_id);

ALTER TABLE ONLY ledger.transaction_1
    ADD CONSTRAINT transaction_1_pkey PRIMARY KEY (transaction_id);

ALTER TABLE ONLY ledger.transaction_2
    ADD CONSTRAINT transaction_2_pkey PRIMARY KEY (transaction_id);

ALTER TABLE ONLY ledger.transaction_3
    ADD CONSTRAINT transaction_3_pkey PRIMARY KEY (transaction_id);

ALTER TABLE ONLY ledger.transaction_4
    ADD CONSTRAINT transaction_4_pkey PRIMARY KEY (transaction_id);

ALTER TABLE ONLY ledger.transaction_5
    ADD CONSTRAINT transaction_5_pkey PRIMARY KEY (transaction_id);

ALTER TABLE ONLY ledger.transaction_6
    ADD CONSTRAINT transaction_6_pkey PRIMARY KEY (transaction_id);

ALTER TABLE ONLY ledger.transaction_7
    ADD CONSTRAINT transaction_7_pkey PRIMARY KEY (transaction_id);

CREATE INDEX account_by_customer ON ledger.account USING btree (customer) WHERE (customer IS NOT NULL);

CREATE INDEX account_change_by_account ON ledger.account_change USING btree (account, ledger_sequence);

CREATE INDEX account_change_by_hold ON ledger.account_change USING btree (hold_transaction_id) WHERE (hold_transaction_id IS NOT NULL);

CREATE INDEX account_change_of_rules ON ledger.account_change USING btree (ledger_sequence) WHERE changes_rules;

CREATE INDEX hold_by_expiry ON ledger.hold USING btree (expires_at_us) WHERE ((expires_at_us IS NOT NULL) AND ((captured + released) < capture_max));

CREATE INDEX limit_by_subject ON ledger.spending_limit USING btree (scope, subject, currency, set_sequence);

CREATE UNIQUE INDEX limit_name_once ON ledger.spending_limit USING btree (name) WHERE (ended_sequence IS NULL);

CREATE UNIQUE INDEX limit_once_for_the_same ON ledger.spending_limit USING btree (scope, currency, COALESCE(subject, ''::text)) WHERE (ended_sequence IS NULL);

CREATE INDEX posting_by_hold ON ONLY ledger.posting USING btree (hold_transaction_id) WHERE (hold_transaction_id IS NOT NULL);

CREATE INDEX posting_credits ON ONLY ledger.posting USING btree (credit_account_id, decided_at, ledger_sequence);

CREATE INDEX posting_credits_of_other_days ON ONLY ledger.posting USING btree (credit_account_id) WHERE (value_date <> ((decided_at AT TIME ZONE 'UTC'::text))::date);

CREATE INDEX posting_debits ON ONLY ledger.posting USING btree (debit_account_id, decided_at, ledger_sequence);

CREATE INDEX posting_debits_of_other_days ON ONLY ledger.posting USING btree (debit_account_id) WHERE (value_date <> ((decided_at AT TIME ZONE 'UTC'::text))::date);

CREATE INDEX posting_default_credit_account_id_decided_at_ledger_sequenc_idx ON ledger.posting_default USING btree (credit_account_id, decided_at, ledger_sequence);

CREATE INDEX posting_default_credit_account_id_idx ON ledger.posting_default USING btree (credit_account_id) WHERE (value_date <> ((decided_at AT TIME ZONE 'UTC'::text))::date);

CREATE INDEX posting_default_debit_account_id_decided_at_ledger_sequence_idx ON ledger.posting_default USING btree (debit_account_id, decided_at, ledger_sequence);

CREATE INDEX posting_default_debit_account_id_idx ON ledger.posting_default USING btree (debit_account_id) WHERE (value_date <> ((decided_at AT TIME ZONE 'UTC'::text))::date);

CREATE INDEX posting_default_hold_transaction_id_idx ON ledger.posting_default USING btree (hold_transaction_id) WHERE (hold_transaction_id IS NOT NULL);

CREATE INDEX posting_original ON ONLY ledger.posting USING btree (original_transaction_id) WHERE (original_transaction_id IS NOT NULL);

CREATE INDEX posting_default_original_transaction_id_idx ON ledger.posting_default USING btree (original_transaction_id) WHERE (original_transaction_id IS NOT NULL);

CREATE INDEX refusal_about ON ONLY ledger.refusal USING btree (about_transaction_id) WHERE (about_transaction_id IS NOT NULL);

CREATE INDEX refusal_default_about_transaction_id_idx ON ledger.refusal_default USING btree (about_transaction_id) WHERE (about_transaction_id IS NOT NULL);

ALTER INDEX ledger.posting_credits ATTACH PARTITION ledger.posting_default_credit_account_id_decided_at_ledger_sequenc_idx;

ALTER INDEX ledger.posting_credits_of_other_days ATTACH PARTITION ledger.posting_default_credit_account_id_idx;

ALTER INDEX ledger.posting_debits ATTACH PARTITION ledger.posting_default_debit_account_id_decided_at_ledger_sequence_idx;

ALTER INDEX ledger.posting_debits_of_other_days ATTACH PARTITION ledger.posting_default_debit_account_id_idx;

ALTER INDEX ledger.posting_by_hold ATTACH PARTITION ledger.posting_default_hold_transaction_id_idx;

ALTER INDEX ledger.posting_original ATTACH PARTITION ledger.posting_default_original_transaction_id_idx;

ALTER INDEX ledger.posting_once ATTACH PARTITION ledger.posting_default_pkey;

ALTER INDEX ledger.refusal_about ATTACH PARTITION ledger.refusal_default_about_transaction_id_idx;

ALTER INDEX ledger.refusal_once ATTACH PARTITION ledger.refusal_default_pkey;

ALTER INDEX ledger.transaction_id_once ATTACH PARTITION ledger.transaction_0_pkey;

ALTER INDEX ledger.transaction_id_once ATTACH PARTITION ledger.transaction_1_pkey;

ALTER INDEX ledger.transaction_id_once ATTACH PARTITION ledger.transaction_2_pkey;

ALTER INDEX ledger.transaction_id_once ATTACH PARTITION ledger.transaction_3_pkey;

ALTER INDEX ledger.transaction_id_once ATTACH PARTITION ledger.transaction_4_pkey;

ALTER INDEX ledger.transaction_id_once ATTACH PARTITION ledger.transaction_5_pkey;

ALTER INDEX ledger.transaction_id_once ATTACH PARTITION ledger.transaction_6_pkey;

ALTER INDEX ledger.transaction_id_once ATTACH PARTITION ledger.transaction_7_pkey;

CREATE CONSTRAINT TRIGGER apply_change AFTER INSERT ON ledger.account_change DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ((new.status IS NOT NULL)) EXECUTE FUNCTION ledger.apply_change();

CREATE TRIGGER apply_closing AFTER INSERT ON ledger.account_change FOR EACH ROW WHEN ((new.type = 'day.close'::text)) EXECUTE FUNCTION ledger.apply_closing();

CREATE TRIGGER apply_holds AFTER INSERT ON ledger.account_change REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ledger.apply_holds();

CREATE TRIGGER apply_limit AFTER INSERT ON ledger.account_change FOR EACH ROW WHEN ((new.type = ANY (ARRAY['limit.set'::text, 'limit.end'::text]))) EXECUTE FUNCTION ledger.apply_limit();

CREATE TRIGGER apply_postings AFTER INSERT ON ledger.posting REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ledger.apply_postings();

CREATE TRIGGER apply_postings AFTER INSERT ON ledger.posting_default REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ledger.apply_postings();

CREATE TRIGGER apply_spending AFTER INSERT ON ledger.spending REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ledger.apply_spending();

CREATE TRIGGER begins_at_zero BEFORE INSERT ON ledger.account FOR EACH ROW WHEN (((new.posted <> 0) OR (new.held <> 0))) EXECUTE FUNCTION ledger.refuse_change('only postings move balances');

CREATE TRIGGER changed_by_commands BEFORE UPDATE OF status, overdraft_limit, tolerated ON ledger.account FOR EACH STATEMENT WHEN ((pg_trigger_depth() = 0)) EXECUTE FUNCTION ledger.refuse_change('only commands change accounts');

CREATE TRIGGER closed_by_commands BEFORE INSERT ON ledger.closing FOR EACH STATEMENT WHEN ((pg_trigger_depth() = 0)) EXECUTE FUNCTION ledger.refuse_change('only commands close days');

CREATE TRIGGER counted_by_spending BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.spent FOR EACH STATEMENT WHEN ((pg_trigger_depth() = 0)) EXECUTE FUNCTION ledger.refuse_change('only what is spent counts');

CREATE TRIGGER held_by_commands BEFORE UPDATE OF held, ahead ON ledger.account FOR EACH STATEMENT WHEN ((pg_trigger_depth() = 0)) EXECUTE FUNCTION ledger.refuse_change('only commands move what is held');

CREATE TRIGGER moved_by_commands BEFORE INSERT OR DELETE OR UPDATE OR TRUNCATE ON ledger.hold FOR EACH STATEMENT WHEN ((pg_trigger_depth() = 0)) EXECUTE FUNCTION ledger.refuse_change('only commands move holds');

CREATE TRIGGER moved_by_postings BEFORE DELETE OR UPDATE OF account_id, name, currency, kind, posted, opened_at OR TRUNCATE ON ledger.account FOR EACH STATEMENT WHEN ((pg_trigger_depth() = 0)) EXECUTE FUNCTION ledger.refuse_change('only postings move balances');

CREATE TRIGGER moved_by_postings BEFORE INSERT OR DELETE OR UPDATE OR TRUNCATE ON ledger.reversal_total FOR EACH STATEMENT WHEN ((pg_trigger_depth() = 0)) EXECUTE FUNCTION ledger.refuse_change('only postings sum up reversals');

CREATE TRIGGER position_stays BEFORE DELETE OR TRUNCATE ON ledger."position" FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change('a partition that was read stays known');

CREATE TRIGGER raise_limits AFTER INSERT ON ledger.account_change REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ledger.raise_limits();

CREATE TRIGGER records_stay BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.account_change FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE TRIGGER records_stay BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.account_kind FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE TRIGGER records_stay BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.closing FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE TRIGGER records_stay BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.conflict FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE TRIGGER records_stay BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.currency FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE TRIGGER records_stay BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.dead_letter FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE TRIGGER records_stay BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.hole FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE TRIGGER records_stay BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.identity FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE TRIGGER records_stay BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.migration FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE TRIGGER records_stay BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.operator_decision FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE TRIGGER records_stay BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.posting FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE TRIGGER records_stay BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.posting_default FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE TRIGGER records_stay BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.refusal FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE TRIGGER records_stay BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.refusal_default FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE TRIGGER records_stay BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.repeat FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE TRIGGER records_stay BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.source FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE TRIGGER records_stay BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.spending FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE TRIGGER records_stay BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.timeline FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE TRIGGER records_stay BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.transaction FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE TRIGGER records_stay BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.transaction_0 FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE TRIGGER records_stay BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.transaction_1 FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE TRIGGER records_stay BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.transaction_2 FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE TRIGGER records_stay BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.transaction_3 FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE TRIGGER records_stay BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.transaction_4 FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE TRIGGER records_stay BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.transaction_5 FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE TRIGGER records_stay BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.transaction_6 FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE TRIGGER records_stay BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.transaction_7 FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE TRIGGER set_by_commands BEFORE INSERT OR DELETE OR UPDATE OR TRUNCATE ON ledger.spending_limit FOR EACH STATEMENT WHEN ((pg_trigger_depth() = 0)) EXECUTE FUNCTION ledger.refuse_change('only commands set limits');

CREATE CONSTRAINT TRIGGER settle_hold AFTER INSERT ON ledger.account_change DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ((new.held > 0)) EXECUTE FUNCTION ledger.settle_hold();

ALTER TABLE ONLY ledger.account
    ADD CONSTRAINT account_currency_fkey FOREIGN KEY (currency) REFERENCES ledger.currency(code);

ALTER TABLE ONLY ledger.account
    ADD CONSTRAINT account_of_kind FOREIGN KEY (kind) REFERENCES ledger.account_kind(kind);

ALTER TABLE ONLY ledger.hold
    ADD CONSTRAINT hold_account_id_fkey FOREIGN KEY (account_id) REFERENCES ledger.account(account_id);

ALTER TABLE ONLY ledger."position"
    ADD CONSTRAINT position_source_id_fkey FOREIGN KEY (source_id) REFERENCES ledger.source(source_id);

ALTER TABLE ONLY ledger.spending_limit
    ADD CONSTRAINT spending_limit_currency_fkey FOREIGN KEY (currency) REFERENCES ledger.currency(code);

GRANT USAGE ON SCHEMA ledger TO processor_worker;

GRANT USAGE ON SCHEMA reporting TO processor_worker;
GRANT USAGE ON SCHEMA reporting TO processor_reader;

REVOKE ALL ON FUNCTION ledger.apply_change() FROM PUBLIC;

REVOKE ALL ON FUNCTION ledger.apply_closing() FROM PUBLIC;

REVOKE ALL ON FUNCTION ledger.apply_holds() FROM PUBLIC;

REVOKE ALL ON FUNCTION ledger.apply_limit() FROM PUBLIC;

REVOKE ALL ON FUNCTION ledger.apply_postings() FROM PUBLIC;

REVOKE ALL ON FUNCTION ledger.apply_spending() FROM PUBLIC;

REVOKE ALL ON FUNCTION ledger.create_month_partitions(months_ahead integer) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.create_month_partitions(months_ahead integer) TO processor_worker;

REVOKE ALL ON FUNCTION ledger.guard(guarded regclass) FROM PUBLIC;

REVOKE ALL ON FUNCTION ledger.guard_posting_partition(guarded regclass) FROM PUBLIC;

REVOKE ALL ON FUNCTION ledger.lock_accounts(names text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.lock_accounts(names text[]) TO processor_worker;

REVOKE ALL ON FUNCTION ledger.lock_rules(alone boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.lock_rules(alone boolean) TO processor_worker;

REVOKE ALL ON FUNCTION ledger.lock_spent(scopes text[], subjects text[], currencies text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.lock_spent(scopes text[], subjects text[], currencies text[]) TO processor_worker;

REVOKE ALL ON FUNCTION ledger.raise_limits() FROM PUBLIC;

REVOKE ALL ON FUNCTION ledger.refuse_change() FROM PUBLIC;

REVOKE ALL ON FUNCTION ledger.sample_little(sampled regclass) FROM PUBLIC;

REVOKE ALL ON FUNCTION ledger.settle_hold() FROM PUBLIC;

GRANT SELECT ON TABLE ledger.timeline TO processor_worker;

REVOKE ALL ON FUNCTION ledger.start_timeline(known integer, why text) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.start_timeline(known integer, why text) TO processor_worker;

REVOKE ALL ON FUNCTION reporting.balance_at(account text, moment timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION reporting.balance_at(account text, moment timestamp with time zone) TO processor_worker;
GRANT ALL ON FUNCTION reporting.balance_at(account text, moment timestamp with time zone) TO processor_reader;

REVOKE ALL ON FUNCTION reporting.balance_at_booking_date(account text, day date) FROM PUBLIC;
GRANT ALL ON FUNCTION reporting.balance_at_booking_date(account text, day date) TO processor_worker;
GRANT ALL ON FUNCTION reporting.balance_at_booking_date(account text, day date) TO processor_reader;

REVOKE ALL ON FUNCTION reporting.balance_at_value_date(account text, day date) FROM PUBLIC;
GRANT ALL ON FUNCTION reporting.balance_at_value_date(account text, day date) TO processor_worker;
GRANT ALL ON FUNCTION reporting.balance_at_value_date(account text, day date) TO processor_reader;

REVOKE ALL ON FUNCTION reporting.newest_entries(account text, entries bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION reporting.newest_entries(account text, entries bigint) TO processor_worker;
GRANT ALL ON FUNCTION reporting.newest_entries(account text, entries bigint) TO processor_reader;

REVOKE ALL ON FUNCTION reporting.payment_root(transaction_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION reporting.payment_root(transaction_id uuid) TO processor_worker;
GRANT ALL ON FUNCTION reporting.payment_root(transaction_id uuid) TO processor_reader;

REVOKE ALL ON FUNCTION reporting.statement(account text, from_moment timestamp with time zone, to_moment timestamp with time zone, after text, page_size bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION reporting.statement(account text, from_moment timestamp with time zone, to_moment timestamp with time zone, after text, page_size bigint) TO processor_worker;
GRANT ALL ON FUNCTION reporting.statement(account text, from_moment timestamp with time zone, to_moment timestamp with time zone, after text, page_size bigint) TO processor_reader;

REVOKE ALL ON FUNCTION reporting.trial_balance_at(moment timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION reporting.trial_balance_at(moment timestamp with time zone) TO processor_worker;
GRANT ALL ON FUNCTION reporting.trial_balance_at(moment timestamp with time zone) TO processor_reader;

REVOKE ALL ON FUNCTION reporting.trial_balance_of_accounts(moment timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION reporting.trial_balance_of_accounts(moment timestamp with time zone) TO processor_worker;
GRANT ALL ON FUNCTION reporting.trial_balance_of_accounts(moment timestamp with time zone) TO processor_reader;

REVOKE ALL ON FUNCTION reporting.trial_balance_of_accounts_of_day(day date) FROM PUBLIC;
GRANT ALL ON FUNCTION reporting.trial_balance_of_accounts_of_day(day date) TO processor_worker;
GRANT ALL ON FUNCTION reporting.trial_balance_of_accounts_of_day(day date) TO processor_reader;

REVOKE ALL ON FUNCTION reporting.trial_balance_of_day(day date) FROM PUBLIC;
GRANT ALL ON FUNCTION reporting.trial_balance_of_day(day date) TO processor_worker;
GRANT ALL ON FUNCTION reporting.trial_balance_of_day(day date) TO processor_reader;

GRANT SELECT ON TABLE ledger.account TO processor_worker;

GRANT INSERT(name) ON TABLE ledger.account TO processor_worker;

GRANT INSERT(currency) ON TABLE ledger.account TO processor_worker;

GRANT INSERT(kind) ON TABLE ledger.account TO processor_worker;

GRANT INSERT(overdraft_limit) ON TABLE ledger.account TO processor_worker;

GRANT INSERT(opened_at) ON TABLE ledger.account TO processor_worker;

GRANT INSERT(customer) ON TABLE ledger.account TO processor_worker;

GRANT USAGE ON SEQUENCE ledger.account_account_id_seq TO processor_worker;

GRANT SELECT,INSERT ON TABLE ledger.account_change TO processor_worker;

GRANT SELECT ON TABLE ledger.account_kind TO processor_worker;

GRANT SELECT ON TABLE ledger.closing TO processor_worker;

GRANT SELECT,INSERT ON TABLE ledger.conflict TO processor_worker;

GRANT SELECT ON TABLE ledger.currency TO processor_worker;

GRANT SELECT,INSERT ON TABLE ledger.dead_letter TO processor_worker;

GRANT SELECT,INSERT ON TABLE ledger.posting TO processor_worker;

GRANT SELECT ON TABLE ledger.entry TO processor_worker;

GRANT SELECT ON TABLE ledger.hold TO processor_worker;

GRANT SELECT,INSERT ON TABLE ledger.hole TO processor_worker;

GRANT SELECT ON TABLE ledger.identity TO processor_worker;

GRANT SELECT,INSERT ON TABLE ledger.refusal TO processor_worker;

GRANT SELECT,INSERT ON TABLE ledger.transaction TO processor_worker;

GRANT SELECT ON TABLE ledger.kinship TO processor_worker;

GRANT USAGE ON SEQUENCE ledger.ledger_sequence TO processor_worker;

GRANT SELECT ON TABLE ledger.migration TO processor_worker;

GRANT SELECT,INSERT ON TABLE ledger.operator_decision TO processor_worker;

GRANT USAGE ON SEQUENCE ledger.operator_decision_decision_id_seq TO processor_worker;

GRANT SELECT,INSERT ON TABLE ledger."position" TO processor_worker;

GRANT UPDATE(source_id) ON TABLE ledger."position" TO processor_worker;

GRANT UPDATE(claim) ON TABLE ledger."position" TO processor_worker;

GRANT UPDATE(claimed_by) ON TABLE ledger."position" TO processor_worker;

GRANT UPDATE(claimed_at) ON TABLE ledger."position" TO processor_worker;

GRANT UPDATE(first_offset) ON TABLE ledger."position" TO processor_worker;

GRANT UPDATE(next_offset) ON TABLE ledger."position" TO processor_worker;

GRANT UPDATE(delivered_offset) ON TABLE ledger."position" TO processor_worker;

GRANT UPDATE(last_offset) ON TABLE ledger."position" TO processor_worker;

GRANT UPDATE(last_digest) ON TABLE ledger."position" TO processor_worker;

GRANT SELECT ON TABLE ledger.posting_default TO processor_worker;

GRANT SELECT ON TABLE ledger.refusal_default TO processor_worker;

GRANT SELECT,INSERT ON TABLE ledger.repeat TO processor_worker;

GRANT SELECT ON TABLE ledger.reversal_total TO processor_worker;

GRANT SELECT,INSERT ON TABLE ledger.source TO processor_worker;

GRANT USAGE ON SEQUENCE ledger.source_source_id_seq TO processor_worker;

GRANT SELECT,INSERT ON TABLE ledger.spending TO processor_worker;

GRANT SELECT ON TABLE ledger.spending_limit TO processor_worker;

GRANT SELECT ON TABLE ledger.spent TO processor_worker;

GRANT SELECT ON TABLE ledger.transaction_0 TO processor_worker;

GRANT SELECT ON TABLE ledger.transaction_1 TO processor_worker;

GRANT SELECT ON TABLE ledger.transaction_2 TO processor_worker;

GRANT SELECT ON TABLE ledger.transaction_3 TO processor_worker;

GRANT SELECT ON TABLE ledger.transaction_4 TO processor_worker;

GRANT SELECT ON TABLE ledger.transaction_5 TO processor_worker;

GRANT SELECT ON TABLE ledger.transaction_6 TO processor_worker;

GRANT SELECT ON TABLE ledger.transaction_7 TO processor_worker;

GRANT SELECT ON TABLE reporting.balances TO processor_worker;
GRANT SELECT ON TABLE reporting.balances TO processor_reader;

GRANT SELECT ON TABLE reporting.closed_days TO processor_worker;
GRANT SELECT ON TABLE reporting.closed_days TO processor_reader;

GRANT SELECT ON TABLE reporting.business_day TO processor_worker;
GRANT SELECT ON TABLE reporting.business_day TO processor_reader;

GRANT SELECT ON TABLE reporting.chart_of_accounts TO processor_worker;
GRANT SELECT ON TABLE reporting.chart_of_accounts TO processor_reader;

GRANT SELECT ON TABLE reporting.entries TO processor_worker;
GRANT SELECT ON TABLE reporting.entries TO processor_reader;

GRANT SELECT ON TABLE reporting.holds TO processor_worker;
GRANT SELECT ON TABLE reporting.holds TO processor_reader;

GRANT SELECT ON TABLE reporting.payments TO processor_worker;
GRANT SELECT ON TABLE reporting.payments TO processor_reader;

GRANT SELECT ON TABLE reporting.payment_family TO processor_worker;
GRANT SELECT ON TABLE reporting.payment_family TO processor_reader;

GRANT SELECT ON TABLE reporting.spending_limits TO processor_worker;
GRANT SELECT ON TABLE reporting.spending_limits TO processor_reader;

GRANT SELECT ON TABLE reporting.spent TO processor_worker;
GRANT SELECT ON TABLE reporting.spent TO processor_reader;

GRANT SELECT ON TABLE reporting.tariffs TO processor_worker;
GRANT SELECT ON TABLE reporting.tariffs TO processor_reader;

GRANT SELECT ON TABLE reporting.trial_balance TO processor_worker;
GRANT SELECT ON TABLE reporting.trial_balance TO processor_reader;
