"""What forbids that money moves between accounts: their state, their funds, their bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from processor.core.books import BALANCE_MINOR_MAX, Account
from processor.core.decisions.terms import CLOSED, stops
from processor.core.own_accounts import CLEARING
from processor.core.reasons import Reason

if TYPE_CHECKING:
    from processor.core.decisions.fees import Move


def refusal_of_sides(debit: Account | None, credit: Account | None, currency: str) -> Reason | None:
    """Check that both sides exist, are open and have the currency, and differ."""
    if debit is None or credit is None:
        return Reason.ACCOUNT_NOT_FOUND
    if debit.status != "open" or credit.status != "open":
        stopped = _stopped(debit, credit)
        if stopped is not None:
            return stopped
    if debit.currency != currency or credit.currency != currency:
        return Reason.CURRENCY_MISMATCH
    if debit is credit:
        return Reason.SAME_ACCOUNT
    if debit.overdraft_limit is None or credit.overdraft_limit is None:
        return _refusal_of_own(debit, credit)
    return None


def _refusal_of_own(debit: Account, credit: Account) -> Reason | None:
    """Check sides one of which has no limit, as the bank's own accounts."""
    return Reason.KIND_NOT_ALLOWED if CLEARING in (debit.kind, credit.kind) else None


def refusal_of_moves(
    moves: Sequence[Move], freed: Mapping[str, int] = MappingProxyType({})
) -> Reason | None:
    """Check what all moves together make of each account, whose sides were checked."""
    accounts: dict[str, Account] = {}
    changes: dict[str, int] = {}
    for debit, credit, amount in moves:
        for account, change in ((debit, -amount), (credit, amount)):
            accounts[account.name] = account
            changes[account.name] = changes.get(account.name, 0) + change
    return refusal_of_changes(accounts, changes, freed)


def refusal_of_changes(
    accounts: Mapping[str, Account],
    changes: Mapping[str, int],
    freed: Mapping[str, int] = MappingProxyType({}),
    *,
    overdraws: bool = False,
) -> Reason | None:
    """
    Check funds, unless lacking them is allowed, and bounds of accounts that each change by a sum.
    `freed` is what a hold gives back to an account at once. Minor units by name.

    An account that gives more than it gets needs the funds; one that pays a fee out of what it gets
    does not, and may be frozen for debits.
    """
    needs = {name: -change - freed.get(name, 0) for name, change in changes.items()}
    if not overdraws and any(
        need > 0 and _cannot_give(accounts[name], need) for name, need in needs.items()
    ):
        return Reason.INSUFFICIENT_FUNDS
    if any(abs(accounts[name].posted + one) > BALANCE_MINOR_MAX for name, one in changes.items()):
        return Reason.BALANCE_OVERFLOW
    return None


def _cannot_give(account: Account, need: int) -> bool:
    return stops(account.status, "debit") or account.lacks(need)


def _stopped(debit: Account, credit: Account) -> Reason | None:
    if CLOSED in (debit.status, credit.status):
        return Reason.ACCOUNT_CLOSED
    if stops(debit.status, "debit") or stops(credit.status, "credit"):
        return Reason.ACCOUNT_FROZEN
    return None


def refusal_of_amount(
    debit: Account | None, credit: Account | None, amount: int, *, overdraws: bool = False
) -> Reason | None:
    """Check funds, unless lacking them is allowed, and bounds of sides that were checked."""
    assert debit is not None, "sides are checked first"
    assert credit is not None, "sides are checked first"
    if not overdraws and debit.lacks(amount):
        return Reason.INSUFFICIENT_FUNDS
    if debit.posted - amount < -BALANCE_MINOR_MAX or credit.posted + amount > BALANCE_MINOR_MAX:
        return Reason.BALANCE_OVERFLOW
    return None
