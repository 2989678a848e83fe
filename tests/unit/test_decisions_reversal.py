"""Reversals: what goes back, from whom, and never more than there was."""

from typing import Any

import pytest

from processor.core.books import BALANCE_MINOR_MAX, Account
from tests.builders import Bank, Document, deposit, opening, reversal, transfer, withdrawal

PAST = "2026-11-21T09:59:59Z"

PAID = transfer("anna", "bert", "60.00")
SALARY = deposit("anna", "20.00")
OPENED = opening("dora")
REFUSED = transfer("anna", "bert", "5000.00")
YEN = transfer("yoko", "ken", "50", currency="JPY")
SPENT = transfer("anna", "carl", "10.00")
TO_BANK = transfer("anna", "bank", "10.00")
GIVEN_BACK = reversal(SALARY, "1.00")
UNKNOWN = transfer("anna", "bert", "1.00")


def bank() -> Bank:
    """Give books in which the payments above were made."""
    books = Bank(
        Account("anna", "EUR", "customer", posted=100_00, overdraft_limit=0),
        Account("bert", "EUR", "customer", posted=0, overdraft_limit=0),
        Account("carl", "EUR", "customer", posted=0, overdraft_limit=5_00),
        Account("bank", "EUR", "internal"),
        Account("yoko", "JPY", "customer", posted=100, overdraft_limit=0),
        Account("ken", "JPY", "customer", posted=0, overdraft_limit=0),
        Account("cash-EUR", "EUR", "internal", posted=-100_00),
        Account("cash-JPY", "JPY", "internal", posted=-100),
    )
    given = [PAID, SALARY, OPENED, REFUSED, YEN, SPENT, TO_BANK, GIVEN_BACK]
    words = books.tell(*given, withdrawal("carl", "8.00"))
    assert words == ["posted"] * 3 + ["insufficient_funds"] + ["posted"] * 5
    return books


CASES: list[tuple[Document, str | None, dict[str, Any], str]] = [
    # The original, how much, what else.
    (PAID, None, {}, "posted"),
    (PAID, "60", {}, "posted"),
    (PAID, "60.00", {}, "posted"),
    (PAID, "0.01", {}, "posted"),
    (UNKNOWN, None, {"valid_until": PAST}, "expired"),
    (PAID, None, {"valid_until": PAST}, "expired"),
    (UNKNOWN, None, {}, "original_not_found"),
    (UNKNOWN, "1.2345", {}, "original_not_found"),
    (REFUSED, None, {}, "original_not_posted"),
    (REFUSED, "1.2345", {}, "original_not_posted"),
    (OPENED, None, {}, "not_reversible"),
    (OPENED, "1.2345", {}, "not_reversible"),
    (GIVEN_BACK, None, {}, "not_reversible"),
    (GIVEN_BACK, "1.00", {}, "not_reversible"),
    (PAID, "0.001", {}, "currency_mismatch"),
    (PAID, "9000.001", {}, "currency_mismatch"),
    (YEN, "0.5", {}, "currency_mismatch"),
    (YEN, "50", {}, "posted"),
    (PAID, "60.01", {}, "exceeds_original"),
    (PAID, "999999999999999", {}, "exceeds_original"),
    (SALARY, "19.01", {}, "exceeds_original"),
    (SALARY, "19.00", {}, "posted"),
    (SALARY, None, {}, "posted"),
    (SPENT, None, {}, "insufficient_funds"),
    (SPENT, "7.01", {}, "insufficient_funds"),
    (SPENT, "7.00", {}, "posted"),
    (SPENT, "10.01", {}, "exceeds_original"),
    (TO_BANK, None, {}, "posted"),
]


@pytest.mark.parametrize(("original", "amount", "fields", "expected"), CASES)
def test_reversals(
    original: Document, amount: str | None, fields: dict[str, Any], expected: str
) -> None:
    """The first fault counts; nothing moves for a refused one."""
    books = bank()
    before = books.posted()

    assert books.tell(reversal(original, amount, **fields)) == [expected]
    moved = books.posted() != before
    assert moved == (expected == "posted")


