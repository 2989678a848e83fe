"""Latencies as a histogram: three significant digits, whatever their number, and they add up."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from hdrh.histogram import HdrHistogram

LOWEST_US: Final = 1
HIGHEST_US: Final = 3_600_000_000
"""An hour: what takes longer is counted as an hour."""

SIGNIFICANT_DIGITS: Final = 3
CURVE: Final = (
    *(1, 5, 10, 20, 30, 40, 50, 60, 70, 75, 80, 85, 90, 92.5, 95, 97.5, 98),
    *(99, 99.25, 99.5, 99.75, 99.9, 99.925, 99.95, 99.975, 99.99, 99.995, 99.999, 100),
)
"""Percentiles that a result names: closer and closer towards the end."""


class Latencies:
    """
    Counts latencies, in microseconds.

    What it gives is at most 0.1 % above what was recorded, never below.
    """

    def __init__(self) -> None:
        self._histogram = HdrHistogram(LOWEST_US, HIGHEST_US, SIGNIFICANT_DIGITS)

    @classmethod
    def decoded(cls, encoded: str) -> Latencies:
        """Read what `encoded` has written, in whichever process."""
        found = cls()
        found._histogram.decode_and_add(encoded)
        return found

    def __len__(self) -> int:
        return int(self._histogram.get_total_count())

    def record(self, latency_us: int) -> None:
        """Count one."""
        self._histogram.record_value(min(max(latency_us, LOWEST_US), HIGHEST_US))

    def add(self, others: Latencies) -> None:
        """Count all that others have counted."""
        self._histogram.add(others._histogram)

    def clear(self) -> None:
        """Forget all."""
        self._histogram.reset()

    def percentiles_ms(self, percents: Iterable[float]) -> list[float | None]:
        """Give the latencies that so many percent do not exceed; None where nothing was counted."""
        if not len(self):
            return [None for _ in percents]
        wanted = list(percents)
        found = self._histogram.get_percentile_to_value_dict(wanted)
        return [_ms(found[percent]) for percent in wanted]

    def encoded(self) -> str:
        """Write it as HdrHistogram V2, which adds up with others wherever it was recorded."""
        return str(self._histogram.encode().decode())

    def written(self) -> dict[str, Any]:
        """Give it as a result has it: encoded, and points of its curve."""
        curve = zip(CURVE, self.percentiles_ms(CURVE), strict=True)
        return {
            "unit": "us",
            "encoded": self.encoded(),
            "percentiles": [[percent, ms] for percent, ms in curve if ms is not None],
        }


def _ms(microseconds: int) -> float:
    return round(microseconds / 1000, 3)
