"""The rules of spending limits a second time: what a limit is, what counts, and what is left."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from loadtest.reference.amounts import major_of, minor_of
from loadtest.reference.answer import Answer, Taken

if TYPE_CHECKING:
    from loadtest.reference.model import Books

Asked = Mapping[str, Any]

SCOPES = ("account", "customer", "channel")
"""Whose spending is limited, in the order in which it is checked."""

AMOUNTS = ("single_amount", "daily_amount")
MEASURES = (*AMOUNTS, "daily_count")
FIELDS = ("limit", "scope", "subject", "currency", *MEASURES)
COUNT_FORM = re.compile(r"[1-9][0-9]{0,8}")
DAILY_MINOR_MAX = 9 * 10**18
"""What is spent on a day is bounded by this where nothing else bounds it."""

Limit = Mapping[str, Any]
"""The content of a `limit.set`."""

Subject = tuple[str, str, str]
"""Whose spending is meant: scope, name and currency."""

For = tuple[str, str | None, str]
"""What a limit is for: a subject, or with None each that has no limit of its own."""


class Spent(NamedTuple):
    """What a subject has spent on a day while a limit was in force: minor units, and how often."""

    minor: int = 0
    times: int = 0


def faults(found: Asked) -> Iterator[str]:
    """Name what is wrong with a `limit.set` beside the forms of its fields."""
    if not any(measure in found for measure in MEASURES):
        yield ""


def set_limit(books: Books, asked: Asked, reason: str | None) -> Answer:
    """Limit from now on."""
    limit = {field: asked[field] for field in FIELDS if field in asked}
    is_for = (limit["scope"], limit.get("subject"), limit["currency"])
    there, named = books.limits.get(is_for), _named(books, limit["limit"])
    if reason is None and there is not None and there["limit"] != limit["limit"]:
        reason = "limit_overlaps"
    reason = reason or _account_refused(books, limit)
    if reason is None and there == limit:
        reason = "nothing_to_change"
    if reason is None:
        if named is not None:
            del books.limits[named]
        books.limits[is_for] = limit
    return _answer(asked, reason)


def end_limit(books: Books, asked: Asked, reason: str | None) -> Answer:
    """Limit no more; what was counted stays."""
    named = _named(books, asked["limit"])
    if reason is None and named is None:
        reason = "limit_not_found"
    if reason is None and named is not None:
        del books.limits[named]
    return _answer(asked, reason)


def exceeded(books: Books, asked: Asked, taken: Iterable[Taken]) -> dict[str, str] | None:
    """Show the first limit that a command would exceed by what it takes from accounts."""
    for subject, minor in _spending(books, asked, taken).items():
        limit = _limit_for(books, subject) or {}
        scope, name, currency = subject
        shown = {"limit": limit["limit"], "scope": scope, "subject": name, "currency": currency}
        found = _measured(limit, minor, _spent(books, subject), books.digits[currency])
        if found is not None:
            return shown | dict(zip(("measure", "maximum", "left"), found, strict=True))
    return None


def count(books: Books, asked: Asked, taken: Iterable[Taken]) -> None:
    """Count what was taken from accounts by a command that was carried out."""
    for subject, minor in _spending(books, asked, taken).items():
        spent = _spent(books, subject)
        books.spent[books.day, subject] = Spent(spent.minor + minor, spent.times + 1)


def refused(answer: Answer, exceeding: Mapping[str, str]) -> Answer:
    """Refuse what would exceed a limit, and show which."""
    shown = {**answer.shown, "exceeded": exceeding}
    return answer._replace(reason="limit_exceeded", shown=shown)


def _named(books: Books, name: str) -> For | None:
    """Find what the limit of a name is for."""
    return next((key for key, one in books.limits.items() if one["limit"] == name), None)


def _account_refused(books: Books, limit: Limit) -> str | None:
    """Say what is wrong with the account that a limit is for, if it is for one."""
    name = limit.get("subject")
    if limit["scope"] != "account" or name is None:
        return None
    account = books.account(name)
    if account is None:
        return "account_not_found"
    if account.is_closed:
        return "account_closed"
    if account.currency != limit["currency"]:
        return "currency_mismatch"
    return "kind_not_allowed" if books.is_own(name) else None


def _answer(asked: Asked, reason: str | None) -> Answer:
    currency, shown = asked.get("currency"), {"limit": asked["limit"]}
    return Answer(asked["type"], reason, None, None, currency, None, None, None, shown=shown)


def _spending(books: Books, asked: Asked, taken: Iterable[Taken]) -> dict[Subject, int]:
    """Sum up what is taken by whose spending it is, of those that a limit is in force for."""
    sums: dict[Subject, int] = {}
    if not books.limits:
        return sums
    taken = [(name, minor) for name, minor in taken if minor > 0 and not books.is_own(name)]
    for scope in SCOPES:
        for name, minor in taken:
            account = books.account(name)
            assert account is not None, "what gives exists"
            owners = {"account": name, "customer": account.customer, "channel": asked["channel"]}
            owner = owners[scope]
            if owner is None:
                continue
            subject = (scope, owner, account.currency)
            if _limit_for(books, subject) is not None:
                sums[subject] = sums.get(subject, 0) + minor
    return sums


def _limit_for(books: Books, subject: Subject) -> Limit | None:
    """Find the limit of a subject's own, else the one for whoever has none."""
    scope, _, currency = subject
    return books.limits.get(subject, books.limits.get((scope, None, currency)))


def _spent(books: Books, subject: Subject) -> Spent:
    return books.spent.get((books.day, subject), Spent())


def _measured(limit: Limit, minor: int, spent: Spent, digits: int) -> tuple[str, str, str] | None:
    """Give the first measure that is exceeded, with its maximum and what is left of it."""
    single = limit.get("single_amount")
    if single is not None and minor > (minor_of(single, digits) or 0):
        return "single_amount", single, single
    daily = limit.get("daily_amount", major_of(DAILY_MINOR_MAX, digits))
    most = minor_of(daily, digits) or 0
    if spent.minor + minor > most:
        return "daily_amount", daily, major_of(max(0, most - spent.minor), digits)
    most_times = limit.get("daily_count")
    if most_times is not None and spent.times >= int(most_times):
        return "daily_count", most_times, "0"
    return None
