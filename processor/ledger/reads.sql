-- What accountants read through the command line; the functions are those of schema reporting.

-- name: account
SELECT account.name::text AS account, account.currency, account.kind, account_kind.code,
       to_char(opened_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS opened_at
FROM ledger.account JOIN ledger.account_kind USING (kind) WHERE account.name = $1;

-- name: balance_at
SELECT reporting.balance_at($1, coalesce($2::timestamptz, 'infinity'));

-- name: balance_before
SELECT reporting.balance_at(
    $1, coalesce($2::timestamptz, 'infinity') - interval '1 microsecond');

-- name: balance_at_booking_date
SELECT reporting.balance_at_booking_date($1, $2);

-- name: balance_at_value_date
SELECT reporting.balance_at_value_date($1, $2);

-- name: statement
SELECT to_char(booked_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS booked_at,
       booking_date::text, value_date::text, type, direction, amount::text, currency,
       balance_after::text, counter_account, reference, transaction_id::text, line,
       ledger_sequence, cursor
FROM reporting.statement($1, $2, coalesce($3::timestamptz, 'infinity'), $4, $5);

-- name: trial_balance_by_kind
SELECT currency, code, kind, class, normal_side, accounts, debits::text, credits::text,
       debit_balance::text, credit_balance::text
FROM reporting.trial_balance_at(coalesce($1::timestamptz, 'infinity'))
ORDER BY currency, code;

-- name: trial_balance_by_account
SELECT currency, code, kind, account, debits::text, credits::text,
       debit_balance::text, credit_balance::text
FROM reporting.trial_balance_of_accounts(coalesce($1::timestamptz, 'infinity'))
ORDER BY currency, code, account;

-- name: trial_balance_of_day_by_kind
SELECT currency, code, kind, class, normal_side, accounts, debits::text, credits::text,
       debit_balance::text, credit_balance::text
FROM reporting.trial_balance_of_day($1)
ORDER BY currency, code;

-- name: trial_balance_of_day_by_account
SELECT currency, code, kind, account, debits::text, credits::text,
       debit_balance::text, credit_balance::text
FROM reporting.trial_balance_of_accounts_of_day($1)
ORDER BY currency, code, account;
