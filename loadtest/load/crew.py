"""The workers of a run: they come and go, and what they used is counted over all their lives."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping
from pathlib import Path

from loadtest.errors import LoadTestError
from loadtest.measure.drain import MeasuredWorker
from loadtest.measure.usage import cpu_seconds, peak_memory_bytes

ABANDONED_STATUS = 75
"""A worker's deadline passed with work in hand; what is not acknowledged is read again."""


class Crew:
    """
    Workers by number, from 1; each keeps its folder, and with it its table, from life to life.

    Workers are launched by the thread that made the crew: the kernel ends them with it.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = environment
        self._all: dict[int, MeasuredWorker] = {}
        self._running: dict[int, MeasuredWorker] = {}
        self._frozen: set[int] = set()
        self._ready_at_cpu_s: dict[int, float] = {}
        self._ended_cpu_s = 0.0
        self._ended_peak_bytes = 0

    def launch(self, number: int) -> None:
        """Start a worker, without waiting for it."""
        if number not in self._all:
            folder = self._folder / f"worker-{number}"
            self._all[number] = MeasuredWorker(folder, self._environment)
        self._all[number].launch()
        self._running[number] = self._all[number]

    async def ready(self, number: int) -> None:
        """Wait until a worker is ready; its CPU counts from then on. Raises LoadTestError."""
        worker = self._running[number]
        await asyncio.to_thread(worker.wait)
        self._ready_at_cpu_s[number] = cpu_seconds(worker.pid)

    async def stop(self, number: int) -> None:
        """Ask a worker to end, and wait until it has. Raises LoadTestError for a bad end."""
        status = await asyncio.to_thread(self._retired(number).stop)
        if status not in {0, ABANDONED_STATUS}:
            raise LoadTestError(f"worker {number}, told to stop, ended with status {status}")

    async def kill(self, number: int) -> None:
        """End a worker at once."""
        await asyncio.to_thread(self._retired(number).kill)

    def freeze(self, number: int) -> None:
        """Have a worker stand still."""
        self._frozen.add(number)
        self._running[number].send(signal.SIGSTOP)

    def thaw(self, number: int) -> None:
        """Have a frozen worker go on."""
        self._running[number].send(signal.SIGCONT)
        self._frozen.discard(number)

    def check(self) -> None:
        """Raise LoadTestError where a worker has ended by itself."""
        for number, worker in self._running.items():
            try:
                worker.check()
            except LoadTestError as error:
                raise LoadTestError(f"worker {number}: {error}") from error

    def pids(self) -> dict[int, int]:
        """Give the process ids of those that run."""
        return {number: worker.pid for number, worker in sorted(self._running.items())}

    @property
    def cpu_s(self) -> float:
        """
        The CPU seconds that all lives of all workers used; before it was ready, if that was waited
        for, a worker's do not count.
        """
        return self._ended_cpu_s + sum(map(self._cpu_s, self._running))

    @property
    def peak_memory_bytes(self) -> int:
        """The largest resident set that a worker had."""
        peaks = [peak_memory_bytes(worker.pid) for worker in self._running.values()]
        return max([self._ended_peak_bytes, *peaks])

    def end(self) -> None:
        """End all in order, frozen ones too."""
        for number in list(self._frozen):
            self.thaw(number)
        for number in list(self._running):
            self._running.pop(number).stop()

    def _retired(self, number: int) -> MeasuredWorker:
        """Note what a worker has used, as its end is meant."""
        self._ended_cpu_s += self._cpu_s(number)
        worker = self._running[number]
        self._ended_peak_bytes = max(self._ended_peak_bytes, peak_memory_bytes(worker.pid))
        self._ready_at_cpu_s.pop(number, None)
        return self._running.pop(number)

    def _cpu_s(self, number: int) -> float:
        return cpu_seconds(self._running[number].pid) - self._ready_at_cpu_s.get(number, 0.0)
