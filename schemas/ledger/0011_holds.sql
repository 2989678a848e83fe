-- Holds: money set aside in an account. The commands are rows of account_change (placed, released,
-- expired) and of posting (captured), and these rows move the hold and what its account has held,
-- as postings move the balances.

-- What a hold has become. All sums are moved by triggers. A hold has ended once captured + released
-- is all that it allowed.
CREATE TABLE ledger.hold (
    hold_transaction_id uuid PRIMARY KEY,
    account_id          bigint NOT NULL REFERENCES ledger.account,
    placed              bigint NOT NULL CHECK (placed > 0),
    capture_max         bigint NOT NULL,
    -- Microseconds since 1970, as the command said it.
    expires_at_us       bigint,
    remaining           bigint NOT NULL,
    captured            bigint NOT NULL DEFAULT 0 CHECK (captured >= 0),
    released            bigint NOT NULL DEFAULT 0 CHECK (released >= 0),
    CONSTRAINT allows_what_it_holds CHECK (capture_max >= placed),
    CONSTRAINT remaining_of_placed CHECK (remaining BETWEEN 0 AND placed),
    CONSTRAINT captured_within_hold CHECK (captured + released <= capture_max),
    CONSTRAINT holds_what_may_be_captured CHECK (remaining <= capture_max - captured - released)
) WITH (fillfactor = 50);

-- What is to expire next.
CREATE INDEX hold_by_expiry ON ledger.hold (expires_at_us)
    WHERE expires_at_us IS NOT NULL AND captured + released < capture_max;

-- held: by how much what the hold holds changed; released: how much of what it allowed was given
-- up.
ALTER TABLE ledger.account_change
    ADD COLUMN shown               text,
    ADD COLUMN debit_account       text,
    ADD COLUMN credit_account      text,
    ADD COLUMN amount              bigint,
    ADD COLUMN hold_transaction_id uuid,
    ADD COLUMN held                bigint,
    ADD COLUMN released            bigint CHECK (released >= 0),
    ADD COLUMN capture_max         bigint,
    ADD COLUMN expires_at_us       bigint,
    DROP CONSTRAINT change_has_status,
    ADD CONSTRAINT change_has_status CHECK (
        (type = 'account.open' OR hold_transaction_id IS NOT NULL) = (status IS NULL)),
    ADD CONSTRAINT change_of_hold_is_whole CHECK (
        (hold_transaction_id IS NULL) = (held IS NULL)
        AND (hold_transaction_id IS NULL) = (released IS NULL)
        AND (hold_transaction_id IS NULL) = (amount IS NULL)),
    ADD CONSTRAINT hold_is_placed_first CHECK (
        type <> 'hold.place' OR (hold_transaction_id = transaction_id AND held = amount
                                 AND released = 0 AND capture_max IS NOT NULL)),
    ADD CONSTRAINT hold_only_shrinks CHECK (type = 'hold.place' OR held <= 0);

ALTER TABLE ledger.posting
    ADD COLUMN hold_transaction_id uuid,
    ADD COLUMN held                bigint,
    ADD COLUMN released            bigint,
    ADD CONSTRAINT capture_of_hold_is_whole CHECK (
        (hold_transaction_id IS NULL AND held IS NULL AND released IS NULL)
        OR (hold_transaction_id IS NOT NULL AND held IS NOT NULL AND released IS NOT NULL
            AND held <= 0 AND released >= 0));

CREATE INDEX posting_by_hold ON ledger.posting (hold_transaction_id)
    WHERE hold_transaction_id IS NOT NULL;
CREATE INDEX account_change_by_hold ON ledger.account_change (hold_transaction_id)
    WHERE hold_transaction_id IS NOT NULL;

SELECT ledger.sample_little(partition.inhrelid::regclass)
FROM pg_inherits AS partition
WHERE partition.inhparent = 'ledger.posting'::regclass
ORDER BY partition.inhrelid::regclass::text;

-- Within a transaction a hold may use money that a posting brings later. What it took beyond the
-- limit until then is `ahead`, which is nothing again at the commit.
ALTER TABLE ledger.account
    ADD COLUMN ahead bigint NOT NULL DEFAULT 0 CHECK (ahead >= 0),
    DROP CONSTRAINT balance_within_limit,
    ADD CONSTRAINT balance_within_limit CHECK (
        overdraft_limit IS NULL OR posted - held + overdraft_limit + tolerated + ahead >= 0);

