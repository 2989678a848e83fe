"""Payments to merchants and their refunds: who may pay whom, and what goes back."""

from typing import Any

import pytest

from processor.core.books import BALANCE_MINOR_MAX, Account
from tests.builders import (
    Bank,
    Document,
    deposit,
    opening,
    payment,
    refund,
    reversal,
    transfer,
    withdrawal,
)

PAST = "2026-11-21T09:59:59Z"

PAID = payment("anna", "shop", "60.00")
YEN = payment("yoko", "store", "50", currency="JPY")
SPENT = payment("anna", "cafe", "10.00")
REFUSED = payment("anna", "shop", "5000.00")
MOVED = transfer("anna", "bert", "1.00")
SALARY = deposit("anna", "20.00")
TAKEN = withdrawal("bert", "0.50")
OPENED = opening("dora")
GIVEN_BACK = refund(PAID, "5.00")
TURNED = reversal(PAID, "5.00")
UNKNOWN = payment("anna", "shop", "1.00")


def bank() -> Bank:
    """Give books in which every rule of payments can be broken."""
    return Bank(
        Account("anna", "EUR", "customer", posted=100_00, overdraft_limit=0),
        Account("bert", "EUR", "customer", posted=0, overdraft_limit=50_00),
        Account("carl", "USD", "customer", posted=100_00, overdraft_limit=0),
        Account("cold", "EUR", "customer", "frozen", posted=100_00, overdraft_limit=0),
        Account("mute", "EUR", "merchant", "credits_frozen", overdraft_limit=0),
        Account("shut", "EUR", "merchant", "closed", overdraft_limit=0),
        Account("shop", "EUR", "merchant", overdraft_limit=0),
        Account("cafe", "EUR", "merchant", overdraft_limit=2_00),
        Account("kiosk", "USD", "merchant", overdraft_limit=0),
        Account("full", "EUR", "merchant", posted=BALANCE_MINOR_MAX, overdraft_limit=0),
        Account("yoko", "JPY", "customer", posted=100, overdraft_limit=0),
        Account("store", "JPY", "merchant", overdraft_limit=0),
    )


PAYMENTS: list[tuple[str, str, str, dict[str, Any], str]] = [
    # Who pays, which merchant, how much, what else; the first fault counts.
    ("anna", "shop", "100.00", {}, "posted"),
    ("shop", "cafe", "0.01", {}, "insufficient_funds"),
    ("cafe", "shop", "2.00", {}, "posted"),
    ("cash-EUR", "shop", "2.00", {}, "posted"),
    ("nobody", "bert", "1.00", {"valid_until": PAST}, "expired"),
    ("anna", "nobody", "1.00", {}, "account_not_found"),
    ("nobody", "shut", "1.00", {}, "account_not_found"),
    ("anna", "shut", "1.00", {}, "account_closed"),
    ("cold", "shut", "1.00", {}, "account_closed"),
    ("cold", "kiosk", "1.00", {}, "account_frozen"),
    ("anna", "mute", "1.00", {}, "account_frozen"),
    ("mute", "bert", "1.00", {}, "kind_not_allowed"),
    ("anna", "kiosk", "1.00", {}, "currency_mismatch"),
    ("carl", "bert", "1.00", {}, "currency_mismatch"),
    ("shop", "shop", "1.00", {}, "same_account"),
    ("anna", "anna", "1.00", {}, "same_account"),
    ("anna", "bert", "1.00", {}, "kind_not_allowed"),
    ("anna", "cash-EUR", "1.00", {}, "kind_not_allowed"),
    ("anna", "clearing-EUR", "1.00", {}, "kind_not_allowed"),
    ("clearing-EUR", "shop", "1.00", {}, "kind_not_allowed"),
    ("anna", "bert", "100.01", {}, "kind_not_allowed"),
    ("anna", "shop", "100.01", {}, "insufficient_funds"),
    ("anna", "full", "100.01", {}, "insufficient_funds"),
    ("anna", "full", "0.01", {}, "balance_overflow"),
]


@pytest.mark.parametrize(("debit", "credit", "amount", "fields", "expected"), PAYMENTS)
def test_payments(
    debit: str, credit: str, amount: str, fields: dict[str, Any], expected: str
) -> None:
    """Only merchants are paid; the first fault counts, and nothing moves for a refused payment."""
    books = bank()
    before = books.posted()

    assert books.tell(payment(debit, credit, amount, **fields)) == [expected]
    assert (books.posted() != before) == (expected == "posted")


def paid() -> Bank:
    """Give books in which the payments above were made."""
    books = bank()
    given = [PAID, YEN, SPENT, REFUSED, MOVED, SALARY, TAKEN, OPENED, GIVEN_BACK, TURNED]
    words = books.tell(*given, withdrawal("cafe", "5.00"))
    assert words == ["posted"] * 3 + ["insufficient_funds"] + ["posted"] * 7
    return books


