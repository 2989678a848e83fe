"""Journals: all lines or none, each against the clearing account of its currency."""

from typing import Any

import pytest

from processor.core.answers import First
from processor.core.books import BALANCE_MINOR_MAX, Account, Posting
from processor.core.commands import Journal
from processor.core.decode import Invalid
from processor.core.shown import Line as Shown
from tests.builders import (
    DECODER,
    Bank,
    Line,
    command_of,
    deposit,
    journal,
    line,
    reversal,
    transfer,
    withdrawal,
    written,
)

PAST = "2026-11-21T09:59:59Z"
MOST = "10000000000000.00"
OVERDRAW = {"on_shortfall": "overdraw"}


def bank() -> Bank:
    """Give books in which every rule of journals can be broken."""
    return Bank(
        Account("anna", "EUR", "customer", posted=100_00, overdraft_limit=0),
        Account("bert", "EUR", "customer", posted=0, overdraft_limit=50_00),
        Account("held", "EUR", "customer", posted=100_00, held=80_00, overdraft_limit=10_00),
        Account("carl", "USD", "customer", posted=100_00, overdraft_limit=0),
        Account("dora", "USD", "customer", overdraft_limit=0),
        Account("mute", "EUR", "customer", "credits_frozen", posted=9_00, overdraft_limit=0),
        Account("dumb", "EUR", "customer", "debits_frozen", posted=9_00, overdraft_limit=0),
        Account("shut", "EUR", "customer", "closed", overdraft_limit=0),
        Account("bank", "EUR", "internal"),
        Account("fees", "EUR", "income"),
        Account("full", "EUR", "internal", posted=BALANCE_MINOR_MAX - 1),
        Account("deep", "EUR", "internal", posted=1 - BALANCE_MINOR_MAX),
    )


def debit(account: str, amount: str, currency: str = "EUR", **fields: str) -> Line:
    """Take from an account."""
    return line(account, "debit", amount, currency, **fields)


def credit(account: str, amount: str, currency: str = "EUR", **fields: str) -> Line:
    """Give to an account."""
    return line(account, "credit", amount, currency, **fields)


SMALL = [debit("bank", "9"), credit("bert", "9")]
CASES: list[tuple[list[Line], dict[str, Any], str]] = [
    ([debit("anna", "100"), credit("bert", "100")], {}, "posted"),
    ([credit("bert", "100"), debit("anna", "100")], {}, "posted"),
    ([debit("anna", "1"), credit("anna", "1")], {}, "posted"),
    ([debit("anna", "500"), credit("anna", "500")], {}, "posted"),
    ([debit("dumb", "1"), credit("nobody", "1")], {"valid_until": PAST}, "expired"),
    # Each reason looks at every line before the next one is looked at.
    ([debit("shut", "1"), credit("nobody", "1")], {}, "account_not_found"),
    ([debit("dumb", "1"), credit("clearing-XAU", "1")], {}, "account_not_found"),
    ([debit("dumb", "1"), credit("shut", "1")], {}, "account_closed"),
    ([debit("carl", "1"), credit("shut", "1")], {}, "account_closed"),
    ([debit("carl", "1"), credit("mute", "1")], {}, "account_frozen"),
    ([debit("dumb", "1"), credit("anna", "1")], {}, "account_frozen"),
    ([debit("mute", "1"), credit("dumb", "1")], {}, "posted"),
    (
        [debit("anna", "1"), credit("mute", "1"), debit("mute", "2"), credit("bert", "2")],
        {},
        "account_frozen",
    ),
    ([debit("carl", "1"), credit("clearing-EUR", "1")], {}, "currency_mismatch"),
    ([debit("anna", "1", "USD"), credit("dora", "1", "USD")], {}, "currency_mismatch"),
    ([debit("anna", "500"), credit("clearing-EUR", "500")], {}, "kind_not_allowed"),
    ([debit("clearing-USD", "1", "USD"), credit("dora", "1", "USD")], {}, "kind_not_allowed"),
    ([debit("anna", "100.01"), credit("full", "100.01")], {}, "insufficient_funds"),
    (
        [debit("anna", "60"), debit("anna", "40.01"), credit("bert", "100.01")],
        {},
        "insufficient_funds",
    ),
    ([debit("carl", "101", "USD"), credit("dora", "101", "USD"), *SMALL], {}, "insufficient_funds"),
    ([debit("held", "30"), credit("bert", "30")], {}, "posted"),
    ([debit("held", "30.01"), credit("bert", "30.01")], {}, "insufficient_funds"),
    ([debit("bert", "50.01"), credit("anna", "50.01")], {}, "insufficient_funds"),
    ([debit("anna", "0.01"), credit("full", "0.01")], {}, "posted"),
    ([debit("anna", "0.02"), credit("full", "0.02")], {}, "balance_overflow"),
    ([debit("deep", "0.02"), credit("bert", "0.02")], {}, "balance_overflow"),
    ([debit("deep", "0.02"), credit("deep", "0.02")], {}, "posted"),
    # A lack of funds can be allowed, and nothing else.
    ([debit("anna", "100.01"), credit("bert", "100.01")], OVERDRAW, "posted"),
    (
        [debit("anna", "100.01"), credit("bert", "100.01")],
        {"on_shortfall": "refuse"},
        "insufficient_funds",
    ),
    ([debit("dumb", "1"), credit("bert", "1")], OVERDRAW, "account_frozen"),
    ([debit("shut", "1"), credit("bert", "1")], OVERDRAW, "account_closed"),
    ([debit("anna", "500"), credit("full", "500")], OVERDRAW, "balance_overflow"),
    # The bank's own accounts are there before anything has moved through them.
    ([debit("cash-EUR", "5"), credit("position-EUR", "5")], {}, "posted"),
    ([debit("fees", "5"), credit("bank", "5")], {}, "posted"),
]


