-- The kinds of accounts, and where each stands in the books. A test holds this list against
-- schemas/chart_of_accounts.v1.json, and the two checks of ledger.account against this list.

CREATE TABLE ledger.account_kind (
    kind         text PRIMARY KEY,
    code         text NOT NULL UNIQUE,
    class        text NOT NULL CHECK (class IN ('asset', 'liability')),
    normal_side  text NOT NULL CHECK (normal_side IN ('debit', 'credit')),
    limited      boolean NOT NULL,
    may_overdraw boolean NOT NULL CHECK (limited OR NOT may_overdraw),
    name         text NOT NULL
);

INSERT INTO ledger.account_kind (kind, code, class, normal_side, limited, may_overdraw, name) VALUES
    ('internal', '1000', 'asset', 'debit', false, false,
        'The bank''s own accounts, cash accounts among them'),
    ('nostro', '1100', 'asset', 'debit', false, false,
        'The bank''s accounts with other banks'),
    ('loan', '1400', 'asset', 'debit', true, true,
        'Loans: what is owed stands below zero, within the limit'),
    ('customer', '2000', 'liability', 'credit', true, true,
        'Customers'' accounts of no further kind'),
    ('current', '2100', 'liability', 'credit', true, true,
        'Current accounts'),
    ('savings', '2200', 'liability', 'credit', true, false,
        'Savings accounts'),
    ('merchant', '2300', 'liability', 'credit', true, true,
        'Merchants'' accounts'),
    ('term_deposit', '2400', 'liability', 'credit', true, false,
        'Term deposits'),
    ('suspense', '2900', 'liability', 'credit', false, false,
        'Money whose owner is not known yet');

SELECT ledger.guard('ledger.account_kind');

ALTER TABLE ledger.account
    DROP CONSTRAINT account_kind_check,
    ADD CONSTRAINT account_of_kind FOREIGN KEY (kind) REFERENCES ledger.account_kind,
    DROP CONSTRAINT internal_has_no_limit,
    ADD CONSTRAINT kind_has_limit
        CHECK ((kind IN ('internal', 'nostro', 'suspense')) = (overdraft_limit IS NULL)),
    ADD CONSTRAINT kind_may_overdraw
        CHECK (kind NOT IN ('savings', 'term_deposit') OR overdraft_limit = 0);

CREATE OR REPLACE VIEW reporting.balances AS
SELECT account.name::text AS account,
       account.currency,
       reporting.major(account.posted, currency.digits) AS posted,
       reporting.major(account.held, currency.digits) AS held,
       reporting.major(account.posted - account.held + account.overdraft_limit, currency.digits)
           AS available,
       account.status,
       account.kind,
       account_kind.code
FROM ledger.account
JOIN ledger.currency ON currency.code = account.currency
JOIN ledger.account_kind USING (kind);

-- One row for each kind of account.
CREATE VIEW reporting.chart_of_accounts AS
SELECT code, kind, class, normal_side, limited, may_overdraw, name FROM ledger.account_kind;

GRANT SELECT ON ledger.account_kind, reporting.chart_of_accounts TO processor_worker;
GRANT SELECT ON reporting.chart_of_accounts TO processor_reader;
