"""Two workers at once, the first of which is held just before its commit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

from processor.core.answers import Answer
from processor.core.books import Opened
from processor.ledger import Ledger, PostingSession
from tests.builders import Desk, Document, Partition, told

WAIT_S = 0.15
"""How long a worker gets to run into the lock that another holds."""


class HeldLedger:
    """A ledger whose first transaction has written everything and waits before it commits."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.written = asyncio.Event()
        self.may_commit = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        """Everything else is the ledger's."""
        return getattr(self._ledger, name)

    @asynccontextmanager
    async def posting(self) -> AsyncIterator[PostingSession]:
        """Wait after everything was written."""
        async with self._ledger.posting() as session:
            yield session
            self.written.set()
            await self.may_commit.wait()


class PausedLedger:
    """A ledger whose first transaction has decided everything and waits before it writes."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.decided = asyncio.Event()
        self.may_write = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        """Everything else is the ledger's."""
        return getattr(self._ledger, name)

    @asynccontextmanager
    async def posting(self) -> AsyncIterator[PostingSession]:
        """Wait before anything is written."""
        async with self._ledger.posting() as session:
            yield cast("PostingSession", PausedSession(session, self))


class PausedSession:
    """A session that waits before it writes."""

    def __init__(self, session: PostingSession, ledger: PausedLedger) -> None:
        self._session = session
        self._paused = ledger

    def __getattr__(self, name: str) -> Any:
        """Everything else is the session's."""
        return getattr(self._session, name)

    async def record(self, answers: Sequence[Answer], opened: Sequence[Opened]) -> None:
        """Wait, then write."""
        self._paused.decided.set()
        await self._paused.may_write.wait()
        await self._session.record(answers, opened)


class Race:
    """A worker that is held before its commit, and another that comes meanwhile."""

    def __init__(self, held: HeldLedger, one: Desk, two: Desk, logs: list[Partition]) -> None:
        self._held = held
        self._one, self._two = one, two
        self._logs = logs

    async def given(self, *documents: Document) -> None:
        """Post what is there before the race."""
        assert [told(one) for one in await self._two.post(self._logs[2].add(*documents))] == [
            "posted"
        ] * len(documents)

    async def run(self, first: Sequence[Document], second: Sequence[Document]) -> list[list[str]]:
        """Post two batches at once; the second begins when the first has written everything."""
        leading = asyncio.create_task(self._one.post(self._logs[0].add(*first)))
        await self._held.written.wait()
        following = asyncio.create_task(self._two.post(self._logs[1].add(*second)))
        _, waiting = await asyncio.wait([following], timeout=WAIT_S)
        assert waiting == {following}
        self._held.may_commit.set()
        return [[told(answer) for answer in await task] for task in (leading, following)]
