"""How soon a system is itself again after a fault, from its seconds and the faults' marks. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

STAYS_S: Final = 5.0
"""Back is who stays back for so long: a good second between two bad ones is none."""


class Moment(Protocol):
    """What is looked at of each second of a run; `at_s` is its end."""

    @property
    def at_s(self) -> float:
        """Seconds from the beginning of the schedule."""

    @property
    def p99_ms(self) -> float | None:
        """The latency of what was answered in it; None where nothing was."""

    @property
    def waiting_ms(self) -> float:
        """How long the oldest command without an outcome waits."""


class Mark(NamedTuple):
    """
    Something that happened to a run, from when until when; `until_s` is None where it did not end.

    Times are seconds from the beginning of the schedule.
    """

    at_s: float
    until_s: float | None
    what: str


class Recovery(NamedTuple):
    """Seconds until latencies were good again, from when a fault ended and from when it began."""

    from_end_s: float
    from_beginning_s: float


def recovery(seconds: Sequence[Moment], mark: Mark, bound_ms: float) -> Recovery | None:
    """
    Say how soon a run recovered from a fault; None where it did not, or ended too soon to tell.

    A second is good when 99 % of what was answered in it came within `bound_ms`, and nothing waits
    for longer: without the latter half of the partitions could stand still unseen. The run has
    recovered with the last bad second before `STAYS_S` good ones that reach beyond the fault's end.
    A fault that begins before the one before has recovered is charged to both.
    """
    if mark.until_s is None:
        return None
    bad_until_s = mark.at_s
    for second in seconds:
        if second.at_s <= mark.at_s:
            continue
        if _is_bad(second, bound_ms):
            bad_until_s = second.at_s
        elif second.at_s >= max(bad_until_s, mark.until_s) + STAYS_S:
            from_end_s = max(0.0, bad_until_s - mark.until_s)
            return Recovery(round(from_end_s, 1), round(bad_until_s - mark.at_s, 1))
    return None


def worst_s(found: Sequence[Recovery | None]) -> float | None:
    """Give the longest time from a fault's end; None where none is known, or not all are."""
    ends = [None if one is None else one.from_end_s for one in found]
    known = [one for one in ends if one is not None]
    return max(known) if known and len(known) == len(ends) else None


def _is_bad(second: Moment, bound_ms: float) -> bool:
    return max(second.p99_ms or 0.0, second.waiting_ms) > bound_ms
