"""Spending limits: what counts, in which order they are checked, and what sets and ends them."""

from __future__ import annotations

from typing import Any

import pytest

from processor.core.books import BALANCE_MINOR_MAX, Account, Ruling, Spent
from processor.core.shown import Exceeded
from tests.builders import (
    Bank,
    Document,
    bound,
    bound_end,
    capture,
    day_close,
    deposit,
    freeze,
    fx,
    hold,
    journal,
    line,
    payment,
    refund,
    release,
    reversal,
    tariff,
    tier,
    transfer,
    withdrawal,
)

LATE = {"valid_until": "2026-11-21T09:59:59.999999Z"}
TODAY = "2026-11-21"


def bank(*rules: Document) -> Bank:
    """Give a bank with rules; anna and her savings belong to one customer."""
    books = Bank(
        Account("anna", "EUR", "current", "open", 100_00, 0, 0, 1, "c-1"),
        Account("hers", "EUR", "savings", "open", 100_00, 0, 0, 2, "c-1"),
        Account("bert", "EUR", "current", "open", 100_00, 0, 0, 3, "c-2"),
        Account("shop", "EUR", "merchant", "open", 0, 0, 0, 4),
        Account("yuki", "JPY", "current", "open", 5_000, 0, 0, 5, "c-1"),
        Account("gone", "EUR", "current", "closed", 0, 0, 0, 6),
    )
    assert books.tell(*rules) == ["posted"] * len(rules)
    return books


def spent(books: Bank) -> dict[str, tuple[int, int]]:
    """Give what is counted today: minor units, and how often."""
    found = books.books.spent.items()
    assert {one.booking_date for _, one in found} <= {TODAY}
    return {f"{scope} {name} {code}": (s.amount, s.count) for (scope, name, code), s in found}


def exceeded(ruling: Ruling) -> Exceeded:
    """Give the limit that was in the way."""
    assert ruling.reason == "limit_exceeded"
    assert ruling.shown is not None
    assert isinstance(ruling.shown.exceeded, Exceeded)
    return ruling.shown.exceeded


ALL = (
    bound("account", "account", daily_count="100"),
    bound("customer", "customer", daily_count="100"),
    bound("channel", "channel", daily_count="100"),
)


def both(debit: str, credit: str, amount: str, **fields: Any) -> Document:
    """Write a journal of two lines."""
    lines = (line(debit, "debit", amount), line(credit, "credit", amount))
    return journal(*lines, **fields)


HELD = hold("anna", "shop", "30.00", capture_max="50.00")
PAID = payment("anna", "shop", "30.00")


@pytest.mark.parametrize(
    ("documents", "counted"),
    [
        ([transfer("anna", "bert", "30.00")], {"account anna": 30_00, "customer c-1": 30_00}),
        ([withdrawal("anna", "30.00")], {"account anna": 30_00, "customer c-1": 30_00}),
        ([payment("bert", "shop", "1.00")], {"account bert": 1_00, "customer c-2": 1_00}),
        ([deposit("bert", "7.00", debit_account="anna")],
         {"account anna": 7_00, "customer c-1": 7_00}),
        ([deposit("anna", "30.00")], {}),
        ([HELD], {"account anna": 30_00, "customer c-1": 30_00}),
        ([HELD, release(HELD)], {"account anna": 30_00, "customer c-1": 30_00}),
        ([HELD, capture(HELD, "30.00")], {"account anna": 30_00, "customer c-1": 30_00}),
        ([PAID, refund(PAID)], {"account anna": 30_00, "customer c-1": 30_00}),
        ([PAID, reversal(PAID)], {"account anna": 30_00, "customer c-1": 30_00}),
        ([both("bert", "anna", "9.00")], {"account bert": 9_00, "customer c-2": 9_00}),
        ([both("cash-EUR", "anna", "9.00")], {}),
        ([both("anna", "bert", "9.00", on_shortfall="overdraw")], {}),
        ([both("anna", "anna", "9.00")], {}),
    ],
)  # fmt: skip
def test_what_counts(documents: list[Document], counted: dict[str, int]) -> None:
    """What leaves an account or is set aside; not what is given back or the bank's own."""
    books = bank(*ALL)
    books.tell(*documents)

    expected = {f"{name} EUR": (amount, 1) for name, amount in counted.items()}
    if counted:
        expected["channel mobile EUR"] = (max(counted.values()), 1)
    assert spent(books) == expected


