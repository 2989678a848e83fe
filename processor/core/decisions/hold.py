"""
`hold.place`, `hold.capture`, `hold.release` and `hold.expire`: money set aside, and what becomes of
it.

What is held counts as used: available = posted - held + limit. A capture takes the money that was
set aside, so it needs no funds beyond that but for its fee.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET
from msgspec.structs import replace

from processor.core.books import (
    BALANCE_MINOR_MAX,
    Account,
    Books,
    Decided,
    Hold,
    Holding,
    Ruling,
)
from processor.core.currencies import DIGITS
from processor.core.decisions.carrying import carry_out
from processor.core.decisions.checks import refusal_of_amount, refusal_of_sides
from processor.core.decisions.spending import refused_for, spendings_for
from processor.core.hold_commands import HoldCapture, HoldPlace
from processor.core.money import minor_in, to_major
from processor.core.reasons import Reason
from processor.core.shown import Exceeded, Shown
from processor.core.timestamps import from_epoch_us

if TYPE_CHECKING:
    from processor.core.hold_commands import HoldExpire, HoldRelease

    AnyOnHold = HoldCapture | HoldRelease | HoldExpire


def accounts_of(command: HoldPlace) -> tuple[str, ...]:
    """Name what must be read and locked: both sides."""
    return (command.debit_account, command.credit_account)


def hold_of(command: AnyOnHold) -> str:
    """Name the hold whose recorded answer and state must be read."""
    return command.hold_transaction_id


def decide_place(command: HoldPlace, books: Books, refused: Reason | None) -> Ruling:
    """Set the money aside unless a rule forbids it."""
    debit, credit = books.account(command.debit_account), books.account(command.credit_account)
    amount = command.amount_minor
    hold = Hold(amount, amount, command.capture_max_minor, command.expires_at_us)
    reason = (
        refused
        or (Reason.HOLD_EXPIRED if hold.is_over(books.now_us) else None)
        or refusal_of_sides(debit, credit, command.currency)
    )
    asked = as_asked_place(command)
    if reason is not None or debit is None:
        return replace(asked, reason=reason)
    spendings = spendings_for(books, command.channel, [(debit, amount)])
    if isinstance(spendings, Exceeded):
        return refused_for(asked, spendings)
    reason = refusal_of_amount(debit, credit, amount)
    if reason is not None:
        return replace(asked, reason=reason)
    if debit.held + amount > BALANCE_MINOR_MAX:
        return replace(asked, reason=Reason.BALANCE_OVERFLOW)
    books.make_row(debit)
    books.spend(spendings)
    books.holds[command.transaction_id] = hold
    debit.held += amount
    holding = Holding(command.transaction_id, amount, 0)
    shown = replace(asked.shown or Shown(), held=asked.amount or UNSET)
    return replace(asked, amount_minor=amount, holding=holding, shown=shown, spendings=spendings)


def as_asked_place(command: HoldPlace) -> Ruling:
    """Show what the command asks for."""
    digits, most = DIGITS[command.currency], command.capture_max_minor
    at_us = command.expires_at_us
    return Ruling(
        None,
        to_major(command.amount_minor, digits),
        command.currency,
        command.debit_account,
        command.credit_account,
        shown=Shown(
            capture_max=to_major(most, digits),
            expires_at=None if at_us is None else from_epoch_us(at_us),
        ),
    )


def decide_capture(command: HoldCapture, books: Books, refused: Reason | None) -> Ruling:
    """Move the money that was set aside unless a rule forbids it."""
    found = _find(command, books, refused)
    if isinstance(found, Ruling):
        return found
    placed, hold = found
    payer = books.account(placed.ruling.debit_account or "")
    payee = books.account(placed.ruling.credit_account or "")
    amount = _amount_minor(command, placed, hold)
    reason = refusal_of_sides(payer, payee, placed.ruling.currency or "")
    if reason is None:
        reason = _refusal_of_part(amount, hold.left())
    if reason is not None or amount is None or payer is None or payee is None:
        return _of_hold(command, placed, amount, reason)
    freed = hold.remaining if command.releases else min(amount, hold.remaining)
    asked = _of_hold(command, placed, amount, None)
    carried = carry_out(books, command, asked, [(payer, payee, amount)], freed=freed)
    if carried.reason is not None:
        return carried
    hold.captured += amount
    given_up = hold.left() if command.releases else 0
    holding = _free(command, hold, payer, freed, given_up)
    done = _done(command, placed, amount, hold, holding)
    fees = UNSET if carried.shown is None else carried.shown.fees
    shown = replace(done.shown or Shown(), fees=fees)
    return replace(done, postings=carried.postings, shown=shown, spendings=carried.spendings)


def decide_release(command: HoldRelease, books: Books, refused: Reason | None) -> Ruling:
    """Free what was set aside unless a rule forbids it; all of it ends the hold."""
    found = _find(command, books, refused)
    if isinstance(found, Ruling):
        return found
    placed, hold = found
    amount = _amount_minor(command, placed, hold)
    # Without an amount it ends the hold, which may hold nothing any more and allow captures still.
    reason = None if command.amount is None else _refusal_of_part(amount, hold.remaining)
    if reason is not None or amount is None:
        return _of_hold(command, placed, amount, reason)
    return _release(command, placed, books, hold, amount)


def decide_expire(command: HoldExpire, books: Books, refused: Reason | None) -> Ruling:
    """Free what remains of a hold whose time is over."""
    found = _find(command, books, refused, of_time=True)
    if isinstance(found, Ruling):
        return found
    placed, hold = found
    return _release(command, placed, books, hold, hold.remaining)


def as_asked(command: AnyOnHold) -> Ruling:
    """Show what the command asks for; accounts and currency are the hold's to tell."""
    shown = Shown(hold_transaction_id=command.hold_transaction_id)
    return Ruling(None, getattr(command, "amount", None), shown=shown)


