"""Latency of an open loop: from when a command was due to be sent until its answer was read."""

from __future__ import annotations

from array import array
from base64 import b64decode
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from loadtest.load.answers import Answer
from loadtest.load.latencies import Latencies
from loadtest.load.schedule import Schedule
from loadtest.load.standing import FOREIGN, UNTOLD, Standing

MICROSECONDS = 1_000_000
LATE_AFTER_S = 0.010
"""A send counts as late when it leaves so long after it was due."""

TELL_EVERY_S = 1.0
"""How often the reader tells how far it is."""

SENDER_QUIET_S = 0.3
"""The sender tells more often than this, while it has something to tell."""


class Arrivals:
    """
    Takes note of answers as they are read, joins them with what was sent, by their positions.

    An answer waits until the sender has told what stands at its position: a moment as a rule, for
    the sender tells that a few times a second. Those of other partitions do not wait for it. Twelve
    bytes a command are kept. `foreign` counts positions that were answered and that the sender did
    not send.
    """

    def __init__(self, schedule: Schedule, partitions: int) -> None:
        self._schedule = schedule
        self._standing = Standing(schedule, partitions)
        self._marks = [array("I") for _ in range(partitions)]
        self._oldest = [0] * partitions
        self._warmed_up = 0
        self._waiting: deque[tuple[float, Sequence[Answer]]] = deque()
        self._foreign = [bytearray() for _ in range(partitions)]
        self._measured_from = schedule.due(schedule.warm_up)
        self._last_read_at = schedule.starts_at
        self._waited_s = 0.0
        self._total, self._lately, self._warming = Latencies(), Latencies(), Latencies()
        self.outcomes: Counter[str] = Counter()
        self.read = 0
        self.foreign = 0
        self.delivered_again = 0
        self.answered_otherwise = 0
        self.warmed_up_at: float | None = None
        """When the last answer of the warm-up came."""

        self.worst_stall_s = 0.0

    def told(self, said: Mapping[str, Any], now: float) -> None:
        """Take what the sender tells at `now`: what it has put, and where it stands."""
        self._standing.put(b64decode(said["homes"]))
        for marks, dues in zip(self._marks, self._standing.dues, strict=True):
            marks.frombytes(bytes(marks.itemsize * (len(dues) - len(marks))))
        for partition, base, count in said["runs"]:
            self._standing.delivered(partition, base, count)
        self._standing.has_ended = said["ended"]
        self._join()
        self._waited_s = now - self._oldest_due()

    def add(self, answers: Sequence[Answer], now: float) -> None:
        """Take note of answers that were all read at `now`."""
        if answers:
            self._waiting.append((now, answers))
            self._join()

    def _join(self) -> None:
        """Take in what waits, in its order, in each partition as far as its positions are told."""
        untold: set[int] = set()
        left: deque[tuple[float, Sequence[Answer]]] = deque()
        while self._waiting and len(untold) < len(self._marks):
            now, answers = self._waiting.popleft()
            if kept := self._take(answers, now, untold):
                left.append((now, kept))
        left.extend(self._waiting)
        self._waiting = left

    def _oldest_due(self) -> float:
        """Give when the oldest command without an answer was due; infinite where all have one."""
        for partition, marks in enumerate(self._marks):
            place = self._oldest[partition]
            while place < len(marks) and marks[place]:
                place += 1
            self._oldest[partition] = place
        return self._standing.oldest_due(self._oldest)

    def _stalled_until(self, now: float) -> None:
        """Look how long nothing new had come while something was due that had no answer yet."""
        due = self._oldest_due()
        if due >= self._measured_from:
            self.worst_stall_s = max(self.worst_stall_s, now - max(self._last_read_at, due))
        self._last_read_at = now

    def _take(self, answers: Sequence[Answer], now: float, untold: set[int]) -> list[Answer]:
        """
        Take in answers but those of partitions from the first position on that is not told; give
        what is left, and add to those partitions.
        """
        standing, left = self._standing, []
        for answer in answers:
            partition, offset, kind, mark = answer
            place = UNTOLD if partition in untold else standing.place(partition, offset)
            if place == UNTOLD:
                untold.add(partition)
                left.append(answer)
                continue
            if place == FOREIGN:
                self._see_foreign(partition, offset)
                continue
            before = self._marks[partition][place]
            if before:
                self.delivered_again += before == mark
                self.answered_otherwise += before != mark
                continue
            if now > self._last_read_at:
                self._stalled_until(now)
            self._marks[partition][place] = mark
            self.read += 1
            self.outcomes[kind] += 1
            latency_us = round((now - standing.dues[partition][place]) * MICROSECONDS)
            is_warm_up = place < standing.warm_ups[partition]
            (self._warming if is_warm_up else self._lately).record(latency_us)
            self._warmed_up += is_warm_up
            if is_warm_up and self._warmed_up == self._schedule.warm_up:
                self.warmed_up_at = now
        return left

    def _see_foreign(self, partition: int, offset: int) -> None:
        """Count a position once, however often its answer is delivered."""
        seen = self._foreign[partition]
        if offset >= len(seen):
            seen.extend(bytes(offset + 1 - len(seen)))
        self.foreign += not seen[offset]
        seen[offset] = 1

    def waiting_ms(self, now: float) -> float:
        """
        Say how long the oldest command without an answer has been due; while more is sent, as of
        when the sender told last: an answer that was read since may wait to hear where it belongs.
        """
        waited_s = now - self._oldest_due() if self._standing.has_ended else self._waited_s
        return round(max(0.0, waited_s) * 1000, 3)

    def lately(self, now: float) -> dict[str, Any]:
        """
        Give how much was read so far, the latencies of what came since it was asked last, and how
        long the oldest that is missing waits.
        """
        self._total.add(self._lately)
        self._lately.add(self._warming)
        latencies = self._lately.encoded()
        self._lately.clear()
        self._warming.clear()
        return {
            "at_s": round(now - self._schedule.starts_at, 3),
            "read": self.read,
            "outcomes": dict(self.outcomes),
            "latencies": latencies,
            "waiting_ms": self.waiting_ms(now),
        }

    @property
    def complete(self) -> bool:
        """Whether nothing more is sent, and every command has its answer."""
        return self._standing.has_ended and self.read == self._standing.count

    def figures(self) -> dict[str, Any]:
        """
        Give the latencies of all commands after the warm-up, and what went wrong. Times are seconds
        from the beginning of the schedule: other machines have other clocks.
        """
        self.lately(self._last_read_at)
        warmed_up_at, starts_at = self.warmed_up_at, self._schedule.starts_at
        return {
            "commands": len(self._total),
            "read": self.read,
            "delivered_again": self.delivered_again,
            "answered_otherwise": self.answered_otherwise,
            "foreign": self.foreign,
            "warmed_up_s": None if warmed_up_at is None else warmed_up_at - starts_at,
            "worst_stall_ms": round(self.worst_stall_s * 1000, 3),
            "measured_s": self._last_read_at - self._measured_from,
            "outcomes": dict(self.outcomes),
            "latencies": self._total.encoded(),
        }


class Seconds:
    """
    Has a reader tell once a second how far it is.

    It does so when the sender has just told where its batches stand: then what was sent and what
    was answered are of the same moment. At any other, what was read and not yet placed is missing:
    the answers of a quarter of a second, or of none. A sender that is quiet is not waited for.
    """

    def __init__(
        self, arrivals: Arrivals, starts_at: float, tell: Callable[[Mapping[str, Any]], None]
    ) -> None:
        self._arrivals = arrivals
        self._next_at = starts_at
        self._tell = tell

    def placed(self, now: float) -> None:
        """Know that the sender has told."""
        if now >= self._next_at:
            self.tell(now)

    def passed(self, now: float) -> None:
        """Know how late it is."""
        if now >= self._next_at + SENDER_QUIET_S:
            self.tell(now)

    def tell(self, now: float) -> None:
        """Tell it at once."""
        self._tell(self._arrivals.lately(now))
        self._next_at += TELL_EVERY_S
