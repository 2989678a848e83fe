"""
`reversal` and `refund`: give back a posted payment, whole or in part, together never more than the
original.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from processor.core.books import Books, Decided, Posting, Ruling
from processor.core.commands import Deposit, Payment, Refund, Transfer, Withdrawal
from processor.core.currencies import DIGITS
from processor.core.decisions.checks import refusal_of_amount, refusal_of_sides
from processor.core.hold_commands import HoldCapture
from processor.core.money import minor_in, to_major
from processor.core.reasons import Reason

if TYPE_CHECKING:
    from processor.core.commands import GivesBack

REFUNDABLE: Final = frozenset({Payment.TYPE, HoldCapture.TYPE})
"""Types of commands whose payee may give the money back."""

REVERSIBLE: Final = REFUNDABLE | {Deposit.TYPE, Withdrawal.TYPE, Transfer.TYPE}
"""Types of commands that the bank may turn around."""


def original_of(command: GivesBack) -> str:
    """Name the payment whose recorded answer must be read."""
    return command.original_transaction_id


def decide(command: GivesBack, books: Books, refused: Reason | None) -> Ruling:
    """
    Move the money back from the original's credit to its debit account unless a rule forbids it.
    """
    original = books.decided.get(command.original_transaction_id)
    if original is None:
        return Ruling(refused or Reason.ORIGINAL_NOT_FOUND, command.amount)
    first = original.ruling
    amount = _amount_minor(command, original, books)
    outcome = (
        refused
        or _refusal_of_original(command, original)
        or _give_back(command, original, amount, books)
    )
    reason = outcome if isinstance(outcome, Reason) else None
    return Ruling(
        reason,
        _shown(command, amount, first.currency, reason),
        first.currency,
        first.credit_account,
        first.debit_account,
        None,
        amount if reason is None else None,
        () if isinstance(outcome, Reason) else (outcome,),
    )


def as_asked(command: GivesBack) -> Ruling:
    """Show what the command asks for; accounts and currency are the original's to tell."""
    return Ruling(None, command.amount)


def _refusal_of_original(command: GivesBack, original: Decided) -> Reason | None:
    if original.ruling.reason is not None:
        return Reason.ORIGINAL_NOT_POSTED
    if isinstance(command, Refund):
        return None if original.type in REFUNDABLE else Reason.NOT_REFUNDABLE
    return None if original.type in REVERSIBLE else Reason.NOT_REVERSIBLE


def _give_back(
    command: GivesBack, original: Decided, amount: int | None, books: Books
) -> Posting | Reason:
    first = original.ruling
    assert first.credit_account is not None, "a posted movement has both sides"
    assert first.debit_account is not None, "a posted movement has both sides"
    assert first.currency is not None, "a posted movement has a currency"
    giver, receiver = books.account(first.credit_account), books.account(first.debit_account)
    reason = refusal_of_sides(giver, receiver, first.currency)
    if reason is not None:
        return reason
    if amount is None:
        return Reason.CURRENCY_MISMATCH
    left = _left(original, books)
    if left == 0 or amount > left:
        return Reason.EXCEEDS_ORIGINAL
    reason = refusal_of_amount(giver, receiver, amount, overdraws=command.overdraws)
    if reason is not None:
        return reason
    assert giver is not None, "sides were checked"
    assert receiver is not None, "sides were checked"
    books.give_back(original.transaction_id, amount)
    return msgspec.structs.replace(
        books.move(giver, receiver, amount),
        original_transaction_id=original.transaction_id,
        overdraws=command.overdraws,
    )


def _left(original: Decided, books: Books) -> int:
    given_back = books.reversed_minor.get(original.transaction_id, 0)
    return (original.ruling.amount_minor or 0) - given_back


def _amount_minor(command: GivesBack, original: Decided, books: Books) -> int | None:
    """
    Give the amount in the original's minor units; None where it is written with more digits than
    those.
    """
    if command.amount is None:
        return _left(original, books)
    return minor_in(command.amount, DIGITS.get(original.ruling.currency or "", 0))


def _shown(
    command: GivesBack, amount: int | None, currency: str | None, reason: Reason | None
) -> str | None:
    """
    Give the amount as the event shows it: canonical; as given or null where it was refused.
    """
    if command.amount is None and reason is not None:
        return None
    if amount is None or currency is None:
        return command.amount
    return to_major(amount, DIGITS[currency])
