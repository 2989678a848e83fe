"""
`deposit`, `withdrawal` and `transfer`: money from a debit to a credit account of one currency, and
what it costs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from processor.core.books import Books, Posting, Ruling
from processor.core.decisions.carrying import carry_out, is_concerned
from processor.core.decisions.checks import refusal_of_amount, refusal_of_sides

if TYPE_CHECKING:
    from processor.core.commands import Movement
    from processor.core.reasons import Reason


def accounts_of(command: Movement) -> tuple[str, ...]:
    """Name what must be read and locked: both sides."""
    return (command.debit_account, command.credit_account)


def decide(command: Movement, books: Books, refused: Reason | None) -> Ruling:
    """Move the money, and what it costs, unless a rule forbids it."""
    debit_name, credit_name = command.debit_account, command.credit_account
    amount, currency = command.amount_minor, command.currency
    debit, credit = books.account(debit_name), books.account(credit_name)
    reason = refused or refusal_of_sides(debit, credit, currency)
    if reason is None and books.is_ruled and is_concerned(books, command, debit):
        assert debit is not None, "sides were checked"
        assert credit is not None, "sides were checked"
        return carry_out(books, command, as_asked(command), [(debit, credit, amount)])
    reason = reason or refusal_of_amount(debit, credit, amount)
    postings: tuple[Posting, ...] = ()
    if reason is None:
        assert debit is not None, "sides were checked"
        assert credit is not None, "sides were checked"
        postings = (books.move(debit, credit, amount),)
    asked = command.amount
    return Ruling(reason, asked, currency, debit_name, credit_name, None, amount, postings)


def as_asked(command: Movement) -> Ruling:
    """Show what the command asks for."""
    return Ruling(
        None,
        command.amount,
        command.currency,
        command.debit_account,
        command.credit_account,
        amount_minor=command.amount_minor,
    )