REFUNDS: list[tuple[Document, str | None, dict[str, Any], str]] = [
    # The original, how much, what else.
    (PAID, None, {}, "posted"),
    (PAID, "50", {}, "posted"),
    (PAID, "0.01", {}, "posted"),
    (UNKNOWN, None, {"valid_until": PAST}, "expired"),
    (UNKNOWN, "1.2345", {}, "original_not_found"),
    (REFUSED, "1.2345", {}, "original_not_posted"),
    (MOVED, None, {}, "not_refundable"),
    (SALARY, None, {}, "not_refundable"),
    (TAKEN, None, {}, "not_refundable"),
    (OPENED, None, {}, "not_refundable"),
    (GIVEN_BACK, None, {}, "not_refundable"),
    (TURNED, "1.2345", {}, "not_refundable"),
    (PAID, "0.001", {}, "currency_mismatch"),
    (PAID, "9000.001", {}, "currency_mismatch"),
    (YEN, "0.5", {}, "currency_mismatch"),
    (YEN, "50", {}, "posted"),
    (PAID, "50.01", {}, "exceeds_original"),
    (SPENT, "10.01", {}, "exceeds_original"),
    (SPENT, None, {}, "insufficient_funds"),
    (SPENT, "7.01", {}, "insufficient_funds"),
    (SPENT, "7.00", {}, "posted"),
]


@pytest.mark.parametrize(("original", "amount", "fields", "expected"), REFUNDS)
def test_refunds(
    original: Document, amount: str | None, fields: dict[str, Any], expected: str
) -> None:
    """Of payments alone, never above what is left of them, and never without the funds."""
    books = paid()
    before = books.posted()

    assert books.tell(refund(original, amount, **fields)) == [expected]
    assert (books.posted() != before) == (expected == "posted")


@pytest.mark.parametrize(
    ("merchant", "payer", "expected"),
    [
        ("open", "open", "posted"),
        ("credits_frozen", "debits_frozen", "posted"),
        ("debits_frozen", "open", "account_frozen"),
        ("open", "credits_frozen", "account_frozen"),
        ("closed", "frozen", "account_closed"),
        ("frozen", "closed", "account_closed"),
    ],
)
def test_a_refund_is_a_movement(merchant: str, payer: str, expected: str) -> None:
    """What stops money from moving stops it from going back, before its amount is looked at."""
    books = paid()
    books.books.accounts["shop"].status = merchant
    books.books.accounts["anna"].status = payer
    amount = "1.2345" if expected != "posted" else None

    assert books.tell(refund(PAID, amount)) == [expected]


def test_refunds_and_reversals_share_one_payment() -> None:
    """In whatever order they come, together they never give back more than was paid."""
    books = bank()

    words = books.tell(
        PAID,
        refund(PAID, "20.00"),
        reversal(PAID, "30.00"),
        refund(PAID, "10.01"),
        reversal(PAID, "10.01"),
        refund(PAID),
        refund(PAID),
        reversal(PAID),
        refund(PAID, "0.01"),
    )

    assert words == [
        *["posted"] * 3,
        *["exceeds_original"] * 2,
        "posted",
        *["exceeds_original"] * 3,
    ]
    assert (books.books.accounts["anna"].posted, books.books.accounts["shop"].posted) == (100_00, 0)
    assert books.books.reversed_minor == {PAID["transaction_id"]: 60_00}


def test_what_is_reversible() -> None:
    """The bank turns payments around as it does transfers, and no refund."""
    assert paid().tell(reversal(PAID, "50.00"), reversal(GIVEN_BACK)) == [
        "posted",
        "not_reversible",
    ]


def test_a_refund_shows_who_gives_back() -> None:
    """Debit is the merchant; the amount is what moved, with the currency's digits."""
    ruling = paid().ruling(refund(PAID, "7.5"))

    shown = (ruling.amount, ruling.currency, ruling.debit_account, ruling.credit_account)
    assert shown == ("7.50", "EUR", "shop", "anna")
    (posting,) = ruling.postings
    assert posting.original_transaction_id == PAID["transaction_id"]
    assert (posting.amount, posting.debit_balance, posting.credit_balance) == (750, 42_50, 66_50)
    assert not posting.overdraws


def test_a_refund_never_overdraws() -> None:
    """Spent money is taken from a merchant by the bank alone, with a reversal that says so."""
    books = paid()

    assert books.tell(refund(SPENT)) == ["insufficient_funds"]
    assert (
        books.tell(reversal(SPENT), reversal(SPENT, on_shortfall="refuse"))
        == ["insufficient_funds"] * 2
    )
    assert books.tell(reversal(SPENT, on_shortfall="overdraw")) == ["posted"]
    assert books.books.accounts["cafe"].available() == -3_00
    assert books.tell(withdrawal("cafe", "0.01"), deposit("cafe", "3.01")) == [
        "insufficient_funds",
        "posted",
    ]
    assert books.tell(withdrawal("cafe", "0.02"), withdrawal("cafe", "0.01")) == [
        "insufficient_funds",
        "posted",
    ]