def _find(
    command: AnyOnHold, books: Books, refused: Reason | None, *, of_time: bool = False
) -> tuple[Decided, Hold] | Ruling:
    """Find the hold with its recorded answer, or refuse. `of_time` where its time must be over."""
    placed = books.decided.get(command.hold_transaction_id)
    if placed is None or placed.type != HoldPlace.TYPE:
        return replace(as_asked(command), reason=refused or Reason.HOLD_NOT_FOUND)
    hold = books.holds.get(command.hold_transaction_id)
    reason = refused
    if reason is None and placed.ruling.reason is not None:
        reason = Reason.HOLD_NOT_PLACED
    elif reason is None and hold is not None:
        reason = _refusal_of_state(hold, books.now_us, of_time=of_time)
    if reason is not None:
        amount = None if hold is None else _amount_minor(command, placed, hold)
        return _of_hold(command, placed, amount, reason)
    assert hold is not None, "a hold that was placed is on record"
    return placed, hold


def _refusal_of_state(hold: Hold, now_us: int, *, of_time: bool) -> Reason | None:
    """Check the time first: whether the expiry was posted already must make no difference."""
    is_over = hold.is_over(now_us)
    if is_over and not of_time:
        return Reason.HOLD_EXPIRED
    if hold.left() == 0:
        return Reason.HOLD_NOT_OPEN
    return Reason.HOLD_NOT_EXPIRED if of_time and not is_over else None


def _refusal_of_part(amount: int | None, most: int) -> Reason | None:
    if amount is None:
        return Reason.CURRENCY_MISMATCH
    return None if 0 < amount <= most else Reason.EXCEEDS_HOLD


def _amount_minor(command: AnyOnHold, placed: Decided, hold: Hold) -> int | None:
    """Give the amount in minor units; None where it has more digits than the hold's currency."""
    amount = getattr(command, "amount", None)
    if amount is None:
        return hold.remaining
    return minor_in(amount, DIGITS[placed.ruling.currency or ""])


def _free(command: AnyOnHold, hold: Hold, payer: Account, freed: int, given_up: int) -> Holding:
    """Hold less by `freed`, and allow captures of less by `given_up`."""
    hold.remaining -= freed
    hold.released += given_up
    payer.held -= freed
    return Holding(command.hold_transaction_id, -freed, given_up)


def _release(
    command: HoldRelease | HoldExpire, placed: Decided, books: Books, hold: Hold, amount: int
) -> Ruling:
    """Free an amount; where nothing remains the hold is over, and what it allowed beyond too."""
    payer = books.account(placed.ruling.debit_account or "")
    assert payer is not None, "an account with money set aside is there"
    given_up = hold.left() if amount == hold.remaining else amount
    holding = _free(command, hold, payer, amount, given_up)
    return _done(command, placed, amount, hold, holding)


def _done(
    command: AnyOnHold,
    placed: Decided,
    amount: int,
    hold: Hold,
    holding: Holding,
) -> Ruling:
    ruling = _of_hold(command, placed, amount, None)
    digits = DIGITS[ruling.currency or ""]
    written = to_major(amount, digits)
    shown = Shown(
        hold_transaction_id=command.hold_transaction_id,
        held=to_major(hold.remaining, digits),
        captured=to_major(hold.captured, digits),
    )
    return replace(ruling, amount=written, amount_minor=amount, holding=holding, shown=shown)


def _of_hold(
    command: AnyOnHold, placed: Decided, amount: int | None, reason: Reason | None
) -> Ruling:
    """Show the hold's accounts and currency, and the amount where one was given."""
    first, asked = placed.ruling, as_asked(command)
    if amount is not None and asked.amount is not None:
        asked = replace(asked, amount=to_major(amount, DIGITS[first.currency or ""]))
    return replace(
        asked,
        reason=reason,
        currency=first.currency,
        debit_account=first.debit_account,
        credit_account=first.credit_account,
    )
