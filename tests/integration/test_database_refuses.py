"""Postings that the database itself refuses: of a worker with a bug, or by the owner's hand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.filled import (
    GIVEN_BACK,
    OPEN_DAY,
    OPENED,
    OWNER,
    PAID,
    REFUSED,
    WORKER,
    attempt,
)

ACCEPTED = ("", None)
NOT_UNIQUE, NOT_NULL, NO_SUCH_ROW, CHECK = "23505", "23502", "23503", "23514"

NEW_ID = "01933a5e-ffff-7000-8000-000000000001"
ACCOUNT_ID = "(SELECT account_id FROM ledger.account WHERE name = '{}')"
LIFE: dict[str, str] = {
    "ledger_sequence": "1000000",
    "decided_at": "'2026-11-21T10:00:00Z'",
    "transaction_id": f"'{NEW_ID}'",
}
"""What an id and its posting share."""


def id_of(name: str) -> str:
    """Write the subquery of an account's id."""
    return ACCOUNT_ID.format(name)


def registered(**changes: str) -> str:
    """Write the statement that registers an id."""
    row = {
        **LIFE,
        "fingerprint": "decode(repeat('00', 32), 'hex')",
        "fingerprint_version": "1",
        **changes,
    }
    return _insert("ledger.transaction", row) + ";"


def posting(table: str = "ledger.posting", **changes: str) -> str:
    """Write the statement that posts 1.00 EUR from anna to bert, unless it says otherwise."""
    row = {
        **LIFE,
        "source_id": "1",
        "source_offset": "99",
        "debit_account_id": id_of("anna"),
        "credit_account_id": id_of("bert"),
        "amount": "100",
        "debit_balance": "0",
        "credit_balance": "0",
        "booking_date": f"'{OPEN_DAY}'",
        "value_date": "'2026-11-21'",
        "currency": "'EUR'",
        "type": "'transfer'",
        "channel": "'mobile'",
        **changes,
    }
    return _insert(table, row) + ";"


def _insert(table: str, row: dict[str, str]) -> str:
    return f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join(row.values())})"


def decided(document: dict[str, Any], column: str) -> str:
    """Write the subquery of what was recorded of an id."""
    found = f"transaction_id = '{document['transaction_id']}'"
    return f"(SELECT {column} FROM ledger.transaction WHERE {found})"


def life_of(document: dict[str, Any], **changes: str) -> dict[str, str]:
    """Give the columns of an id that is recorded already."""
    return {
        "transaction_id": f"'{document['transaction_id']}'",
        "ledger_sequence": decided(document, "ledger_sequence"),
        "decided_at": decided(document, "decided_at"),
        **changes,
    }


TO_ANNA = {"debit_account_id": id_of("bert"), "credit_account_id": id_of("anna")}
"""The sides of money that goes from bert to anna."""


def back(document: dict[str, Any], **changes: str) -> dict[str, str]:
    """Give the columns of a reversal of 1.00 EUR that went from anna to bert."""
    return {
        "original_transaction_id": f"'{document['transaction_id']}'",
        **TO_ANNA,
        **changes,
    }


LATE = {"decided_at": "'2026-01-21T10:00:00Z'"}
SECOND = {"ledger_sequence": "1000001", "transaction_id": f"'{NEW_ID[:-1]}2'"}

POSTINGS = {
    "an ordinary posting": (registered() + posting(), ACCEPTED),
    "of an id that is not registered": (posting(), (NO_SUCH_ROW, "posting_of_registered_id")),
    "twice in one statement": (
        registered() + posting().removesuffix(";") + "," + posting().split("VALUES")[1],
        (NOT_UNIQUE, "<partition>"),
    ),
    "twice in one transaction": (registered() + posting() * 2, (NOT_UNIQUE, "<partition>")),
    "of an id that was posted": (posting(**life_of(PAID)), (NOT_UNIQUE, "<partition>")),
    "of a posted id under another number": (
        posting(**life_of(PAID, ledger_sequence="1000000")),
        (NO_SUCH_ROW, "posting_of_registered_id"),
    ),
    "of a posted id in another month": (
        posting(**life_of(PAID, **LATE)),
        (NO_SUCH_ROW, "posting_of_registered_id"),
    ),
    "of an id that was refused": (
        posting(**life_of(REFUSED)),
        (NO_SUCH_ROW, "posting_of_registered_id"),
    ),
    "of an id registered under another number": (
        registered() + posting(ledger_sequence="1000001"),
        (NO_SUCH_ROW, "posting_of_registered_id"),
    ),
    "of nothing": (registered() + posting(amount="0"), (CHECK, "posting_moves_money")),
    "of less than nothing": (
        registered() + posting(amount="-1"),
        (CHECK, "posting_moves_money"),
    ),
    "from an account to itself": (
        registered() + posting(credit_account_id=id_of("anna")),
        (CHECK, "posting_has_two_sides"),
    ),
    "with one side": (registered() + posting(credit_account_id="NULL"), (NOT_NULL, None)),
    "to no account": (
        registered() + posting(credit_account_id="4711"),
        (NO_SUCH_ROW, "posting_in_currency_of_accounts"),
    ),
    "across currencies": (
        registered() + posting(credit_account_id=id_of("usd")),
        (NO_SUCH_ROW, "posting_in_currency_of_accounts"),
    ),
    "in another currency than the accounts'": (
        registered() + posting(currency="'USD'"),
        (NO_SUCH_ROW, "posting_in_currency_of_accounts"),
    ),
    "of more than there is": (
        registered() + posting(amount="8001"),
        (CHECK, "balance_within_limit"),
    ),
    "of more than there is, in two": (
        registered() + posting(amount="8000") + registered(**SECOND) + posting(**SECOND),
        (CHECK, "balance_within_limit"),
    ),
    "beyond the bounds": (
        registered()
        + posting(debit_account_id=id_of("bank"), amount="9000000000000000000")
        + registered(**SECOND)
        + posting(debit_account_id=id_of("bank"), amount="1", **SECOND),
        (CHECK, "balance_within_bounds"),
    ),
}
"""Postings, with 80.00 EUR on anna's account and 120.00 EUR on bert's."""