CREATE FUNCTION ledger.apply_holds() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
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

CREATE TRIGGER apply_holds AFTER INSERT ON ledger.account_change
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ledger.apply_holds();

CREATE FUNCTION ledger.settle_hold() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
BEGIN
    UPDATE account SET ahead = 0 WHERE name = NEW.debit_account AND ahead <> 0;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER settle_hold AFTER INSERT ON ledger.account_change
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.held > 0)
    EXECUTE FUNCTION ledger.settle_hold();

REVOKE ALL ON FUNCTION ledger.apply_holds, ledger.settle_hold FROM PUBLIC;

CREATE TRIGGER moved_by_commands BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON ledger.hold
    FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0)
    EXECUTE FUNCTION ledger.refuse_change('only commands move holds');
CREATE TRIGGER held_by_commands BEFORE UPDATE OF held, ahead ON ledger.account
    FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0)
    EXECUTE FUNCTION ledger.refuse_change('only commands move what is held');

-- As before, and an account's new limit is never what makes up for a debit or a hold before it.
CREATE OR REPLACE FUNCTION ledger.apply_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
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

-- As before, and what is captured is held no more.
CREATE OR REPLACE FUNCTION ledger.apply_postings() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
    unmoved bigint;
    unregistered bigint;
    unfounded bigint;
BEGIN
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


-- As before, and what was done to holds shows its amount and sides.
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
SELECT change.transaction_id, change.type, 'posted', NULL,
       reporting.major(change.amount, currency.digits), change.currency,
       change.debit_account, change.credit_account,
       change.decided_at, change.ledger_sequence,
       source.topic, source.partition, change.source_offset,
       CASE WHEN change.hold_transaction_id IS NULL THEN change.account END,
       change.channel, change.reference
FROM ledger.account_change AS change
JOIN ledger.currency ON currency.code = change.currency
JOIN ledger.source ON source.source_id = change.source_id
UNION ALL
SELECT refusal.transaction_id, refusal.type, 'rejected', refusal.reason,
       refusal.amount::numeric, refusal.currency, refusal.debit_account, refusal.credit_account,
       refusal.decided_at, refusal.ledger_sequence,
       source.topic, source.partition, refusal.source_offset,
       refusal.account, refusal.channel, refusal.reference
FROM ledger.refusal
JOIN ledger.source ON source.source_id = refusal.source_id;


-- One row for each hold: what became of it.
CREATE VIEW reporting.holds AS
SELECT hold.hold_transaction_id, change.debit_account, change.credit_account, change.currency,
       reporting.major(hold.placed, currency.digits) AS placed,
       reporting.major(hold.remaining, currency.digits) AS held,
       reporting.major(hold.captured, currency.digits) AS captured,
       reporting.major(hold.released, currency.digits) AS released,
       reporting.major(hold.capture_max, currency.digits) AS capture_max,
       timestamptz 'epoch' + hold.expires_at_us * interval '1 microsecond' AS expires_at,
       CASE WHEN hold.captured + hold.released < hold.capture_max THEN 'open' ELSE 'ended' END
           AS status,
       change.decided_at AS placed_at, change.ledger_sequence
FROM ledger.hold
JOIN ledger.account_change AS change
    ON change.hold_transaction_id = hold.hold_transaction_id AND change.type = 'hold.place'
JOIN ledger.currency ON currency.code = change.currency;

-- As before, and what was done to a hold belongs to it.
CREATE OR REPLACE VIEW ledger.kinship AS
SELECT posting.ledger_sequence, posting.decided_at, posting.transaction_id,
       posting.original_transaction_id AS parent_transaction_id
FROM ledger.posting
WHERE posting.original_transaction_id IS NOT NULL AND posting.line = 1
UNION ALL
SELECT capture.ledger_sequence, capture.decided_at, capture.transaction_id,
       capture.hold_transaction_id
FROM ledger.posting AS capture
WHERE capture.hold_transaction_id IS NOT NULL
UNION ALL
SELECT change.ledger_sequence, change.decided_at, change.transaction_id,
       change.hold_transaction_id
FROM ledger.account_change AS change
WHERE change.hold_transaction_id <> change.transaction_id
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

GRANT SELECT ON ledger.hold, reporting.holds TO processor_worker;
GRANT SELECT ON reporting.holds TO processor_reader;
