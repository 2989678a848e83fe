"""
A ledger under everything that a worker may do to it, against a model that knows only the rules.

Two workers hold two partitions; they post, post again, fail in the middle, take partitions from
each other, try it with an old claim or behind a gap, and begin new timelines.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any, ClassVar, TypeVar, cast

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from deploy.local import PostgresServer
from processor.core.answers import Answer, First
from processor.core.outcomes import Event
from processor.core.timestamps import to_epoch_us
from processor.errors import FencedError, LedgerUnavailableError, RewoundError
from processor.ledger import Ledger, PostingSession
from tests.builders import TOPIC, Desk, Document, Partition
from tests.integration.ledgers import Backend, MemoryBackend, copied, postgres_backend
from tests.property.histories import Author, Reference, agrees
from tests.property.steps import FUNDED, OPENED, Step
from tests.property.stories import told_in_order

_T = TypeVar("_T")

LONG_S = 3_600
"""How long the long profile may take; the quick one takes seconds."""

CLEARING = ("clearing-EUR", "clearing-JPY")
PARTITIONS = st.sampled_from([0, 1])
WORKERS = st.sampled_from([0, 1])
BATCHES = told_in_order(1, 4)


class CutLedger:
    """A ledger whose connection is cut just before the commit."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def __getattr__(self, name: str) -> Any:
        """Everything else is the ledger's."""
        return getattr(self._ledger, name)

    @asynccontextmanager
    async def posting(self) -> AsyncIterator[PostingSession]:
        """Fail where everything was written and nothing committed."""
        async with self._ledger.posting() as session:
            yield session
            raise LedgerUnavailableError("cut")


