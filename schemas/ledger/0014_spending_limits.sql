-- Spending limits: how much an account, a customer or a channel may take from accounts, by one
-- command and on a business date. Commands set them, as they set tariffs; what is spent under one
-- is on record, command by command, and never goes beyond it.

-- Whose account it is. It stays for ever; the bank's own accounts are nobody's.
ALTER TABLE ledger.account
    ADD COLUMN customer text CHECK (customer ~ '^[A-Za-z0-9._:-]{1,64}$'),
    ADD CONSTRAINT customers_have_limits CHECK (customer IS NULL OR overdraft_limit IS NOT NULL);
CREATE INDEX account_by_customer ON ledger.account (customer) WHERE customer IS NOT NULL;
GRANT INSERT (customer) ON ledger.account TO processor_worker;

DROP FUNCTION ledger.lock_accounts(text[]);
CREATE FUNCTION ledger.lock_accounts(names text[])
RETURNS TABLE (
    account_id bigint, name text, currency text, kind text, status text, posted bigint, held bigint,
    overdraft_limit bigint, customer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
BEGIN
    RETURN QUERY
        SELECT account.account_id, account.name::text, account.currency, account.kind,
               account.status, account.posted, account.held, account.overdraft_limit,
               account.customer
        FROM account WHERE account.name = ANY (names)
        ORDER BY account.account_id
        FOR NO KEY UPDATE OF account;
END $$;
REVOKE ALL ON FUNCTION ledger.lock_accounts FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.lock_accounts TO processor_worker;

-- A limit from the command that set it to the one that ended it or set another in its place; it
-- holds for what is decided between the two. Amounts in minor units.
CREATE TABLE ledger.spending_limit (
    set_sequence   bigint PRIMARY KEY,
    ended_sequence bigint CONSTRAINT ends_after_it_was_set CHECK (ended_sequence > set_sequence),
    name           text NOT NULL,
    scope          text NOT NULL CHECK (scope IN ('account', 'customer', 'channel')),
    subject        text,
    currency       text NOT NULL REFERENCES ledger.currency,
    single_amount  bigint CHECK (single_amount > 0),
    daily_amount   bigint CHECK (daily_amount > 0),
    daily_count    bigint CHECK (daily_count > 0),
    CONSTRAINT limits_something CHECK (num_nonnulls(single_amount, daily_amount, daily_count) > 0)
);
CREATE UNIQUE INDEX limit_name_once ON ledger.spending_limit (name) WHERE ended_sequence IS NULL;
CREATE UNIQUE INDEX limit_once_for_the_same
    ON ledger.spending_limit (scope, currency, coalesce(subject, '')) WHERE ended_sequence IS NULL;
CREATE INDEX limit_by_subject ON ledger.spending_limit (scope, subject, currency, set_sequence);

CREATE TRIGGER set_by_commands BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE
    ON ledger.spending_limit
    FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0)
    EXECUTE FUNCTION ledger.refuse_change('only commands set limits');

-- What each subject has spent on the last date on which it did; nothing yet where that is null.
CREATE TABLE ledger.spent (
    scope        text NOT NULL,
    subject      text NOT NULL,
    currency     text NOT NULL,
    booking_date date,
    amount       bigint NOT NULL DEFAULT 0,
    count        bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (scope, subject, currency)
) WITH (fillfactor = 50);

CREATE TRIGGER counted_by_spending BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.spent
    FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0)
    EXECUTE FUNCTION ledger.refuse_change('only what is spent counts');

-- What a command spent of a subject, and what that makes on its date: sum and number.
CREATE TABLE ledger.spending (
    scope           text NOT NULL,
    subject         text NOT NULL,
    currency        text NOT NULL,
    ledger_sequence bigint NOT NULL,
    limit_name      text NOT NULL,
    booking_date    date NOT NULL,
    amount          bigint NOT NULL CONSTRAINT spending_takes_money CHECK (amount > 0),
    spent_amount    bigint NOT NULL CONSTRAINT spent_within_bounds
                        CHECK (spent_amount <= 9000000000000000000),
    spent_count     bigint NOT NULL,
    CONSTRAINT spending_once PRIMARY KEY (scope, subject, currency, ledger_sequence)
);
SELECT ledger.guard('ledger.spending');

-- Locks what subjects have spent, in one order, and reads it. It is there from the first look on,
-- so that two who count the same for the first time wait for each other.
CREATE FUNCTION ledger.lock_spent(scopes text[], subjects text[], currencies text[])
RETURNS TABLE (
    scope text, subject text, currency text, booking_date date, amount bigint, count bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
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

-- A change of limits waits for all that are decided beside it, as a closing does.
CREATE FUNCTION ledger.apply_limit() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
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

CREATE TRIGGER apply_limit AFTER INSERT ON ledger.account_change
    FOR EACH ROW WHEN (NEW.type IN ('limit.set', 'limit.end'))
    EXECUTE FUNCTION ledger.apply_limit();

-- Counts what is spent. Each row counts on from the one before it, or begins anew on another date,
-- and stays within the limit that it names and that is in force where it stands.
CREATE FUNCTION ledger.apply_spending() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
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

CREATE TRIGGER apply_spending AFTER INSERT ON ledger.spending
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ledger.apply_spending();

-- One row for each limit that is in force.
CREATE VIEW reporting.spending_limits AS
SELECT bound.name AS limit_name, bound.scope, bound.subject, bound.currency,
       reporting.major(bound.single_amount, currency.digits) AS single_amount,
       reporting.major(bound.daily_amount, currency.digits) AS daily_amount,
       bound.daily_count, change.decided_at AS since, bound.set_sequence AS ledger_sequence
FROM ledger.spending_limit AS bound
JOIN ledger.currency ON currency.code = bound.currency
JOIN ledger.account_change AS change ON change.ledger_sequence = bound.set_sequence
WHERE bound.ended_sequence IS NULL;

-- One row for each subject that has spent under a limit: what, on the last date on which it did.
CREATE VIEW reporting.spent AS
SELECT spent.scope, spent.subject, spent.currency, spent.booking_date,
       reporting.major(spent.amount, currency.digits) AS amount, spent.count
FROM ledger.spent JOIN ledger.currency ON currency.code = spent.currency
WHERE spent.booking_date IS NOT NULL;

-- As before, and whose it is.
CREATE OR REPLACE VIEW reporting.balances AS
SELECT account.name::text AS account, account.currency,
       reporting.major(account.posted, currency.digits) AS posted,
       reporting.major(account.held, currency.digits) AS held,
       reporting.major(account.posted - account.held + account.overdraft_limit, currency.digits)
           AS available,
       account.status, account.kind, account_kind.code, account.customer
FROM ledger.account
JOIN ledger.currency ON currency.code = account.currency
JOIN ledger.account_kind USING (kind);

REVOKE ALL ON FUNCTION ledger.lock_spent, ledger.apply_limit, ledger.apply_spending FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.lock_spent TO processor_worker;
GRANT SELECT ON ledger.spending_limit, ledger.spent, ledger.spending TO processor_worker;
GRANT INSERT ON ledger.spending TO processor_worker;
GRANT SELECT ON reporting.spending_limits, reporting.spent TO processor_worker, processor_reader;
