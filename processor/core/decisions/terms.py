"""
What changes an account without moving money: `account.freeze`, `account.unfreeze`, `account.limit`
and `account.close`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from processor.core.books import Account, Books, Ruling
from processor.core.kinds import KINDS
from processor.core.own_accounts import kind_of_own
from processor.core.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from processor.core.commands import AccountClose, AccountFreeze, AccountLimit, AccountUnfreeze

    AccountTerms = AccountFreeze | AccountUnfreeze | AccountLimit | AccountClose

CLOSED: Final = "closed"

_SIDES: Final[dict[str, frozenset[str]]] = {
    "open": frozenset(),
    "debits_frozen": frozenset({"debit"}),
    "credits_frozen": frozenset({"credit"}),
    "frozen": frozenset({"debit", "credit"}),
}
"""The sides that a status stops."""

_STATUS: Final = {sides: status for status, sides in _SIDES.items()}
_ASKED: Final = {
    "debit": frozenset({"debit"}),
    "credit": frozenset({"credit"}),
    "both": frozenset({"debit", "credit"}),
}


def stops(status: str, side: str) -> bool:
    """Say whether a status that is not closed stops `debit` or `credit`."""
    return side in _SIDES[status]


def accounts_of(command: AccountTerms) -> tuple[str, ...]:
    """Name what must be read and locked."""
    return (command.account,)


def decide_freeze(command: AccountFreeze, books: Books, refused: Reason | None) -> Ruling:
    """Stop the asked sides as well."""
    return _decide_sides(command, books, refused, frozenset.union)


def decide_unfreeze(command: AccountUnfreeze, books: Books, refused: Reason | None) -> Ruling:
    """Stop the asked sides no more."""
    return _decide_sides(command, books, refused, frozenset.difference)


def decide_limit(command: AccountLimit, books: Books, refused: Reason | None) -> Ruling:
    """
    Set the limit, below what is used as well: then nothing can be taken until money has come in.
    """
    account = books.account(command.account)
    reason = refused or _refusal_of_account(account)
    if account is not None and reason is None:
        if account.currency != command.currency:
            reason = Reason.CURRENCY_MISMATCH
        elif not KINDS[account.kind].may_overdraw:
            reason = Reason.KIND_NOT_ALLOWED
    if account is None or reason is not None:
        return Ruling(reason, currency=command.currency, account=command.account)
    return _changed(command, books, account, account.status, command.overdraft_limit_minor)


def decide_close(command: AccountClose, books: Books, refused: Reason | None) -> Ruling:
    """Close an account that is empty and not frozen."""
    account = books.account(command.account)
    reason = refused or _refusal_of_account(account)
    if account is not None and reason is None:
        if account.status != "open":
            reason = Reason.ACCOUNT_FROZEN
        elif kind_of_own(account.name) is not None:
            reason = Reason.KIND_NOT_ALLOWED
        elif account.posted != 0 or account.held != 0:
            reason = Reason.ACCOUNT_NOT_EMPTY
    if account is None or reason is not None:
        return _refused(command, account, reason)
    return _changed(command, books, account, CLOSED, account.overdraft_limit)


def as_asked(command: AccountTerms) -> Ruling:
    """Show what the command asks for; its account's currency is the ledger's to tell."""
    return Ruling(None, currency=getattr(command, "currency", None), account=command.account)


def _decide_sides(
    command: AccountFreeze | AccountUnfreeze,
    books: Books,
    refused: Reason | None,
    becomes: Callable[[frozenset[str], frozenset[str]], frozenset[str]],
) -> Ruling:
    account = books.account(command.account)
    reason = refused or _refusal_of_account(account)
    if reason is None and account is not None and kind_of_own(account.name) is not None:
        reason = Reason.KIND_NOT_ALLOWED
    if account is None or reason is not None:
        return _refused(command, account, reason)
    status = _STATUS[becomes(_SIDES[account.status], _ASKED[command.side])]
    return _changed(command, books, account, status, account.overdraft_limit)


def _refusal_of_account(account: Account | None) -> Reason | None:
    if account is None:
        return Reason.ACCOUNT_NOT_FOUND
    return Reason.ACCOUNT_CLOSED if account.status == CLOSED else None


def _refused(command: AccountTerms, account: Account | None, reason: Reason | None) -> Ruling:
    currency = None if account is None else account.currency
    return Ruling(reason, currency=currency, account=command.account)


def _changed(
    command: AccountTerms, books: Books, account: Account, status: str, limit: int | None
) -> Ruling:
    if (status, limit) == (account.status, account.overdraft_limit):
        return _refused(command, account, Reason.NOTHING_TO_CHANGE)
    change = books.change(account, status=status, overdraft_limit=limit)
    return Ruling(None, currency=account.currency, account=account.name, change=change)
