"""Spending that the database itself refuses, whoever writes it; and limits that no hand sets."""

from __future__ import annotations

import pytest

from tests.integration.filled import OPEN_DAY, OWNER, WORKER, attempt
from tests.integration.test_database_refuses import (
    ACCEPTED,
    CHECK,
    NO_SUCH_ROW,
    NOT_UNIQUE,
    change,
)

BY_HAND, NOT_ALLOWED = ("23001", "records_stay"), ("42501", None)
NOT_WITHIN, NOT_ON = (CHECK, "spent_within_limit"), (CHECK, "spending_counts_on")
LOCK = "SELECT FROM ledger.lock_spent(ARRAY['{}'], ARRAY['{}'], ARRAY['EUR']);"


def said(kind: str, number: int, **asked: str) -> str:
    """Write the statement of a command about a limit."""
    details = ", ".join(f'"{name}": "{value}"' for name, value in asked.items())
    return change(
        ledger_sequence=str(number),
        transaction_id="gen_random_uuid()",
        type=f"'{kind}'",
        account="NULL",
        currency="NULL",
        status="NULL",
        overdraft_limit="NULL",
        available="NULL",
        changes_rules="true",
        details=f"'{{{details}}}'",
    )


def setting(number: int, name: str, scope: str, subject: str | None = None, **more: str) -> str:
    """Write the statement of a `limit.set` in EUR."""
    own = {"limit": name, "scope": scope, "currency": "EUR", "daily_count": "2"}
    whose = {} if subject is None else {"subject": subject}
    return said("limit.set", number, **{**own, **whose, **more})


def spending(
    number: int = 1_000_000,
    amount: int = 100,
    after: tuple[int, int] = (100, 1),
    whose: tuple[str, str] = ("account", "bert"),
    limit: str = "b",
    day: str = OPEN_DAY,
) -> str:
    """Write what was spent: 1.00 EUR by bert under his limit of 5.00 and 20.00 a day."""
    return (
        "INSERT INTO ledger.spending (scope, subject, currency, ledger_sequence, limit_name,"
        " booking_date, amount, spent_amount, spent_count) VALUES"
        f" ('{whose[0]}', '{whose[1]}', 'EUR', {number}, '{limit}', '{day}', {amount},"
        f" {after[0]}, {after[1]});"
    )


