"""Exchanges: two postings through the bank's positions, or none."""

from typing import Any

import pytest

from processor.core.books import BALANCE_MINOR_MAX, Account
from tests.builders import Bank, fx, reversal, withdrawal

PAST = "2026-11-21T09:59:59Z"


def bank() -> Bank:
    """Give books in which every rule of exchanges can be broken."""
    return Bank(
        Account("anna", "EUR", "customer", posted=100_00, overdraft_limit=0),
        Account("bert", "EUR", "customer", posted=0, overdraft_limit=0),
        Account("andy", "USD", "customer", posted=100_00, overdraft_limit=0),
        Account("mute", "USD", "customer", "credits_frozen", overdraft_limit=0),
        Account("dumb", "EUR", "customer", "debits_frozen", posted=200_00, overdraft_limit=0),
        Account("shut", "USD", "customer", "closed", overdraft_limit=0),
        Account("full", "USD", "internal", posted=BALANCE_MINOR_MAX),
        Account("bank", "EUR", "internal"),
        Account("yoko", "JPY", "customer", posted=50_000, overdraft_limit=0),
        Account("kate", "KWD", "customer", overdraft_limit=0),
    )


CASES: list[tuple[str, str, dict[str, Any], str]] = [
    # 100.00 EUR of whom for 108.25 USD to whom, what else; the first fault of either leg counts.
    ("anna", "andy", {}, "posted"),
    ("anna", "cash-USD", {}, "posted"),
    ("bank", "andy", {}, "posted"),
    ("nobody", "shut", {"valid_until": PAST}, "expired"),
    ("nobody", "shut", {}, "account_not_found"),
    ("dumb", "nobody", {}, "account_not_found"),
    ("andy", "nobody", {}, "account_not_found"),
    ("dumb", "shut", {}, "account_closed"),
    ("andy", "shut", {}, "account_closed"),
    ("andy", "mute", {}, "account_frozen"),
    ("dumb", "bert", {}, "account_frozen"),
    ("position-EUR", "mute", {}, "account_frozen"),
    ("andy", "anna", {}, "currency_mismatch"),
    ("andy", "andy", {}, "currency_mismatch"),
    ("anna", "anna", {}, "currency_mismatch"),
    ("position-EUR", "bert", {}, "currency_mismatch"),
    ("clearing-EUR", "bert", {}, "currency_mismatch"),
    ("position-EUR", "andy", {}, "same_account"),
    ("anna", "position-USD", {}, "same_account"),
    ("clearing-EUR", "position-USD", {}, "same_account"),
    ("clearing-EUR", "andy", {}, "kind_not_allowed"),
    ("bert", "clearing-USD", {}, "kind_not_allowed"),
    ("bert", "andy", {}, "insufficient_funds"),
    ("bert", "full", {}, "insufficient_funds"),
    ("anna", "full", {}, "balance_overflow"),
]


@pytest.mark.parametrize(("debit", "credit", "fields", "expected"), CASES)
def test_exchanges(debit: str, credit: str, fields: dict[str, Any], expected: str) -> None:
    """A refused exchange moves neither leg, whichever of them is at fault."""
    books = bank()
    before = books.posted()

    assert books.tell(fx(debit, credit, "100.00", "108.25", **fields)) == [expected]
    assert (books.posted() != before) == (expected == "posted")
    assert bool(books.books.opened) == (expected == "posted")


def test_both_legs_go_through_the_positions() -> None:
    """The bank has bought what the customer gave, and owes what it paid out."""
    books = bank()
    ruling = books.ruling(fx("anna", "andy", "40.00", "43.30"))

    assert [
        (one.debit.name, one.credit.name, one.amount, one.debit_balance, one.credit_balance)
        for one in ruling.postings
    ] == [
        ("anna", "position-EUR", 40_00, 60_00, 40_00),
        ("position-USD", "andy", 43_30, -43_30, 143_30),
    ]
    assert [one.debit.currency for one in ruling.postings] == ["EUR", "USD"]
    assert {"position-EUR", "position-USD"} <= books.books.opened.keys()


def test_the_outcome_shows_both_amounts() -> None:
    """The debit as every movement shows it, the credit and the rate beside it, refused or not."""
    for debit, reason in (("anna", None), ("bert", "insufficient_funds")):
        ruling = bank().ruling(fx(debit, "andy", "100", "108.25", rate="1.08250"))
        assert ruling.reason == reason
        assert (ruling.amount, ruling.currency) == ("100.00", "EUR")
        assert ruling.debit_account == debit
        assert ruling.shown is not None
        assert ruling.shown.fields() == {
            "credit_account": "andy",
            "credit_amount": "108.25",
            "credit_currency": "USD",
            "rate": "1.0825",
        }


@pytest.mark.parametrize(
    ("sides", "amounts", "fields", "moved"),
    [
        (
            ("anna", "yoko"),
            ("0.25", "2"),
            {"credit_currency": "JPY", "rate": "10"},
            {"anna": 99_75, "yoko": 50_002, "position-EUR": 25, "position-JPY": -2},
        ),
        (
            ("anna", "kate"),
            ("0.03", "0.008"),
            {"credit_currency": "KWD", "rate": "0.25"},
            {"anna": 99_97, "kate": 8, "position-EUR": 3, "position-KWD": -8},
        ),
        (
            ("yoko", "bert"),
            ("16235", "100.00"),
            {"currency": "JPY", "credit_currency": "EUR"}
            | {"rate": "0.00615972", "fixed_side": "credit"},
            {"yoko": 33_765, "bert": 100_00, "position-JPY": 16_235, "position-EUR": -100_00},
        ),
    ],
)
def test_amounts_move_in_the_digits_of_their_currencies(
    sides: tuple[str, str],
    amounts: tuple[str, str],
    fields: dict[str, str],
    moved: dict[str, int],
) -> None:
    """A yen has no decimals and a dinar has three; what is rounded off moves nowhere."""
    books = bank()

    assert books.tell(fx(*sides, *amounts, **fields)) == ["posted"]
    posted = books.posted()
    assert {name: posted[name] for name in moved} == moved


def test_an_exchange_is_undone_by_an_exchange() -> None:
    """At whatever the rate is then."""
    books = bank()
    there = fx("anna", "andy", "100.00", "108.25")

    assert books.tell(there, reversal(there)) == ["posted", "not_reversible"]
    assert books.tell(withdrawal("anna", "0.01")) == ["insufficient_funds"]
