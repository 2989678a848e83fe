"""Prepared runs on their way to the ledger: put one by one, taken as many at once as are there."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import Final

from processor.batch import Prepared

GATHERED_RECORDS: Final = 500
"""
As many records go to the ledger at once. Fewer wait for the rest of what was fetched with them: a
posting of thirty costs half as much as one of three hundred.
"""

GATHER_S: Final = 0.05
"""How long they wait. Preparing takes some milliseconds; more means that the rest was dropped."""


class Ready:
    """
    What is decoded and not posted yet, bounded by records; one run is always let in.

    A batch is made at the last moment, when the ledger is free for it: whatever was decided earlier
    to go together would only wait together.
    """

    def __init__(self, records_max: int) -> None:
        self._records_max = records_max
        self._waiting: deque[Prepared] = deque()
        self._records = 0
        self._more = False
        self._changed = asyncio.Event()

    def expect(self, *, more: bool) -> None:
        """Say whether more runs are at hand and come without waiting."""
        self._more = more
        self._changed.set()

    async def put(self, one: Prepared) -> None:
        """Add a run, when there is room for it."""
        while self._waiting and self._records + len(one.arrivals) > self._records_max:
            self.expect(more=False)  # what waits for room is not to be waited for
            await self._change()
        self._waiting.append(one)
        self._records += len(one.arrivals)
        self._changed.set()

    async def take(self, records_max: int) -> list[Prepared]:
        """
        Take whole runs, at least one, up to about `records_max` records; wait while there is none,
        or few and more at hand.
        """
        while not self._waiting:
            await self._change()
        with suppress(TimeoutError):
            async with asyncio.timeout(GATHER_S):
                while self._more and self._records < GATHERED_RECORDS:
                    await self._change()
        taken: list[Prepared] = []
        records = 0
        while self._waiting and (
            not taken or records + len(self._waiting[0].arrivals) <= records_max
        ):
            taken.append(self._waiting.popleft())
            records += len(taken[-1].arrivals)
        self._records -= records
        self._changed.set()
        return taken

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()