REVERSALS = {
    "of what is left": (registered() + posting(amount="2000", **back(PAID)), ACCEPTED),
    "of more than is left": (
        registered() + posting(amount="2001", **back(PAID)),
        (CHECK, "reversed_within_original"),
    ),
    "of more than is left, in two": (
        registered()
        + posting(amount="1500", **back(PAID))
        + registered(**SECOND)
        + posting(amount="501", **back(PAID), **SECOND),
        (CHECK, "reversed_within_original"),
    ),
    "of an unknown id": (
        registered() + posting(**back({"transaction_id": NEW_ID[:-1] + "9"})),
        (NO_SUCH_ROW, "reversal_of_posting"),
    ),
    "of itself": (
        registered() + posting(**back({"transaction_id": NEW_ID})),
        (NO_SUCH_ROW, "reversal_of_posting"),
    ),
    "of a refused payment": (
        registered() + posting(**back(REFUSED)),
        (NO_SUCH_ROW, "reversal_of_posting"),
    ),
    "of an opening": (
        registered() + posting(**back(OPENED)),
        (NO_SUCH_ROW, "reversal_of_posting"),
    ),
    "of a reversal": (
        registered()
        + posting(
            original_transaction_id=f"'{GIVEN_BACK['transaction_id']}'",
        ),
        (NO_SUCH_ROW, "reversal_of_posting"),
    ),
    "in the original's direction": (
        registered() + posting(original_transaction_id=f"'{PAID['transaction_id']}'"),
        (NO_SUCH_ROW, "reversal_of_posting"),
    ),
    "to another account": (
        registered() + posting(**back(PAID, credit_account_id=id_of("bank"))),
        (NO_SUCH_ROW, "reversal_of_posting"),
    ),
}


def change(**changes: str) -> str:
    """Write the statement that gives anna's account a limit, unless it says otherwise."""
    row = {
        **LIFE,
        "source_id": "1",
        "source_offset": "99",
        "account": "'anna'",
        "currency": "'EUR'",
        "type": "'account.limit'",
        "channel": "'branch'",
        "details": "'{}'",
        "status": "'open'",
        "overdraft_limit": "500",
        "available": "0",
        **changes,
    }
    return _insert("ledger.account_change", row) + ";"


AT_ONCE = "SET CONSTRAINTS ALL IMMEDIATE;"
LATER = {"ledger_sequence": "1000002"}
CLOSED = {"type": "'account.close'", "status": "'closed'", "overdraft_limit": "0"}
RULES = {
    "type": "'tariff.end'",
    **dict.fromkeys(("account", "currency", "status", "overdraft_limit", "available"), "NULL"),
    "changes_rules": "true",
}
EMPTIED = registered() + posting(amount="8000")
LOWERED = (
    change()
    + registered()
    + posting(amount="8500")
    + change(overdraft_limit="100", **LATER)
    + AT_ONCE
)
"""A limit of 5.00 EUR that is used whole, and then set to 1.00."""