ANY = setting(900_000, "any", "account")
CUSTOMER = ("customer", "c-2")
CASES = {
    "within the limit": (spending(), ACCEPTED),
    "just within the limit": (spending(amount=500, after=(500, 1)), ACCEPTED),
    "beyond the single amount": (spending(amount=501, after=(501, 1)), NOT_WITHIN),
    "counted on": (spending() + spending(1_000_001, 200, (300, 2)), ACCEPTED),
    "up to the amount of the day": (
        "".join(spending(1_000_000 + n, 500, (500 * (n + 1), n + 1)) for n in range(4)),
        ACCEPTED,
    ),
    "beyond the amount of the day": (
        "".join(spending(1_000_000 + n, 500, (500 * (n + 1), n + 1)) for n in range(5)),
        NOT_WITHIN,
    ),
    "beyond the number of the day": (
        setting(900_000, "c", "customer", daily_count="2")
        + "".join(
            spending(1_000_000 + n, 100, (100 * (n + 1), n + 1), CUSTOMER, "c") for n in range(3)
        ),
        NOT_WITHIN,
    ),
    "nothing": (spending(amount=0, after=(0, 1)), (CHECK, "spending_takes_money")),
    "twice by one command": (
        spending() + spending(after=(200, 2)),
        (NOT_UNIQUE, "spending_once"),
    ),
    "counted from nothing again": (spending() + spending(1_000_001), NOT_ON),
    "a sum that is too small": (spending(after=(99, 1)), NOT_ON),
    "a number left out": (spending(after=(100, 2)), NOT_ON),
    "counted on from another date": (spending(after=(300, 2)), NOT_ON),
    "two of a statement in their order": (
        spending().removesuffix(";") + "," + spending(1_000_001, 100, (200, 2)).split("VALUES")[1],
        ACCEPTED,
    ),
    "two of a statement in another order": (
        spending(1_000_001).removesuffix(";")
        + ","
        + spending(1_000_000, 100, (200, 2)).split("VALUES")[1],
        NOT_ON,
    ),
    "under a limit that is not there": (spending(limit="nobody"), NOT_WITHIN),
    "under the limit of another": (
        LOCK.format("account", "anna") + spending(whose=("account", "anna")),
        NOT_WITHIN,
    ),
    "under a limit of another scope": (spending(limit="c"), NOT_WITHIN),
    "before the limit was set": (spending(number=1), NOT_WITHIN),
    "after the limit was ended": (
        said("limit.end", 900_000, limit="b") + spending(),
        NOT_WITHIN,
    ),
    "before the limit was ended": (
        said("limit.end", 2_000_000, limit="b") + spending(),
        ACCEPTED,
    ),
    "under the limit that took its place": (
        setting(900_000, "b", "account", "bert", single_amount="0.99") + spending(),
        NOT_WITHIN,
    ),
    "under the one for any, without an own one": (
        ANY + LOCK.format("account", "anna") + spending(whose=("account", "anna"), limit="any"),
        ACCEPTED,
    ),
    "under the one for any, beside an own one": (ANY + spending(limit="any"), NOT_WITHIN),
    "of a subject that nobody locked": (
        ANY + spending(whose=("account", "carl"), limit="any"),
        (NO_SUCH_ROW, "spending_of_locked"),
    ),
    "another limit for the same": (
        setting(900_000, "d", "account", "bert"),
        (NOT_UNIQUE, "limit_once_for_the_same"),
    ),
    "another limit for any": (
        ANY + setting(900_001, "d", "account"),
        (NOT_UNIQUE, "limit_once_for_the_same"),
    ),
    "the same in place of another": (setting(900_000, "b", "account", "bert"), ACCEPTED),
    "a limit of nothing": (
        said("limit.set", 900_000, limit="n", scope="channel", currency="EUR"),
        (CHECK, "limits_something"),
    ),
    "the end of a limit that is not there": (
        said("limit.end", 900_000, limit="nobody"),
        (NO_SUCH_ROW, "end_of_limit"),
    ),
    "a limit behind the one that it replaces": (
        setting(1, "b", "account", "bert"),
        (CHECK, "ends_after_it_was_set"),
    ),
    "an account of nobody's that has a customer": (
        (
            "INSERT INTO ledger.account (name, currency, kind, opened_at, customer)"
            " VALUES ('suspense-1', 'EUR', 'suspense', now(), 'c-9')"
        ),
        (CHECK, "customers_have_limits"),
    ),
}


@pytest.mark.parametrize("role", [WORKER, OWNER])
@pytest.mark.parametrize("what", CASES)
async def test_spending_stays_within_limits(filled_url: str, role: str, what: str) -> None:
    """Each counts on from the one before and is held to the limit in force where it stands."""
    sql, expected = CASES[what]

    assert await attempt(filled_url, role, sql) == expected


@pytest.mark.parametrize(
    ("sql", "of_worker"),
    [
        ("UPDATE ledger.spending_limit SET daily_amount = 999999", NOT_ALLOWED),
        ("DELETE FROM ledger.spending_limit", NOT_ALLOWED),
        (
            "INSERT INTO ledger.spending_limit VALUES (9, NULL, 'n', 'account', 'anna', 'EUR', 1)",
            NOT_ALLOWED,
        ),
        ("UPDATE ledger.spent SET amount = 0", NOT_ALLOWED),
        ("DELETE FROM ledger.spent", NOT_ALLOWED),
        ("UPDATE ledger.spending SET amount = 1", NOT_ALLOWED),
        ("DELETE FROM ledger.spending", NOT_ALLOWED),
        ("TRUNCATE ledger.spending", NOT_ALLOWED),
    ],
)
async def test_no_hand_changes_limits_or_what_was_spent(
    filled_url: str, sql: str, of_worker: tuple[str, str | None]
) -> None:
    """Only commands do, whose rows say so; for the owner too."""
    assert await attempt(filled_url, WORKER, sql) == of_worker
    assert await attempt(filled_url, OWNER, sql) == BY_HAND