@pytest.mark.parametrize(("lines", "fields", "expected"), CASES)
def test_journals(lines: list[Line], fields: dict[str, Any], expected: str) -> None:
    """The first fault of any line counts; a refused journal moves nothing at all."""
    books = bank()
    before = books.posted()

    assert books.tell(journal(*lines, **fields)) == [expected]
    if expected != "posted":
        assert books.posted() == before
        assert books.books.opened == {}


def sides(posting: Posting) -> tuple[str, str, int, int, int]:
    """Give what moved from whom to whom, and both balances after it."""
    return (
        posting.debit.name,
        posting.credit.name,
        posting.amount,
        posting.debit_balance,
        posting.credit_balance,
    )


def test_every_line_is_a_posting_against_clearing() -> None:
    """In the order given, with the balances after each; clearing ends at zero per currency."""
    books = bank()
    ruling = books.ruling(
        journal(
            debit("anna", "30.00"),
            credit("dora", "7.00", "USD"),
            credit("bert", "10.00", reference="a third"),
            credit("fees", "20.00"),
            debit("carl", "7.00", "USD"),
            reference="split",
        )
    )

    assert [sides(posting) for posting in ruling.postings] == [
        ("anna", "clearing-EUR", 30_00, 70_00, 30_00),
        ("clearing-USD", "dora", 7_00, -7_00, 7_00),
        ("clearing-EUR", "bert", 10_00, 20_00, 10_00),
        ("clearing-EUR", "fees", 20_00, 0, 20_00),
        ("carl", "clearing-USD", 7_00, 93_00, 0),
    ]
    assert [posting.reference for posting in ruling.postings] == [None, None, "a third", None, None]
    assert not any(posting.overdraws for posting in ruling.postings)
    accounts = books.books.accounts
    assert (accounts["clearing-EUR"].posted, accounts["clearing-USD"].posted) == (0, 0)
    assert {"clearing-EUR", "clearing-USD"} <= books.books.opened.keys()


def test_an_account_is_held_to_what_all_lines_make_of_it() -> None:
    """It may be short in between, on whichever line it stands first."""
    books = bank()
    lines = [debit("anna", "180"), credit("bert", "180"), debit("bert", "80"), credit("anna", "80")]
    ruling = books.ruling(journal(*lines))

    assert ruling.reason is None
    assert [posting.debit_balance for posting in ruling.postings] == [-80_00, 0, 100_00, 0]
    assert (books.books.accounts["anna"].posted, books.books.accounts["bert"].posted) == (0, 100_00)
    assert books.tell(journal(*lines)) == ["insufficient_funds"]


def test_an_overdrawn_account_gives_nothing_until_money_has_come_in() -> None:
    """A further journal may take more; nothing else may, until the account is above its limit."""
    books = bank()
    take = [debit("bert", "70.00"), credit("fees", "70.00")]

    assert books.tell(journal(*take), journal(*take, on_shortfall="overdraw")) == [
        "insufficient_funds",
        "posted",
    ]
    assert books.books.accounts["bert"].available() == -20_00
    assert books.tell(
        withdrawal("bert", "0.01"),
        journal(debit("bert", "0.01"), credit("fees", "0.01")),
        journal(debit("bert", "5.00"), credit("fees", "5.00"), on_shortfall="overdraw"),
        deposit("bert", "25.00"),
        withdrawal("bert", "0.01"),
        deposit("bert", "0.01"),
        withdrawal("bert", "0.01"),
    ) == [
        *["insufficient_funds"] * 2,
        *["posted"] * 2,
        "insufficient_funds",
        *["posted"] * 2,
    ]
    assert books.books.accounts["bert"].available() == 0


