"""The rules of holds a second time, for the books of `model.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from loadtest.reference import fees, limits
from loadtest.reference.amounts import major_of, minor_of
from loadtest.reference.answer import Answer, sums_of
from loadtest.reference.times import time_us

if TYPE_CHECKING:
    from loadtest.reference.model import Books

Asked = Mapping[str, Any]

HELD_MINOR_MAX = 9 * 10**18


class Hold(NamedTuple):
    """A hold as it stands, in minor units; `open` for as long as anything may be captured."""

    remaining: int
    most: int
    captured: int = 0
    is_open: bool = True
    expires_at_us: int | None = None


def shown_of(asked: Asked) -> dict[str, Any]:
    """Show what a hold is asked to be."""
    most = asked.get("capture_max", asked["amount"])
    return {"capture_max": most, "expires_at": asked.get("expires_at")}


def place(books: Books, asked: Asked, reason: str | None) -> Answer:
    """Set money aside."""
    debit, credit, currency = asked["debit_account"], asked["credit_account"], asked["currency"]
    digits = books.digits[currency]
    minor = minor_of(asked["amount"], digits) or 0
    until = time_us(asked["expires_at"]) if "expires_at" in asked else None
    shown = shown_of(asked)
    reason = (
        reason
        or ("hold_expired" if until is not None and books.now_us > until else None)
        or books.sides_refused(debit, credit, currency)
    )
    answer = Answer(
        asked["type"], reason, asked["amount"], minor, currency, debit, credit, None, shown=shown
    )
    if reason is not None:
        return answer
    exceeding = limits.exceeded(books, asked, [(debit, minor)])
    if exceeding is not None:
        return limits.refused(answer, exceeding)
    reason = books.amount_refused(debit, credit, minor) or (
        "balance_overflow" if books.held.get(debit, 0) + minor > HELD_MINOR_MAX else None
    )
    if reason is not None:
        return answer._replace(reason=reason)
    limits.count(books, asked, [(debit, minor)])
    most = minor_of(asked.get("capture_max", asked["amount"]), digits) or 0
    books.holds[asked["transaction_id"]] = Hold(minor, most, expires_at_us=until)
    books.held[debit] = books.held.get(debit, 0) + minor
    return answer._replace(shown={**shown, "held": asked["amount"]})


def capture(books: Books, asked: Asked, reason: str | None) -> Answer:
    """Take what was set aside."""
    id_ = asked["hold_transaction_id"]
    hold, minor = books.holds.get(id_), _minor(books, asked)
    reason = reason or _hold_refused(books, id_)
    if reason is None and hold is not None:
        placed = books.answers[id_]
        reason = books.sides_refused(*_sides(placed), placed.currency or "")
        reason = reason or _part_refused(minor, hold.most)
    if reason is not None or hold is None or minor is None:
        return _answer(books, asked, reason, minor)
    payer, payee = _sides(books.answers[id_])
    releases = asked.get("remainder") == "release"
    freed = hold.remaining if releases else min(minor, hold.remaining)
    beyond = [(payer, minor - freed)]
    exceeding = limits.exceeded(books, asked, beyond)
    if exceeding is not None:
        return limits.refused(_answer(books, asked, "limit_exceeded", minor), exceeding)
    costs = fees.fees_of(books, asked, (payer, minor), (payee, minor))
    moves = [(payer, payee, minor), *fees.moves_of(costs)]
    reason = books.sums_refused(sums_of(moves), freed={payer: freed})
    if reason is not None:
        return _answer(books, asked, reason, minor)
    limits.count(books, asked, beyond)
    books.held[payer] -= freed
    books.holds[id_] = hold._replace(
        remaining=hold.remaining - freed,
        most=hold.most - minor,
        captured=hold.captured + minor,
        is_open=hold.most > minor and not releases,
    )
    answer = _answer(books, asked, None, minor)
    shown = {**answer.shown, **fees.shown_of(costs, books.digits)}
    return answer._replace(entries=books.entries(*moves), shown=shown)


def free(books: Books, asked: Asked, reason: str | None) -> Answer:
    """Release or expire what was set aside."""
    id_ = asked["hold_transaction_id"]
    hold, minor = books.holds.get(id_), _minor(books, asked)
    reason = reason or _hold_refused(books, id_, of_time=asked["type"] == "hold.expire")
    if reason is None and hold is not None and "amount" in asked:
        reason = _part_refused(minor, hold.remaining)
    if reason is not None or hold is None or minor is None:
        return _answer(books, asked, reason, minor)
    books.held[_sides(books.answers[id_])[0]] -= minor
    books.holds[id_] = hold._replace(
        remaining=hold.remaining - minor,
        most=hold.most - minor,
        is_open=hold.remaining > minor,
    )
    return _answer(books, asked, None, minor)


def _hold_refused(books: Books, id_: str, *, of_time: bool = False) -> str | None:
    placed, hold = books.answers.get(id_), books.holds.get(id_)
    if placed is None or placed.type != "hold.place":
        return "hold_not_found"
    if hold is None:
        return "hold_not_placed"
    is_over = hold.expires_at_us is not None and books.now_us > hold.expires_at_us
    if is_over and not of_time:
        return "hold_expired"
    if not hold.is_open:
        return "hold_not_open"
    return "hold_not_expired" if of_time and not is_over else None


def _part_refused(minor: int | None, most: int) -> str | None:
    if minor is None:
        return "currency_mismatch"
    return None if 0 < minor <= most else "exceeds_hold"


def _minor(books: Books, asked: Asked) -> int | None:
    """Count what is asked for in the hold's currency; None where that can't be counted."""
    id_ = asked["hold_transaction_id"]
    if id_ not in books.holds:
        return None
    if "amount" not in asked:
        return books.holds[id_].remaining
    return minor_of(asked["amount"], books.digits[books.answers[id_].currency or ""])


def _sides(placed: Answer) -> tuple[str, str]:
    return placed.debit_account or "", placed.credit_account or ""


def _answer(books: Books, asked: Asked, reason: str | None, minor: int | None) -> Answer:
    """Show the hold's sides, and the amount as it was given where nothing came of it."""
    id_, amount = asked["hold_transaction_id"], asked.get("amount")
    placed, hold = books.answers.get(id_), books.holds.get(id_)
    shown = {"hold_transaction_id": id_}
    if placed is None or placed.type != "hold.place":
        return Answer(asked["type"], reason, amount, None, None, None, None, None, shown=shown)
    digits = books.digits[placed.currency or ""]
    if hold is not None and reason is None:
        shown["held"] = major_of(hold.remaining, digits)
        shown["captured"] = major_of(hold.captured, digits)
    if minor is not None and (amount is not None or reason is None):
        amount = major_of(minor, digits)
    sides = _sides(placed)
    return Answer(asked["type"], reason, amount, minor, placed.currency, *sides, None, shown=shown)
