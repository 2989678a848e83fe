"""What the worker knows of the ledger's timelines and sources, kept for the ids of events."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from processor.ledger import Ledger, Timeline


class Timelines:
    """Timelines and source incarnations, read again when an unknown one is met."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._all: list[Timeline] = []
        self.tokens: dict[int, UUID] = {}
        self.incarnations: dict[int, UUID] = {}

    async def know(self, timeline_id: int) -> None:
        """Make sure that a timeline and everything before it is known."""
        if timeline_id not in self.tokens:
            await self.read()

    async def know_sources(self, source_ids: Collection[int]) -> None:
        """
        Make sure that sources are known: the first command of an id may stand in a partition that
        only another worker has ever read.
        """
        if not self.incarnations.keys() >= set(source_ids):
            await self.read()

    async def read(self) -> None:
        """Read all timelines and sources."""
        self._all = await self._ledger.timelines()
        self.tokens.update({timeline.timeline_id: timeline.token for timeline in self._all})
        self.incarnations.update(await self._ledger.incarnations())

    @property
    def current(self) -> Timeline:
        """The last timeline."""
        return self._all[-1]

    def of_sequence(self, ledger_sequence: int) -> int:
        """
        Give the timeline on which a ledger_sequence was decided: the last one that begins no later.
        """
        starts = [timeline.from_sequence for timeline in self._all]
        return self._all[bisect_right(starts, ledger_sequence) - 1].timeline_id