def test_a_capture_counts_what_goes_beyond_the_hold() -> None:
    """With the rest that is released, nothing does."""
    books = bank(*ALL, HELD, capture(HELD, "35.00"))
    assert spent(books)["account anna EUR"] == (35_00, 2)

    placed = hold("bert", "shop", "30.00")
    books.tell(placed, capture(placed, "10.00", remainder="release"))
    assert spent(books)["account bert EUR"] == (30_00, 1)


def test_a_journal_counts_once_for_a_customer_with_two_accounts() -> None:
    """The sum of both, and in each currency by itself."""
    books = bank(*ALL)
    books.tell(
        journal(
            line("anna", "debit", "5.00"),
            line("hers", "debit", "7.00"),
            line("bert", "credit", "12.00"),
            line("yuki", "debit", "100", "JPY"),
            line("cash-JPY", "credit", "100", "JPY"),
        )
    )

    # The limits are in EUR alone.
    assert spent(books) == {
        "account anna EUR": (5_00, 1),
        "account hers EUR": (7_00, 1),
        "customer c-1 EUR": (12_00, 1),
        "channel mobile EUR": (12_00, 1),
    }


def test_an_exchange_counts_what_it_gives() -> None:
    """In the currency that it gives."""
    books = bank(bound("yen", "customer", currency="JPY", daily_count="9"), *ALL)
    books.tell(
        fx("anna", "yuki", "10.00", "1600", credit_currency="JPY", rate="160"),
        fx("yuki", "anna", "160", "1.00", currency="JPY", credit_currency="EUR", rate="0.00625"),
    )

    assert spent(books)["account anna EUR"] == (10_00, 1)
    assert spent(books)["customer c-1 JPY"] == (160, 1)
    assert "account yuki JPY" not in spent(books)


def test_a_fee_does_not_count() -> None:
    """It is the bank's to take."""
    books = bank(
        tariff("transfer", "debit", tier("1.00")), bound("a", "account", daily_amount="30.00")
    )
    ruling = books.ruling(transfer("anna", "bert", "30.00"))

    assert [one.amount for one in ruling.postings] == [30_00, 1_00]
    assert spent(books) == {"account anna EUR": (30_00, 1)}


def test_what_is_refused_counts_nothing() -> None:
    """Neither by a limit nor by the funds; a command can pass one limit and fail at the next."""
    books = bank(
        bound("a", "account", daily_amount="90.00"), bound("c", "channel", single_amount="50.00")
    )
    words = books.tell(
        transfer("anna", "bert", "60.00"),
        transfer("anna", "bert", "95.00"),
        transfer("shop", "bert", "1.00"),
    )

    assert words == ["limit_exceeded", "limit_exceeded", "insufficient_funds"]
    assert spent(books) == {}


def test_scopes_and_measures_are_checked_in_their_order() -> None:
    """Account, customer, channel; single amount, amount of the day, number of the day."""
    low = {"single_amount": "5.00", "daily_amount": "4.00", "daily_count": "1"}
    books = bank(
        bound("c", "channel", "mobile", **low),
        bound("k", "customer", "c-1", **low),
        bound("a", "account", "anna", **low),
    )
    asked = transfer("anna", "bert", "5.01")
    hits = []
    for ended in ("a", "k", "c"):
        hits.append(exceeded(books.ruling(asked)).scope)
        books.tell(bound_end(ended))
        asked = transfer("anna", "bert", "5.01")
    books.tell(bound("a", "account", "anna", **low))
    measures = [exceeded(books.ruling(transfer("anna", "bert", "5.01"))).measure]
    measures.append(exceeded(books.ruling(transfer("anna", "bert", "4.01"))).measure)
    books.tell(transfer("anna", "bert", "0.01"))
    measures.append(exceeded(books.ruling(transfer("anna", "bert", "0.01"))).measure)

    assert hits == ["account", "customer", "channel"]
    assert measures == ["single_amount", "daily_amount", "daily_count"]


def test_the_sum_of_a_day_is_bounded_without_a_daily_amount() -> None:
    """So that it can always be recorded."""
    books = bank(bound("a", "account", "anna", daily_count="9"))
    key = ("account", "anna", "EUR")
    books.books.spent[key] = Spent(TODAY, BALANCE_MINOR_MAX - 1_00, 1)
    ruling = books.ruling(transfer("anna", "bert", "1.01"))

    assert exceeded(ruling).left == "1.00"
    assert books.tell(transfer("anna", "bert", "1.00")) == ["posted"]


