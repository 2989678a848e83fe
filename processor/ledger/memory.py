"""
The ledger in memory, for speed in tests: the refusals of PostgreSQL's, one transaction at a time.

Nothing survives the process, and nothing half-done can be seen: no transaction begins before the
one before it has ended. The tables and their constraints: `memory_tables.py`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from msgspec.structs import replace

from processor.batch import Log, Run
from processor.core.answers import (
    Answer,
    Clock,
    Conflict,
    DeadLetter,
    First,
    RecordedAnswer,
    Repeat,
)
from processor.core.books import Account, Decided, Hold, Opened, Spent, Subject
from processor.core.rules import Rules
from processor.errors import AlreadyDecidedError, FencedError, RewoundError
from processor.ledger import DueHold, Fence, Position, Timeline
from processor.ledger.memory_tables import CHECK, Entry, Tables, refused

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNTRANSLATABLE: Final = "22021"


class MemorySession:
    """One posting transaction; see `PostingSession` for what each method promises."""

    def __init__(self, tables: Tables, now_us: Callable[[], int]) -> None:
        self._tables = tables
        self._now_us = now_us

    @property
    def rules(self) -> Rules:
        """The rules as they are: nothing else goes on beside this session."""
        return self._tables.rules[-1]

    async def fence(self, runs: Sequence[Run], *, changes_rules: bool) -> Fence:  # noqa: ARG002 - the protocol's; sessions never overlap
        """Compare claims and starts with the positions."""
        next_offsets: dict[tuple[str, int], int] = {}
        fenced, rewound = set[tuple[str, int]](), set[tuple[str, int]]()
        for run in runs:
            key = (run.log.topic, run.log.partition)
            place = self._tables.positions.get(key)
            if place is None or place.next_offset < run.start:
                rewound.add(key)
                continue
            if place.log.claim != run.log.claim:
                fenced.add(key)
            next_offsets[key] = place.next_offset
        if rewound:
            raise RewoundError("the ledger stands before what was read", frozenset(rewound))
        if fenced:
            raise FencedError("the claim is another worker's", frozenset(fenced))
        return Fence(self._tables.timelines[-1].timeline_id, next_offsets)

    async def decided(self, transaction_ids: Collection[str]) -> dict[str, Decided]:
        """Read recorded first answers."""
        decided = self._tables.decided
        return {one: decided[one] for one in transaction_ids if one in decided}

    async def answered(self, runs: Sequence[Run]) -> dict[tuple[int, int], RecordedAnswer]:
        """Read what else was recorded at the runs' positions."""
        places = ((run.log.source_id, at) for run in runs for at in range(run.start, run.end))
        recorded = self._tables.recorded
        return {place: recorded[place] for place in places if place in recorded}

    async def lock(self, names: Collection[str]) -> dict[str, Account]:
        """Read accounts; the batch gets copies of its own."""
        accounts = self._tables.accounts
        return {name: replace(accounts[name]) for name in names if name in accounts}

    async def reversed_totals(self, transaction_ids: Collection[str]) -> dict[str, int]:
        """Read reversal totals."""
        totals = self._tables.reversed_minor
        return {one: totals[one] for one in transaction_ids if one in totals}

    async def holds(self, transaction_ids: Collection[str]) -> dict[str, Hold]:
        """Read holds; the batch gets copies of its own."""
        holds = self._tables.holds
        return {one: replace(holds[one]) for one in transaction_ids if one in holds}

    async def lock_spent(self, subjects: Collection[Subject]) -> dict[Subject, Spent]:
        """Read what subjects have spent; the batch gets copies of its own."""
        spent = self._tables.spent
        return {one: replace(spent[one]) if one in spent else Spent("") for one in subjects}

    async def clock(self, sequence_count: int) -> tuple[Clock, list[int]]:
        """Read the clock and draw ledger_sequences."""
        sequences = [self._tables.next_sequence() for _ in range(sequence_count)]
        now_us = self._now_us()
        return Clock(now_us, _written(now_us), self.rules), sequences

    async def record(self, answers: Sequence[Answer], opened: Sequence[Opened]) -> None:
        """Write accounts, ids, postings and all other answers."""
        for one in opened:
            self._tables.open(one)
        for answer in answers:
            if isinstance(answer, First):
                self._record_first(answer)
            else:
                self._record_other(answer)

    async def advance(self, runs: Sequence[Run], delivered: dict[tuple[str, int], int]) -> None:
        """Move the positions, note the holes."""
        for run in runs:
            key = (run.log.topic, run.log.partition)
            place = self._tables.positions[key]
            delivered_offset = max(place.delivered_offset, delivered.get(key, 0))
            moved = replace(place, delivered_offset=delivered_offset)
            if run.end > place.next_offset:
                moved = replace(moved, next_offset=run.end)
                if run.records:
                    last = run.records[-1].offset
                    moved = replace(moved, last_offset=last, last_digest=run.digest())
            if moved.delivered_offset > moved.next_offset:
                raise refused("delivered_is_posted", CHECK)
            self._tables.put(self._tables.positions, key, moved)
            for start, end in run.holes():
                # The holes of a redelivered run were noted before.
                if end > place.next_offset:
                    first = max(start, place.next_offset)
                    self._tables.insert(
                        self._tables.holes, (run.log.source_id, first), end, "hole_once"
                    )

    def _record_first(self, answer: First) -> None:
        decided = answer.decided
        command, ruling = decided.command, decided.ruling
        assert command is not None, "a first answer is about the command at hand"
        texts = (command.reference or "", *(command.metadata or {}).values())
        if any("\0" in text for text in texts):
            raise refused("a text with a NUL character", _UNTRANSLATABLE)
        if decided.transaction_id in self._tables.decided:
            raise AlreadyDecidedError("an id was decided before")
        kept = replace(
            decided,
            command=None,
            recorded_content=decided.content(),
            ruling=replace(
                ruling,
                postings=(),
                holding=None,
                spendings=(),
                amount_minor=ruling.amount_minor if ruling.reason is None else None,
            ),
        )
        self._tables.put(self._tables.decided, decided.transaction_id, kept)
        if ruling.changes_rules:
            self._tables.change_rules(decided)
        if ruling.holding is not None:
            self._tables.hold(decided, ruling.holding)
        for line, posting in enumerate(ruling.postings, start=1):
            self._tables.post(kept, line, posting)
        for spending in ruling.spendings:
            self._tables.spend(decided.ledger_sequence, spending)
        if ruling.change is not None:
            assert ruling.account is not None, "a change is of an account"
            self._tables.change(ruling.account, ruling.change)

    def _record_other(self, answer: Repeat | Conflict | DeadLetter) -> None:
        source = answer.arrival.source
        if isinstance(answer, Repeat):
            row = RecordedAnswer(Repeat, answer.timeline_id, "")
        elif isinstance(answer, Conflict):
            row = RecordedAnswer(Conflict, answer.timeline_id, answer.decided_at)
        else:
            row = RecordedAnswer(DeadLetter, answer.timeline_id, answer.received_at, answer.invalid)
        place = (source.source_id, source.offset)
        self._tables.insert(self._tables.recorded, place, row, "one answer for a position")


