-- What `processor verify` asks of the spending limits; see verify.sql.

-- name: wrong_limits
-- Limits that are not what their commands say: set by one, in force until the next one of the name.
WITH said AS (
    SELECT ledger_sequence, type, details::jsonb AS asked,
           lead(ledger_sequence) OVER (
               PARTITION BY details::jsonb ->> 'limit' ORDER BY ledger_sequence) AS ends
    FROM ledger.account_change WHERE changes_rules AND type LIKE 'limit.%'
), fault AS (
    SELECT coalesce(said.ledger_sequence, bound.set_sequence) AS at
    FROM (SELECT * FROM said WHERE type = 'limit.set') AS said
    LEFT JOIN ledger.currency ON currency.code = said.asked ->> 'currency'
    FULL JOIN ledger.spending_limit AS bound ON bound.set_sequence = said.ledger_sequence
    WHERE (bound.name, bound.scope, bound.subject, bound.currency, bound.ended_sequence,
           reporting.major(bound.single_amount, currency.digits),
           reporting.major(bound.daily_amount, currency.digits), bound.daily_count)
          IS DISTINCT FROM
          (said.asked ->> 'limit', said.asked ->> 'scope', said.asked ->> 'subject',
           said.asked ->> 'currency', said.ends, (said.asked ->> 'single_amount')::numeric,
           (said.asked ->> 'daily_amount')::numeric, (said.asked ->> 'daily_count')::bigint)
)
SELECT format('limit of ledger_sequence %s: not what its command says', at) AS line,
       count(*) OVER () AS total
FROM fault ORDER BY at LIMIT 20;

-- name: wrong_spending
-- What was spent, found anew from the postings and the holds, against what was counted: under the
-- limit of the subject that was in force, one after another, and never beyond it.
WITH taking AS (
    -- The further lines of a movement are fees; what a capture frees was counted when it was held.
    SELECT posting.ledger_sequence, posting.channel, posting.booking_date,
           posting.debit_account_id AS account_id,
           greatest(posting.amount + coalesce(posting.held, 0), 0) AS amount
    FROM ledger.posting
    WHERE posting.line = 1 AND posting.type IN (
        'deposit', 'withdrawal', 'transfer', 'payment', 'fx.transfer', 'hold.capture')
      AND posting.ledger_sequence > (SELECT min(set_sequence) FROM ledger.spending_limit)
    UNION ALL
    SELECT posting.ledger_sequence, min(posting.channel), min(posting.booking_date),
           side.account_id, sum(side.amount)::bigint
    FROM ledger.posting
    CROSS JOIN LATERAL (VALUES (posting.debit_account_id, posting.amount),
                               (posting.credit_account_id, -posting.amount))
        AS side (account_id, amount)
    WHERE posting.type = 'journal' AND NOT posting.overdraws
      AND posting.ledger_sequence > (SELECT min(set_sequence) FROM ledger.spending_limit)
    GROUP BY posting.ledger_sequence, side.account_id
    UNION ALL
    SELECT change.ledger_sequence, change.channel, NULL, account.account_id, change.amount
    FROM ledger.account_change AS change JOIN ledger.account ON account.name = change.debit_account
    WHERE change.type = 'hold.place'
      AND change.ledger_sequence > (SELECT min(set_sequence) FROM ledger.spending_limit)
), by_subject AS (
    SELECT taking.ledger_sequence, side.scope, side.subject, account.currency,
           min(taking.booking_date) AS booking_date, sum(taking.amount)::bigint AS amount
    FROM taking JOIN ledger.account USING (account_id)
    CROSS JOIN LATERAL (VALUES ('account', account.name::text), ('customer', account.customer),
                               ('channel', taking.channel)) AS side (scope, subject)
    WHERE taking.amount > 0 AND side.subject IS NOT NULL
      AND NOT EXISTS (
          SELECT FROM ledger.currency
          WHERE account.name::text IN ('cash-' || currency.code, 'clearing-' || currency.code,
                                       'position-' || currency.code, 'fees-' || currency.code))
    GROUP BY 1, 2, 3, 4
), limited AS (
    SELECT by_subject.*, bound.name, bound.single_amount, bound.daily_amount, bound.daily_count
    FROM by_subject CROSS JOIN LATERAL (
        SELECT * FROM ledger.spending_limit AS one
        WHERE one.scope = by_subject.scope AND one.currency = by_subject.currency
          AND coalesce(one.subject, by_subject.subject) = by_subject.subject
          AND one.set_sequence < by_subject.ledger_sequence
          AND coalesce(one.ended_sequence > by_subject.ledger_sequence, true)
        ORDER BY one.subject NULLS LAST LIMIT 1
    ) AS bound
), counted AS (
    SELECT spending.*, lag(booking_date) OVER walk AS date_before,
           lag(spent_amount) OVER walk AS amount_before, lag(spent_count) OVER walk AS count_before,
           lead(ledger_sequence) OVER walk IS NULL AS is_last
    FROM ledger.spending
    WINDOW walk AS (PARTITION BY scope, subject, currency ORDER BY ledger_sequence)
), fault AS (
    SELECT ledger_sequence, format('%s %s in %s', scope, subject, currency) AS whose,
           CASE
               WHEN counted.amount IS NULL THEN format('spent %s, not counted', limited.amount)
               WHEN limited.amount IS NULL
               THEN format('counted %s, not spent under a limit', counted.amount)
               WHEN counted.amount <> limited.amount OR counted.limit_name <> limited.name
               THEN format('spent %s under limit %s, counted %s under %s', limited.amount,
                           limited.name, counted.amount, counted.limit_name)
               ELSE format('%s on %s, number %s: not counted on from the one before, or not '
                           'within limit %s', counted.spent_amount, counted.booking_date,
                           counted.spent_count, counted.limit_name)
           END AS what
    FROM limited FULL JOIN counted USING (ledger_sequence, scope, subject, currency)
    WHERE counted.amount IS DISTINCT FROM limited.amount
       OR counted.limit_name IS DISTINCT FROM limited.name
       OR counted.booking_date <> limited.booking_date
       OR counted.amount > limited.single_amount
       OR counted.spent_amount > limited.daily_amount
       OR counted.spent_count > limited.daily_count
       OR counted.spent_amount <> counted.amount + CASE
           WHEN counted.booking_date = counted.date_before THEN counted.amount_before ELSE 0 END
       OR counted.spent_count <> 1 + CASE
           WHEN counted.booking_date = counted.date_before THEN counted.count_before ELSE 0 END
    UNION ALL
    SELECT last.ledger_sequence, format('%s %s in %s', scope, subject, currency),
           format('%s on %s, number %s, is not the last that was counted', spent.amount,
                  spent.booking_date, spent.count)
    FROM (SELECT * FROM counted WHERE is_last) AS last
    FULL JOIN (SELECT * FROM ledger.spent WHERE booking_date IS NOT NULL) AS spent
        USING (scope, subject, currency)
    WHERE (last.booking_date, last.spent_amount, last.spent_count)
          IS DISTINCT FROM (spent.booking_date, spent.amount, spent.count)
)
SELECT format('%s, ledger_sequence %s: %s (minor units)', whose, ledger_sequence, what) AS line,
       count(*) OVER () AS total
FROM fault ORDER BY ledger_sequence LIMIT 20;