def test_limits_come_after_accounts_and_before_funds() -> None:
    """In the order of the reasons."""
    books = bank(bound("a", "account", single_amount="1.00"), freeze("hers"))

    assert books.tell(
        transfer("anna", "nobody", "900.00"),
        transfer("anna", "gone", "900.00"),
        transfer("hers", "bert", "900.00"),
        transfer("anna", "yuki", "900.00"),
        payment("anna", "bert", "900.00"),
        transfer("anna", "bert", "900.00"),
        both("anna", "bert", "900.00"),
        hold("anna", "bert", "900.00"),
        transfer("anna", "bert", "1.00", **LATE),
    ) == [
        "account_not_found",
        "account_closed",
        "account_frozen",
        "currency_mismatch",
        "kind_not_allowed",
        *["limit_exceeded"] * 3,
        "expired",
    ]


def test_a_new_business_date_begins_at_zero() -> None:
    """Also in the middle of a batch."""
    books = bank(day_close("2026-11-20"), bound("a", "account", daily_count="1"))

    assert books.tell(
        transfer("anna", "bert", "1.00"),
        transfer("anna", "bert", "1.00"),
        day_close(TODAY),
        transfer("anna", "bert", "1.00"),
        transfer("anna", "bert", "1.00"),
    ) == ["posted", "limit_exceeded", "posted", "posted", "limit_exceeded"]


def test_what_was_counted_stays_when_limits_change() -> None:
    """Under the same name, and under another one after the end."""
    books = bank(bound("a", "account", "anna", daily_amount="10.00"))

    assert books.tell(
        transfer("anna", "bert", "10.00"),
        bound("a", "account", "anna", daily_amount="12.00"),
        transfer("anna", "bert", "2.01"),
        transfer("anna", "bert", "2.00"),
        bound_end("a"),
        transfer("anna", "bert", "50.00"),
        bound("b", "account", "anna", daily_amount="13.00"),
        transfer("anna", "bert", "1.01"),
        transfer("anna", "bert", "1.00"),
    ) == [
        *["posted", "posted", "limit_exceeded", "posted", "posted", "posted", "posted"],
        *["limit_exceeded", "posted"],
    ]


def test_the_own_limit_goes_before_the_one_for_any() -> None:
    """Be it wider or narrower; others share the one for any, each by itself."""
    books = bank(
        bound("any", "account", daily_amount="10.00"),
        bound("anna", "account", "anna", daily_amount="50.00"),
    )

    assert books.tell(
        transfer("anna", "bert", "50.00"),
        transfer("bert", "anna", "10.01"),
        transfer("bert", "anna", "10.00"),
        transfer("hers", "anna", "10.00"),
        bound_end("anna"),
        transfer("anna", "bert", "0.01"),
    ) == ["posted", "limit_exceeded", "posted", "posted", "posted", "limit_exceeded"]


SETTING: list[tuple[dict[str, Any], str]] = [
    ({"limit": "b", "subject": "anna", **LATE}, "expired"),
    ({"limit": "b", "subject": "anna"}, "limit_overlaps"),
    ({"limit": "b", "subject": "nobody"}, "account_not_found"),
    ({"limit": "b", "subject": "gone", "currency": "JPY"}, "account_closed"),
    ({"limit": "b", "subject": "hers", "currency": "JPY"}, "currency_mismatch"),
    ({"limit": "b", "subject": "cash-EUR", "currency": "JPY"}, "currency_mismatch"),
    ({"limit": "b", "subject": "fees-EUR"}, "kind_not_allowed"),
    ({"limit": "a", "subject": "anna"}, "nothing_to_change"),
    ({"limit": "a", "subject": "anna", "daily_count": "4"}, "posted"),
    ({"limit": "a", "subject": "hers"}, "posted"),
    ({"limit": "b", "subject": "anna", "currency": "EUR", "scope": "customer"}, "posted"),
    ({"limit": "b"}, "posted"),
]


@pytest.mark.parametrize(("fields", "expected"), SETTING)
def test_what_can_be_set(fields: dict[str, Any], expected: str) -> None:
    """Checked in the order of the contract."""
    books = bank(bound("a", "account", "anna", daily_count="3"))
    asked = {"scope": "account", "daily_count": "3", **fields}

    assert books.tell({**bound("", ""), **asked}) == [expected]


def test_what_can_be_ended() -> None:
    """Once."""
    books = bank(bound("a", "account", "anna", daily_count="3"))

    assert books.tell(bound_end("b"), bound_end("a", **LATE), bound_end("a"), bound_end("a")) == [
        *["limit_not_found", "expired", "posted", "limit_not_found"]
    ]
    assert dict(books.books.rules.limits) == {}
