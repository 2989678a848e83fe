-- Transactions of many lines: postings under one id, numbered from 1. Journals post each line
-- against the clearing account of its currency, exchanges go through the bank's positions.

DO $$
DECLARE
    taken text;
BEGIN
    SELECT min(account.name::text) INTO taken
    FROM ledger.account
    JOIN ledger.currency
        ON account.name::text IN ('clearing-' || currency.code, 'position-' || currency.code);
    IF taken IS NOT NULL THEN
        RAISE EXCEPTION 'the name of account % now belongs to an account of the bank''s own', taken;
    END IF;
END $$;

ALTER TABLE ledger.posting
    ADD COLUMN line      smallint NOT NULL DEFAULT 1 CHECK (line BETWEEN 1 AND 1000),
    -- The debit account may be below its limit afterwards, because the command says so.
    ADD COLUMN overdraws boolean NOT NULL DEFAULT false,
    -- What the outcome shows beyond the columns, as JSON.
    ADD COLUMN shown     text,
    DROP CONSTRAINT posting_once,
    ADD CONSTRAINT posting_once PRIMARY KEY (ledger_sequence, decided_at, line);

ALTER TABLE ledger.refusal ADD COLUMN shown text;

SELECT ledger.sample_little(partition.inhrelid::regclass)
FROM pg_inherits AS partition
WHERE partition.inhparent IN ('ledger.posting'::regclass, 'ledger.refusal'::regclass)
ORDER BY partition.inhrelid::regclass::text;

ALTER TABLE ledger.account_kind
    DROP CONSTRAINT account_kind_class_check,
    ADD CONSTRAINT account_kind_class
        CHECK (class IN ('asset', 'liability', 'income', 'expense'));

INSERT INTO ledger.account_kind (kind, code, class, normal_side, limited, may_overdraw, name) VALUES
    ('position', '1200', 'asset', 'debit', false, false,
        'What the bank holds of each currency by exchanging it'),
    ('clearing', '2950', 'liability', 'credit', false, false,
        'The other side of journals: zero after each'),
    ('income', '4000', 'income', 'credit', false, false,
        'What the bank earns'),
    ('expense', '5000', 'expense', 'debit', false, false,
        'What the bank spends');

ALTER TABLE ledger.account
    DROP CONSTRAINT kind_has_limit,
    ADD CONSTRAINT kind_has_limit CHECK (
        (kind IN ('internal', 'nostro', 'position', 'suspense', 'clearing', 'income', 'expense'))
        = (overdraft_limit IS NULL)),
    -- A journal that does not balance in each currency would leave something here.
    ADD CONSTRAINT clearing_is_even CHECK (kind <> 'clearing' OR posted = 0);

-- As before; what is tolerated below a limit grows by debits that may go there; and what is given
-- back is of an original's first line.
CREATE OR REPLACE FUNCTION ledger.apply_postings() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
    unmoved bigint;
    unregistered bigint;
    unfounded bigint;
BEGIN
    IF EXISTS (SELECT FROM added WHERE overdraws) THEN
        -- More than is needed; what is left over goes with the movement below.
        UPDATE account SET tolerated = account.tolerated + beyond.amount
        FROM (
            SELECT debit_account_id AS account_id, sum(amount)::bigint AS amount
            FROM added WHERE overdraws GROUP BY 1
        ) AS beyond
        WHERE account.account_id = beyond.account_id AND account.overdraft_limit IS NOT NULL;
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

-- As before; a journal has no amount and sides of its own, an exchange pays into its last line.
CREATE OR REPLACE VIEW reporting.payments AS
SELECT posting.transaction_id, posting.type, 'posted' AS outcome, NULL::text AS reason,
       CASE WHEN posting.type <> 'journal'
            THEN reporting.major(posting.amount, currency.digits) END AS amount,
       CASE WHEN posting.type <> 'journal' THEN posting.currency END AS currency,
       CASE WHEN posting.type <> 'journal' THEN debit.name::text END AS debit_account,
       CASE posting.type
           WHEN 'journal' THEN NULL
           WHEN 'fx.transfer' THEN posting.shown::jsonb ->> 'credit_account'
           ELSE credit.name::text
       END AS credit_account,
       posting.decided_at, posting.ledger_sequence,
       source.topic, source.partition, posting.source_offset AS "offset",
       NULL::text AS account, posting.channel,
       CASE WHEN posting.type = 'journal' THEN posting.details::jsonb ->> 'reference'
            ELSE posting.reference END AS reference
FROM ledger.posting
JOIN ledger.currency ON currency.code = posting.currency
JOIN ledger.account AS debit ON debit.account_id = posting.debit_account_id
JOIN ledger.account AS credit ON credit.account_id = posting.credit_account_id
JOIN ledger.source ON source.source_id = posting.source_id
WHERE posting.line = 1
UNION ALL
SELECT change.transaction_id, change.type, 'posted', NULL, NULL, change.currency, NULL, NULL,
       change.decided_at, change.ledger_sequence,
       source.topic, source.partition, change.source_offset,
       change.account, change.channel, change.reference
FROM ledger.account_change AS change
JOIN ledger.source ON source.source_id = change.source_id
UNION ALL
SELECT refusal.transaction_id, refusal.type, 'rejected', refusal.reason,
       refusal.amount::numeric, refusal.currency, refusal.debit_account, refusal.credit_account,
       refusal.decided_at, refusal.ledger_sequence,
       source.topic, source.partition, refusal.source_offset,
       refusal.account, refusal.channel, refusal.reference
FROM ledger.refusal
JOIN ledger.source ON source.source_id = refusal.source_id;

-- As before; the lines of a transaction of many postings are counted through.
CREATE OR REPLACE VIEW reporting.entries AS
SELECT posting.transaction_id, 2 * (posting.line - 1) + side.line AS line,
       account.name::text AS account, side.direction,
       reporting.major(posting.amount, currency.digits) AS amount, posting.currency,
       reporting.major(side.balance, currency.digits) AS balance_after,
       posting.decided_at AS booked_at, posting.value_date, posting.ledger_sequence,
       posting.type, posting.channel, posting.reference
FROM ledger.posting
CROSS JOIN LATERAL (VALUES
    (1, posting.debit_account_id, 'debit', posting.debit_balance),
    (2, posting.credit_account_id, 'credit', posting.credit_balance)
) AS side (line, account_id, direction, balance)
JOIN ledger.account ON account.account_id = side.account_id
JOIN ledger.currency ON currency.code = posting.currency;
