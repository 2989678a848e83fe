"""The reference model's journals, exchanges, payments and refunds, by hand."""

import json
from typing import Any

import pytest

from loadtest.reference.answer import Entry
from loadtest.reference.contract import Fault, read
from tests.unit.test_reference_model import DIGITS, FIELDS, Bank

LINES = [
    {"account": "a", "direction": "debit", "amount": "30", "currency": "EUR"},
    {"account": "b", "direction": "credit", "amount": "10.00", "currency": "EUR"},
    {"account": "cash-EUR", "direction": "credit", "amount": "20.00", "currency": "EUR"},
]
TO_YEN = {
    "debit_account": "a",
    "credit_account": "j",
    "amount": "0.25",
    "currency": "EUR",
    "credit_amount": "2",
    "credit_currency": "JPY",
    "rate": "10",
}
OVERDRAW = {"on_shortfall": "overdraw"}


@pytest.fixture
def bank() -> Bank:
    """Return a bank with three accounts and a merchant."""
    bank = Bank()
    bank.ask("account.open", account="shop", currency="EUR", kind="merchant")
    return bank


def test_each_line_goes_through_clearing(bank: Bank) -> None:
    """With the balances after it; the outcome shows the lines and nothing else."""
    answer = bank.ask("journal", lines=LINES)

    assert answer.entries == (
        Entry("a", "debit", 3000, 7000, "EUR"),
        Entry("clearing-EUR", "credit", 3000, 3000, "EUR"),
        Entry("clearing-EUR", "debit", 1000, 2000, "EUR"),
        Entry("b", "credit", 1000, 1000, "EUR"),
        Entry("clearing-EUR", "debit", 2000, 0, "EUR"),
        Entry("cash-EUR", "credit", 2000, -8000, "EUR"),
    )
    assert answer.shown == {"lines": [LINES[0] | {"amount": "30.00"}, *LINES[1:]]}
    assert (answer.amount, answer.currency, answer.debit_account) == (None, None, None)


@pytest.mark.parametrize(
    ("account", "fields", "reason"),
    [
        ("nobody", {}, "account_not_found"),
        ("j", {}, "currency_mismatch"),
        ("clearing-EUR", {}, "kind_not_allowed"),
        ("b", {}, "insufficient_funds"),
        ("b", OVERDRAW, None),
        ("shop", {"on_shortfall": "refuse"}, "insufficient_funds"),
        ("cash-EUR", {}, None),
    ],
)
def test_journals_are_refused_for_the_first_reason(
    bank: Bank, account: str, fields: dict[str, Any], reason: str | None
) -> None:
    """A journal that is refused moves nothing."""
    before = dict(bank.books.posted)
    lines = [LINES[0] | {"account": account}, *LINES[1:]]

    assert bank.ask("journal", lines=lines, **fields).reason == reason
    assert (bank.books.posted != before) == (reason is None)


def test_an_account_may_be_short_between_two_lines(bank: Bank) -> None:
    """What all lines together make of it counts."""
    turned = [{**line, "direction": "debit"} for line in LINES[1:]]
    back = {"account": "b", "direction": "credit", "amount": "30.00", "currency": "EUR"}

    assert bank.ask("journal", lines=[*turned, back]).reason is None
    assert bank.books.posted["b"] == 2000


def test_an_exchange_goes_through_the_positions(bank: Bank) -> None:
    """A tie of yen goes to the even one."""
    answer = bank.ask("fx.transfer", **TO_YEN)

    assert answer.entries == (
        Entry("a", "debit", 25, 9975, "EUR"),
        Entry("position-EUR", "credit", 25, 25, "EUR"),
        Entry("position-JPY", "debit", 2, -2, "JPY"),
        Entry("j", "credit", 2, 2, "JPY"),
    )
    assert answer.shown == {"credit_amount": "2", "credit_currency": "JPY", "rate": "10"}
    assert bank.ask("fx.transfer", **TO_YEN | {"debit_account": "b"}).reason == "insufficient_funds"


def test_refunds_and_reversals_share_a_payment(bank: Bank) -> None:
    """Only merchants are paid, only payments are refunded, and never beyond what was paid."""
    paid = {"debit_account": "a", "credit_account": "shop", "amount": "9.00", "currency": "EUR"}
    assert bank.ask("payment", **paid | {"credit_account": "b"}).reason == "kind_not_allowed"
    assert bank.ask("payment", **paid).reason is None
    original = {"original_transaction_id": f"{FIELDS['transaction_id'][:-12]}{bank.ids:012d}"}

    assert bank.ask("refund", **original, amount="4.00").reason is None
    assert bank.ask("reversal", **original, amount="5.01").reason == "exceeds_original"
    spent = {"debit_account": "shop", "amount": "5.00", "currency": "EUR"}
    assert bank.ask("withdrawal", **spent).reason is None
    assert bank.ask("refund", **original).reason == "insufficient_funds"
    assert bank.ask("reversal", **original).reason == "insufficient_funds"
    assert bank.ask("reversal", **original, **OVERDRAW).amount == "5.00"
    assert bank.books.posted["shop"] == -500
    assert bank.ask("refund", **original).reason == "exceeds_original"
    bank.pay("1.00")
    moved = {"original_transaction_id": f"{FIELDS['transaction_id'][:-12]}{bank.ids:012d}"}
    assert bank.ask("refund", **moved).reason == "not_refundable"


@pytest.mark.parametrize(
    ("type_", "fields", "pointer"),
    [
        ("journal", {"lines": LINES[:2]}, "/lines"),
        ("journal", {"lines": LINES[:1]}, "/lines"),
        ("journal", {"lines": [LINES[0] | {"memo": "x"}, *LINES[1:]]}, "/lines"),
        ("journal", {"lines": LINES, "on_shortfall": "borrow"}, "/on_shortfall"),
        ("fx.transfer", TO_YEN | {"credit_amount": "3"}, "/credit_amount"),
        ("fx.transfer", TO_YEN | {"fixed_side": "credit"}, "/amount"),
        ("fx.transfer", TO_YEN | {"rate": "0.0"}, "/rate"),
        ("fx.transfer", TO_YEN | {"credit_currency": "EUR"}, "/credit_currency"),
    ],
)
def test_what_is_no_command(type_: str, fields: dict[str, Any], pointer: str) -> None:
    """Uneven lines and amounts that do not follow from the rate."""
    fault = read(json.dumps(FIELDS | {"type": type_} | fields).encode(), DIGITS)

    assert isinstance(fault, Fault)
    assert fault.reason == "schema"
    assert pointer in fault.pointers
