"""The staircase of a ramp: what became of latency and rate as more was sent. Pure."""

from __future__ import annotations

from itertools import takewhile
from typing import Final

from loadtest.report.chart import Chart, Level, Line, Span
from loadtest.report.result import Result
from loadtest.report.scales import latency_ticks, linear_from_zero, log_around, number_ticks
from loadtest.report.wording import milliseconds, number

LEAST_STEPS: Final = 2
"""Fewer make no line."""

RATE_TICKS: Final = 6


def staircase(result: Result) -> list[Chart]:
    """Draw the latency and the rate of what was answered over the rate that was sent."""
    steps = result.steps
    if len(steps) < LEAST_STEPS:
        return []
    x, rates = linear_from_zero((step.per_second for step in steps), RATE_TICKS)
    knee = result.figures.get("knee_per_second")
    last = steps[-1].per_second
    spans = [] if knee is None or knee >= last else [Span(knee, last, "fault")]
    latencies = [(step.per_second, step.p99_ms) for step in steps]
    ramp = result.configuration.get("ramp")
    bound = ramp.get("latency_p99_ms") if isinstance(ramp, dict) else None
    levels = []
    if isinstance(bound, (int, float)):
        levels = [Level(bound, f"≤ {milliseconds(bound)}", 0.0, x.high)]
    found = [ms for _, ms in latencies if ms is not None]
    y, written = log_around([*found, *(level.value for level in levels)])
    answered = [(step.per_second, step.answered_per_second) for step in steps]
    meant = [(step.per_second, step.per_second) for step in steps]
    rate_y, rate_written = linear_from_zero(value for _, value in (*answered, *meant))
    return [
        Chart(
            key="staircase-latency",
            title="Latency by rate",
            about="The 99th percentile of most seconds of a step, over the rate that was sent",
            lines=[Line("p99", latencies, "blue")],
            x=x,
            x_ticks=number_ticks(x, rates),
            y=y,
            y_ticks=latency_ticks(y, written),
            unit="ms",
            height_px=220,
            spans=spans,
            levels=levels,
        ),
        Chart(
            key="staircase-rate",
            title="Answered by rate",
            about="Outcomes a second of each step, over the rate that was sent",
            lines=[Line("sent", meant, "grey", "dashed"), Line("answered", answered, "blue")],
            x=x,
            x_ticks=number_ticks(x, rates),
            y=rate_y,
            y_ticks=number_ticks(rate_y, rate_written),
            unit="/s",
            spans=spans,
        ),
    ]


def said(result: Result) -> str:
    """Say where the knee is."""
    held = list(takewhile(lambda step: step.holds, result.steps))
    knee = result.figures.get("knee_per_second")
    if knee is None:
        return "The system kept up with none of the steps."
    if len(held) == len(result.steps):
        return f"The system kept up with every step, up to {number(knee)}/s."
    return f"The system kept up with {number(knee)}/s; what lies behind is shaded."
