"""Business dates: what may be closed, and which days postings belong to."""

from __future__ import annotations

from typing import Any

import pytest

from processor.core.answers import Clock, Conflict, First, Repeat
from processor.core.books import Account
from processor.core.dates import Dates, day_after
from tests.builders import (
    Bank,
    Document,
    capture,
    day_close,
    deposit,
    fx,
    hold,
    journal,
    line,
    payment,
    refund,
    reversal,
    told,
    transfer,
    withdrawal,
)

YESTERDAY, TODAY, TOMORROW, LATER = "2026-11-20", "2026-11-21", "2026-11-22", "2026-11-30"
PAST = "2026-11-21T09:59:59.999999Z"
MIDNIGHT = Clock(Bank.NOW.now_us + 14 * 3_600_000_000, "2026-11-22T00:00:00.000000Z")


def bank() -> Bank:
    """Give books with money in them."""
    return Bank(
        Account("anna", "EUR", "customer", posted=100_00, overdraft_limit=0),
        Account("bert", "EUR", "customer", posted=100_00, overdraft_limit=0),
        Account("shop", "EUR", "merchant", posted=0, overdraft_limit=0),
        Account("dora", "USD", "customer", posted=0, overdraft_limit=0),
    )


def dates(books: Bank, document: Document, **at: Any) -> list[tuple[str, str]]:
    """Decide a command that is carried out; give the booking and value dates of its postings."""
    (answer,) = books.ask(document, **at)
    assert isinstance(answer, First)
    assert answer.decided.ruling.reason is None
    return [
        (one.dates.booking_date, one.dates.value_date) for one in answer.decided.ruling.postings
    ]


@pytest.mark.parametrize(
    ("before", "asked", "word"),
    [
        ([], day_close(TODAY), "posted"),
        ([], day_close("1970-01-01"), "posted"),
        ([], day_close(TOMORROW), "day_not_open"),
        ([], day_close(TODAY, valid_until=PAST), "expired"),
        ([], day_close(TOMORROW, valid_until=PAST), "expired"),
        ([day_close(YESTERDAY)], day_close(YESTERDAY), "day_not_open"),
        ([day_close(YESTERDAY)], day_close(TODAY), "posted"),
        ([day_close(YESTERDAY)], day_close(TOMORROW), "day_not_open"),
        ([day_close(YESTERDAY, LATER)], day_close(TODAY), "day_not_open"),
        ([day_close(YESTERDAY, LATER)], day_close(LATER), "posted"),
        ([day_close(TODAY)], day_close(TOMORROW), "posted"),
    ],
)
def test_only_the_open_day_is_closed(before: list[Document], asked: Document, word: str) -> None:
    """The first time any day that has begun by UTC; then no other, though it has not begun."""
    assert bank().tell(*before, asked) == [*["posted"] * len(before), word]


def test_until_the_first_closing_the_utc_date_is_open() -> None:
    """By the clock of each decision; from then on the clock says nothing."""
    books = bank()

    assert dates(books, deposit("anna", "1.00")) == [(TODAY, TODAY)]
    assert dates(books, deposit("anna", "1.00"), clock=MIDNIGHT) == [(TOMORROW, TOMORROW)]
    assert dates(books, day_close(TODAY)) == []
    closed = Clock(MIDNIGHT.now_us, MIDNIGHT.now, books.books.rules)
    assert dates(books, deposit("anna", "1.00"), clock=closed) == [(TOMORROW, TOMORROW)]
    later = Clock(closed.now_us, "2027-01-01T00:00:00.000000Z", closed.rules)
    assert dates(books, deposit("anna", "1.00"), clock=later) == [(TOMORROW, TOMORROW)]


def test_a_refused_closing_changes_nothing() -> None:
    """Neither the rules nor the dates of what follows."""
    books = bank()
    answers = books.ask(day_close(TOMORROW), deposit("anna", "1.00"), day_close(TODAY))

    refused, paid, closed = [one.decided.ruling for one in answers if isinstance(one, First)]
    assert (refused.changes_rules, closed.changes_rules) == (False, True)
    assert paid.postings[0].dates == Dates(TODAY, TODAY)
    assert books.books.rules.open_date == TOMORROW


