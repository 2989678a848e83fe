"""What does not agree: lines that each name a place, of each kind so many and no more."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

KEPT_MAX = 250
"""One fault can make all behind it differ: of each kind only the first so many are kept."""


class Kind(StrEnum):
    """What a difference is about, the likely causes first."""

    EVENT = "events"
    ID = "ids"
    ORDER = "ledger_sequences"
    ANSWER = "answers"
    PAYMENT = "rows of reporting.payments"
    ENTRY = "rows of reporting.entries"
    BALANCE = "rows of reporting.balances"
    SUM = "sums"


class Differences:
    """Collects what does not agree."""

    def __init__(self) -> None:
        self._kept: dict[Kind, list[str]] = {kind: [] for kind in Kind}
        self._found: Counter[Kind] = Counter()

    def note(self, kind: Kind, line: str) -> None:
        """Take note of a difference."""
        self._found[kind] += 1
        if self._found[kind] <= KEPT_MAX:
            self._kept[kind].append(line)

    def lines(self) -> tuple[str, ...]:
        """Give the lines, and for each kind how many more there were."""
        found: list[str] = []
        for kind, kept in self._kept.items():
            found += kept
            more = self._found[kind] - len(kept)
            if more:
                found.append(f"{more:,} more {kind} differ")
        return tuple(found)
