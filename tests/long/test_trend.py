"""A long run's samples are judged rightly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.long.trend import Sample, commit_stall_s, faults, figures

PEAK_BYTES = 200_000_000
PER_SECOND = 20_000
SECONDS = 100


def run(**changed: Callable[[int], int]) -> list[Sample]:
    """Give a sample a second of a run in which all is well but for what is changed."""
    flows: dict[str, Callable[[int], int]] = {
        "answered": lambda second: second * PER_SECOND,
        "rss_bytes": lambda second: 100_000_000 + min(second, 90) * 500_000,
        "table_bytes": lambda second: min(second, 90) * 500_000,
        "behind": lambda _: 10_000,
        **changed,
    }
    samples = []
    for second in range(SECONDS + 1):
        value = {name: flow(second) for name, flow in flows.items()}
        posted = value["answered"] + 1_000
        committed = value.get("committed", posted - value["behind"])
        samples.append(
            Sample(
                float(second),
                value["answered"] + 100_000,
                value["answered"],
                value["rss_bytes"],
                value["table_bytes"],
                committed,
                posted,
                posted,
            )
        )
    return samples


def judged(samples: list[Sample], peak_bytes: int = PEAK_BYTES) -> list[str]:
    """Give the faults of a run."""
    return faults(figures(samples, peak_bytes))


def test_a_good_run_has_no_fault() -> None:
    """Steady work with flat memory and commits that go on is what is wanted."""
    found = figures(run(), PEAK_BYTES)
    assert faults(found) == []
    assert found == {
        "payments": SECONDS * PER_SECOND,
        "seconds": 100.0,
        "per_second": PER_SECOND,
        "per_second_last_third": PER_SECOND,
        "memory_growth_mb_per_million": 0.0,
        "memory_peak_mb": 200.0,
        "table_memory_peak_mb": 45.0,
        "memory_end_mb": 145.0,
        "commit_stall_s": 0.0,
        "behind_records": 10_000,
        "lead_records": 100_000,
        "samples": SECONDS + 1,
    }


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "memory grows in the second half": (
        {
            "rss_bytes": lambda second: 100_000_000 + max(0, second - 50) * 110_000,
            "table_bytes": lambda _: 0,
        },
        "memory grows: 5.5 MB/million beside the table's",
    ),
    "the table outgrows its bound": (
        {
            "rss_bytes": lambda second: 100_000_000 + second * 1_000_000,
            "table_bytes": lambda second: second * 1_000_000,
        },
        "the table's memory peaked at 100.0 MB",
    ),
    "it slows down": (
        {"answered": lambda second: second * 20_000 - max(0, second - 50) * 12_000},
        "it slows down: 8679/s in the last third, 14000/s in all",
    ),
    "commits stop": (
        {"committed": lambda second: min(second, 80) * PER_SECOND, "behind": lambda _: 0},
        "Kafka's committed offsets stood still for 20.0 s",
    ),
    "commits are far behind": (
        {"behind": lambda second: second * 1_100},
        "Kafka's committed offsets were 110000 behind the ledger",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_run_has_its_fault(name: str) -> None:
    """Each thing that may go wrong is told in a line with its figure."""
    changed, fault = BAD[name]
    assert fault in judged(run(**changed))


def test_memory_that_grew_while_it_warmed_up_is_no_fault() -> None:
    """Caches fill up in the first half."""
    warm = run(rss_bytes=lambda second: 100_000_000 + min(second, 50) * 1_000_000)
    assert judged(warm) == []


def test_a_peak_is_a_fault() -> None:
    """Memory between two samples counts as well, by the kernel's own peak."""
    assert judged(run(), 500_000_000) == ["memory peaked at 500.0 MB"]


def test_too_short_a_run_tells_no_growth() -> None:
    """With a handful of samples no line is drawn through them."""
    assert figures(run()[:30], PEAK_BYTES)["memory_growth_mb_per_million"] is None


def test_a_worker_with_nothing_to_do_need_not_commit() -> None:
    """Commits stand still while no answers come."""
    waiting = run(answered=lambda second: min(second, 50) * PER_SECOND)
    assert commit_stall_s(waiting) == 0.0