class LedgerMachine(RuleBasedStateMachine):
    """The rules, the model, and the ledger of `backend`."""

    server: ClassVar[PostgresServer | None] = None
    template: ClassVar[str] = ""

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._author = Author()
        self._reference = Reference()
        self._words: dict[tuple[int, int], Any] = {}
        self._events: dict[tuple[int, int], list[Event]] = {}
        self._logs: list[Partition] = []
        self._holders: list[int] = []
        self._stale: list[Partition] = []
        self._open_backend = self._backend()
        self.backend: Backend = self._await(self._open_backend.__aenter__())

    @asynccontextmanager
    async def _backend(self) -> AsyncIterator[Backend]:
        if self.server is None:
            yield MemoryBackend()
            return
        with copied(self.server, self.template) as url:
            async with postgres_backend(url) as backend:
                yield backend

    def _await(self, work: Awaitable[_T]) -> _T:
        async def done() -> _T:
            return await work

        return self._runner.run(done())

    def teardown(self) -> None:
        """Let go of connections and database."""
        self._await(self._open_backend.__aexit__(None, None, None))
        self._runner.close()

    @initialize()
    def open(self) -> None:
        """Two workers claim a partition each; there are accounts and a little money."""
        self._desks = [Desk(self._await(self.backend.connect())) for _ in range(2)]
        self._logs = [self._await(desk.claim(at)) for at, desk in enumerate(self._desks)]
        self._holders = [0, 1]
        self.post(0, [*OPENED, *FUNDED], 0)

    def _write(self, partition: int, steps: list[Step], holes: int) -> None:
        log = self._logs[partition]
        documents: list[Document] = [self._author.write(step) for step in steps]
        log.append(*documents[:1])
        log.leave_hole(holes)
        log.append(*documents[1:])

    def _check(self, partition: int, answers: list[Answer]) -> None:
        """Hold each answer to the model, and to the events that its record got before."""
        desk = self._desks[self._holders[partition]]
        for answer in answers:
            place = (partition, answer.arrival.source.offset)
            if place not in self._words:
                value = answer.arrival.record.value
                assert value is not None
                expected = self._reference.answer(json.loads(value), _decided_us(answer))
                assert agrees(answer, expected), (value, answer, expected)
                self._words[place] = expected
            events = desk.events([answer])
            assert self._events.setdefault(place, events) == events

    @rule(partition=PARTITIONS, steps=BATCHES, holes=st.sampled_from([0, 0, 2]))
    def post(self, partition: int, steps: list[Step], holes: int) -> None:
        """Post new records."""
        self._write(partition, steps, holes)
        run = self._logs[partition].read()
        self._check(partition, self._await(self._desks[self._holders[partition]].post(run)))

    @rule(partition=PARTITIONS, steps=BATCHES, back=st.integers(1, 12))
    def post_overlapping(self, partition: int, steps: list[Step], back: int) -> None:
        """Post records that were posted before, and new ones behind them."""
        log = self._logs[partition]
        start = max(0, log.next_offset - back)
        self._write(partition, steps, 0)
        log.read()
        run = log.run(start, log.next_offset)
        self._check(partition, self._await(self._desks[self._holders[partition]].post(run)))

    @rule(partition=PARTITIONS, steps=BATCHES)
    def fail_before_the_commit(self, partition: int, steps: list[Step]) -> None:
        """Lose the connection; what was written then comes again later."""
        desk = self._desks[self._holders[partition]]
        log = self._logs[partition]
        start = log.next_offset
        self._write(partition, steps, 0)
        whole, desk.ledger = desk.ledger, cast("Ledger", CutLedger(desk.ledger))
        with pytest.raises(LedgerUnavailableError):
            self._await(desk.post(log.run(start, log.next_offset)))
        desk.ledger = whole
        self._check(partition, self._await(desk.post(log.read())))

    @rule(partition=PARTITIONS, worker=WORKERS)
    def take_over(self, partition: int, worker: int) -> None:
        """Claim a partition, from the other worker or anew; it goes on where it stood."""
        before = self._logs[partition]
        found = self._await(self._desks[worker].claim(partition))
        assert found.next_offset == before.next_offset
        found.records = before.records
        self._logs[partition], self._holders[partition] = found, worker
        self._stale.append(before)

    @rule(steps=BATCHES)
    def post_with_an_old_claim(self, steps: list[Step]) -> None:
        """Nothing is written, whoever tries."""
        if not self._stale:
            return
        zombie = self._stale[-1]
        log = self._logs[zombie.log.partition]
        self._write(zombie.log.partition, steps, 0)
        run = log.run(log.next_offset - 1, log.next_offset)
        zombie_run = type(run)(zombie.log, run.start, run.end, run.records)
        position = self._await(self._desks[0].ledger.position(TOPIC, zombie.log.partition))
        assert position is not None
        refused = RewoundError if position.next_offset < run.start else FencedError
        with pytest.raises(refused):
            self._await(self._desks[0].post(zombie_run))
        holder = self._desks[self._holders[zombie.log.partition]]
        self._check(zombie.log.partition, self._await(holder.post(log.read())))

    @rule(partition=PARTITIONS, steps=BATCHES)
    def post_behind_a_gap(self, partition: int, steps: list[Step]) -> None:
        """Nothing is written where something before it is missing."""
        log = self._logs[partition]
        start = log.next_offset
        self._write(partition, [*steps, *steps], 1)
        desk = self._desks[self._holders[partition]]
        with pytest.raises(RewoundError):
            self._await(desk.post(log.run(start + 1, log.next_offset)))
        self._check(partition, self._await(desk.post(log.read())))

    @rule(worker=WORKERS)
    def begin_a_timeline(self, worker: int) -> None:
        """What comes later has new event ids; what was told keeps its own."""
        ledger = self._desks[worker].ledger
        known = self._await(ledger.timelines())
        begun = self._await(ledger.start_timeline(known[-1].timeline_id, "set back"))
        assert self._await(ledger.timelines()) == [*known, begun]

    @invariant()
    def balances_are_the_models(self) -> None:
        """Every account holds what the rules say, and all of them together nothing."""
        balances = self._await(self.backend.balances())
        posted = self._reference.books.posted
        assert balances == {name: posted.get(name, 0) for name in balances}
        assert {name for name, amount in posted.items() if amount} <= balances.keys()
        assert not any(amount for name, amount in balances.items() if name in CLEARING)

    @invariant()
    def totals_are_the_models(self) -> None:
        """As much was given back of each payment as the rules say."""
        assert self._await(self.backend.totals()) == {
            id_: total for id_, total in self._reference.books.reversed.items() if total
        }

    @invariant()
    def what_is_counted_is_the_models(self) -> None:
        """As much was spent under limits, and as often, by each subject on each date."""
        assert self._await(self.backend.counted()) == {
            (str(day), *subject): tuple(spent)
            for (day, subject), spent in self._reference.books.spent.items()
        }

    @invariant()
    def every_record_has_one_answer(self) -> None:
        """As many ids, repeats, conflicts and dead letters as records were answered."""
        counts = self._await(self.backend.counts())
        words = list(self._words.values())
        assert counts["others"] == sum(isinstance(word, str) for word in words)
        assert counts["decided"] == len(words) - counts["others"]


def _decided_us(answer: Answer) -> int:
    """Give when it was decided by the ledger's clock; nothing asks where it was not."""
    return to_epoch_us(answer.decided.decided_at) if isinstance(answer, First) else 0


@pytest.mark.timeout(LONG_S)
def test_in_memory() -> None:
    """Many histories: it is fast."""
    profile = settings()
    run_state_machine_as_test(
        LedgerMachine,
        settings=settings(profile, max_examples=profile.max_examples // 6, stateful_step_count=20),
    )


@pytest.mark.timeout(LONG_S)
def test_in_postgresql(postgres: PostgresServer, ledger_template: str) -> None:
    """Few histories: each has a database of its own."""

    class PostgresMachine(LedgerMachine):
        server = postgres
        template = ledger_template

    profile = settings()
    run_state_machine_as_test(
        PostgresMachine,
        settings=settings(
            profile,
            max_examples=max(5, profile.max_examples // 50),
            stateful_step_count=15,
            suppress_health_check=list(HealthCheck),
        ),
    )
