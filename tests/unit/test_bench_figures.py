"""How a bench turns rounds into medians, ratios and a verdict."""

import io
from typing import Any

import pytest
from rich.console import Console

from loadtest.bench.figures import GOALS, missed, summed_up, table
from loadtest.bench.run import chosen

MEBIBYTE = 1024 * 1024


def drained(per_second: float, worker_us: float, memory_mib: int = 100) -> dict[str, Any]:
    """Give what a case with a worker gives."""
    return {
        "per_second": per_second,
        "cpu_us_per_payment": {"worker": worker_us, "postgres": 20.0, "broker": None},
        "peak_memory_bytes": memory_mib * MEBIBYTE,
    }


ROUNDS = [
    {
        "ceiling": {"per_second": 40_000.0},
        "e2e": drained(20_000.0, 30.0),
        "hot": drained(21_000.0, 29.0, 140),
        "naive": {"per_second": 1_000.0},
    },
    {
        "ceiling": {"per_second": 80_000.0},
        "e2e": drained(24_000.0, 50.0),
        "hot": drained(12_000.0, 31.0),
        "mixed": {"per_second": 9_600.0},
        "naive": {"per_second": 800.0},
    },
    {
        "ceiling": {"per_second": 30_000.0},
        "e2e": drained(27_000.0, 34.0),
        "hot": drained(27_000.0, 30.0),
        "naive": {"per_second": 900.0},
    },
]
LATENCY = {
    "latency_p50_ms": 40.0,
    "latency_p99_ms": 251.0,
    "worst_stall_ms": 90.0,
    "late_sends": 3,
}


def test_medians_are_taken_over_rounds_and_ratios_round_by_round() -> None:
    """A ratio is the median of the rounds' ratios, not the ratio of the medians."""
    assert summed_up(ROUNDS, LATENCY) == {
        "e2e_per_second": 24_000.0,
        "ceiling_per_second": 40_000.0,
        "naive_per_second": 900.0,
        "hot_per_second": 21_000.0,
        "mixed_per_second": 9_600.0,
        "e2e_to_ceiling": 0.5,
        "e2e_to_naive": 30.0,
        "hot_to_e2e": 1.0,
        "mixed_to_e2e": 0.4,
        "worker_cpu_us": 34.0,
        "postgres_cpu_us": 20.0,
        "broker_cpu_us": None,
        "worker_memory_mib": 140.0,
        "latency_p50_ms": 40.0,
        "latency_p99_ms": 251.0,
        "worst_stall_ms": 90.0,
        "late_sends": 3,
    }


def test_goals_are_missed_on_the_wrong_side_of_their_bound_only() -> None:
    """The bound itself reaches a goal, the next value does not; no value says nothing."""
    at_bounds = {goal.figure: goal.bound for goal in GOALS}
    beyond = {goal.figure: goal.bound + (0.001 if goal.at_most else -0.001) for goal in GOALS}

    assert missed(at_bounds) == []
    assert missed(beyond) == list(GOALS)
    assert missed(dict.fromkeys(at_bounds)) == []


def test_the_table_shows_each_goal_beside_its_figure() -> None:
    """People see at a glance what was reached, what was missed and what was not measured."""
    console = Console(file=io.StringIO(), width=120, force_terminal=False)
    figures = summed_up(ROUNDS, LATENCY) | {"fdatasync_ms": 0.25}
    console.print(table(figures, ROUNDS))
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()

    def line(title: str) -> list[str]:
        found = next(text for text in lines if title in text)
        return [cell.strip() for cell in found.strip("│").split("│")]

    assert line("│ whole line ") == [
        "whole line",
        "24,000",
        "payments/s",
        "≥ 20,000 (aim 30,000)  reached",
        "20,000 24,000 27,000",
    ]
    assert line("99th percentile")[3] == "≤ 250  missed"
    assert line("sample mix")[1] == "9,600"
    assert line("mix of all commands")[3] == "≥ 0.5  missed"
    assert line("CPU of the worker")[4] == "30.0 50.0 34.0"


def test_cases_are_chosen_by_name() -> None:
    """A name that is no case is told, as is a choice of nothing."""
    assert chosen("e2e, hot") == ("e2e", "hot")
    with pytest.raises(ValueError, match="fast is none of ceiling, e2e"):
        chosen("e2e,fast")
    with pytest.raises(ValueError, match="nothing is none of"):
        chosen(" ,")
