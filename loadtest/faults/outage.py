"""Which late sends were the doing of a fault, and not of the sender. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from loadtest.faults.recovery import Mark

CATCH_UP_S: Final = 30.0
"""
How long a broker that is back may be slow: it has to take what waited, and its compiler is as busy
as in any broker that has just started.
"""


class Told(Protocol):
    """What the sender told by a second's end."""

    @property
    def at_s(self) -> float:
        """Seconds from the beginning of the schedule."""

    @property
    def held_up(self) -> int:
        """Late sends so far that the broker took too slowly, though they came to it in time."""


def excused(seconds: Sequence[Told], outages: Sequence[Mark]) -> int:
    """
    Count the sends that were late because the broker was away.

    A late send is excused when it was held up, from the beginning of an outage of the broker until
    `CATCH_UP_S` after its end. All others count as ever: a sender that is slow by itself is late
    with handing commands over, whether the broker is there or not.
    """
    total, counted_to = 0, float("-inf")
    for mark in sorted(outages, key=lambda one: one.at_s):
        if mark.until_s is None:
            continue
        begins, ends = max(mark.at_s, counted_to), mark.until_s + CATCH_UP_S
        total += max(0, _held_up_by(seconds, ends) - _held_up_by(seconds, begins))
        counted_to = max(counted_to, ends)
    return total


def _held_up_by(seconds: Sequence[Told], at_s: float) -> int:
    return max((second.held_up for second in seconds if second.at_s <= at_s), default=0)
