"""What changes an account without moving money: every reason in its order, and what it leads to."""

from __future__ import annotations

from typing import Any

import pytest

from processor.core.books import Account, Change
from tests.builders import (
    Bank,
    Document,
    closing,
    deposit,
    freeze,
    limit,
    opening,
    reversal,
    told,
    transfer,
    unfreeze,
    withdrawal,
)

PAST = "2026-11-21T09:59:59.999999Z"
STATUSES = ["open", "debits_frozen", "credits_frozen", "frozen"]


def bank() -> Bank:
    """Give books in which every rule can be broken."""
    return Bank(
        Account("anna", "EUR", "customer", posted=100_00, overdraft_limit=0),
        Account("bert", "EUR", "customer", posted=-30_00, overdraft_limit=50_00),
        Account("void", "EUR", "customer", overdraft_limit=0),
        Account("held", "EUR", "customer", held=1, posted=1, overdraft_limit=0),
        Account("cold", "EUR", "customer", "frozen", overdraft_limit=0),
        Account("half", "EUR", "customer", "debits_frozen", overdraft_limit=0),
        Account("shut", "EUR", "customer", "closed", overdraft_limit=0),
        Account("shut-usd", "USD", "internal", "closed"),
        Account("suspense", "EUR", "internal"),
        Account("cash-EUR", "EUR", "internal", posted=-70_00),
    )


REFUSED: list[tuple[Document, str]] = [
    (freeze("nobody", valid_until=PAST), "expired"),
    (freeze("nobody"), "account_not_found"),
    (freeze("cash-XXX"), "account_not_found"),
    (freeze("shut"), "account_closed"),
    (freeze("cash-EUR"), "kind_not_allowed"),
    (freeze("cash-JPY"), "kind_not_allowed"),
    (freeze("cold", "debit"), "nothing_to_change"),
    (freeze("half", "debit"), "nothing_to_change"),
    (unfreeze("nobody"), "account_not_found"),
    (unfreeze("shut"), "account_closed"),
    (unfreeze("cash-EUR"), "kind_not_allowed"),
    (unfreeze("anna"), "nothing_to_change"),
    (unfreeze("half", "credit"), "nothing_to_change"),
    (limit("nobody", "1.00", valid_until=PAST), "expired"),
    (limit("nobody", "1.00"), "account_not_found"),
    (limit("shut-usd", "1.00"), "account_closed"),
    (limit("cash-USD", "1.00"), "currency_mismatch"),
    (limit("anna", "1.00", currency="USD"), "currency_mismatch"),
    (limit("suspense", "1.00"), "kind_not_allowed"),
    (limit("cash-EUR", "0.00"), "kind_not_allowed"),
    (limit("bert", "50"), "nothing_to_change"),
    (closing("nobody", valid_until=PAST), "expired"),
    (closing("nobody"), "account_not_found"),
    (closing("shut"), "account_closed"),
    (closing("half"), "account_frozen"),
    (closing("cold"), "account_frozen"),
    (closing("cash-EUR"), "kind_not_allowed"),
    (closing("cash-JPY"), "kind_not_allowed"),
    (closing("anna"), "account_not_empty"),
    (closing("bert"), "account_not_empty"),
    (closing("held"), "account_not_empty"),
]


@pytest.mark.parametrize(("document", "expected"), REFUSED)
def test_refusals(document: Document, expected: str) -> None:
    """Each in its turn, and nothing is changed."""
    books = bank()
    before = {name: repr(account) for name, account in books.books.accounts.items()}

    assert books.tell(document) == [expected]
    after = {name: repr(account) for name, account in books.books.accounts.items()}
    assert {name: after[name] for name in before} == before


SIDES: list[tuple[Any, str, list[str]]] = [
    # What becomes of an account that is open, frozen for debits, for credits, or whole.
    (freeze, "debit", ["debits_frozen", "same", "frozen", "same"]),
    (freeze, "credit", ["credits_frozen", "frozen", "same", "same"]),
    (freeze, "both", ["frozen", "frozen", "frozen", "same"]),
    (unfreeze, "debit", ["same", "open", "same", "credits_frozen"]),
    (unfreeze, "credit", ["same", "same", "open", "debits_frozen"]),
    (unfreeze, "both", ["same", "open", "open", "open"]),
]


@pytest.mark.parametrize(("command", "side", "expected"), SIDES)
def test_sides_add_up(command: Any, side: str, expected: list[str]) -> None:
    """A freeze adds its side, an unfreeze takes it away, and what changes nothing says so."""
    for status, becomes in zip(STATUSES, expected, strict=True):
        books = Bank(Account("anna", "EUR", "customer", status, posted=5_00, overdraft_limit=1_00))

        ruling = books.ruling(command("anna", side))

        if becomes == "same":
            assert (ruling.reason, ruling.change) == ("nothing_to_change", None)
        else:
            assert ruling.change == Change(becomes, 1_00, 6_00)
            assert books.books.accounts["anna"].status == becomes


MOVES = [(status, side) for status in [*STATUSES, "closed"] for side in ("debit", "credit")]


@pytest.mark.parametrize(("status", "side"), MOVES)
def test_a_status_stops_its_sides(status: str, side: str) -> None:
    """Money passes the side that is not frozen; a reversal is stopped like every movement."""
    stopped = {
        "debits_frozen": {"debit"},
        "credits_frozen": {"credit"},
        "frozen": {"debit", "credit"},
    }
    paid, back = transfer("anna", "bert", "1.00"), transfer("bert", "anna", "1.00")
    expected = "account_frozen" if side in stopped.get(status, set()) else "posted"
    if status == "closed":
        expected = "account_closed"
    for given, asked in (
        ((), paid if side == "debit" else back),
        ((back,), reversal(back)) if side == "debit" else ((paid,), reversal(paid)),
    ):
        books = Bank(
            Account("anna", "EUR", "customer", posted=100_00, overdraft_limit=0),
            Account("bert", "EUR", "customer", posted=100_00, overdraft_limit=0),
        )
        books.tell(*given)
        books.books.accounts["anna"].status = status

        assert books.tell(asked) == [expected]


def test_a_limit_below_what_is_used_blocks_debits_and_says_so() -> None:
    """Available is below zero until money has come in; what is there can then be taken."""
    books = bank()

    assert books.ruling(limit("bert", "10.00")).change == Change("open", 10_00, -20_00)
    assert books.tell(
        withdrawal("bert", "0.01"),
        deposit("bert", "20.00"),
        withdrawal("bert", "0.01"),
        deposit("bert", "0.01"),
        withdrawal("bert", "0.01"),
    ) == ["insufficient_funds", "posted", "insufficient_funds", "posted", "posted"]


def test_a_batch_sees_the_changes_before() -> None:
    """Opened, raised, used, lowered, frozen, emptied and closed, all in one batch."""
    books = Bank()
    asked = [
        opening("dora", overdraft_limit="5.00"),
        limit("dora", "50.00"),
        withdrawal("dora", "50.00"),
        limit("dora", "0"),
        freeze("dora", "debit"),
        deposit("dora", "50.00"),
        closing("dora"),
        unfreeze("dora"),
        closing("dora"),
        opening("dora"),
    ]

    told_of_each = [told(answer) for answer in books.ask(*asked)]

    assert told_of_each == [*["posted"] * 6, "account_frozen", "posted", "posted", "account_exists"]
    assert [(one.account.name, one.overdraft_limit) for one in books.books.opened.values()] == [
        ("cash-EUR", None),
        ("dora", 5_00),
    ]
