"""
The ledger in memory, for speed in tests: the refusals of PostgreSQL's, one transaction at a time.

Nothing survives the process. A transaction changes the state at once and takes every change back
when it fails, so that nothing half-done can be seen: no other transaction begins before it ends.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Hashable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar
from uuid import UUID, uuid4

import msgspec
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
from processor.core.books import BALANCE_MINOR_MAX, Account, Decided, Posting
from processor.errors import AlreadyDecidedError, FencedError, RewoundError, UnpostableError
from processor.ledger import Fence, Position, Timeline

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NOT_NULL: Final = "23502"
_NO_SUCH_ROW: Final = "23503"
_NOT_UNIQUE: Final = "23505"
_CHECK: Final = "23514"
_UNTRANSLATABLE: Final = "22021"

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


class Entry(msgspec.Struct, frozen=True):
    """A posting as it is recorded: ids of accounts, minor units."""

    ledger_sequence: int
    transaction_id: str
    debit_account_id: int
    credit_account_id: int
    amount: int
    debit_balance: int
    credit_balance: int
    currency: str
    original_transaction_id: str | None


class _State:
    """All tables."""

    def __init__(self) -> None:
        self.sources: dict[int, UUID] = {}
        self.positions: dict[tuple[str, int], Position] = {}
        self.accounts: dict[str, Account] = {}
        self.decided: dict[str, Decided] = {}
        self.entries: dict[str, Entry] = {}
        self.reversed_minor: dict[str, int] = {}
        self.recorded: dict[tuple[int, int], RecordedAnswer] = {}
        self.holes: dict[tuple[int, int], int] = {}
        self.timelines: list[Timeline] = []
        self.last_sequence = 0

    def next_sequence(self) -> int:
        """Draw a number; it is never given back."""
        self.last_sequence += 1
        return self.last_sequence


class MemorySession:
    """One posting transaction; see `PostingSession` for what each method promises."""

    def __init__(self, state: _State, now_us: Callable[[], int]) -> None:
        self._state = state
        self._now_us = now_us
        self._taken_back: list[Callable[[], None]] = []

    def roll_back(self) -> None:
        """Take every change back, the last first."""
        while self._taken_back:
            self._taken_back.pop()()

    async def fence(self, runs: Sequence[Run]) -> Fence:
        """Compare claims and starts with the positions."""
        next_offsets: dict[tuple[str, int], int] = {}
        fenced, rewound = set[tuple[str, int]](), set[tuple[str, int]]()
        for run in runs:
            key = (run.log.topic, run.log.partition)
            place = self._state.positions.get(key)
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
        return Fence(self._state.timelines[-1].timeline_id, next_offsets)

    async def decided(self, transaction_ids: Collection[str]) -> dict[str, Decided]:
        """Read recorded first answers."""
        decided = self._state.decided
        return {one: decided[one] for one in transaction_ids if one in decided}

    async def answered(self, runs: Sequence[Run]) -> dict[tuple[int, int], RecordedAnswer]:
        """Read what else was recorded at the runs' positions."""
        places = ((run.log.source_id, at) for run in runs for at in range(run.start, run.end))
        recorded = self._state.recorded
        return {place: recorded[place] for place in places if place in recorded}

    async def lock(self, names: Collection[str]) -> dict[str, Account]:
        """Read accounts; the batch gets copies of its own."""
        accounts = self._state.accounts
        return {name: replace(accounts[name]) for name in names if name in accounts}

    async def reversed_totals(self, transaction_ids: Collection[str]) -> dict[str, int]:
        """Read reversal totals."""
        totals = self._state.reversed_minor
        return {one: totals[one] for one in transaction_ids if one in totals}

    async def clock(self, sequence_count: int) -> tuple[Clock, list[int]]:
        """Read the clock and draw ledger_sequences."""
        sequences = [self._state.next_sequence() for _ in range(sequence_count)]
        now_us = self._now_us()
        return Clock(now_us, _written(now_us)), sequences

    async def record(self, answers: Sequence[Answer], opened: Sequence[Account]) -> None:
        """Write accounts, ids, postings and all other answers."""
        for account in opened:
            self._open(account)
        for answer in answers:
            if isinstance(answer, First):
                self._record_first(answer)
            else:
                self._record_other(answer)

    async def advance(self, runs: Sequence[Run], delivered: dict[tuple[str, int], int]) -> None:
        """Move the positions, note the holes."""
        for run in runs:
            key = (run.log.topic, run.log.partition)
            place = self._state.positions[key]
            delivered_offset = max(place.delivered_offset, delivered.get(key, 0))
            moved = replace(place, delivered_offset=delivered_offset)
            if run.end > place.next_offset:
                moved = replace(moved, next_offset=run.end)
                if run.records:
                    last = run.records[-1].offset
                    moved = replace(moved, last_offset=last, last_digest=run.digest())
            if moved.delivered_offset > moved.next_offset:
                raise _refused("delivered_is_posted", _CHECK)
            self._put(self._state.positions, key, moved)
            for start, end in run.holes():
                # The holes of a redelivered run were noted before.
                if end > place.next_offset:
                    first = max(start, place.next_offset)
                    self._insert(self._state.holes, (run.log.source_id, first), end, "hole_once")

    def _open(self, account: Account) -> None:
        accounts = self._state.accounts
        if account.name in accounts:
            raise AlreadyDecidedError("an account was opened meanwhile")
        account.account_id = len(accounts) + 1
        row = replace(account, posted=0, held=0)
        self._insert(accounts, account.name, row, "account_name_once")

    def _record_first(self, answer: First) -> None:
        decided = answer.decided
        command, ruling = decided.command, decided.ruling
        assert command is not None, "a first answer is about the command at hand"
        texts = (command.reference or "", *(command.metadata or {}).values())
        if any("\0" in text for text in texts):
            raise _refused("a text with a NUL character", _UNTRANSLATABLE)
        if decided.transaction_id in self._state.decided:
            raise AlreadyDecidedError("an id was decided before")
        kept = replace(
            decided,
            command=None,
            recorded_content=decided.content(),
            ruling=replace(
                ruling,
                posting=None,
                amount_minor=ruling.amount_minor if ruling.reason is None else None,
            ),
        )
        self._put(self._state.decided, decided.transaction_id, kept)
        if ruling.posting is not None:
            self._post(kept, ruling.posting)

    def _post(self, decided: Decided, posting: Posting) -> None:
        debit_id, credit_id = posting.debit.account_id, posting.credit.account_id
        if debit_id is None or credit_id is None:
            raise _refused("a posting names no account", _NOT_NULL)
        currency = decided.ruling.currency or ""
        if posting.amount <= 0:
            raise _refused("posting_moves_money", _CHECK)
        if debit_id == credit_id:
            raise _refused("posting_has_two_sides", _CHECK)
        self._move(posting.debit.name, currency, -posting.amount)
        self._move(posting.credit.name, currency, posting.amount)
        original = posting.original_transaction_id
        if original is not None:
            self._give_back(original, debit_id, credit_id, posting.amount)
        entry = Entry(
            decided.ledger_sequence,
            decided.transaction_id,
            debit_id,
            credit_id,
            posting.amount,
            posting.debit_balance,
            posting.credit_balance,
            currency,
            original,
        )
        self._insert(self._state.entries, decided.transaction_id, entry, "posting_once")

    def _move(self, name: str, currency: str, change: int) -> None:
        account = self._state.accounts[name]
        if account.currency != currency:
            raise _refused("posting_in_currency_of_accounts", _NO_SUCH_ROW)
        moved = replace(account, posted=account.posted + change)
        self._put(self._state.accounts, name, moved)

    def _give_back(self, original: str, debit_id: int, credit_id: int, amount: int) -> None:
        entry = self._state.entries.get(original)
        if (
            entry is None
            or entry.original_transaction_id is not None
            or (entry.credit_account_id, entry.debit_account_id) != (debit_id, credit_id)
        ):
            raise _refused("reversal_of_posting", _NO_SUCH_ROW)
        total = self._state.reversed_minor.get(original, 0) + amount
        if total > entry.amount:
            raise _refused("reversed_within_original", _CHECK)
        self._put(self._state.reversed_minor, original, total)

    def check_balances(self) -> None:
        """Hold every account against its limits: the database does it once for a batch, too."""
        for account in self._state.accounts.values():
            if abs(account.posted) > BALANCE_MINOR_MAX:
                raise _refused("balance_within_bounds", _CHECK)
            if account.lacks(0):
                raise _refused("balance_within_limit", _CHECK)

    def _record_other(self, answer: Repeat | Conflict | DeadLetter) -> None:
        source = answer.arrival.source
        if isinstance(answer, Repeat):
            row = RecordedAnswer(Repeat, answer.timeline_id, "")
        elif isinstance(answer, Conflict):
            row = RecordedAnswer(Conflict, answer.timeline_id, answer.decided_at)
        else:
            row = RecordedAnswer(DeadLetter, answer.timeline_id, answer.received_at, answer.invalid)
        place = (source.source_id, source.offset)
        self._insert(self._state.recorded, place, row, "one answer for a position")

    def _insert(self, table: dict[_K, _V], key: _K, value: _V, constraint: str) -> None:
        if key in table:
            raise _refused(constraint, _NOT_UNIQUE)
        self._put(table, key, value)

    def _put(self, table: dict[_K, _V], key: _K, value: _V) -> None:
        if key in table:
            before = table[key]
            self._taken_back.append(lambda: table.__setitem__(key, before))
        else:
            self._taken_back.append(lambda: table.__delitem__(key))
        table[key] = value


