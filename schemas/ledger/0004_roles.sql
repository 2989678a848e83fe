-- Who may do what. The owner of the tables runs migrations; the worker can only do its job; readers
-- see the views.

DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['processor_worker', 'processor_reader'] LOOP
        -- Roles belong to the whole server: another ledger on it may have made them, or its
        -- administrator where the owner of this ledger may not make roles.
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL; -- made meanwhile
            END;
        END IF;
        BEGIN
            EXECUTE format('GRANT %I TO CURRENT_USER', wanted);
        EXCEPTION WHEN OTHERS THEN
            RAISE NOTICE 'role % is not granted to %: %', wanted, current_user, SQLERRM;
        END;
    END LOOP;
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA ledger FROM PUBLIC;

GRANT USAGE ON SCHEMA ledger, reporting TO processor_worker;
GRANT SELECT ON ALL TABLES IN SCHEMA ledger, reporting TO processor_worker;
GRANT INSERT ON
    ledger.source, ledger.position, ledger.transaction, ledger.posting,
    ledger.account_change, ledger.refusal, ledger.repeat, ledger.conflict, ledger.dead_letter,
        ledger.hole,
    ledger.operator_decision
    TO processor_worker;
GRANT INSERT (name, currency, kind, overdraft_limit, opened_at) ON ledger.account
    TO processor_worker;
GRANT UPDATE (source_id, claim, claimed_by, claimed_at, first_offset, next_offset, delivered_offset,
              last_offset, last_digest) ON ledger.position TO processor_worker;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA ledger TO processor_worker;
GRANT EXECUTE ON FUNCTION ledger.lock_accounts, ledger.create_month_partitions,
    ledger.start_timeline
    TO processor_worker;

GRANT USAGE ON SCHEMA reporting TO processor_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA reporting TO processor_reader;
