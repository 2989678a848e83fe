"""
Spending limits: how much an account, a customer or a channel may take from accounts, by a single
command and on a business date.

What counts is what leaves an account or is set aside in it on somebody's order. What the bank turns
around (reversals, refunds) and what it charges (fees) does not count, and neither do its own
accounts. Nothing that comes in gives back what was counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from processor.core.books import (
    BALANCE_MINOR_MAX,
    Account,
    Books,
    Ruling,
    Spending,
    Spent,
    Subject,
)
from processor.core.currencies import DIGITS
from processor.core.money import to_major
from processor.core.own_accounts import kind_of_own
from processor.core.reasons import Reason
from processor.core.rules import ACCOUNT, CHANNEL, CUSTOMER
from processor.core.shown import Exceeded, Shown

if TYPE_CHECKING:
    from processor.core.rules import SpendingLimit

SCOPES: Final = (ACCOUNT, CUSTOMER, CHANNEL)
"""In the order in which their limits are checked."""

Taken = Iterable[tuple[Account, int]]
"""Accounts with what is taken from each, in minor units of its currency."""


def spendings_for(books: Books, channel: str, taken: Taken) -> tuple[Spending, ...] | Exceeded:
    """
    Find what a command spends under which limits, or the first limit that it would exceed.
    """
    if not books.rules.limits:
        return ()
    found: list[Spending] = []
    for subject, amount in _by_subject(books, channel, taken).items():
        limit = books.rules.limit(*subject)
        if limit is None:
            continue
        before = books.spent_today(subject)
        exceeded = _exceeded(limit, subject, before, amount)
        if exceeded is not None:
            return exceeded
        after = Spent(before.booking_date, before.amount + amount, before.count + 1)
        found.append(Spending(limit.name, subject, amount, after))
    return tuple(found)


def refused_for(asked: Ruling, exceeded: Exceeded) -> Ruling:
    """Refuse what would exceed a limit, and say which and what is left of it."""
    shown = replace(asked.shown or Shown(), exceeded=exceeded)
    return replace(asked, reason=Reason.LIMIT_EXCEEDED, shown=shown)


def _by_subject(books: Books, channel: str, taken: Taken) -> dict[Subject, int]:
    """Sum up what is taken, whosever spending it is and is limited, in the order of the scopes."""
    sums: dict[Subject, int] = {}
    counted = [
        (account, amount)
        for account, amount in taken
        if amount > 0 and kind_of_own(account.name) is None
    ]
    for scope in SCOPES:
        if scope in books.rules.limited_scopes:
            for account, amount in counted:
                name = _subject(scope, account, channel)
                if name is not None:
                    subject = (scope, name, account.currency)
                    sums[subject] = sums.get(subject, 0) + amount
    return sums


def _subject(scope: str, account: Account, channel: str) -> str | None:
    """Name whose spending it is, in a scope, what is taken from an account."""
    if scope == CHANNEL:
        return channel
    return account.name if scope == ACCOUNT else account.customer


def _exceeded(
    limit: SpendingLimit, subject: Subject, before: Spent, amount: int
) -> Exceeded | None:
    digits = DIGITS[limit.currency]
    single, daily, count = limit.single_minor, limit.daily_minor, limit.daily_count
    if single is not None and amount > single:
        most = left = to_major(single, digits)
        return Exceeded(limit.name, *subject, "single_amount", most, left)
    # The sum of a day is bounded also where the limit does not bound it.
    daily = BALANCE_MINOR_MAX if daily is None else daily
    if before.amount + amount > daily:
        most, left = to_major(daily, digits), to_major(max(daily - before.amount, 0), digits)
        return Exceeded(limit.name, *subject, "daily_amount", most, left)
    if count is not None and before.count >= count:
        return Exceeded(limit.name, *subject, "daily_count", str(count), "0")
    return None
