"""
`journal`: many lines that are posted together or not at all, and that balance in each currency.

Each line is a posting between its account and the clearing account of its currency, so the
statement of an account shows the line as it was given, and the clearing account ends at zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from processor.core.books import Books, Posting, Ruling
from processor.core.currencies import DIGITS
from processor.core.decisions.checks import refusal_of_changes
from processor.core.decisions.spending import refused_for, spendings_for
from processor.core.decisions.terms import CLOSED, stops
from processor.core.money import to_major
from processor.core.own_accounts import CLEARING, CLEARING_PREFIX
from processor.core.reasons import Reason
from processor.core.shown import SIDELESS, Exceeded, Line, Shown

if TYPE_CHECKING:
    from processor.core.commands import Journal, JournalLine


def accounts_of(command: Journal) -> tuple[str, ...]:
    """Name what must be read and locked: the account of each line, and the clearing accounts."""
    clearing = {CLEARING_PREFIX + line.currency for line in command.lines}
    return (*{line.account for line in command.lines}, *clearing)


def decide(command: Journal, books: Books, refused: Reason | None) -> Ruling:
    """Post every line unless a rule forbids one of them."""
    asked = as_asked(command)
    reason = refused or _refusal_of_lines(command, books)
    if reason is not None:
        return replace(asked, reason=reason)
    changes = _changes(command)
    accounts = {name: found for name in changes if (found := books.account(name)) is not None}
    # What has to be booked whatever the account holds is nobody's spending.
    sums = () if command.overdraws else changes.items()
    taken = [(accounts[name], -change) for name, change in sums]
    spendings = spendings_for(books, command.channel, taken)
    if isinstance(spendings, Exceeded):
        return refused_for(asked, spendings)
    reason = refusal_of_changes(accounts, changes, overdraws=command.overdraws)
    if reason is not None:
        return replace(asked, reason=reason)
    books.spend(spendings)
    postings = tuple(_post(line, command, books) for line in command.lines)
    return replace(asked, postings=postings, spendings=spendings)


def as_asked(command: Journal) -> Ruling:
    """Show what the command asks for."""
    return Ruling(None, shown=_shown(command))


def _shown(command: Journal) -> Shown:
    lines = [
        Line(
            line.account,
            line.direction,
            to_major(line.amount_minor, DIGITS[line.currency]),
            line.currency,
            msgspec.UNSET if line.reference is None else line.reference,
        )
        for line in command.lines
    ]
    return replace(SIDELESS, lines=lines)


def _refusal_of_lines(command: Journal, books: Books) -> Reason | None:
    """Check all lines for the first reason, then for the second, in the order of `Reason`."""
    sides = [(line, books.account(line.account)) for line in command.lines]
    found = [(line, account) for line, account in sides if account is not None]
    if len(found) < len(sides):
        return Reason.ACCOUNT_NOT_FOUND
    if any(account.status == CLOSED for _, account in found):
        return Reason.ACCOUNT_CLOSED
    if any(stops(account.status, line.direction) for line, account in found):
        return Reason.ACCOUNT_FROZEN
    if any(account.currency != line.currency for line, account in found):
        return Reason.CURRENCY_MISMATCH
    if any(account.kind == CLEARING for _, account in found):
        return Reason.KIND_NOT_ALLOWED
    return None


def _changes(command: Journal) -> dict[str, int]:
    """Sum up by how much all lines together change each account, by name."""
    sums: dict[str, int] = {}
    for line in command.lines:
        sums[line.account] = sums.get(line.account, 0) + _signed(line)
    return sums


def _signed(line: JournalLine) -> int:
    return line.amount_minor if line.direction == "credit" else -line.amount_minor


def _post(line: JournalLine, command: Journal, books: Books) -> Posting:
    account = books.account(line.account)
    clearing = books.account(CLEARING_PREFIX + line.currency)
    assert account is not None, "every line's account was checked"
    assert clearing is not None, "every currency has a clearing account"
    sides = (account, clearing) if line.direction == "debit" else (clearing, account)
    return replace(
        books.move(*sides, line.amount_minor),
        reference=line.reference,
        overdraws=command.overdraws,
    )