class MemoryLedger:
    """`Ledger` in dictionaries. `now_us` is its clock: microseconds since the epoch."""

    def __init__(self, *, now_us: Callable[[], int] | None = None) -> None:
        self._now_us = now_us or _system_clock
        self._tables = Tables()
        self._turn = asyncio.Lock()
        self._begin_timeline("the ledger was made")

    @asynccontextmanager
    async def posting(self) -> AsyncIterator[MemorySession]:
        """Begin once the transaction before has ended; take everything back after any error."""
        async with self._turn:
            session = MemorySession(self._tables, self._now_us)
            try:
                yield session
                self._tables.commit()
            except BaseException:
                self._tables.roll_back()
                raise

    async def timelines(self) -> list[Timeline]:
        """Give all timelines, oldest first."""
        return list(self._tables.timelines)

    async def start_timeline(self, known: int, reason: str) -> Timeline:
        """Begin a new timeline unless `known` is not the last any more; give the last."""
        async with self._turn:
            if self._tables.timelines[-1].timeline_id == known:
                self._begin_timeline(reason)
            return self._tables.timelines[-1]

    async def incarnations(self) -> dict[int, UUID]:
        """Give the incarnation of every source."""
        return dict(self._tables.sources)

    async def position(self, topic: str, partition: int) -> Position | None:
        """Read a position."""
        return self._tables.positions.get((topic, partition))

    async def claim(
        self,
        topic: str,
        partition: int,
        first_offset: int,
        claim: UUID,
        claimed_by: str,  # noqa: ARG002 - the protocol's; only an operator reads it
    ) -> Position:
        """Write the claim; open the position on the first claim ever."""
        async with self._turn:
            place = self._tables.positions.get((topic, partition))
            if place is None:
                source_id = len(self._tables.sources) + 1
                incarnation = self._tables.sources[source_id] = uuid4()
                log = Log(source_id, topic, partition, incarnation, claim)
                place = Position(log, first_offset, first_offset, first_offset, None, None)
            claimed = replace(place, log=replace(place.log, claim=claim))
            self._tables.positions[topic, partition] = claimed
            return claimed

    async def delivered(self, logs: dict[Log, int]) -> None:
        """Note deliveries where the claim still holds."""
        async with self._turn:
            for log, offset in logs.items():
                place = self._tables.positions[log.topic, log.partition]
                if place.log.claim == log.claim and place.delivered_offset < offset:
                    noted = replace(place, delivered_offset=min(offset, place.next_offset))
                    self._tables.positions[log.topic, log.partition] = noted

    async def due_holds(self, holds_max: int) -> list[DueHold]:
        """Read what is due."""
        now_us, decided = self._now_us(), self._tables.decided
        due = [
            DueHold(
                id_,
                decided[id_].ruling.debit_account or "",
                hold.expires_at_us,
                (now_us - hold.expires_at_us) / 1_000_000,
            )
            for id_, hold in self._tables.holds.items()
            if hold.expires_at_us is not None and hold.is_over(now_us) and hold.left()
        ]
        return sorted(due, key=lambda one: one.expires_at_us)[:holds_max]

    async def known(self, transaction_ids: Collection[str]) -> set[str]:
        """Look ids up."""
        return self._tables.decided.keys() & set(transaction_ids)

    async def prepare(self) -> None:
        """Do nothing: there are no months to prepare and no servers to fail over."""

    async def close(self) -> None:
        """Do nothing: there are no connections."""

    def balances(self) -> dict[str, Account]:
        """Give every account by its name, as it stands."""
        return {name: replace(row) for name, row in self._tables.accounts.items()}

    def holds(self) -> dict[str, Hold]:
        """Give every hold by the id that placed it, as it stands."""
        return {name: replace(row) for name, row in self._tables.holds.items()}

    def entries(self) -> list[Entry]:
        """Give everything posted, in the order of its posting."""
        return list(self._tables.entries.values())

    def holes(self) -> dict[tuple[int, int], int]:
        """Give the end of each hole by its source_id and first offset."""
        return dict(self._tables.holes)

    def _begin_timeline(self, reason: str) -> None:
        assert reason, "a timeline has its reason"
        number = len(self._tables.timelines) + 1
        self._tables.timelines.append(Timeline(number, uuid4(), self._tables.next_sequence()))


def _system_clock() -> int:
    return time.time_ns() // 1000


def _written(now_us: int) -> str:
    moment = _EPOCH + timedelta(microseconds=now_us)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
