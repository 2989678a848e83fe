"""
The knee: the highest rate at which a system keeps up, found by a staircase of rates. Pure.

Beyond it commands wait for one another: their latency grows for as long as the rate lasts.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from loadtest.load.schedule import Stage
from loadtest.load.track import Second

SETTLES_WITHIN_S: Final = 2.0
"""The first seconds of a step show what the step before left behind."""

ANSWERED_SHARE_MIN: Final = 0.97
LATE_SHARE_MAX: Final = 0.01
"""A step at which the sender itself was late more often says nothing of the system."""

STEPS_BEYOND: Final = 2
"""So many steps in a row that do not hold end the search: one may be a hiccup of the machine."""

STEPS_MAX: Final = 200


class Ramp(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    Steps of a growing rate. One holds when the 99th percentile of most of its seconds is within
    `latency_p99_ms`, and as much is answered as is sent.
    """

    from_per_second: float
    to_per_second: float
    step_per_second: float
    step_seconds: float = 10.0
    warm_up_seconds: float = 20.0
    latency_p99_ms: float = 250.0

    def rates(self) -> list[float]:
        """Give the rate of each step."""
        count = int((self.to_per_second - self.from_per_second) // self.step_per_second) + 1
        return [self.from_per_second + self.step_per_second * number for number in range(count)]

    def stages(self) -> tuple[Stage, ...]:
        """Give the steps as stages, behind one that warms up."""
        first = Stage(seconds=self.warm_up_seconds, per_second=self.from_per_second, warm_up=True)
        steps = [Stage(seconds=self.step_seconds, per_second=rate) for rate in self.rates()]
        return (first, *steps)

    def wrong(self) -> list[str]:
        """Say what is wrong with it, a line each."""
        named = {
            "ramp.from_per_second": self.from_per_second,
            "ramp.step_per_second": self.step_per_second,
            "ramp.warm_up_seconds": self.warm_up_seconds,
            "ramp.latency_p99_ms": self.latency_p99_ms,
        }
        found = [f"{name}: above 0" for name, value in named.items() if value <= 0]
        if self.to_per_second <= self.from_per_second:
            found.append("ramp.to_per_second: above from_per_second")
        if self.step_seconds <= SETTLES_WITHIN_S:
            found.append(f"ramp.step_seconds: above {SETTLES_WITHIN_S:g}")
        if not found and len(self.rates()) > STEPS_MAX:
            found.append(f"ramp.step_per_second: more than {STEPS_MAX} steps")
        return found


class Step(NamedTuple):
    """What a step of the staircase gave; `p99_ms` is the median over its seconds."""

    per_second: float
    answered_per_second: float
    p99_ms: float | None
    late_share: float
    holds: bool


def steps_of(ramp: Ramp, rows: Sequence[Second]) -> list[Step]:
    """Give the steps that are over, in their order, by the seconds that were seen of them."""
    last_s = rows[-1].at_s if rows else 0.0
    found: list[Step] = []
    for number, rate in enumerate(ramp.rates()):
        begin_s = ramp.warm_up_seconds + ramp.step_seconds * number
        if last_s < begin_s + ramp.step_seconds:
            break
        found.append(_step(ramp, rate, begin_s, rows))
    return found


def _step(ramp: Ramp, rate: float, begin_s: float, rows: Sequence[Second]) -> Step:
    end_s = begin_s + ramp.step_seconds
    inside = [row for row in rows if begin_s + SETTLES_WITHIN_S < row.at_s <= end_s]
    if not inside:
        return Step(rate, 0.0, None, 0.0, holds=False)
    # A second without any outcome is the worst there is.
    worst_ms = (ramp.step_seconds * 1000) * STEPS_MAX
    p99_ms = statistics.median(worst_ms if row.p99_ms is None else row.p99_ms for row in inside)
    answered = statistics.fmean(row.answered_per_second for row in inside)
    sent = max(1, inside[-1].sent - inside[0].sent)
    late_share = (inside[-1].late - inside[0].late) / sent
    holds = (
        p99_ms <= ramp.latency_p99_ms
        and answered >= rate * ANSWERED_SHARE_MIN
        and late_share <= LATE_SHARE_MAX
    )
    shown_ms = None if p99_ms == worst_ms else p99_ms
    return Step(rate, answered, shown_ms, late_share, holds)


def said_of(step: Step) -> str:
    """Say in a line what a step gave."""
    p99 = "no outcome" if step.p99_ms is None else f"p99 {step.p99_ms:,.0f} ms"
    late = f", {step.late_share:.1%} sent late" if step.late_share > LATE_SHARE_MAX else ""
    answered = f"{step.answered_per_second:,.0f}/s answered"
    judged = "holds" if step.holds else "does not hold"
    return f"{step.per_second:,.0f}/s: {answered}, {p99}{late}: {judged}"


def late_behind(ramp: Ramp, knee: Step | None, rows: Sequence[Second]) -> int:
    """
    Count the sends that were late behind the knee. A machine that is driven to its limits has no
    CPU left for who drives it: they void nothing, as no figure is taken there.
    """
    last = ramp.from_per_second - ramp.step_per_second if knee is None else knee.per_second
    steps = round((last - ramp.from_per_second) / ramp.step_per_second) + 1
    end_s = ramp.warm_up_seconds + ramp.step_seconds * steps
    before = [row.late for row in rows if row.at_s <= end_s]
    return (rows[-1].late if rows else 0) - (before[-1] if before else 0)


def is_beyond(steps: Sequence[Step]) -> bool:
    """Say whether the knee lies behind: nothing more has to be sent."""
    last = steps[-STEPS_BEYOND:]
    return len(last) == STEPS_BEYOND and not any(step.holds for step in last)


def knee_of(steps: Sequence[Step]) -> Step | None:
    """Give the last step that held before the system fell behind, None where none did."""
    for at in range(len(steps)):
        if is_beyond(steps[: at + 1]):
            steps = steps[: at + 1]
            break
    held = [step for step in steps if step.holds]
    return held[-1] if held else None
