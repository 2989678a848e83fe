-- Locks the rules and says as of which change they stand. All who decide by them hold the lock
-- together; who changes them holds it alone.
--
-- It is a function because what it reads behind the lock is then as it is by then: a statement sees
-- everything as it was when it began, which may be from before a long wait.
CREATE FUNCTION ledger.lock_rules(alone boolean) RETURNS bigint
LANGUAGE plpgsql SET search_path = ledger, pg_temp AS $$
BEGIN
    IF alone THEN
        PERFORM pg_advisory_xact_lock(hashtext('ledger.rules'));
    ELSE
        PERFORM pg_advisory_xact_lock_shared(hashtext('ledger.rules'));
    END IF;
    RETURN coalesce((SELECT max(ledger_sequence) FROM account_change WHERE changes_rules), 0);
END $$;

REVOKE ALL ON FUNCTION ledger.lock_rules FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.lock_rules TO processor_worker;
