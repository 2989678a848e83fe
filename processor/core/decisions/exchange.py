"""
`fx.transfer`: money of one currency against money of another, through the bank's positions.

The debit account pays into the position of its currency, the credit account is paid out of the
position of its own: so each currency balances by itself, and the positions show what the bank holds
of each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from processor.core.books import Account, Books, Ruling
from processor.core.currencies import DIGITS
from processor.core.decisions.carrying import carry_out
from processor.core.decisions.checks import refusal_of_sides
from processor.core.money import to_major
from processor.core.own_accounts import POSITION_PREFIX
from processor.core.reasons import Reason
from processor.core.shown import Shown

if TYPE_CHECKING:
    from processor.core.commands import FxTransfer
    from processor.core.decisions.fees import Move

Leg = tuple["Account | None", "Account | None", int, str]
"""Debit account, credit account, minor units, currency."""


def accounts_of(command: FxTransfer) -> tuple[str, ...]:
    """Name what must be read and locked: both sides and both positions."""
    return (
        command.debit_account,
        command.credit_account,
        POSITION_PREFIX + command.currency,
        POSITION_PREFIX + command.credit_currency,
    )


def decide(command: FxTransfer, books: Books, refused: Reason | None) -> Ruling:
    """Exchange the money unless a rule forbids it."""
    legs = _legs(command, books)
    asked, reason = as_asked(command), refused or _refusal_of_sides(legs)
    if reason is not None:
        return replace(asked, reason=reason)
    return carry_out(books, command, asked, [_move(leg) for leg in legs])


def as_asked(command: FxTransfer) -> Ruling:
    """Show what the command asks for."""
    credit_currency = command.credit_currency
    return Ruling(
        None,
        to_major(command.amount_minor, DIGITS[command.currency]),
        command.currency,
        command.debit_account,
        command.credit_account,
        shown=Shown(
            credit_account=command.credit_account,
            credit_amount=to_major(command.credit_amount_minor, DIGITS[credit_currency]),
            credit_currency=credit_currency,
            rate=command.rate,
        ),
    )


def _legs(command: FxTransfer, books: Books) -> tuple[Leg, Leg]:
    sold, bought = command.currency, command.credit_currency
    debit, credit = books.account(command.debit_account), books.account(command.credit_account)
    return (
        (debit, books.account(POSITION_PREFIX + sold), command.amount_minor, sold),
        (books.account(POSITION_PREFIX + bought), credit, command.credit_amount_minor, bought),
    )


def _refusal_of_sides(legs: tuple[Leg, Leg]) -> Reason | None:
    """Give the first reason of either leg, in the order of `Reason`."""
    reasons = [refusal_of_sides(debit, credit, currency) for debit, credit, _, currency in legs]
    found = [reason for reason in reasons if reason is not None]
    return min(found, key=tuple(Reason).index, default=None)


def _move(leg: Leg) -> Move:
    debit, credit, amount, _ = leg
    assert debit is not None, "sides were checked"
    assert credit is not None, "sides were checked"
    return (debit, credit, amount)
