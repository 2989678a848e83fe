"""Holds: what they set aside, what may be taken, and in which order refusals come."""

from __future__ import annotations

import pytest

from processor.core.answers import Clock
from processor.core.books import Account
from processor.core.shown import Shown
from tests.builders import (
    Bank,
    Document,
    capture,
    closing,
    deposit,
    expiry,
    freeze,
    hold,
    release,
    reversal,
    transfer,
    unfreeze,
    withdrawal,
)

BEFORE, AFTER = "2026-11-21T10:00:00.000001Z", "2026-11-21T09:59:59.999999Z"
LATER = Clock(Bank.NOW.now_us + 2, "2026-11-21T10:00:00.000002Z")


def bank() -> Bank:
    """Give a bank in which anna has 100.00, may overdraw by 20.00, and owes nothing."""
    return Bank(
        Account("anna", "EUR", "current", posted=100_00, overdraft_limit=20_00, account_id=1),
        Account("shop", "EUR", "merchant", overdraft_limit=0, account_id=2),
        Account("yoko", "JPY", "current", posted=500, overdraft_limit=0, account_id=3),
        Account("suspense", "EUR", "internal", account_id=4),
        Account("gone", "EUR", "current", status="closed", overdraft_limit=0, account_id=5),
        Account("ice", "EUR", "current", status="frozen", overdraft_limit=0, account_id=6),
    )


def anna(books: Bank) -> tuple[int, int, int | None]:
    """Give what anna has, what is held of it, and what is available."""
    account = books.books.accounts["anna"]
    return account.posted, account.held, account.available()


def test_a_hold_is_used_money_that_has_not_moved() -> None:
    """Available = posted - held + limit; nothing arrives until it is captured."""
    books = bank()

    ruling = books.ruling(hold("anna", "shop", "110.00"))

    assert (ruling.reason, ruling.amount, ruling.postings) == (None, "110.00", ())
    assert anna(books) == (100_00, 110_00, 10_00)
    assert books.tell(withdrawal("anna", "10.01")) == ["insufficient_funds"]
    assert books.tell(hold("anna", "shop", "10.01")) == ["insufficient_funds"]
    assert books.tell(withdrawal("anna", "10.00")) == ["posted"]


PLACED: list[tuple[str, Document]] = [
    ("hold_expired", hold("nobody", "shop", "1.00", expires_at=AFTER)),
    ("account_not_found", hold("nobody", "gone", "1.00")),
    ("account_closed", hold("gone", "ice", "1.00")),
    ("account_frozen", hold("ice", "yoko", "1.00")),
    ("currency_mismatch", hold("anna", "yoko", "1.00")),
    ("same_account", hold("anna", "anna", "1.00")),
    ("kind_not_allowed", hold("anna", "clearing-EUR", "999.00")),
    ("insufficient_funds", hold("anna", "shop", "120.01")),
    ("posted", hold("anna", "shop", "120.00", expires_at=BEFORE)),
    ("posted", hold("suspense", "shop", "999999.00")),
]


@pytest.mark.parametrize(("told", "document"), PLACED)
def test_reasons_to_place_none_come_in_their_order(told: str, document: Document) -> None:
    """Each command has all faults that come later, too."""
    assert bank().tell(document) == [told]


def test_captures_take_what_was_set_aside_and_no_more() -> None:
    """Several in a row; the last one may leave nothing; afterwards the hold has ended."""
    books, placed = bank(), hold("anna", "shop", "50.00")

    assert books.tell(placed, capture(placed, "20.00")) == ["posted"] * 2
    assert anna(books) == (80_00, 30_00, 70_00)
    ruling = books.ruling(capture(placed, "29.99"))
    assert ruling.shown == Shown(
        hold_transaction_id=placed["transaction_id"], held="0.01", captured="49.99"
    )
    assert books.tell(capture(placed, "0.02")) == ["exceeds_hold"]
    assert books.tell(capture(placed), capture(placed)) == ["posted", "hold_not_open"]
    assert anna(books) == (50_00, 0, 70_00)
    assert books.posted()["shop"] == 50_00


def test_a_capture_needs_no_funds_but_those_set_aside() -> None:
    """Even where the limit was lowered below what is used meanwhile."""
    books, placed = bank(), hold("anna", "shop", "110.00")
    books.tell(placed)
    books.books.accounts["anna"].overdraft_limit = 0

    assert anna(books) == (100_00, 110_00, -10_00)
    assert books.tell(capture(placed, "60.00")) == ["posted"]
    assert anna(books) == (40_00, 50_00, -10_00)


def test_more_than_was_set_aside_only_where_the_hold_says_so_and_the_funds_are_there() -> None:
    """What goes beyond the hold is an ordinary debit."""
    books = bank()
    placed = hold("anna", "shop", "100.00", capture_max="130.00")
    books.tell(placed)

    assert books.tell(capture(placed, "130.01")) == ["exceeds_hold"]
    assert books.tell(capture(placed, "120.01")) == ["insufficient_funds"]
    assert books.tell(capture(placed, "110.00")) == ["posted"]
    assert anna(books) == (-10_00, 0, 10_00)
    assert books.tell(capture(placed)) == ["exceeds_hold"]
    assert books.tell(release(placed, "0.01")) == ["exceeds_hold"]
    assert books.tell(capture(placed, "10.00"), capture(placed, "10.00")) == [
        "posted",
        "insufficient_funds",
    ]
    assert books.tell(deposit("anna", "10.00"), capture(placed, "10.00")) == ["posted"] * 2
    assert books.tell(capture(placed, "0.01")) == ["hold_not_open"]


