"""`payment`: a movement whose payee is a merchant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from processor.core.decisions import movement
from processor.core.decisions.checks import refusal_of_sides
from processor.core.reasons import Reason

if TYPE_CHECKING:
    from processor.core.books import Books, Ruling
    from processor.core.commands import Payment

MERCHANT: Final = "merchant"


def decide(command: Payment, books: Books, refused: Reason | None) -> Ruling:
    """Move the money to the merchant unless a rule forbids it."""
    payer, payee = books.account(command.debit_account), books.account(command.credit_account)
    refused = refused or refusal_of_sides(payer, payee, command.currency)
    if refused is None and payee is not None and payee.kind != MERCHANT:
        refused = Reason.KIND_NOT_ALLOWED
    return movement.decide(command, books, refused)
