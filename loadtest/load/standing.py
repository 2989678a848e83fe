"""
Where the commands of a load stand, and when each was due: as the sender tells it. Pure.

The n-th command of a partition is known by its *place*, n. The sender says in which partition each
next command lies, and at which offsets the broker put those that it has delivered; from both
follows what was due at an offset. Others may write into the same partitions meanwhile.
"""

from __future__ import annotations

from array import array
from bisect import bisect
from collections.abc import Iterable
from typing import Final, NamedTuple

from loadtest.load.schedule import Schedule

UNTOLD: Final = -1
"""The sender has not told yet what stands there."""

FOREIGN: Final = -2
"""Another's record stands there, or a marker."""


class Run(NamedTuple):
    """Offsets from `base` to before `end`, which hold the places from `first` on."""

    base: int
    end: int
    first: int


class Standing:
    """Takes what the sender tells. Eight bytes a command."""

    def __init__(self, schedule: Schedule, partitions: int) -> None:
        self._schedule = schedule
        self._runs: list[list[Run]] = [[] for _ in range(partitions)]
        self.dues = [array("d") for _ in range(partitions)]
        """When the commands of each partition were due, by their places."""

        self.warm_ups = [0] * partitions
        """How many commands of each partition come first and are left out of the figures."""

        self.count = 0
        """How many commands were told of, all partitions together."""

        self.has_ended = False
        """Whether nothing more will be told."""

    def put(self, homes: bytes) -> None:
        """Take the partitions of the next commands, a byte each."""
        first, self.count = self.count, self.count + len(homes)
        for home, due in zip(homes, self._schedule.dues(first, self.count), strict=True):
            self.dues[home].append(due)
        for home in homes[: max(0, self._schedule.warm_up - first)]:
            self.warm_ups[home] += 1

    def delivered(self, partition: int, base: int, count: int) -> None:
        """Take where the next commands of a partition stand."""
        runs = self._runs[partition]
        if runs and runs[-1].end == base:
            runs[-1] = runs[-1]._replace(end=base + count)
            return
        first = runs[-1].first + runs[-1].end - runs[-1].base if runs else 0
        runs.append(Run(base, base + count, first))

    def place(self, partition: int, offset: int) -> int:
        """Find what stands at an offset: a place, or UNTOLD, or FOREIGN."""
        runs = self._runs[partition]
        if not runs or offset >= runs[-1].end:
            return FOREIGN if self.has_ended else UNTOLD
        at = bisect(runs, offset, key=lambda run: run.base) - 1 if len(runs) > 1 else 0
        base, end, first = runs[at]
        return first + offset - base if at >= 0 and base <= offset < end else FOREIGN

    def oldest_due(self, places: Iterable[int]) -> float:
        """Give when the oldest command was due of those at or behind a place of each partition."""
        each = zip(self.dues, places, strict=True)
        return min((dues[at] for dues, at in each if at < len(dues)), default=float("inf"))
