-- What an account allows: its status and its limit. Both are what the last change of the account
-- says: a row of account_change moves them, as a posting moves the balance, and no hand does.

ALTER TABLE ledger.account
    DROP CONSTRAINT account_status_check,
    ADD CONSTRAINT account_status
        CHECK (status IN ('open', 'debits_frozen', 'credits_frozen', 'frozen', 'closed')),
    ADD CONSTRAINT closed_is_empty CHECK (status <> 'closed' OR (posted = 0 AND held = 0)),
    -- How far the account may be below its limit, because the limit was set below what was used.
    -- It shrinks as money comes in, and never grows by a posting.
    ADD COLUMN tolerated bigint NOT NULL DEFAULT 0 CHECK (tolerated >= 0),
    DROP CONSTRAINT balance_within_limit,
    ADD CONSTRAINT balance_within_limit
        CHECK (overdraft_limit IS NULL OR posted - held + overdraft_limit + tolerated >= 0);

-- The account as the command left it; nothing of that for an opening.
ALTER TABLE ledger.account_change
    ADD COLUMN status          text,
    ADD COLUMN overdraft_limit bigint,
    ADD COLUMN available       bigint,
    ADD CONSTRAINT change_has_status CHECK ((type = 'account.open') = (status IS NULL));

CREATE INDEX account_change_by_account ON ledger.account_change (account, ledger_sequence);

-- Within a transaction a posting may use a limit that was raised before it, or one that is lowered
-- after it. So a raised limit holds at once, and what the last change says at the commit.
CREATE FUNCTION ledger.raise_limits() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
BEGIN
    UPDATE account SET overdraft_limit = change.highest
    FROM (
        SELECT added.account AS name, max(added.overdraft_limit) AS highest
        FROM added WHERE added.status IS NOT NULL GROUP BY added.account
    ) AS change
    WHERE account.name = change.name AND account.overdraft_limit < change.highest;
    RETURN NULL;
END $$;

CREATE TRIGGER raise_limits AFTER INSERT ON ledger.account_change
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ledger.raise_limits();

CREATE FUNCTION ledger.apply_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM account_change AS later
               WHERE later.account = NEW.account AND later.ledger_sequence > NEW.ledger_sequence)
    THEN
        RETURN NULL;
    END IF;
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

CREATE CONSTRAINT TRIGGER apply_change AFTER INSERT ON ledger.account_change
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.status IS NOT NULL)
    EXECUTE FUNCTION ledger.apply_change();

REVOKE ALL ON FUNCTION ledger.raise_limits, ledger.apply_change FROM PUBLIC;

CREATE TRIGGER changed_by_commands
    BEFORE UPDATE OF status, overdraft_limit, tolerated ON ledger.account
    FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0)
    EXECUTE FUNCTION ledger.refuse_change('only commands change accounts');

-- As before, and what is tolerated below a limit shrinks with what comes in.
CREATE OR REPLACE FUNCTION ledger.apply_postings() RETURNS trigger
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
