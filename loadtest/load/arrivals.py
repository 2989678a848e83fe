"""Latency of an open loop: from when a command was due to be sent until its outcome was read."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

from loadtest.load.schedule import Schedule

MICROSECONDS = 1_000_000
LATE_AFTER_S = 0.010
"""A send counts as late when it leaves so long after it was due."""


TELL_EVERY_S = 1.0
"""How often both sides tell how far they are."""


class Arrivals:
    """Takes note of outcomes as they are read, and of the longest stall."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._latencies_us = array("I", bytes(4 * schedule.count))
        self._seen = bytearray(schedule.count)
        self._oldest_missing = 0
        self._last_read_at = schedule.starts_at
        self._lately: list[int] = []
        self.read = 0
        self.repeated = 0
        self.worst_stall_s = 0.0

    def add(self, numbers: Sequence[int], now: float) -> None:
        """Take note of outcomes that were all read at `now`."""
        schedule = self._schedule
        waited_from = max(self._last_read_at, schedule.due(self._oldest_missing))
        if numbers and self._oldest_missing >= schedule.warm_up:
            self.worst_stall_s = max(self.worst_stall_s, now - waited_from)
        for number in numbers:
            if self._seen[number]:
                self.repeated += 1
                continue
            self._seen[number] = 1
            self.read += 1
            latency_us = max(0, round((now - schedule.due(number)) * MICROSECONDS))
            self._latencies_us[number] = latency_us
            self._lately.append(latency_us)
        if numbers:
            self._last_read_at = now
            missing = self._seen.find(0, self._oldest_missing)
            self._oldest_missing = schedule.count if missing < 0 else missing

    def lately(self) -> dict[str, Any]:
        """Give how many were read so far, and the latencies of those since it was asked last."""
        window = sorted(self._lately)
        self._lately.clear()
        return {
            "read": self.read,
            "p50_ms": percentile_ms(window, 50),
            "p99_ms": percentile_ms(window, 99),
            "max_ms": percentile_ms(window, 100),
        }

    @property
    def complete(self) -> bool:
        """Whether every command has its outcome."""
        return self.read == self._schedule.count

    def figures(self) -> dict[str, Any]:
        """Give the percentiles of all commands after the warm-up, and what went wrong."""
        schedule = self._schedule
        counted = [
            latency
            for latency, seen in zip(
                self._latencies_us[schedule.warm_up :], self._seen[schedule.warm_up :], strict=True
            )
            if seen
        ]
        counted.sort()
        measured_s = self._last_read_at - schedule.due(schedule.warm_up)
        return {
            "commands": len(counted),
            "read": self.read,
            "repeated": self.repeated,
            "latency_p50_ms": percentile_ms(counted, 50),
            "latency_p90_ms": percentile_ms(counted, 90),
            "latency_p99_ms": percentile_ms(counted, 99),
            "latency_p999_ms": percentile_ms(counted, 99.9),
            "latency_max_ms": percentile_ms(counted, 100),
            "worst_stall_ms": round(self.worst_stall_s * 1000, 3),
            "answered_per_second": round(len(counted) / measured_s, 1) if counted else 0.0,
        }


def percentile_ms(sorted_us: Sequence[int], percent: float) -> float | None:
    """Give the smallest value that `percent` of all values do not exceed (nearest rank)."""
    if not sorted_us:
        return None
    rank = -(-len(sorted_us) * percent // 100)
    return round(sorted_us[max(0, int(rank) - 1)] / 1000, 3)
