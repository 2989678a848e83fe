-- A ledger in PostgreSQL alone: one function moves money, called straight by whoever wants it to.
-- The usual shape of such a ledger: both accounts are locked in one order, so that two calls never
-- wait for each other; funds are checked under the locks; a transfer, two entries with the balance
-- after each, and both balances are written. Each call is one statement and so one commit.

CREATE TABLE account (
    name     text PRIMARY KEY,
    currency text NOT NULL,
    balance  bigint NOT NULL CHECK (balance >= 0)
);

CREATE TABLE transfer (
    transaction_id uuid PRIMARY KEY,
    debit_account  text NOT NULL REFERENCES account,
    credit_account text NOT NULL REFERENCES account,
    amount         bigint NOT NULL CHECK (amount > 0),
    created_at     timestamptz NOT NULL DEFAULT now(),
    CHECK (debit_account <> credit_account)
);

CREATE TABLE entry (
    entry_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transaction_id uuid NOT NULL REFERENCES transfer,
    account        text NOT NULL REFERENCES account,
    amount         bigint NOT NULL,
    balance_after  bigint NOT NULL
);
CREATE INDEX ON entry (account, entry_id);

CREATE FUNCTION move_money(id uuid, debit text, credit text, minor bigint) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    found_currencies text[];
    debit_balance bigint;
    credit_balance bigint;
BEGIN
    SELECT array_agg(currency) INTO found_currencies FROM (
        SELECT currency FROM account WHERE name IN (debit, credit)
        ORDER BY name FOR NO KEY UPDATE
    ) AS locked;
    IF EXISTS (SELECT FROM transfer WHERE transaction_id = id) THEN
        RETURN 'repeat';
    END IF;
    IF coalesce(cardinality(found_currencies), 0) < 2 THEN
        RETURN 'account_not_found';
    END IF;
    IF found_currencies[1] <> found_currencies[2] THEN
        RETURN 'currency_mismatch';
    END IF;
    UPDATE account SET balance = balance - minor WHERE name = debit AND balance >= minor
    RETURNING balance INTO debit_balance;
    IF NOT FOUND THEN
        RETURN 'insufficient_funds';
    END IF;
    UPDATE account SET balance = balance + minor WHERE name = credit
    RETURNING balance INTO credit_balance;
    INSERT INTO transfer (transaction_id, debit_account, credit_account, amount)
    VALUES (id, debit, credit, minor);
    INSERT INTO entry (transaction_id, account, amount, balance_after)
    VALUES (id, debit, -minor, debit_balance), (id, credit, minor, credit_balance);
    RETURN 'posted';
END $$;
