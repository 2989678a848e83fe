"""
Runs on their way from the consumer to the line: bounded by records held, dropped as a whole when
partitions go.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from processor.batch import Run

if TYPE_CHECKING:
    from collections.abc import Iterable


class Intake:
    """
    What the consumer has delivered and the line has not finished.

    `records_max` bounds the records of all runs held anywhere in the process; one run is always let
    in.
    """

    def __init__(self, records_max: int) -> None:
        self._records_max = records_max
        self._waiting: deque[tuple[Run, Any]] = deque()
        self._held: dict[int, tuple[Run, Any]] = {}
        self._held_records = 0
        self._announced_records = 0
        self._changed = asyncio.Event()

    @property
    def held_records(self) -> int:
        """How many records are held, waiting or in work."""
        return self._held_records

    def has_more(self) -> bool:
        """Whether a run is waiting to be taken, or on its way here."""
        return bool(self._waiting) or self._announced_records > 0

    def has_room(self) -> bool:
        """Whether another run may be delivered."""
        return self._held_records + self._announced_records < self._records_max

    def announce(self, runs: Iterable[Run]) -> None:
        """Count runs that are on their way through Faust's channel."""
        self._announced_records += sum(len(run.records) for run in runs)

    async def changed(self, wait_s: float) -> None:
        """Wait until a run came or went, at most `wait_s`."""
        self._changed.clear()
        try:
            await asyncio.wait_for(self._changed.wait(), wait_s)
        except TimeoutError:
            return

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def put(self, run: Run, message: Any) -> None:
        """Take a run in, with the message that stands for it in Faust."""
        self._waiting.append((run, message))
        self._held[id(run)] = (run, message)
        self._held_records += len(run.records)
        self._announced_records = max(0, self._announced_records - len(run.records))
        self._changed.set()

    async def take(self) -> Run:
        """Take the next run; wait only while there is none."""
        while not self._waiting:
            await self._change()
        run, _ = self._waiting.popleft()
        return run

    def finish(self, runs: Iterable[Run]) -> list[Any]:
        """Let go of runs that were finished or dropped; give their messages."""
        messages = []
        for run in runs:
            held = self._held.pop(id(run), None)
            if held is not None:
                self._held_records -= len(run.records)
                messages.append(held[1])
        self._changed.set()
        return messages

    async def all_finished(self) -> None:
        """Wait until no run is held any more."""
        while self._held:
            await self._change()

    def drop_waiting(self) -> list[Any]:
        """Drop everything that was not taken yet, in Faust's channel too; give the messages."""
        self._announced_records = 0
        dropped = [run for run, _ in self._waiting]
        self._waiting.clear()
        return self.finish(dropped)

    def drop_all(self) -> list[Any]:
        """Drop everything, what is in work too; give the messages."""
        self._waiting.clear()
        self._announced_records = 0
        return self.finish([run for run, _ in self._held.values()])
