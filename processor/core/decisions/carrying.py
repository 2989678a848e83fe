"""Money that moves for a command: within the limits and with its fees, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from processor.core.decisions.checks import refusal_of_amount, refusal_of_moves
from processor.core.decisions.fees import charges_for, fee_of
from processor.core.decisions.spending import refused_for, spendings_for
from processor.core.shown import Exceeded, Shown

if TYPE_CHECKING:
    from processor.core.books import Account, Books, Ruling
    from processor.core.commands import Command
    from processor.core.decisions.fees import Move


def is_concerned(books: Books, command: Command, payer: Account | None) -> bool:
    """
    Say whether a rule may concern what a command takes from an account; most concern no payment.
    """
    assert payer is not None, "sides are checked first"
    rules, channel = books.rules, command.channel
    return rules.may_charge(command.TYPE, channel) or rules.may_limit(
        payer.currency, payer.name, payer.customer, channel
    )


def carry_out(
    books: Books, command: Command, asked: Ruling, moves: Sequence[Move], *, freed: int = 0
) -> Ruling:
    """
    Move the money and what it costs, or refuse; the sides of the moves were checked.

    Who pays stands in the first move, who is paid in the last. `freed` is what a hold gives back to
    the payer at once, in minor units: it was counted as spent when it was set aside.
    """
    payer, _, amount = moves[0]
    _, payee, credit_amount = moves[-1]
    spendings = spendings_for(books, command.channel, [(payer, amount - freed)])
    if isinstance(spendings, Exceeded):
        return refused_for(asked, spendings)
    charges = charges_for(
        books, command.TYPE, command.channel, (payer, amount), (payee, credit_amount)
    )
    if charges or freed or len(moves) > 1:
        moves = [*moves, *(fee_of(books, charge) for charge in charges)]
        reason = refusal_of_moves(moves, {payer.name: freed})
    else:
        reason = refusal_of_amount(payer, payee, amount)
    if reason is not None:
        return replace(asked, reason=reason)
    books.spend(spendings)
    shown = asked.shown
    if charges:
        shown = replace(shown or Shown(), fees=[charge.shown() for charge in charges])
    postings = tuple(books.move(*move) for move in moves)
    return replace(asked, postings=postings, shown=shown, spendings=spendings)
