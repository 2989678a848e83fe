-- The bank's rules: fees. What was said about each last is the rule; the rows stay, so it is on
-- record what was charged when, and why.

ALTER TABLE ledger.account_change
    ALTER COLUMN account DROP NOT NULL,
    ALTER COLUMN currency DROP NOT NULL,
    -- Commands behind this one are decided by other rules than those before it.
    ADD COLUMN changes_rules boolean NOT NULL DEFAULT false,
    DROP CONSTRAINT change_has_status,
    ADD CONSTRAINT change_has_status CHECK (
        (type = 'account.open' OR hold_transaction_id IS NOT NULL OR changes_rules)
        = (status IS NULL)),
    ADD CONSTRAINT change_of_something CHECK (
        changes_rules OR (account IS NOT NULL AND currency IS NOT NULL));

CREATE INDEX account_change_of_rules ON ledger.account_change (ledger_sequence)
    WHERE changes_rules;

DO $$
DECLARE
    taken text;
BEGIN
    SELECT min(account.name::text) INTO taken FROM ledger.account
    JOIN ledger.currency ON account.name = 'fees-' || currency.code;
    IF taken IS NOT NULL THEN
        RAISE EXCEPTION 'the name of account % now belongs to an account of the bank''s own', taken;
    END IF;
END $$;

-- One row for each fee that is charged.
CREATE VIEW reporting.tariffs AS
SELECT last.details ->> 'tariff' AS tariff, last.details ->> 'command' AS command,
       last.details ->> 'for_channel' AS channel, last.details ->> 'product' AS product,
       last.details ->> 'currency' AS currency, last.details ->> 'payer' AS payer,
       last.details -> 'tiers' AS tiers, (last.details ->> 'minimum')::numeric AS minimum,
       (last.details ->> 'maximum')::numeric AS maximum,
       last.decided_at AS since, last.ledger_sequence
FROM (
    SELECT DISTINCT ON (details::jsonb ->> 'tariff')
           type, details::jsonb AS details, decided_at, ledger_sequence
    FROM ledger.account_change WHERE changes_rules AND type LIKE 'tariff.%'
    ORDER BY details::jsonb ->> 'tariff', ledger_sequence DESC
) AS last
WHERE last.type = 'tariff.set';

GRANT SELECT ON reporting.tariffs TO processor_worker, processor_reader;

-- As before; a change of rules has no account, and may have no currency.
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
LEFT JOIN ledger.currency ON currency.code = change.currency
JOIN ledger.source ON source.source_id = change.source_id
UNION ALL
SELECT refusal.transaction_id, refusal.type, 'rejected', refusal.reason,
       refusal.amount::numeric, refusal.currency, refusal.debit_account, refusal.credit_account,
       refusal.decided_at, refusal.ledger_sequence,
       source.topic, source.partition, refusal.source_offset,
       refusal.account, refusal.channel, refusal.reference
FROM ledger.refusal
JOIN ledger.source ON source.source_id = refusal.source_id;
