"""What the reference model says of accounts and answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from types import MappingProxyType
from typing import Any, NamedTuple

STATUS = {
    (): "open",
    ("debit",): "debits_frozen",
    ("credit",): "credits_frozen",
    ("credit", "debit"): "frozen",
}

Move = tuple[str, str, int]
"""Debit account, credit account, minor units."""

Taken = tuple[str, int]
"""An account and what is taken from it, in minor units."""


class Account(NamedTuple):
    """
    An account as it stands; `limit` is its overdraft in minor units, None without a limit.
    `stopped` holds the sides that are frozen; `customer` is None where it is nobody's account.
    """

    currency: str
    limit: int | None
    kind: str = "internal"
    stopped: frozenset[str] = frozenset()
    is_closed: bool = False
    customer: str | None = None

    @property
    def status(self) -> str:
        """Name what the account allows."""
        if self.is_closed:
            return "closed"
        return STATUS[tuple(sorted(self.stopped))]


def stopped(giver: Account, receiver: Account) -> str | None:
    """Say what keeps an account from giving, or another from getting."""
    if giver.is_closed or receiver.is_closed:
        return "account_closed"
    frozen = "debit" in giver.stopped or "credit" in receiver.stopped
    return "account_frozen" if frozen else None


class Entry(NamedTuple):
    """One line of a posting, amounts in minor units."""

    account: str
    direction: str
    minor: int
    balance_after: int
    currency: str


class Answer(NamedTuple):
    """What a decided command was told. `minor` is None where no currency says how to count."""

    type: str
    reason: str | None
    amount: str | None
    minor: int | None
    currency: str | None
    debit_account: str | None
    credit_account: str | None
    account: str | None
    entries: tuple[Entry, ...] = ()
    changed: tuple[str, str | None] | None = None
    """Of an account that was changed: its status and what is available, in major units."""

    shown: Mapping[str, Any] = MappingProxyType({})
    """What only this type's outcomes show."""

    dates: tuple[date, date] | None = None
    """The booking date and the value date of its entries."""


def sums_of(moves: Iterable[Move]) -> dict[str, int]:
    """Sum up what moves make of each account."""
    sums: dict[str, int] = {}
    for debit, credit, minor in moves:
        sums[debit] = sums.get(debit, 0) - minor
        sums[credit] = sums.get(credit, 0) + minor
    return sums
