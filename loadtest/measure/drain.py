"""Time a worker from its first read to the last outcome delivered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self

from aiokafka import TopicPartition

from loadtest.errors import LoadTestError
from loadtest.measure.usage import Processes, Usage, peak_memory_bytes
from loadtest.observe import consumer
from loadtest.processes import Worker

FIRST_READ_MARK = b"partition.claimed"
"""The worker logs this just before it fetches for the first time."""

FIRST_READ_LIMIT_S = 60.0
FIRST_READ_POLL_S = 0.005
QUIET_LIMIT_S = 30.0
"""A run fails when no outcome comes for so long although some are missing."""

POLL_SHORTEST_S = 0.02
POLL_LONGEST_S = 0.25
FAR_SHARE = 0.2
"""A pause is this share of the time that the rest will take: rare looks far from the end."""


class Drainer(Protocol):
    """A process that works off a backlog, of the product or of another system."""

    log: Path

    @property
    def pid(self) -> int:
        """The process id while it runs."""

    def launch(self) -> None:
        """Start it."""

    def check(self) -> None:
        """Raise where it has ended by itself."""


class MeasuredWorker(Worker):
    """A worker whose process can be measured."""

    @property
    def pid(self) -> int:
        """The process id while it runs."""
        assert self._process is not None, "measured while it runs"
        return self._process.pid


class Drained(NamedTuple):
    """A backlog worked off: the seconds from the first read to the last outcome delivered."""

    payments: int
    seconds: float
    before: Usage
    after: Usage
    peak_memory_bytes: int

    @property
    def per_second(self) -> float:
        """Payments per second."""
        return self.payments / self.seconds

    def shown(self) -> dict[str, Any]:
        """Give what the result file says of it."""
        return {
            "payments": self.payments,
            "seconds": round(self.seconds, 4),
            "per_second": round(self.per_second, 1),
            "cpu_us_per_payment": self.after.per_payment_us(self.before, self.payments),
            "peak_memory_bytes": self.peak_memory_bytes,
        }


async def drain(
    outcomes: OutcomesEnd,
    worker: Drainer,
    beside: Callable[[int], Processes],
    payments: int,
    events: int,
    progress: Callable[[int, float], None],
    mark: bytes = FIRST_READ_MARK,
) -> Drained:
    """
    Start the worker and follow the end of the outcomes until all `events` have come.

    The clock starts when `mark` stands in its log.
    """
    before_records = await outcomes.end()
    worker.launch()
    processes = beside(worker.pid)
    await _first_read(worker, mark)
    began, before = time.monotonic(), processes.usage()
    wanted = before_records + events
    await outcomes.reach(
        wanted, worker.check, lambda end: progress(end - before_records, time.monotonic() - began)
    )
    seconds, after = time.monotonic() - began, processes.usage()
    return Drained(payments, seconds, before, after, peak_memory_bytes(worker.pid))


def answered_so_far(
    title: str, every_s: float, print_: Callable[[str], None]
) -> Callable[[int, float], None]:
    """Give what prints a line every few seconds while a backlog is worked off."""
    next_at = every_s

    def show(done: int, passed_s: float) -> None:
        nonlocal next_at
        if passed_s >= next_at:
            next_at = passed_s + every_s
            print_(f"    {title}: {done:,} answered, {done / passed_s:,.0f}/s")

    return show


async def _first_read(worker: Drainer, mark: bytes) -> None:
    deadline = time.monotonic() + FIRST_READ_LIMIT_S
    while not _says(worker.log, mark):
        worker.check()
        if time.monotonic() > deadline:
            raise LoadTestError(
                f"the worker read nothing within {FIRST_READ_LIMIT_S:.0f} s (log: {worker.log})"
            )
        await asyncio.sleep(FIRST_READ_POLL_S)


def _says(log: Path, mark: bytes) -> bool:
    return log.exists() and mark in log.read_bytes()


class OutcomesEnd:
    """Where a topic ends, all partitions together; an async context. It reads no record."""

    def __init__(self, bootstrap_servers: str, topic: str, partitions: int) -> None:
        self._reader = consumer(bootstrap_servers)
        self._partitions = [TopicPartition(topic, number) for number in range(partitions)]

    async def __aenter__(self) -> Self:
        await self._reader.start()
        self._reader.assign(self._partitions)
        await self._reader.seek_to_end(*self._partitions)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._reader.stop()

    async def end(self) -> int:
        """Sum the end offsets."""
        ends: dict[Any, int] = await self._reader.end_offsets(self._partitions)
        return sum(ends.values())

    async def reach(
        self, wanted: int, healthy: Callable[[], None], progress: Callable[[int], None]
    ) -> None:
        """Wait until the ends sum up to `wanted`; look often towards the end, seldom before."""
        began = changed_at = time.monotonic()
        first = last = await self.end()
        while last < wanted:
            healthy()
            now = time.monotonic()
            if now - changed_at > QUIET_LIMIT_S:
                raise LoadTestError(
                    f"no outcome for {QUIET_LIMIT_S:.0f} s, {wanted - last:,} are missing"
                )
            left_s = (wanted - last) * (now - began) / max(last - first, 1)
            await asyncio.sleep(min(max(left_s * FAR_SHARE, POLL_SHORTEST_S), POLL_LONGEST_S))
            end = await self.end()
            if end != last:
                last, changed_at = end, time.monotonic()
                progress(last)
