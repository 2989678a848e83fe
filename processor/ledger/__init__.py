"""
The ledger: what the line may ask of it. `postgres.py` answers for real, `memory.py` in pure Python
for speed in tests; one suite runs against both. Nothing outside this package knows asyncpg.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol
from uuid import UUID

import msgspec

from processor.batch import Log, Run
from processor.core.answers import Answer, Clock, RecordedAnswer
from processor.core.books import Account, Decided, Hold, Opened, Spent, Subject
from processor.core.rules import Rules


class Position(msgspec.Struct, frozen=True):
    """
    How far a partition was posted (`next_offset`) and answered (`delivered_offset`), and the record
    before it.
    """

    log: Log
    first_offset: int
    next_offset: int
    delivered_offset: int
    last_offset: int | None
    last_digest: bytes | None


class Fence(msgspec.Struct, frozen=True):
    """
    What the fence found: the current timeline, and the `next_offset` of each (topic, partition) of
    the batch.
    """

    timeline_id: int
    next_offsets: dict[tuple[str, int], int]


class Timeline(msgspec.Struct, frozen=True):
    """A life of the ledger, from a ledger_sequence on."""

    timeline_id: int
    token: UUID
    from_sequence: int


class DueHold(msgspec.Struct, frozen=True):
    """
    A hold whose time is over and that still holds money or may be captured; `overdue_s` for how
    long.
    """

    hold_transaction_id: str
    account: str
    expires_at_us: int
    overdue_s: float


class PostingSession(Protocol):
    """
    One transaction of the ledger, in the order of its methods. Commits on a clean exit, else leaves
    no trace.

    Every method raises LedgerUnavailableError when the database is away or asks to try again.
    """

    @property
    def rules(self) -> Rules:
        """The bank's rules. Only after the fence: from then on they hold until the end."""

    async def fence(self, runs: Sequence[Run], *, changes_rules: bool) -> Fence:
        """
        Lock the positions, and the rules: with others, or alone where the batch changes them.
        Raises FencedError where the claim is another's, RewoundError where next < start.
        """

    async def decided(self, transaction_ids: Collection[str]) -> dict[str, Decided]:
        """Read the recorded first answers of ids; unknown ids are left out."""

    async def answered(self, runs: Sequence[Run]) -> dict[tuple[int, int], RecordedAnswer]:
        """
        Read repeats, conflicts and dead letters recorded at the runs' positions, by (source_id,
        offset).
        """

    async def lock(self, names: Collection[str]) -> dict[str, Account]:
        """
        Lock accounts in the global order and read them as they are under the lock; unknown names
        are left out.
        """

    async def reversed_totals(self, transaction_ids: Collection[str]) -> dict[str, int]:
        """
        Read how much of each original has been given back, in minor units. Only after the locks.
        """

    async def holds(self, transaction_ids: Collection[str]) -> dict[str, Hold]:
        """Read the state of holds by the id that placed them. Only after the locks."""

    async def lock_spent(self, subjects: Collection[Subject]) -> dict[Subject, Spent]:
        """
        Lock what subjects have spent, in the global order, and read it; all are given. Only after
        the accounts.
        """

    async def clock(self, sequence_count: int) -> tuple[Clock, list[int]]:
        """
        Read the database's clock and draw ledger_sequences. Only after the locks: this is the
        serialisation order.
        """

    async def record(self, answers: Sequence[Answer], opened: Sequence[Opened]) -> None:
        """
        Write new answers with their postings, and new accounts.

        Raises AlreadyDecidedError when an id or account is not new after all, UnpostableError when
        data is refused.
        """

    async def advance(self, runs: Sequence[Run], delivered: dict[tuple[str, int], int]) -> None:
        """
        Move the positions past the runs and note their holes; carry along what was delivered
        before.
        """


class Ledger(Protocol):
    """What the worker asks of a ledger."""

    def posting(self) -> AbstractAsyncContextManager[PostingSession]:
        """Begin a transaction."""

    async def timelines(self) -> list[Timeline]:
        """Give all timelines, oldest first."""

    async def incarnations(self) -> dict[int, UUID]:
        """Give the incarnation of every source."""

    async def start_timeline(self, known: int, reason: str) -> Timeline:
        """
        Begin a new life of the ledger, for it stands before what was answered already.

        Where `known` is not the last timeline any more, another worker has begun one: that is
        given.
        """

    async def position(self, topic: str, partition: int) -> Position | None:
        """Read a position without claiming it."""

    async def claim(
        self, topic: str, partition: int, first_offset: int, claim: UUID, claimed_by: str
    ) -> Position:
        """
        Make a partition this worker's; the first claim ever opens its position at `first_offset`.
        """

    async def delivered(self, logs: dict[Log, int]) -> None:
        """Note how far outcomes were delivered, where the claim still holds."""

    async def due_holds(self, holds_max: int) -> list[DueHold]:
        """
        Read the holds that are to expire, the longest overdue first; none where another worker has
        taken this upon itself.
        """

    async def known(self, transaction_ids: Collection[str]) -> set[str]:
        """Give those of the ids that have been decided."""

    async def prepare(self) -> None:
        """
        Do what is due at start and once a day: storage for the coming months, notice of a failover.
        """

    async def close(self) -> None:
        """Let go of the connections."""
