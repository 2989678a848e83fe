"""
`account.open`: a new account in one currency, with the first one the cash account of that currency.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from processor.core.books import Account, Books, Ruling
from processor.core.kinds import KINDS
from processor.core.own_accounts import CASH_PREFIX
from processor.core.reasons import Reason

if TYPE_CHECKING:
    from processor.core.commands import AccountOpen


def accounts_of(command: AccountOpen) -> tuple[str, ...]:
    """
    Name what must be read and locked: the account itself and the cash account that may come into
    being.
    """
    return (command.account, CASH_PREFIX + command.currency)


def decide(command: AccountOpen, books: Books, refused: Reason | None) -> Ruling:
    """Open the account unless its name is taken; names of cash accounts always are."""
    if refused is None and books.account(command.account) is not None:
        refused = Reason.ACCOUNT_EXISTS
    if refused is not None:
        return Ruling(refused, currency=command.currency, account=command.account)
    limit = command.overdraft_limit_minor if KINDS[command.kind].limited else None
    books.open(
        Account(
            command.account,
            command.currency,
            command.kind,
            overdraft_limit=limit,
            customer=command.customer,
        )
    )
    return Ruling(None, currency=command.currency, account=command.account)


def as_asked(command: AccountOpen) -> Ruling:
    """Show what the command asks for."""
    return Ruling(None, currency=command.currency, account=command.account)
