"""`limit.set` and `limit.end`: how much may be spent from now on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from processor.core.books import Books, Ruling
from processor.core.decisions.terms import CLOSED
from processor.core.own_accounts import kind_of_own
from processor.core.reasons import Reason
from processor.core.rules import ACCOUNT, SpendingLimit
from processor.core.shown import Shown

if TYPE_CHECKING:
    from processor.core.rule_commands import LimitEnd, LimitSet


def accounts_of(command: LimitSet) -> tuple[str, ...]:
    """Name what must be read and locked: the account, where the limit is for one."""
    limit = command.limit
    return (limit.subject,) if limit.scope == ACCOUNT and limit.subject is not None else ()


def decide_set(command: LimitSet, books: Books, refused: Reason | None) -> Ruling:
    """
    Bound from here on, unless another limit is for the same. What was spent under a limit for the
    same on this date counts on.
    """
    asked = command.limit
    there = books.rules.limits.get(asked.bounded)
    reason = refused
    if reason is None and there is not None and there.name != asked.name:
        reason = Reason.LIMIT_OVERLAPS
    reason = reason or _refusal_of_account(asked, books)
    if reason is None and there == asked:
        reason = Reason.NOTHING_TO_CHANGE
    if reason is None:
        books.rules = books.rules.with_limit(asked)
    return replace(as_asked_set(command), reason=reason, changes_rules=reason is None)


def _refusal_of_account(asked: SpendingLimit, books: Books) -> Reason | None:
    """Check the account that a limit is for; customers and channels have no record of their own."""
    if asked.scope != ACCOUNT or asked.subject is None:
        return None
    account = books.account(asked.subject)
    if account is None:
        return Reason.ACCOUNT_NOT_FOUND
    if account.status == CLOSED:
        return Reason.ACCOUNT_CLOSED
    if account.currency != asked.currency:
        return Reason.CURRENCY_MISMATCH
    return None if kind_of_own(account.name) is None else Reason.KIND_NOT_ALLOWED


def decide_end(command: LimitEnd, books: Books, refused: Reason | None) -> Ruling:
    """Bound no more from here on."""
    left, reason = books.rules.without_limit(command.limit), refused
    if reason is None and left == books.rules:
        reason = Reason.LIMIT_NOT_FOUND
    if reason is None:
        books.rules = left
    return replace(as_asked_end(command), reason=reason, changes_rules=reason is None)


def as_asked_set(command: LimitSet) -> Ruling:
    """Show what the command asks for."""
    return Ruling(None, currency=command.limit.currency, shown=Shown(limit=command.limit.name))


def as_asked_end(command: LimitEnd) -> Ruling:
    """Show what the command asks for."""
    return Ruling(None, shown=Shown(limit=command.limit))