PAID = payment("anna", "shop", "10.00")
HELD = hold("anna", "shop", "10.00")
DATED: list[tuple[list[Document], Any]] = [
    ([], lambda day: deposit("anna", "1.00", value_date=day)),
    ([], lambda day: withdrawal("anna", "1.00", value_date=day)),
    ([], lambda day: transfer("anna", "bert", "1.00", value_date=day)),
    ([], lambda day: payment("anna", "shop", "1.00", value_date=day)),
    (
        [],
        lambda day: journal(
            line("anna", "debit", "1.00"), line("bert", "credit", "1.00"), value_date=day
        ),
    ),
    ([], lambda day: fx("anna", "dora", "100.00", "108.25", value_date=day)),
    ([PAID], lambda day: refund(PAID, value_date=day)),
    ([PAID], lambda day: reversal(PAID, value_date=day)),
    ([HELD], lambda day: capture(HELD, value_date=day)),
]


@pytest.mark.parametrize(("before", "ask"), DATED)
@pytest.mark.parametrize(
    ("asked", "got", "late"),
    [
        ("1970-01-01", TODAY, True),
        (YESTERDAY, TODAY, True),
        (TODAY, TODAY, False),
        (TOMORROW, TOMORROW, False),
        ("9999-12-31", "9999-12-31", False),
    ],
)
def test_value_dates_are_kept_out_of_closed_days(
    before: list[Document], ask: Any, asked: str, got: str, *, late: bool
) -> None:
    """Of every command that moves money; each of its postings has the date that is shown."""
    books = bank()
    assert books.tell(*before) == ["posted"] * len(before)
    books.tell(day_close(YESTERDAY))
    clock = Clock(Bank.NOW.now_us, Bank.NOW.now, books.books.rules)

    (answer,) = books.ask(ask(asked), clock=clock)
    assert isinstance(answer, First)
    ruling = answer.decided.ruling
    assert ruling.reason is None
    assert ruling.shown is not None
    assert (ruling.shown.value_date, ruling.shown.late) == (got, late)
    assert {one.dates for one in ruling.postings} == {Dates(TODAY, got)}
    (plain,) = books.ask(deposit("anna", "1.00"), clock=clock)
    assert isinstance(plain, First)
    assert plain.decided.ruling.shown is None
    assert plain.decided.ruling.postings[0].dates == Dates(TODAY, TODAY)


def test_what_was_refused_shows_the_date_that_it_would_have_got() -> None:
    """Where it asked for one."""
    books = bank()

    late = books.ruling(withdrawal("anna", "100.01", value_date=YESTERDAY))
    plain = books.ruling(withdrawal("anna", "100.01"))

    assert (late.reason, plain.reason) == ("insufficient_funds", "insufficient_funds")
    assert late.shown is not None
    assert (late.shown.value_date, late.shown.late) == (TODAY, True)
    assert plain.shown is None


def test_the_value_date_is_part_of_the_content() -> None:
    """The same is a repeat, another or none a conflict that names it."""
    books, first = bank(), deposit("anna", "1.00", value_date=YESTERDAY)
    answers = books.ask(
        first,
        first,
        {**first, "value_date": TODAY},
        {name: value for name, value in first.items() if name != "value_date"},
    )

    assert [told(one) for one in answers] == ["posted", "Repeat", "Conflict", "Conflict"]
    assert isinstance(answers[1], Repeat)
    named = [
        [(one.field, one.first, one.now) for one in answer.differing]
        for answer in answers
        if isinstance(answer, Conflict)
    ]
    assert named == [[("value_date", YESTERDAY, TODAY)], [("value_date", YESTERDAY, None)]]


def test_the_default_of_the_next_date_makes_no_conflict() -> None:
    """Written out or not; another one does."""
    first = day_close(TODAY)
    words = bank().tell(first, {**first, "next_date": TOMORROW}, {**first, "next_date": LATER})

    assert words == ["posted", "Repeat", "Conflict"]


@pytest.mark.parametrize(
    ("day", "following"),
    [
        ("2026-12-31", "2027-01-01"),
        ("2028-02-28", "2028-02-29"),
        ("2026-02-28", "2026-03-01"),
        ("9999-12-31", None),
    ],
)
def test_a_day_follows_each_day_but_the_last(day: str, following: str | None) -> None:
    """By the calendar."""
    assert day_after(day) == following