@pytest.mark.parametrize(
    ("giver", "receiver", "expected"),
    [
        ("open", "open", "posted"),
        ("closed", "frozen", "account_closed"),
        ("frozen", "closed", "account_closed"),
        ("open", "closed", "account_closed"),
        ("frozen", "open", "account_frozen"),
        ("open", "frozen", "account_frozen"),
    ],
)
def test_both_sides_must_be_open(giver: str, receiver: str, expected: str) -> None:
    """Checked before amounts: too many decimals and too much come after it."""
    books = bank()
    books.books.accounts["bert"].status = giver
    books.books.accounts["anna"].status = receiver

    assert books.tell(reversal(PAID, "1.00")) == [expected]
    if expected != "posted":
        assert books.tell(reversal(PAID, "1.001"), reversal(PAID, "9000.00")) == [expected] * 2


def test_a_balance_never_passes_its_bounds() -> None:
    """The last of all reasons."""
    books = bank()
    books.books.accounts["bank"].posted = -BALANCE_MINOR_MAX

    assert books.tell(reversal(TO_BANK)) == ["balance_overflow"]


def test_parts_add_up_to_the_original_and_no_further() -> None:
    """Without an amount what is left goes back; once nothing is left, nothing does."""
    books = bank()
    parts = [reversal(PAID, amount) for amount in ("10.00", "50.01", "0.5", "49.49")]

    assert books.tell(*parts) == ["posted", "exceeds_original", "posted", "posted"]
    assert books.books.reversed_minor[PAID["transaction_id"]] == 59_99
    assert books.tell(reversal(PAID), reversal(PAID), reversal(PAID, "0.01")) == [
        "posted",
        "exceeds_original",
        "exceeds_original",
    ]
    assert books.books.reversed_minor[PAID["transaction_id"]] == 60_00


def test_a_reversal_of_itself_finds_no_original() -> None:
    """The id that it names is its own, and is not decided yet."""
    itself = {**reversal(PAID)}
    itself["original_transaction_id"] = itself["transaction_id"]

    assert bank().tell(itself) == ["original_not_found"]


def test_a_reversal_before_its_original_finds_none() -> None:
    """Order within a batch is order."""
    books = bank()
    later = transfer("anna", "bert", "1.00")

    assert books.tell(reversal(later), later, reversal(later)) == [
        "original_not_found",
        "posted",
        "posted",
    ]


def test_an_original_is_found_whatever_the_case_of_its_id() -> None:
    """Ids are compared in lower case."""
    upper = {"transaction_id": str(PAID["transaction_id"]).upper()}

    assert bank().tell(reversal(upper, "1.00")) == ["posted"]


def test_what_is_shown_of_a_reversal() -> None:
    """The debit account is the one that gives back; amounts are canonical where they can be."""
    books = bank()

    def shown(original: Document, amount: str | None) -> tuple[str | None, ...]:
        ruling = books.ruling(reversal(original, amount))
        return (
            ruling.reason,
            ruling.amount,
            ruling.currency,
            ruling.debit_account,
            ruling.credit_account,
        )

    sides = ("EUR", "bert", "anna")
    assert shown(PAID, "0.5") == (None, "0.50", *sides)
    assert shown(PAID, "1.125") == ("currency_mismatch", "1.125", *sides)
    assert shown(PAID, "61.5") == ("exceeds_original", "61.50", *sides)
    assert shown(PAID, None) == (None, "59.50", *sides)
    assert shown(PAID, None) == ("exceeds_original", None, *sides)
    assert shown(REFUSED, None) == ("original_not_posted", None, *sides)
    assert shown(REFUSED, "5") == ("original_not_posted", "5.00", *sides)
    assert shown(UNKNOWN, "7.5") == ("original_not_found", "7.5", None, None, None)
    assert shown(UNKNOWN, None) == ("original_not_found", None, None, None, None)
    assert shown(OPENED, "5") == ("not_reversible", "5.00", "EUR", None, None)