def test_a_hold_that_holds_nothing_any_more_is_ended_by_a_release() -> None:
    """What it allowed beyond can't be captured afterwards."""
    books = bank()
    placed = hold("anna", "shop", "50.00", capture_max="70.00")

    assert books.tell(placed, capture(placed)) == ["posted"] * 2
    assert books.ruling(release(placed)).amount == "0.00"
    assert books.tell(capture(placed, "0.01")) == ["hold_not_open"]


def test_a_capture_may_free_the_rest() -> None:
    """And that ends the hold, what it allowed beyond included."""
    books = bank()
    placed = hold("anna", "shop", "50.00", capture_max="70.00")
    books.tell(placed)

    ruling = books.ruling(capture(placed, "20.00", remainder="release"))

    assert (ruling.amount, anna(books)) == ("20.00", (80_00, 0, 100_00))
    assert books.tell(capture(placed, "0.01"), release(placed)) == ["hold_not_open"] * 2


def test_a_release_frees_a_part_or_all() -> None:
    """All of it ends the hold; captures and releases together never exceed it."""
    books, placed = bank(), hold("anna", "shop", "50.00")
    books.tell(placed, capture(placed, "20.00"))

    assert books.tell(release(placed, "30.01")) == ["exceeds_hold"]
    assert books.tell(release(placed, "10.00")) == ["posted"]
    assert anna(books) == (80_00, 20_00, 80_00)
    assert books.tell(capture(placed, "20.01")) == ["exceeds_hold"]
    ruling = books.ruling(release(placed))
    assert (ruling.amount, ruling.debit_account, ruling.credit_account) == ("20.00", "anna", "shop")
    assert anna(books) == (80_00, 0, 100_00)
    assert books.tell(capture(placed), release(placed)) == ["hold_not_open"] * 2


def test_after_its_time_a_hold_gives_nothing_whether_or_not_the_expiry_was_posted() -> None:
    """The same refusal before and after; only the expiry frees the money, once."""
    books, placed = bank(), hold("anna", "shop", "50.00", expires_at=BEFORE)
    asked = [capture(placed), release(placed)]
    books.tell(placed)

    assert books.tell(expiry(placed)) == ["hold_not_expired"]
    assert books.tell(*asked, clock=LATER) == ["hold_expired"] * 2
    assert anna(books) == (100_00, 50_00, 70_00)
    assert books.tell(expiry(placed), clock=LATER) == ["posted"]
    assert anna(books) == (100_00, 0, 120_00)
    later = [capture(placed), release(placed)]
    assert books.tell(*later, clock=LATER) == ["hold_expired"] * 2
    assert books.tell(expiry(placed), clock=LATER) == ["hold_not_open"]


def test_at_its_last_microsecond_a_hold_is_still_good() -> None:
    """Over is later than `expires_at`, as with `valid_until`."""
    books, placed = bank(), hold("anna", "shop", "50.00", expires_at=Bank.NOW.now)

    assert books.tell(placed, capture(placed)) == ["posted"] * 2


def test_reasons_to_take_nothing_come_in_their_order() -> None:
    """Each command has faults that come later, too."""
    books = bank()
    refused, placed = hold("anna", "shop", "999.00"), hold("anna", "shop", "50.00")
    paid, unknown = transfer("anna", "shop", "1.00"), hold("anna", "shop", "1.00")
    books.tell(refused, placed, paid)

    assert books.tell(capture(unknown, "9.999"), capture(paid, "9")) == ["hold_not_found"] * 2
    assert books.tell(release(unknown), expiry(paid)) == ["hold_not_found"] * 2
    assert books.tell(capture(refused, "9.999"), release(refused)) == ["hold_not_placed"] * 2
    assert books.tell(freeze("anna", "debit"), capture(placed, "9.999")) == [
        "posted",
        "account_frozen",
    ]
    assert books.tell(unfreeze("anna"), capture(placed, "9.999")) == ["posted", "currency_mismatch"]
    assert books.tell(release(placed, "9.999")) == ["currency_mismatch"]


def test_a_freeze_stops_captures_and_not_releases() -> None:
    """A release moves no money."""
    books, placed = bank(), hold("anna", "shop", "50.00")

    assert books.tell(placed, freeze("anna"), capture(placed), release(placed, "1.00")) == [
        "posted",
        "posted",
        "account_frozen",
        "posted",
    ]


def test_an_account_with_money_held_is_not_closed() -> None:
    """Not even when nothing else is in it."""
    books, placed = bank(), hold("anna", "shop", "10.00")
    books.tell(placed, withdrawal("anna", "100.00"))

    assert books.tell(closing("anna"), release(placed), closing("anna")) == [
        "account_not_empty",
        "posted",
        "posted",
    ]


def test_a_capture_can_be_given_back_and_a_hold_can_not() -> None:
    """A reversal turns the money around; the hold is not placed again."""
    books, placed = bank(), hold("anna", "shop", "50.00")
    taken = capture(placed, "30.00")
    books.tell(placed, taken)

    assert books.tell(reversal(placed), reversal(taken, "30.01"), reversal(taken)) == [
        "not_reversible",
        "exceeds_original",
        "posted",
    ]
    assert anna(books) == (100_00, 20_00, 100_00)


def test_refusals_show_the_holds_sides_and_the_amount_as_it_was_given() -> None:
    """Null where none was given; nothing of a hold that is not there."""
    books, placed = bank(), hold("anna", "shop", "50.00")
    books.tell(placed)

    ruling = books.ruling(capture(placed, "50.5"))
    shown = (ruling.amount, ruling.currency, ruling.debit_account, ruling.credit_account)
    assert shown == ("50.50", "EUR", "anna", "shop")
    ruling = books.ruling(release(hold("anna", "shop", "1.00")))
    shown = (ruling.amount, ruling.currency, ruling.debit_account, ruling.credit_account)
    assert shown == (None, None, None, None)
