"""Sums of a ledger by currency: debits equal credits, and all balances together are zero."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from functools import lru_cache

import msgspec

from loadtest.reporting import Balance, Entry

SCALE = 4
"""Decimal places that no currency exceeds; sums are kept as integers of the last one."""

AMOUNTS_KEPT_MAX = 65_536


class Turnover(msgspec.Struct, frozen=True):
    """Sums of one currency in major units: all debits, all credits, all balances."""

    currency: str
    digits: int
    debits: Decimal
    credits: Decimal
    balances: Decimal


class Sums:
    """Adds up entries and balances as they are read."""

    def __init__(self) -> None:
        self._sums: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def entry(self, row: Entry) -> None:
        """Add an entry."""
        self._sums[row.currency][row.direction] += _scaled(row.amount)

    def balance(self, row: Balance) -> None:
        """Add a balance."""
        self._sums[row.currency]["balance"] += _scaled(row.posted)

    def turnovers(self, digits: Mapping[str, int]) -> tuple[Turnover, ...]:
        """Give the sums of each currency."""
        return tuple(
            Turnover(
                currency,
                digits.get(currency, SCALE),
                *(Decimal(found[kind]).scaleb(-SCALE) for kind in ("debit", "credit", "balance")),
            )
            for currency, found in sorted(self._sums.items())
        )


@lru_cache(AMOUNTS_KEPT_MAX)
def _scaled(money: str) -> int:
    whole, _, rest = money.partition(".")
    return int(whole + rest.ljust(SCALE, "0"))


def turnover_faults(turnovers: Iterable[Turnover]) -> Iterator[str]:
    """Say which currency is not even."""
    found = False
    for one in turnovers:
        found = True
        if one.debits != one.credits:
            yield f"{one.currency}: {one.debits} debited, {one.credits} credited"
        if one.balances != 0:
            yield f"{one.currency}: all balances together are {one.balances}, not zero"
    if not found:
        yield "no entry was posted"
