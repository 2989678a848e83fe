"""What a long run's samples say: does memory grow, does the work slow down, do commits go on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from processor.settings import Settings

MEGABYTE = 1_000_000
MILLION = 1_000_000
GROWTH_MB_PER_MILLION_MAX = 5.0
PEAK_MB_MAX = 500.0
TABLE_MB_MAX = Settings().table_memory_bytes_max / MEGABYTE

COMMIT_STALL_S_MAX = 15.0
"""Offsets are committed to Kafka twice a second; a rebalance or a slow disk may cost seconds."""

BEHIND_RECORDS_MAX = 100_000
"""How far Kafka's committed offset may be behind the ledger."""

SLOWEST_SHARE = 0.8
"""The last third must go at least this share of the whole run's rate."""

SAMPLES_TO_JUDGE = 20
"""A second half with fewer samples is too short to tell a trend."""


class Sample(NamedTuple):
    """One look, all partitions together: what was answered, the ledger's place and Kafka's."""

    at_s: float
    published: int
    answered: int
    rss_bytes: int
    table_bytes: int
    committed: int
    posted: int
    delivered: int


def figures(samples: Sequence[Sample], peak_bytes: int) -> dict[str, Any]:
    """Sum a run up; None where it was too short to tell."""
    last = samples[-1]
    return {
        "payments": last.answered,
        "seconds": round(last.at_s - samples[0].at_s, 1),
        "per_second": rate(samples),
        "per_second_last_third": rate(since(samples, last.answered * 2 // 3)),
        "memory_growth_mb_per_million": growth(since(samples, last.answered // 2)),
        "table_memory_peak_mb": round(max(one.table_bytes for one in samples) / MEGABYTE, 1),
        "memory_peak_mb": round(peak_bytes / MEGABYTE, 1),
        "memory_end_mb": round(last.rss_bytes / MEGABYTE, 1),
        "commit_stall_s": commit_stall_s(samples),
        "behind_records": max(one.posted - one.committed for one in samples),
        "lead_records": max(one.published - one.answered for one in samples),
        "samples": len(samples),
    }


def faults(found: dict[str, Any]) -> list[str]:
    """Hold figures against what must be; give a line for each that is not."""
    whole, third = found["per_second"], found["per_second_last_third"]
    memory = found["memory_growth_mb_per_million"]
    told = [
        (
            memory is None or memory < GROWTH_MB_PER_MILLION_MAX,
            f"memory grows: {memory} MB/million beside the table's",
        ),
        (
            found["table_memory_peak_mb"] <= TABLE_MB_MAX,
            f"the table's memory peaked at {found['table_memory_peak_mb']} MB",
        ),
        (found["memory_peak_mb"] < PEAK_MB_MAX, f"memory peaked at {found['memory_peak_mb']} MB"),
        (
            third is None or third >= whole * SLOWEST_SHARE,
            f"it slows down: {third}/s in the last third, {whole}/s in all",
        ),
        (
            found["commit_stall_s"] <= COMMIT_STALL_S_MAX,
            f"Kafka's committed offsets stood still for {found['commit_stall_s']} s",
        ),
        (
            found["behind_records"] <= BEHIND_RECORDS_MAX,
            f"Kafka's committed offsets were {found['behind_records']} behind the ledger",
        ),
    ]
    return [line for holds, line in told if not holds]


def since(samples: Sequence[Sample], answered: int) -> Sequence[Sample]:
    """Give the samples from a number of answers on."""
    return [one for one in samples if one.answered >= answered]


def rate(samples: Sequence[Sample]) -> int | None:
    """Give the answers per second between the first sample and the last."""
    if len(samples) < 2 or samples[-1].at_s == samples[0].at_s:
        return None
    return round(
        (samples[-1].answered - samples[0].answered) / (samples[-1].at_s - samples[0].at_s)
    )


def growth(samples: Sequence[Sample]) -> float | None:
    """
    Give the megabytes by which memory's floor rises per million payments: the least of the second
    half of the samples against the least of the first.

    Memory goes up and down with the batches in hand by more than a leak would add in a run, so a
    line through all samples tells of chance; what is never given back raises the floor. What
    RocksDB says it holds is left out: it fills up to its bound as ids come, and is held against
    that.
    """
    middle = len(samples) // 2
    if len(samples) < SAMPLES_TO_JUDGE:
        return None
    first, second = (
        min(one.rss_bytes - one.table_bytes for one in half)
        for half in (samples[:middle], samples[middle:])
    )
    millions = (samples[middle].answered - samples[0].answered) / MILLION
    return round((second - first) / MEGABYTE / millions, 2)


def commit_stall_s(samples: Sequence[Sample]) -> float:
    """Give the longest time for which committed offsets stood still while answers came."""
    longest = 0.0
    moved = samples[0]
    for one in samples[1:]:
        if one.committed > moved.committed or one.answered == moved.answered:
            moved = one
        longest = max(longest, one.at_s - moved.at_s)
    return round(longest, 1)