def test_a_journal_may_credit_an_account_that_is_below_its_limit() -> None:
    """Money that comes in is no debit; nor is a line that more than makes up for another."""
    books = bank()
    books.books.accounts["bert"].posted = -80_00

    assert books.tell(
        journal(debit("anna", "1"), credit("bert", "1")),
        journal(debit("bert", "5"), credit("bank", "5"), debit("anna", "5"), credit("bert", "5")),
        journal(debit("bert", "5"), credit("bank", "5"), debit("anna", "4"), credit("bert", "4")),
    ) == ["posted", "posted", "insufficient_funds"]


def test_the_outcome_shows_the_lines_as_they_were_asked_for() -> None:
    """Canonical amounts and the lines' own texts; no single amount, currency or side."""
    asked = journal(debit("anna", "1.5"), credit("nobody", "1.50", reference="you"))
    posted = journal(debit("anna", "1.5"), credit("bert", "1.50", reference="you"))

    for document, name in ((asked, "nobody"), (posted, "bert")):
        ruling = bank().ruling(document)
        assert ruling.shown is not None
        assert ruling.shown.fields() == {
            **dict.fromkeys(("amount", "currency", "debit_account", "credit_account")),
            "lines": [
                Shown("anna", "debit", "1.50", "EUR"),
                Shown(name, "credit", "1.50", "EUR", "you"),
            ],
        }
        assert (ruling.amount, ruling.amount_minor, ruling.currency) == (None, None, None)


def test_a_journal_is_undone_by_a_journal() -> None:
    """There is no amount and no one payer that a reversal could turn around."""
    books = bank()
    posted = journal(debit("anna", "1"), credit("bert", "1"))

    assert books.tell(posted, reversal(posted)) == ["posted", "not_reversible"]


def test_later_commands_of_a_batch_see_each_line() -> None:
    """What a journal gave can be spent behind it, what it took can not."""
    books = bank()

    assert books.tell(
        journal(debit("anna", "100"), credit("bert", "60"), credit("fees", "40")),
        transfer("anna", "bert", "0.01"),
        transfer("bert", "anna", "110.00"),
        transfer("bert", "anna", "0.01"),
    ) == ["posted", "insufficient_funds", "posted", "insufficient_funds"]


def lines_of(number: int) -> list[Line]:
    """Give a balanced journal of so many lines."""
    return [debit("bank", str(number - 1)), *[credit("bert", "1") for _ in range(number - 1)]]


@pytest.mark.parametrize(
    ("lines", "pointer"),
    [
        ([], "/lines"),
        (lines_of(2)[:1], "/lines"),
        (lines_of(101), "/lines"),
        ([debit("anna", "1"), credit("bert", "1.01")], "/lines"),
        ([debit("anna", "1"), debit("bert", "1")], "/lines"),
        ([debit("anna", "1"), credit("carl", "1", "USD")], "/lines"),
        (
            [debit("anna", "1"), credit("bert", "1"), credit("dora", "1", "USD")],
            "/lines",
        ),
        ([debit("anna", "0"), credit("bert", "0.00")], "/lines/0/amount"),
        ([debit("anna", "1.00"), credit("bert", "1.000")], "/lines/1/amount"),
        ([debit("anna", "1"), line("bert", "both", "1")], "/lines/1/direction"),
        ([debit("anna", "1"), credit("bert", "1", "XAU")], "/lines/1/currency"),
        ([debit("anna", MOST), credit("bert", "10000000000000.01")], "/lines/1/amount"),
        ([debit("anna", "1"), credit("b b", "1")], "/lines/1/account"),
        ([debit("anna", "1"), credit("bert", "1", reference="")], "/lines/1/reference"),
    ],
)
def test_what_is_no_journal(lines: list[Line], pointer: str) -> None:
    """Uneven, too few or too many lines, and each fault of a line, with a pointer to it."""
    record = written(0, journal(*lines))
    assert record.value is not None
    invalid = DECODER.decode(record.value)

    assert isinstance(invalid, Invalid)
    assert (invalid.reason, invalid.pointer) == ("schema", pointer)


def test_a_hundred_lines_are_a_journal() -> None:
    """The bound is within; sums beyond the bound of one amount are no fault."""
    command = command_of(journal(*lines_of(100)))
    large = journal(*[debit("bank", MOST)] * 50, *[credit("fees", MOST)] * 50)

    assert isinstance(command, Journal)
    assert len(command.lines) == 100
    (answer,) = bank().ask(large)
    assert isinstance(answer, First)
    assert len(answer.decided.ruling.postings) == 100
