"""Every reason of every command, in the order in which they are checked."""

from typing import Any

import pytest

from processor.core.books import BALANCE_MINOR_MAX, Account
from processor.core.reasons import Reason
from tests.builders import Bank, Document, deposit, opening, transfer, withdrawal

PAST = "2026-11-21T09:59:59.999999Z"
NOW = "2026-11-21T10:00:00Z"


def bank() -> Bank:
    """Give books in which every rule can be broken."""
    return Bank(
        Account("anna", "EUR", "customer", posted=100_00, overdraft_limit=0),
        Account("bert", "EUR", "customer", posted=0, overdraft_limit=50_00),
        Account("carl", "USD", "customer", posted=100_00, overdraft_limit=0),
        Account("held", "EUR", "customer", posted=100_00, held=80_00, overdraft_limit=10_00),
        Account("cold", "EUR", "customer", "frozen", posted=100_00, overdraft_limit=0),
        Account("shut", "EUR", "customer", "closed", posted=0, overdraft_limit=0),
        Account("bank", "EUR", "internal"),
        Account("full", "EUR", "internal", posted=BALANCE_MINOR_MAX),
        Account("deep", "EUR", "internal", posted=-BALANCE_MINOR_MAX),
        Account("yoko", "JPY", "customer", posted=100, overdraft_limit=0),
        Account("cash-EUR", "EUR", "internal", posted=-300_00),
    )


MOVEMENTS: list[tuple[str, str, str, dict[str, Any], str]] = [
    # Who pays, who gets, how much, what else; the first fault counts.
    ("anna", "bert", "100.00", {}, "posted"),
    ("anna", "bert", "100.00", {"valid_until": NOW}, "posted"),
    ("anna", "nobody", "1.00", {"valid_until": PAST}, "expired"),
    ("anna", "bert", "1.00", {"valid_until": PAST}, "expired"),
    ("nobody", "anna", "1.00", {}, "account_not_found"),
    ("anna", "nobody", "1.00", {}, "account_not_found"),
    ("nobody", "shut", "1.00", {}, "account_not_found"),
    ("cold", "nobody", "1.00", {}, "account_not_found"),
    ("nobody", "nobody", "1.00", {}, "account_not_found"),
    ("shut", "anna", "1.00", {}, "account_closed"),
    ("anna", "shut", "1.00", {}, "account_closed"),
    ("shut", "cold", "1.00", {}, "account_closed"),
    ("cold", "shut", "1.00", {}, "account_closed"),
    ("shut", "carl", "1.00", {}, "account_closed"),
    ("shut", "shut", "1.00", {}, "account_closed"),
    ("cold", "anna", "1.00", {}, "account_frozen"),
    ("anna", "cold", "1.00", {}, "account_frozen"),
    ("cold", "carl", "1.00", {}, "account_frozen"),
    ("cold", "cold", "1.00", {}, "account_frozen"),
    ("carl", "anna", "1.00", {}, "currency_mismatch"),
    ("anna", "carl", "1.00", {}, "currency_mismatch"),
    ("anna", "bert", "1", {"currency": "JPY"}, "currency_mismatch"),
    ("carl", "carl", "1.00", {}, "currency_mismatch"),
    ("bert", "carl", "50.01", {}, "currency_mismatch"),
    ("anna", "anna", "1.00", {}, "same_account"),
    ("bert", "bert", "50.01", {}, "same_account"),
    ("full", "full", "1.00", {}, "same_account"),
    ("anna", "bert", "100.01", {}, "insufficient_funds"),
    ("bert", "anna", "50.01", {}, "insufficient_funds"),
    ("bert", "anna", "50.00", {}, "posted"),
    ("held", "anna", "30.01", {}, "insufficient_funds"),
    ("held", "anna", "30.00", {}, "posted"),
    ("bert", "full", "50.01", {}, "insufficient_funds"),
    ("anna", "full", "0.01", {}, "balance_overflow"),
    ("deep", "anna", "0.01", {}, "balance_overflow"),
    ("full", "deep", "10000000000000.00", {}, "posted"),
    ("bank", "anna", "10000000000000.00", {}, "posted"),
    ("cash-EUR", "anna", "1.00", {}, "posted"),
    ("cash-EUR", "cash-EUR", "1.00", {}, "same_account"),
    ("cash-USD", "cash-EUR", "1.00", {}, "currency_mismatch"),
    ("cash-KWD", "cash-KWD", "1.000", {"currency": "KWD"}, "same_account"),
    ("cash-XAU", "anna", "1.00", {}, "account_not_found"),
    ("cash-eur", "anna", "1.00", {}, "account_not_found"),
    ("cash-", "anna", "1.00", {}, "account_not_found"),
]


