"""What a check found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

FAULTS_SHOWN_MAX: Final = 20
"""Wrong things that a check names; beyond that it counts."""


class Finding(msgspec.Struct, frozen=True):
    """
    One check's result: what was counted, each wrong thing in one line, and what is worth a word.

    `faults` holds at most FAULTS_SHOWN_MAX lines of `fault_count`.
    """

    check: str
    counted: str
    faults: list[str]
    fault_count: int
    notes: list[str]
    took_ms: int = 0

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return self.fault_count == 0


def finding(
    check: str,
    counted: str,
    faults: Sequence[str] = (),
    notes: Sequence[str] = (),
    fault_count: int | None = None,
) -> Finding:
    """Make a finding, showing no more faults than a person reads."""
    count = len(faults) if fault_count is None else fault_count
    return Finding(check, counted, list(faults[:FAULTS_SHOWN_MAX]), count, list(notes))
