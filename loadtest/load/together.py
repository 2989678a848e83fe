"""What several generators tell and find, put together as if one had sent all of it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from loadtest.load.latencies import Latencies

PERCENTILES: Final = {
    "latency_p50_ms": 50.0,
    "latency_p90_ms": 90.0,
    "latency_p99_ms": 99.0,
    "latency_p999_ms": 99.9,
    "latency_max_ms": 100.0,
}
_LATELY: Final = {"p50_ms": 50.0, "p99_ms": 99.0, "max_ms": 100.0}

_SENT: Final = ("sent", "late", "held_up")
_ADD_UP: Final = (
    *("sent", "late_sends", "held_up_sends", "commands", "read"),
    *("delivered_again", "answered_otherwise"),
    *("sender_cpu_s", "written_cpu_s", "reader_cpu_s"),
)
_WORST: Final = ("latest_send_ms", "worst_stall_ms")
_APART: Final = (
    *("sent", "late_sends", "latest_send_ms", "sender_cpu_s", "reader_cpu_s"),
    *("cores", "niceness"),
)
CPU_DIGITS: Final = 3

NEXT_AFTER_S: Final = 0.5
"""What is told sooner than this belongs to the same second: who was late tells twice at once."""


class Told(Protocol):
    """Takes what is told of a whole load while it runs."""

    def sender(self, said: Mapping[str, Any]) -> None:
        """Take how much was sent: `sent`, `late`, `held_up`."""

    def reader(self, said: Mapping[str, Any]) -> None:
        """Take how much was answered, and the latencies of what came since it was told last."""


class Together:
    """
    Hands on what the generators of a load tell, as if there were one.

    What was read is handed on when all that still read have told of their second, or when one
    has told of its next: a generator that is slow to tell holds up no other.
    """

    def __init__(self, count: int, told: Told) -> None:
        self._told = told
        self._sent: list[Mapping[str, Any]] = [dict.fromkeys(_SENT, 0)] * count
        self._read: list[Mapping[str, Any]] = [{"read": 0, "outcomes": {}, "waiting_ms": 0.0}]
        self._read *= count
        self._sending = set(range(count))
        self._reading = set(range(count))
        self._fresh: dict[int, float] = {}
        self._lately = Latencies()

    @property
    def all_sent(self) -> bool:
        """Whether nothing more is sent."""
        return not self._sending

    def sender(self, number: int, said: Mapping[str, Any]) -> None:
        """Take what a generator's sender tells."""
        self._sent[number] = said
        if said["ended"]:
            self._sending.discard(number)
        self._told.sender({name: sum(one[name] for one in self._sent) for name in _SENT})

    def reader(self, number: int, said: Mapping[str, Any]) -> None:
        """Take what a generator's reader tells."""
        at_s = said["at_s"]
        is_next = at_s - self._fresh.get(number, at_s) > NEXT_AFTER_S
        self._read[number] = said
        self._lately.add(Latencies.decoded(said["latencies"]))
        self._fresh.setdefault(number, at_s)
        if is_next or self._fresh.keys() >= self._reading:
            self._hand_on()

    def over(self, number: int) -> None:
        """Know that a generator has ended."""
        self._sending.discard(number)
        self._reading.discard(number)
        self._read[number] = {**self._read[number], "waiting_ms": 0.0}
        if self._fresh and self._fresh.keys() >= self._reading:
            self._hand_on()

    def _hand_on(self) -> None:
        found = self._lately.percentiles_ms(_LATELY.values())
        self._told.reader(
            {
                "read": sum(one["read"] for one in self._read),
                "outcomes": _outcomes(self._read),
                "waiting_ms": max(one["waiting_ms"] for one in self._read),
                **dict(zip(_LATELY, found, strict=True)),
            }
        )
        self._lately.clear()
        self._fresh.clear()


def together(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """
    Put together what generators have found, in the order of their shares.

    Counts add up and latencies are those of all commands. A stall is the worst that one of them
    saw, of its own commands: none knows what the others wait for. Clocks need not agree.
    """
    latencies = Latencies()
    for part in parts:
        latencies.add(Latencies.decoded(part["latencies"]))
    found = latencies.percentiles_ms(PERCENTILES.values())
    sums = {name: sum(part[name] for part in parts) for name in _ADD_UP}
    warmed_up = [part["warmed_up_s"] for part in parts]
    measured_s = max(part["measured_s"] for part in parts)
    return {
        **{name: round(one, CPU_DIGITS) for name, one in sums.items()},
        **{name: max(part[name] for part in parts) for name in _WORST},
        "foreign": _foreign(parts),
        "warmed_up_s": None if None in warmed_up else max(warmed_up),
        **dict(zip(PERCENTILES, found, strict=True)),
        "answered_per_second": round(sums["commands"] / measured_s, 1) if sums["commands"] else 0.0,
        "outcomes": _outcomes(parts),
        "histogram": latencies.written(),
        "generators": [{name: part[name] for name in _APART} for part in parts],
    }


def _outcomes(told: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for one in told:
        found.update(one["outcomes"])
    return dict(found)


def _foreign(parts: Sequence[Mapping[str, Any]]) -> int:
    """
    Count answers to what none of them sent.

    Each sees the answers of all, and counts positions that are not its own. It may end before the
    others' last ones have come, so what the others have read is the most that they explain.
    """
    read = sum(part["read"] for part in parts)
    return int(max(0, *(part["foreign"] - (read - part["read"]) for part in parts)))