CHANGES = {
    "a raised limit, used before the commit": (
        change() + registered() + posting(amount="8500") + AT_ONCE,
        ACCEPTED,
    ),
    "a raised limit, passed": (
        change() + registered() + posting(amount="8501"),
        (CHECK, "balance_within_limit"),
    ),
    "a limit lowered after it was used": (
        LOWERED,
        ACCEPTED,
    ),
    "a debit below a lowered limit": (
        LOWERED + registered(**SECOND) + posting(amount="1", **SECOND),
        (CHECK, "balance_within_limit"),
    ),
    "a credit and a smaller debit below a lowered limit": (
        LOWERED
        + registered(**SECOND)
        + posting(amount="200", **TO_ANNA, **SECOND)
        + registered(ledger_sequence="1000003", transaction_id=f"'{NEW_ID[:-1]}3'")
        + posting(amount="100", ledger_sequence="1000003", transaction_id=f"'{NEW_ID[:-1]}3'"),
        (CHECK, "balance_within_limit"),
    ),
    "an empty account closed": (EMPTIED + change(**CLOSED) + AT_ONCE, ACCEPTED),
    "an account closed with money on it": (change(**CLOSED) + AT_ONCE, (CHECK, "closed_is_empty")),
    "money for a closed account": (
        EMPTIED
        + change(**CLOSED)
        + AT_ONCE
        + registered(**SECOND)
        + posting(amount="1", **TO_ANNA, **SECOND),
        (CHECK, "closed_is_empty"),
    ),
    "a closed account opened again": (
        EMPTIED + change(**CLOSED) + AT_ONCE + change(**LATER) + AT_ONCE,
        (NO_SUCH_ROW, "change_of_account"),
    ),
    "of an account that does not exist": (
        change(account="'nobody'") + AT_ONCE,
        (NO_SUCH_ROW, "change_of_account"),
    ),
    "of an account in another currency": (
        change(currency="'USD'") + AT_ONCE,
        (NO_SUCH_ROW, "change_of_account"),
    ),
    "to an unknown status": (change(status="'lost'") + AT_ONCE, (CHECK, "account_status")),
    "to no status": (change(status="NULL"), (CHECK, "change_has_status")),
    "of the bank's rules": (change(**RULES) + AT_ONCE, ACCEPTED),
    "of rules, with a status": (change(changes_rules="true"), (CHECK, "change_has_status")),
    "of neither an account nor rules": (
        change(account="NULL", currency="NULL"),
        (CHECK, "change_of_something"),
    ),
}
"""Changes of accounts, with 80.00 EUR on anna's account."""


@pytest.mark.parametrize("role", [WORKER, OWNER])
@pytest.mark.parametrize("what", CHANGES)
async def test_changes_of_accounts(filled_url: str, role: str, what: str) -> None:
    """A change holds from its commit on; a limit below what is used blocks every further debit."""
    sql, expected = CHANGES[what]

    assert await attempt(filled_url, role, sql) == expected


@pytest.mark.parametrize("role", [WORKER, OWNER])
@pytest.mark.parametrize("what", POSTINGS)
async def test_postings(filled_url: str, role: str, what: str) -> None:
    """Unbalanced, unregistered, doubled or unaffordable postings are refused by shape and rule."""
    sql, expected = POSTINGS[what]

    sqlstate, constraint = await attempt(filled_url, role, sql)

    if expected[1] == "<partition>":
        assert sqlstate == expected[0]
        assert (constraint or "").startswith("posting_")
        assert (constraint or "").endswith("_pkey")
    else:
        assert (sqlstate, constraint) == expected


@pytest.mark.parametrize("role", [WORKER, OWNER])
@pytest.mark.parametrize("what", REVERSALS)
async def test_reversals(filled_url: str, role: str, what: str) -> None:
    """What goes back is of a posting, between its accounts, and never more than it."""
    sql, expected = REVERSALS[what]

    assert await attempt(filled_url, role, sql) == expected


@pytest.mark.parametrize("role", [WORKER, OWNER])
async def test_an_id_is_registered_once(filled_url: str, role: str) -> None:
    """In the same transaction or ever after, wherever the rest of the row points."""
    again = {"transaction_id": f"'{PAID['transaction_id']}'"}

    for sql in (registered() * 2, registered(**again), registered(**again, **LATE)):
        sqlstate, constraint = await attempt(filled_url, role, sql)
        assert sqlstate == NOT_UNIQUE
        assert (constraint or "").startswith("transaction_")


async def test_there_is_no_way_around_by_naming_a_partition(filled_url: str) -> None:
    """The worker may not; the owner meets the same rules, and the balances move."""
    rent = registered(**LATE) + posting("ledger.posting_default", amount="8000", **LATE)
    moved = "DO $$ BEGIN ASSERT 0 = (SELECT posted FROM ledger.account WHERE name = 'anna'); END $$"
    too_much = registered(**LATE) + posting("ledger.posting_default", amount="8001", **LATE)
    unregistered = posting("ledger.posting_default", **LATE)

    assert await attempt(filled_url, WORKER, rent) == ("42501", None)
    assert await attempt(filled_url, OWNER, rent + moved) == ACCEPTED
    assert await attempt(filled_url, OWNER, too_much) == (CHECK, "balance_within_limit")
    assert await attempt(filled_url, OWNER, unregistered) == (
        NO_SUCH_ROW,
        "posting_of_registered_id",
    )
