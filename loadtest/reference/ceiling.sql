-- What a ledger of transfers must keep whoever writes it: the tables, indexes, constraints and
-- statement trigger of the product, written down once and left alone, so that figures of different
-- times can be held against each other.

CREATE SCHEMA ceiling;

CREATE TABLE ceiling.currency (
    code   text PRIMARY KEY CHECK (code ~ '^[A-Z]{3}$'),
    digits smallint NOT NULL CHECK (digits BETWEEN 0 AND 4)
);
INSERT INTO ceiling.currency VALUES ('EUR', 2);

CREATE TABLE ceiling.position (
    topic            text NOT NULL,
    partition        integer NOT NULL,
    next_offset      bigint NOT NULL,
    delivered_offset bigint NOT NULL,
    PRIMARY KEY (topic, partition),
    CHECK (delivered_offset <= next_offset)
) WITH (fillfactor = 50);
INSERT INTO ceiling.position VALUES ('commands', 0, 0, 0);

CREATE DOMAIN ceiling.account_name AS text CHECK (VALUE ~ '^[A-Za-z0-9._:-]{1,64}$');

CREATE TABLE ceiling.account (
    account_id      bigint PRIMARY KEY,
    name            ceiling.account_name NOT NULL UNIQUE,
    currency        text NOT NULL REFERENCES ceiling.currency,
    kind            text NOT NULL CHECK (kind IN ('customer', 'internal')),
    status          text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'frozen', 'closed')),
    posted          bigint NOT NULL DEFAULT 0,
    held            bigint NOT NULL DEFAULT 0 CHECK (held >= 0),
    overdraft_limit bigint CHECK (overdraft_limit >= 0),
    opened_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK ((kind = 'internal') = (overdraft_limit IS NULL)),
    CHECK (posted BETWEEN -9000000000000000000 AND 9000000000000000000),
    CHECK (overdraft_limit IS NULL OR posted - held + overdraft_limit >= 0)
) WITH (fillfactor = 50);

CREATE TABLE ceiling.transaction (
    transaction_id      uuid NOT NULL,
    fingerprint         bytea NOT NULL CHECK (octet_length(fingerprint) = 32),
    fingerprint_version smallint NOT NULL,
    ledger_sequence     bigint NOT NULL,
    decided_at          timestamptz NOT NULL,
    PRIMARY KEY (transaction_id)
) PARTITION BY HASH (transaction_id);

CREATE TABLE ceiling.posting (
    ledger_sequence         bigint NOT NULL,
    decided_at              timestamptz NOT NULL,
    transaction_id          uuid NOT NULL,
    source_id               integer NOT NULL,
    source_offset           bigint NOT NULL,
    debit_account_id        bigint NOT NULL,
    credit_account_id       bigint NOT NULL,
    amount                  bigint NOT NULL,
    debit_balance           bigint NOT NULL,
    credit_balance          bigint NOT NULL,
    value_date              date NOT NULL,
    currency                text NOT NULL,
    type                    text NOT NULL,
    channel                 text NOT NULL,
    reference               text,
    original_transaction_id uuid,
    metadata                text,
    details                 text,
    PRIMARY KEY (ledger_sequence, decided_at),
    CHECK (amount > 0),
    CHECK (debit_account_id <> credit_account_id)
) PARTITION BY RANGE (decided_at);

DO $$
DECLARE
    month_start timestamp := date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC');
BEGIN
    FOR part IN 0..7 LOOP
        EXECUTE format(
            'CREATE TABLE ceiling.transaction_%s PARTITION OF ceiling.transaction '
            'FOR VALUES WITH (MODULUS 8, REMAINDER %s)', part, part);
    END LOOP;
    FOR ahead IN 0..1 LOOP
        EXECUTE format(
            'CREATE TABLE ceiling.posting_%s PARTITION OF ceiling.posting FOR VALUES
                FROM (%L) TO (%L)', ahead,
            (month_start + make_interval(months => ahead))::text || '+00',
            (month_start + make_interval(months => ahead + 1))::text || '+00');
    END LOOP;
END $$;

-- Moves the balances, one update per touched account, and holds each posting against its registered
-- id.
CREATE FUNCTION ceiling.apply_postings() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ceiling, pg_temp AS $$
DECLARE
    unmoved bigint;
    unregistered bigint;
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
        RAISE EXCEPTION 'a posting names an account that does not exist in its currency';
    END IF;
    SELECT (SELECT count(*) FROM added) - (
        SELECT count(*) FROM added JOIN transaction USING (transaction_id)
        WHERE transaction.ledger_sequence = added.ledger_sequence
          AND transaction.decided_at = added.decided_at)
    INTO unregistered;
    IF unregistered <> 0 THEN
        RAISE EXCEPTION 'a posting has no transaction id of its own';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER apply_postings AFTER INSERT ON ceiling.posting
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ceiling.apply_postings();