class MemoryLedger:
    """`Ledger` in dictionaries. `now_us` is its clock: microseconds since the epoch."""

    def __init__(self, *, now_us: Callable[[], int] | None = None) -> None:
        self._now_us = now_us or _system_clock
        self._state = _State()
        self._turn = asyncio.Lock()
        self._begin_timeline("the ledger was made")

    @asynccontextmanager
    async def posting(self) -> AsyncIterator[MemorySession]:
        """Begin once the transaction before has ended; take everything back after any error."""
        async with self._turn:
            session = MemorySession(self._state, self._now_us)
            try:
                yield session
                session.check_balances()
            except BaseException:
                session.roll_back()
                raise

    async def timelines(self) -> list[Timeline]:
        """Give all timelines, oldest first."""
        return list(self._state.timelines)

    async def start_timeline(self, known: int, reason: str) -> Timeline:
        """Begin a new timeline unless `known` is not the last any more; give the last."""
        async with self._turn:
            if self._state.timelines[-1].timeline_id == known:
                self._begin_timeline(reason)
            return self._state.timelines[-1]

    async def incarnations(self) -> dict[int, UUID]:
        """Give the incarnation of every source."""
        return dict(self._state.sources)

    async def position(self, topic: str, partition: int) -> Position | None:
        """Read a position."""
        return self._state.positions.get((topic, partition))

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
            place = self._state.positions.get((topic, partition))
            if place is None:
                source_id = len(self._state.sources) + 1
                incarnation = self._state.sources[source_id] = uuid4()
                log = Log(source_id, topic, partition, incarnation, claim)
                place = Position(log, first_offset, first_offset, first_offset, None, None)
            claimed = replace(place, log=replace(place.log, claim=claim))
            self._state.positions[topic, partition] = claimed
            return claimed

    async def delivered(self, logs: dict[Log, int]) -> None:
        """Note deliveries where the claim still holds."""
        async with self._turn:
            for log, offset in logs.items():
                place = self._state.positions[log.topic, log.partition]
                if place.log.claim == log.claim and place.delivered_offset < offset:
                    noted = replace(place, delivered_offset=min(offset, place.next_offset))
                    self._state.positions[log.topic, log.partition] = noted

    async def prepare(self) -> None:
        """Do nothing: there are no months to prepare and no servers to fail over."""

    async def close(self) -> None:
        """Do nothing: there are no connections."""

    def balances(self) -> dict[str, Account]:
        """Give every account by its name, as it stands."""
        return {name: replace(row) for name, row in self._state.accounts.items()}

    def entries(self) -> list[Entry]:
        """Give everything posted, in the order of its posting."""
        return list(self._state.entries.values())

    def holes(self) -> dict[tuple[int, int], int]:
        """Give the end of each hole by its source_id and first offset."""
        return dict(self._state.holes)

    def _begin_timeline(self, reason: str) -> None:
        assert reason, "a timeline has its reason"
        number = len(self._state.timelines) + 1
        self._state.timelines.append(Timeline(number, uuid4(), self._state.next_sequence()))


def _refused(constraint: str, sqlstate: str) -> UnpostableError:
    return UnpostableError(f"refused: {constraint}", sqlstate)


def _system_clock() -> int:
    return time.time_ns() // 1000


def _written(now_us: int) -> str:
    moment = _EPOCH + timedelta(microseconds=now_us)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
