"""Where values lie on an axis, as a share of its length, and which of them are written. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil, floor, isfinite, log10
from typing import Final, NamedTuple, Protocol

from loadtest.report.wording import HOUR_S, MINUTE_S, milliseconds, number

TICKS: Final = 4
STEPS: Final = (1.0, 2.0, 2.5, 5.0, 10.0)
TIME_STEPS_S: Final = (
    *(1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800),
    *(HOUR_S, 2 * HOUR_S, 3 * HOUR_S, 6 * HOUR_S, 12 * HOUR_S),
)
TIME_TICKS: Final = 9
NARROW_LOG_DECADES: Final = 2
"""A logarithmic axis of so few decades has 2 and 5 written as well."""

PERCENTILES: Final = (50.0, 90.0, 99.0, 99.9, 99.99, 99.999, 99.9999)
REST_NINES: Final = 0.5
LAST_BEFORE_ALL: Final = 0.88
"""A percentile that lies farther to the end is not written: `all` stands there."""

WHOLE: Final = 100.0


class Tick(NamedTuple):
    """A value that is written on an axis; `at` is its share of the axis."""

    at: float
    label: str


class Scale(Protocol):
    """An axis."""

    @property
    def low(self) -> float:
        """The value at its beginning."""

    @property
    def high(self) -> float:
        """The value at its end."""

    @property
    def kind(self) -> str:
        """What page.js calls it."""

    def at(self, value: float) -> float:
        """Give the place of a value, from 0 to 1; what lies outside is at the nearer end."""


class Linear(NamedTuple):
    """Equal distances are equal differences."""

    low: float
    high: float
    kind: str = "linear"

    def at(self, value: float) -> float:
        """Give the place of a value."""
        return _clamped((value - self.low) / (self.high - self.low))


class Log(NamedTuple):
    """Equal distances are equal ratios."""

    low: float
    high: float
    kind: str = "log"

    def at(self, value: float) -> float:
        """Give the place of a value; zero is at the beginning."""
        if value <= self.low:
            return 0.0
        return _clamped(log10(value / self.low) / log10(self.high / self.low))


class Tail(NamedTuple):
    """
    Percentiles, each further nine as long as the one before: 0, 90, 99, 99.9.

    The end, `high`, is where 100 is, which has no place of its own.
    """

    high: float
    low: float = 0.0
    kind: str = "tail"

    def at(self, value: float) -> float:
        """Give the place of a percentile."""
        if value >= self.high:
            return 1.0
        return _clamped(_nines(value) / _nines(self.high))


def tail_to(last: float) -> Tail:
    """Give an axis of percentiles with some room for 100 behind the last one below it."""
    return Tail(beyond(last, REST_NINES))


def beyond(percent: float, nines: float) -> float:
    """Give the percentile so many nines further: of 90 and 1 it is 99. At least 0."""
    return max(0.0, WHOLE * (1 - 10 ** -(_nines(percent) + nines)))


def _nines(percent: float) -> float:
    return -log10(1 - percent / WHOLE)


def _clamped(share: float) -> float:
    return min(1.0, max(0.0, share))


def linear_from_zero(values: Iterable[float], count: int = TICKS) -> tuple[Linear, list[float]]:
    """Give an axis from 0 to a round number that no value exceeds, and the numbers to write."""
    top = max((value for value in values if isfinite(value)), default=0.0)
    if top <= 0:
        return Linear(0.0, 1.0), [0.0, 1.0]
    step = _round_step(top / count)
    steps = ceil(top / step - 1e-9)
    return Linear(0.0, steps * step), [number * step for number in range(steps + 1)]


def _round_step(least: float) -> float:
    power = 10.0 ** floor(log10(least))
    return next(power * step for step in STEPS if power * step >= least * (1 - 1e-9))


def log_around(values: Iterable[float]) -> tuple[Log, list[float]]:
    """Give a logarithmic axis around all values above zero, and the numbers to write."""
    found = [value for value in values if value > 0 and isfinite(value)]
    if not found:
        return Log(1.0, 10.0), [1.0, 10.0]
    first, last = floor(log10(min(found)) + 1e-9), ceil(log10(max(found)) - 1e-9)
    last = max(last, first + 1)
    factors = (1, 2, 5) if last - first <= NARROW_LOG_DECADES else (1,)
    decades = range(first, last)
    shown = [factor * 10.0**power for power in decades for factor in factors]
    return Log(10.0**first, 10.0**last), [*shown, 10.0**last]


def number_ticks(scale: Scale, values: Iterable[float]) -> list[Tick]:
    """Write numbers on an axis."""
    return [Tick(scale.at(value), number(value)) for value in values]


def latency_ticks(scale: Scale, values_ms: Iterable[float]) -> list[Tick]:
    """Write latencies on an axis."""
    return [Tick(scale.at(value), milliseconds(value)) for value in values_ms]


def time_ticks(scale: Linear, count: int = TIME_TICKS) -> list[Tick]:
    """Write about so many round times on an axis of seconds that starts at 0."""
    fitting = (step for step in TIME_STEPS_S if scale.high / step <= count)
    step = next(fitting, ceil(scale.high / count / HOUR_S) * HOUR_S)
    return [
        Tick(scale.at(number * step), time_label(number * step))
        for number in range(int(scale.high / step) + 1)
    ]


def time_label(seconds: float) -> str:
    """Write a time on an axis: `30 s`, `1:30`, `2 min`, `1:30 h`."""
    whole = round(seconds)
    if whole < MINUTE_S:
        return f"{whole} s"
    if whole < HOUR_S:
        minutes, rest = divmod(whole, MINUTE_S)
        return f"{minutes}:{rest:02d}" if rest else f"{minutes} min"
    hours, rest = divmod(whole // MINUTE_S, MINUTE_S)
    return f"{hours}:{rest:02d} h" if rest else f"{hours} h"


def tail_ticks(scale: Tail) -> list[Tick]:
    """Write the percentiles that people ask for, as far as the axis goes, and its end."""
    last = beyond(scale.high, -REST_NINES) * (1 + 1e-12)
    shown = [Tick(scale.at(one), f"{one:g} %") for one in PERCENTILES if one <= last]
    return [*(tick for tick in shown if tick.at < LAST_BEFORE_ALL), Tick(1.0, "all")]