@pytest.mark.parametrize(("debit", "credit", "amount", "fields", "expected"), MOVEMENTS)
def test_movements(
    debit: str, credit: str, amount: str, fields: dict[str, Any], expected: str
) -> None:
    """Transfer, deposit and withdrawal obey the same rules between the same accounts."""
    for document in (
        transfer(debit, credit, amount, **fields),
        deposit(credit, amount, debit_account=debit, **fields),
        withdrawal(debit, amount, credit_account=credit, **fields),
    ):
        books = bank()
        before = books.posted()

        assert books.tell(document) == [expected]
        moved = books.posted() != before
        assert moved == (expected == "posted")


OPENINGS: list[tuple[Document, str]] = [
    (opening("dora"), "posted"),
    (opening("dora", valid_until=NOW), "posted"),
    (opening("anna", valid_until=PAST), "expired"),
    (opening("anna"), "account_exists"),
    (opening("shut"), "account_exists"),
    (opening("anna", currency="USD"), "account_exists"),
    (opening("cash-EUR", kind="internal"), "account_exists"),
    (opening("cash-KWD", kind="internal"), "account_exists"),
    (opening("cash-KWD", currency="EUR"), "account_exists"),
    (opening("cash-XAU"), "posted"),
    (opening("cash-kwd"), "posted"),
]


@pytest.mark.parametrize(("document", "expected"), OPENINGS)
def test_openings(document: Document, expected: str) -> None:
    """A name is taken once; the names of cash accounts always are."""
    assert bank().tell(document) == [expected]


def test_an_opened_account_is_as_it_was_asked_for() -> None:
    """Its limit is in minor units; an internal one has none."""
    books = bank()
    books.ask(
        opening("dora", currency="JPY", overdraft_limit="500"),
        opening("suspense", kind="internal", currency="KWD"),
    )

    assert books.books.accounts["dora"] == Account("dora", "JPY", "customer", overdraft_limit=500)
    assert books.books.accounts["suspense"] == Account("suspense", "KWD", "internal")


def test_the_first_account_of_a_currency_brings_its_cash_account() -> None:
    """Once, before the account itself; not where its row is there."""
    kwd = [opening(name, currency="KWD") for name in ("ken", "kim")]
    books = Bank(Account("cash-EUR", "EUR", "internal", account_id=1))

    books.ask(opening("dora"), *kwd)

    names = [opened.account.name for opened in books.books.opened.values()]
    assert names == ["dora", "cash-KWD", "ken", "kim"]


def test_a_cash_account_moves_before_its_row_is_there() -> None:
    """It exists in every currency from the first moment, in one piece for the whole batch."""
    books = Bank()

    words = books.tell(
        opening("ken", currency="KWD"),
        deposit("ken", "1.005", currency="KWD"),
        withdrawal("ken", "0.005", currency="KWD"),
    )

    assert words == ["posted"] * 3
    assert books.posted() == {"ken": 1_000, "cash-KWD": -1_000}


def test_what_is_shown_of_a_movement() -> None:
    """The accounts and the canonical amount, refused or not; the defaults are filled in."""
    books = bank()

    ruling = books.ruling(deposit("anna", "1.5"))
    shown = (ruling.amount, ruling.currency, ruling.debit_account, ruling.credit_account)
    assert (ruling.reason, *shown) == (None, "1.50", "EUR", "cash-EUR", "anna")
    assert (len(ruling.postings) == 1, ruling.account) == (True, None)

    ruling = books.ruling(withdrawal("yoko", "101", currency="JPY"))
    shown = (ruling.amount, ruling.currency, ruling.debit_account, ruling.credit_account)
    assert (ruling.reason, *shown) == ("insufficient_funds", "101", "JPY", "yoko", "cash-JPY")
    assert ruling.postings == ()


def test_a_posting_holds_both_balances_after_it() -> None:
    """As they are after this very posting, whatever the batch does next."""
    books = bank()

    (first,) = books.ruling(transfer("anna", "bert", "30.00")).postings
    (second,) = books.ruling(transfer("anna", "bert", "1.00")).postings

    assert (first.amount, first.debit_balance, first.credit_balance) == (30_00, 70_00, 30_00)
    assert (second.amount, second.debit_balance, second.credit_balance) == (1_00, 69_00, 31_00)


def test_reasons_stand_in_the_order_of_the_contract() -> None:
    """The enumeration is the published precedence."""
    assert [reason.value for reason in Reason] == [
        "expired",
        "account_exists",
        "original_not_found",
        "original_not_posted",
        "not_reversible",
        "not_refundable",
        "hold_not_found",
        "hold_not_placed",
        "hold_expired",
        "hold_not_open",
        "hold_not_expired",
        "tariff_not_found",
        "tariff_overlaps",
        "limit_not_found",
        "limit_overlaps",
        "day_not_open",
        "account_not_found",
        "account_closed",
        "account_frozen",
        "currency_mismatch",
        "same_account",
        "kind_not_allowed",
        "nothing_to_change",
        "account_not_empty",
        "exceeds_original",
        "exceeds_hold",
        "limit_exceeded",
        "insufficient_funds",
        "balance_overflow",
    ]
