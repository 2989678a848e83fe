"""The percentile curve: how long the slowest of so many commands waited. Pure."""

from __future__ import annotations

from typing import Final

from loadtest.report.chart import Chart, Level, Line
from loadtest.report.result import Result
from loadtest.report.scales import WHOLE, beyond, latency_ticks, log_around, tail_ticks, tail_to
from loadtest.report.timelines import limits_ms
from loadtest.report.wording import milliseconds

LEAST_POINTS: Final = 3
"""Fewer make no curve."""

LIMITED: Final = {
    "latency_p50_ms": 50.0,
    "latency_p90_ms": 90.0,
    "latency_p99_ms": 99.0,
    "latency_p999_ms": 99.9,
}
"""Thresholds that are drawn, with the percentile that each limits."""

SHOWN: Final = (50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99, 99.999, 100.0)
"""The percentiles of the table."""

LIMIT_NINES: Final = 0.3
"""A threshold is drawn so far to both sides of the percentile that it limits."""


def curve(result: Result) -> Chart | None:
    """Draw latency over percentile, each further nine as wide as the one before."""
    points = sorted(result.histogram.percentiles)
    below = [percent for percent, _ in points if percent < WHOLE]
    if len(below) < LEAST_POINTS:
        return None
    limits = {figure: bound for figure, bound in limits_ms(result).items() if figure in LIMITED}
    x = tail_to(below[-1])
    y, written = log_around([*(ms for _, ms in points), *limits.values()])
    return Chart(
        key="percentiles",
        title="Latency by percentile",
        about="The time within which so many percent of the commands were answered (log scale)",
        lines=[Line("latency", points, "blue", "filled")],
        x=x,
        x_ticks=tail_ticks(x),
        y=y,
        y_ticks=latency_ticks(y, written),
        unit="ms",
        height_px=260,
        levels=[
            Level(
                bound,
                f"≤ {milliseconds(bound)}",
                beyond(LIMITED[figure], -LIMIT_NINES),
                beyond(LIMITED[figure], LIMIT_NINES),
            )
            for figure, bound in limits.items()
        ],
    )


def shown_percentiles(result: Result) -> list[tuple[float, float]]:
    """Choose the pairs of percentile and ms that are written out."""
    known = dict(result.histogram.percentiles)
    return [(percent, known[percent]) for percent in SHOWN if percent in known]
