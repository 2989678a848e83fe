"""Which charts show a load over time, and what they say. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from math import isfinite
from statistics import median
from typing import Final

from loadtest.load.profile import threshold_of
from loadtest.report.chart import Chart, Level, Line
from loadtest.report.marks import spans_of, time_axis
from loadtest.report.result import Result, Sample, Second
from loadtest.report.scales import (
    latency_ticks,
    linear_from_zero,
    log_around,
    number_ticks,
    time_ticks,
)
from loadtest.report.thinning import GAP_STEPS, Maybe, evened
from loadtest.report.wording import milliseconds, number

LIMITED: Final = {"latency_p50_ms": "p50", "latency_p99_ms": "p99", "latency_max_ms": "max"}
"""Thresholds that are drawn where latencies are, and what they limit."""

KIND_COLOURS: Final = {
    "posted": "blue",
    "rejected": "orange",
    "repeat": "teal",
    "conflict": "violet",
    "invalid": "red",
}
PROCESS_ORDER: Final = ("worker", "postgres", "broker", "sender", "reader")
SHORTEST_S: Final = 0.001
PANEL_PX: Final = 64
PANEL_BUCKETS: Final = 120
PANEL_TICKS: Final = 2
PANEL_TIME_TICKS: Final = 5


def rate(result: Result) -> Chart | None:
    """What was to be sent each second, and what was answered."""
    meant = _course(result.series, lambda row: row.meant_per_second)
    answered = answered_per_second(result.series)
    lines = [
        Line("answered", answered, "blue", "filled"),
        Line("meant", meant, "grey", "dashed"),
    ]
    return _linear(
        result,
        "rate",
        "Rate",
        "Commands a second: meant by the schedule, and answered",
        lines,
        "/s",
    )


def answered_per_second(series: Sequence[Second]) -> list[Maybe]:
    """Give what was answered over time."""
    return evened(_course(series, lambda row: row.answered_per_second))


def in_flight(result: Result) -> Chart | None:
    """The lag over time."""
    lag = _course(result.series, lambda row: row.in_flight)
    return _linear(
        result,
        "in-flight",
        "In flight",
        "Commands that were sent and not answered yet: the lag",
        [Line("in flight", lag, "violet", "filled")],
        "",
        150,
    )


def latency(result: Result) -> Chart | None:
    """Latency over time, with the thresholds that limit it."""
    lines = _shown(
        [
            Line("max", _course(result.series, lambda row: row.max_ms), "orange", "faint"),
            Line("p99", _course(result.series, lambda row: row.p99_ms), "blue"),
            Line("p50", _course(result.series, lambda row: row.p50_ms), "teal"),
        ]
    )
    if not lines:
        return None
    limits = {figure: bound for figure, bound in limits_ms(result).items() if figure in LIMITED}
    axis, written = log_around([*_values(lines), *limits.values()])
    x = time_axis(result)
    return Chart(
        key="latency",
        title="Latency",
        about="From when a command was due until its outcome came, of each second (log scale)",
        lines=lines,
        x=x,
        x_ticks=time_ticks(x),
        y=axis,
        y_ticks=latency_ticks(axis, written),
        unit="ms",
        height_px=260,
        spans=spans_of(result),
        levels=[
            Level(bound, f"{LIMITED[figure]} ≤ {milliseconds(bound)}", x.low, x.high)
            for figure, bound in limits.items()
        ],
    )


def limits_ms(result: Result) -> dict[str, float]:
    """Find the thresholds that bound a latency from above."""
    found = {}
    for one in result.thresholds:
        try:
            bound = threshold_of(one.threshold)
        except ValueError:
            continue
        if bound.figure.startswith("latency_") and bound.sign in {"<", "<="} and bound.bound > 0:
            found[bound.figure] = bound.bound
    return found


def kinds(result: Result) -> Chart | None:
    """Outcomes of each kind over time; only where there is more than one kind."""
    names = [name for name in _kinds_of(result) if any(row.outcomes for row in result.series)]
    if len(names) < 2:  # noqa: PLR2004 - one kind alone is the rate
        return None
    rates = kinds_per_second(result.series)
    lines = _shown([Line(name, rates[name], kind_colour(name)) for name in names if name in rates])
    axis, written = log_around(_values(lines))
    x = time_axis(result)
    return Chart(
        key="kinds",
        title="Outcomes by kind",
        about="A second, of each kind (log scale)",
        lines=lines,
        x=x,
        x_ticks=time_ticks(x),
        y=axis,
        y_ticks=number_ticks(axis, written),
        unit="/s",
        height_px=190,
        spans=spans_of(result),
    )


def kind_colour(name: str) -> str:
    """Give the colour of a kind of outcome, the same wherever it is shown."""
    return KIND_COLOURS.get(name, "grey")


def _kinds_of(result: Result) -> list[str]:
    found = {kind: None for row in result.series for kind in row.outcomes}
    order = list(KIND_COLOURS)
    return sorted(found, key=lambda kind: order.index(kind) if kind in order else len(order))


def kinds_per_second(series: Sequence[Second]) -> dict[str, list[Maybe]]:
    """
    Give the rate of each kind of outcome from row to row.

    A row counts what came since the row before.
    """
    names = list({kind: None for row in series for kind in row.outcomes})
    begins = [0.0, *(row.at_s for row in series)]
    return {
        name: evened(
            [
                (row.at_s, row.outcomes.get(name, 0.0) / max(row.at_s - begin, SHORTEST_S))
                for row, begin in zip(series, begins, strict=False)
            ]
        )
        for name in names
    }


def process_names(names: Iterable[str]) -> list[str]:
    """Order processes: the workers first, by their numbers."""

    def rank(name: str) -> tuple[int, int, str]:
        kind = next((at for at, one in enumerate(PROCESS_ORDER) if name.startswith(one)), 99)
        digits = re.search(r"\d+", name)
        return (kind, int(digits.group()) if digits else 0, name)

    return sorted(names, key=rank)


def processes(result: Result) -> list[tuple[Chart | None, Chart | None]]:
    """CPU of each process, all as high as the busiest; memory of each, as high as its own."""
    names = process_names(result.processes)
    cpu = {name: _samples(result.processes[name], lambda one: one.cpu_percent) for name in names}
    memory = {name: _samples(result.processes[name], lambda one: one.memory_mib) for name in names}
    every = [point for points in cpu.values() for point in points]
    return [
        (
            _panel(result, f"cpu-{at}", f"{name}, CPU", cpu[name], every, "%", "blue"),
            _panel(
                result, f"memory-{at}", f"{name}, memory", own := memory[name], own, "MiB", "teal"
            ),
        )
        for at, name in enumerate(names)
    ]


def _panel(
    result: Result,
    key: str,
    title: str,
    own: list[Maybe],
    every: list[Maybe],
    unit: str,
    colour: str,
) -> Chart | None:
    """Draw a small chart, high enough for `every` point."""
    if all(value is None for _, value in own):
        return None
    shared = (value for _, value in every if value is not None)
    axis, written = linear_from_zero(shared, PANEL_TICKS)
    x = time_axis(result)
    values = [value for _, value in own if value is not None]
    return Chart(
        key=key,
        title=title,
        about=f"median {number(median(values))} {unit}, most {number(max(values))} {unit}",
        lines=[Line(unit, own, colour, "filled", GAP_STEPS)],
        x=x,
        x_ticks=time_ticks(x, PANEL_TIME_TICKS),
        y=axis,
        y_ticks=number_ticks(axis, written),
        unit=unit,
        height_px=PANEL_PX,
        buckets=PANEL_BUCKETS,
        spans=spans_of(result),
        heading="h4",
    )


def _linear(
    result: Result,
    key: str,
    title: str,
    about: str,
    given: Sequence[Line],
    unit: str,
    height_px: int = 200,
) -> Chart | None:
    lines = _shown(given)
    if not lines:
        return None
    axis, written = linear_from_zero(_values(lines))
    x = time_axis(result)
    return Chart(
        key=key,
        title=title,
        about=about,
        lines=lines,
        x=x,
        x_ticks=time_ticks(x),
        y=axis,
        y_ticks=number_ticks(axis, written),
        unit=unit,
        height_px=height_px,
        spans=spans_of(result),
    )


def _shown(lines: Sequence[Line]) -> list[Line]:
    return [line for line in lines if any(value is not None for _, value in line.points)]


def _values(lines: Iterable[Line]) -> list[float]:
    return [
        value for line in lines for _, value in line.points if value is not None and isfinite(value)
    ]


def _course(series: Sequence[Second], of: Callable[[Second], float | None]) -> list[Maybe]:
    return [(row.at_s, of(row)) for row in series]


def _samples(samples: Sequence[Sample], of: Callable[[Sample], float | None]) -> list[Maybe]:
    return [(one.at_s, of(one)) for one in samples]
