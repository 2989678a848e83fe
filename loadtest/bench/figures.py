"""From the values of each round to medians, ratios, goals and the table that people read."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rich.table import Table

MEBIBYTE = 1024 * 1024

Round = Mapping[str, Mapping[str, Any]]
"""What each case of a round gave, by the case's name."""

THROUGHPUTS = ("e2e", "ceiling", "naive", "hot", "mixed")
RATIOS = {
    "e2e_to_ceiling": ("e2e", "ceiling"),
    "e2e_to_naive": ("e2e", "naive"),
    "hot_to_e2e": ("hot", "e2e"),
    "mixed_to_e2e": ("mixed", "e2e"),
}


class Goal(NamedTuple):
    """What a figure should reach, and what would be better still."""

    figure: str
    title: str
    unit: str
    bound: float
    aim: float | None
    at_most: bool

    def holds(self, value: float | None) -> bool | None:
        """Say whether a value reaches the goal; None where it was not measured."""
        if value is None:
            return None
        return value <= self.bound if self.at_most else value >= self.bound

    def wanted(self) -> str:
        """Write the goal for people."""
        sign = "≤" if self.at_most else "≥"
        aim = "" if self.aim is None else f" (aim {self.aim:,g})"
        return f"{sign} {self.bound:,g}{aim}"


GOALS = (
    Goal("e2e_per_second", "whole line", "payments/s", 20_000, 30_000, at_most=False),
    Goal("e2e_to_ceiling", "whole line to ceiling", "times", 0.5, 0.7, at_most=False),
    Goal("e2e_to_naive", "whole line to naive", "times", 15, None, at_most=False),
    Goal("hot_to_e2e", "one hot account to whole line", "times", 0.9, None, at_most=False),
    Goal("mixed_to_e2e", "mix of all commands to whole line", "times", 0.5, None, at_most=False),
    Goal("worker_cpu_us", "CPU of the worker", "µs/payment", 40, 20, at_most=True),
    Goal("latency_p99_ms", "latency at 10,000/s, 99th percentile", "ms", 250, None, at_most=True),
    Goal("worker_memory_mib", "memory of the worker, peak", "MiB", 500, None, at_most=True),
)
OTHERS = (
    ("ceiling_per_second", "ceiling: set-wise SQL alone", "payments/s"),
    ("naive_per_second", "naive: one transaction each", "payments/s"),
    ("hot_per_second", "one hot account", "payments/s"),
    ("mixed_per_second", "sample mix, 5 % repeats", "commands/s"),
    ("postgres_cpu_us", "CPU of PostgreSQL", "µs/payment"),
    ("broker_cpu_us", "CPU of the broker", "µs/payment"),
    ("latency_p50_ms", "latency, median", "ms"),
    ("worst_stall_ms", "longest time without an outcome", "ms"),
    ("late_sends", "sends more than 10 ms late", ""),
    ("fdatasync_ms", "fdatasync of a page", "ms"),
)


def summed_up(
    rounds: Sequence[Round], latency: Mapping[str, Any] | None
) -> dict[str, float | int | None]:
    """Take medians over the rounds; ratios are taken round by round first. None: not measured."""
    found: dict[str, float | int | None] = {
        f"{case}_per_second": median([one[case]["per_second"] for one in rounds if case in one])
        for case in THROUGHPUTS
    }
    for ratio, (above, below) in RATIOS.items():
        found[ratio] = median(
            [
                one[above]["per_second"] / one[below]["per_second"]
                for one in rounds
                if above in one and below in one
            ],
            digits=3,
        )
    drained = [one["e2e"] for one in rounds if "e2e" in one]
    for process in ("worker", "postgres", "broker"):
        values = [one["cpu_us_per_payment"][process] for one in drained]
        found[f"{process}_cpu_us"] = median([value for value in values if value is not None])
    peaks = [
        case["peak_memory_bytes"]
        for one in rounds
        for case in one.values()
        if "peak_memory_bytes" in case
    ]
    found["worker_memory_mib"] = round(max(peaks) / MEBIBYTE, 1) if peaks else None
    names = ("latency_p50_ms", "latency_p99_ms", "worst_stall_ms", "late_sends")
    found |= {name: None if latency is None else latency[name] for name in names}
    return found


def median(values: Sequence[float], digits: int = 2) -> float | None:
    """Give the median of a figure over the rounds, None where no round has it."""
    return round(statistics.median(values), digits) if values else None


def missed(figures: Mapping[str, Any]) -> list[Goal]:
    """Name the goals that were measured and not reached."""
    return [goal for goal in GOALS if goal.holds(figures.get(goal.figure)) is False]


def table(figures: Mapping[str, Any], rounds: Sequence[Round]) -> Table:
    """Draw the figures beside their goals."""
    drawn = Table(title="The whole line against its limits", title_justify="left")
    drawn.add_column("figure")
    drawn.add_column("median", justify="right")
    drawn.add_column("unit")
    drawn.add_column("goal")
    drawn.add_column("rounds", justify="right")
    marks = {True: "[green]reached[/]", False: "[red]missed[/]", None: "not measured"}
    for goal in GOALS:
        value = figures.get(goal.figure)
        said = f"{goal.wanted()}  {marks[goal.holds(value)]}"
        drawn.add_row(goal.title, _shown(value), goal.unit, said, _each(goal.figure, rounds))
    drawn.add_section()
    for name, title, unit in OTHERS:
        drawn.add_row(title, _shown(figures.get(name)), unit, "", _each(name, rounds))
    return drawn


def _each(figure: str, rounds: Sequence[Round]) -> str:
    case, _, what = figure.partition("_")
    if what == "per_second":
        return " ".join(_shown(one[case]["per_second"]) for one in rounds if case in one)
    if what == "cpu_us":
        cases = [one["e2e"] for one in rounds if "e2e" in one]
        return " ".join(_shown(found["cpu_us_per_payment"][case]) for found in cases)
    return ""


TEN_THOUSANDTHS_BELOW = 1
TENTHS_BELOW = 1000


def _shown(value: float | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, int) or value >= TENTHS_BELOW:
        return f"{value:,.0f}"
    return f"{value:.3f}" if value < TEN_THOUSANDTHS_BELOW else f"{value:,.1f}"
