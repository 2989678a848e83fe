"""Figures, times and thresholds as people read them. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final, NamedTuple

from loadtest.load.profile import threshold_of

NONE: Final = "-"
UNBROKEN: Final = "\N{NO-BREAK SPACE}"
MINUTE_S: Final = 60
HOUR_S: Final = 3600
SECOND_MS: Final = 1000
WHOLE_FROM: Final = 100
"""Numbers from here on are shown without decimals."""

TENTHS_FROM: Final = 10
HUNDREDTHS_FROM: Final = 0.01

SIGNS: Final = {"<=": "at most", ">=": "at least", "<": "below", ">": "above", "==": "exactly"}
_UNITS: Final = {
    "_per_second": "/s",
    "_percent": "%",
    "_mib": "MiB",
    "_us": "µs",
    "_ms": "ms",
    "_s": "s",
}
_NAMES: Final = {
    "latency_p999_ms": "Latency p99.9",
    "latency_max_ms": "Latency, highest",
    "worst_stall_ms": "Longest stall",
    "late_sends_percent": "Late sends",
    "held_up_sends_percent": "Held-up sends",
    "worker_cpu_us": "Worker CPU a command",
    "worker_memory_mib": "Worker memory, most",
    "answered_per_second": "Answered",
    "recovery_worst_s": "Slowest recovery",
    "knee_per_second": "Knee",
    "drain_s": "Backlog drained in",
    "drained_per_second": "Drained",
}


class Wording(NamedTuple):
    """How a figure is called, and its unit."""

    name: str
    unit: str

    def say(self, value: float | None) -> str:
        """Say a value with its unit."""
        if value is None:
            return NONE
        apart = "" if self.unit == "/s" else UNBROKEN
        return f"{number(value)}{apart}{self.unit}".strip()


def wording(figure: str) -> Wording:
    """Give the words of a figure; one that is unknown is called after itself."""
    suffix = next((end for end in _UNITS if figure.endswith(end)), "")
    plain = figure.removesuffix(suffix).replace("_", " ")
    name = _NAMES.get(figure, plain[:1].upper() + plain[1:])
    return Wording(name, _UNITS.get(suffix, ""))


def number(value: float | None) -> str:
    """Write a number: thousands apart, about three digits that matter."""
    if value is None:
        return NONE
    size = abs(value)
    if value == int(value) or size >= WHOLE_FROM:
        return f"{value:,.0f}"
    if size < HUNDREDTHS_FROM:
        return f"{value:.1g}"
    return f"{value:,.1f}" if size >= TENTHS_FROM else f"{value:,.2f}"


def bound_in_words(threshold: str) -> tuple[Wording, str, float] | None:
    """Give figure, sign in words and bound of a threshold; None for one that is not understood."""
    try:
        bound = threshold_of(threshold)
    except ValueError:
        return None
    return wording(bound.figure), SIGNS[bound.sign], bound.bound


def duration(seconds: float) -> str:
    """Write how long something took: `4.2 s`, `3 min 20 s`, `1 h 5 min`."""
    if seconds < MINUTE_S:
        return f"{round(seconds, 1):g}{UNBROKEN}s"
    whole = round(seconds)
    hours, minutes, rest = whole // HOUR_S, whole % HOUR_S // MINUTE_S, whole % MINUTE_S
    if hours:
        found = f"{hours} h {minutes} min" if minutes else f"{hours} h"
    else:
        found = f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return found.replace(" ", UNBROKEN)


def milliseconds(value: float) -> str:
    """Write a latency: `4.2 ms`, `1.35 s`."""
    if value >= SECOND_MS:
        return f"{number(value / SECOND_MS)}{UNBROKEN}s"
    return f"{number(value)}{UNBROKEN}ms"


def moment(text: str | None) -> datetime | None:
    """Read a time such as `2026-11-22T17:00:00Z`; None for what is none."""
    try:
        at = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def when(text: str | None) -> str:
    """Write a time as people do: `22 November 2026, 17:00:05 UTC`."""
    at = moment(text)
    if at is None:
        return text or NONE
    at = at.astimezone(UTC)
    return f"{at.day} {at:%B %Y, %H:%M:%S} UTC"


def plain_name(key: str) -> str:
    """Write the key of a field as words."""
    return re.sub(r"[_\-]+", " ", key).strip()
