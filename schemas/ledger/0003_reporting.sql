-- What readers of the database may rely on: names and columns of these views stay; columns are
-- added at the end.

CREATE FUNCTION reporting.major(minor bigint, digits smallint) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN round(minor::numeric / power(10::numeric, digits::integer), digits::integer);

-- One row for each opened account and for the cash account of each currency in use.
CREATE VIEW reporting.balances AS
SELECT account.name::text AS account,
       account.currency,
       reporting.major(account.posted, currency.digits) AS posted,
       reporting.major(account.held, currency.digits) AS held,
       reporting.major(account.posted - account.held + account.overdraft_limit, currency.digits)
           AS available,
       account.status
FROM ledger.account
JOIN ledger.currency ON currency.code = account.currency;

-- One row per decided transaction id: postings, account changes and refusals; no repeats, conflicts
-- or dead letters.
CREATE VIEW reporting.payments AS
SELECT posting.transaction_id, posting.type, 'posted' AS outcome, NULL::text AS reason,
       reporting.major(posting.amount, currency.digits) AS amount, posting.currency,
       debit.name::text AS debit_account, credit.name::text AS credit_account,
       posting.decided_at, posting.ledger_sequence,
       source.topic, source.partition, posting.source_offset AS "offset",
       NULL::text AS account, posting.channel, posting.reference
FROM ledger.posting
JOIN ledger.currency ON currency.code = posting.currency
JOIN ledger.account AS debit ON debit.account_id = posting.debit_account_id
JOIN ledger.account AS credit ON credit.account_id = posting.credit_account_id
JOIN ledger.source ON source.source_id = posting.source_id
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

-- Double entry, unfolded: two lines for each posting. balance_after is credits minus debits of the
-- account.
CREATE VIEW reporting.entries AS
SELECT posting.transaction_id, side.line, account.name::text AS account, side.direction,
       reporting.major(posting.amount, currency.digits) AS amount, posting.currency,
       reporting.major(side.balance, currency.digits) AS balance_after,
       posting.decided_at AS booked_at, posting.value_date, posting.ledger_sequence
FROM ledger.posting
CROSS JOIN LATERAL (VALUES
    (1, posting.debit_account_id, 'debit', posting.debit_balance),
    (2, posting.credit_account_id, 'credit', posting.credit_balance)
) AS side (line, account_id, direction, balance)
JOIN ledger.account ON account.account_id = side.account_id
JOIN ledger.currency ON currency.code = posting.currency;
