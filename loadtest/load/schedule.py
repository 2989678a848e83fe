"""When each command of a load is due: stages of a steady or an evenly changing rate. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, takewhile
from math import sqrt

import msgspec

from loadtest.load.share import WHOLE, Share


class Stage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    So many commands a second for so many seconds; with `to_per_second` the rate changes evenly.

    A stage that warms up is sent and answered as any other, and left out of the figures.
    """

    seconds: float
    per_second: float
    to_per_second: float | None = None
    warm_up: bool = False

    @property
    def last_per_second(self) -> float:
        """The rate at its end."""
        return self.per_second if self.to_per_second is None else self.to_per_second

    @property
    def commands(self) -> int:
        """How many commands it has."""
        return round(self.seconds * (self.per_second + self.last_per_second) / 2)

    def due_s(self, number: int) -> float:
        """Give the seconds from its beginning to its command of a number, from 0 on."""
        # The rate grows by `2 * growth` a second: number = per_second * t + growth * t^2, for t.
        rate, growth = self.per_second, self._growth
        return 2 * number / (rate + sqrt(max(0.0, rate * rate + 4 * growth * number)) or 1.0)

    def due_by(self, seconds: float) -> int:
        """Count its commands that are due so many seconds after its beginning."""
        if seconds < 0:
            return 0
        reached = self.per_second * seconds + self._growth * seconds * seconds
        return min(self.commands, int(reached) + 1)

    @property
    def _growth(self) -> float:
        return (self.last_per_second - self.per_second) / (2 * self.seconds)


class Schedule:
    """
    The stages of a load one after another: what is due when, whatever happens.

    `starts_at` is a time of the monotonic clock, which all processes of a machine share. A
    generator's `share` of a load has the same stages; its commands are numbered by themselves.
    """

    def __init__(self, starts_at: float, stages: Sequence[Stage], share: Share = WHOLE) -> None:
        self.starts_at = starts_at
        self.stages = tuple(stages)
        self._share = share
        self._firsts = [0, *accumulate(stage.commands for stage in stages)]
        self._begins = [0.0, *accumulate(stage.seconds for stage in stages)]
        self.count = share.part(self._firsts[-1])
        self.seconds = self._begins[-1]
        warming = list(takewhile(lambda stage: stage.warm_up, stages))
        self.warm_up = share.part(self._firsts[len(warming)])
        """How many commands come first and are left out of the figures."""

        self.measured_s = self.seconds - self._begins[len(warming)]

    def due(self, number: int) -> float:
        """Give the time at which a command is due."""
        whole = self._share.whole(number)
        at = bisect_right(self._firsts, whole, hi=len(self.stages)) - 1
        passed = self._begins[at] + self.stages[at].due_s(whole - self._firsts[at])
        return self.starts_at + passed

    def dues(self, first: int, end: int) -> Iterator[float]:
        """Give the times at which the commands from one to before another are due."""
        share = self._share
        for stage, begins, *bounds in zip(
            self.stages, self._begins, self._firsts, self._firsts[1:], strict=False
        ):
            opens, (opening, closing) = self.starts_at + begins, bounds
            start = share.whole(max(first, share.part(opening)))
            for whole in range(start, min(share.whole(end), closing), share.of):
                yield opens + stage.due_s(whole - opening)

    def due_by(self, now: float) -> int:
        """Count the commands that are due."""
        passed = now - self.starts_at
        if passed < 0:
            return 0
        at = bisect_right(self._begins, passed, hi=len(self.stages)) - 1
        return self._share.part(
            self._firsts[at] + self.stages[at].due_by(passed - self._begins[at])
        )

    def per_second(self, now: float) -> float:
        """Give the rate that is meant at a time, zero before and after."""
        passed = now - self.starts_at
        if not 0 <= passed < self.seconds:
            return 0.0
        at = bisect_right(self._begins, passed, hi=len(self.stages)) - 1
        stage, into = self.stages[at], (passed - self._begins[at]) / self.stages[at].seconds
        rate = stage.per_second + (stage.last_per_second - stage.per_second) * into
        return rate / self._share.of
