"""A row that PostgreSQL refuses is found by halves, and nothing around it is lost."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from typing import Any, cast
from uuid import uuid4

import pytest
from msgspec import structs

from processor.batch import Answered, Batch, Log, Prepared, Run, joined
from processor.bisect import Unpostables, halves, without
from processor.conveyor import Conveyor
from processor.core.commands import Command
from processor.core.decode import Invalid, InvalidReason
from processor.errors import FaultError, FencedError, RewoundError, UnpostableError
from processor.health import Health
from processor.pipeline import decode
from processor.ready import Ready
from tests.builders import DECODER, TOPIC, Partition, deposit, new_id, uuid_of

REFUSED = UnpostableError("PostgreSQL says 22021: invalid byte sequence", "22021")


def partition(number: int) -> Partition:
    """Give an empty log."""
    return Partition(Log(number + 1, TOPIC, number, uuid_of(number), uuid_of(100 + number)))


def batch_of(*runs: Run) -> Batch:
    """Give the batch of runs."""
    return Batch(
        list(runs), [one for run in runs for one in decode(run.log, run.records, DECODER)], set()
    )


def random_runs(seed: int) -> list[Run]:
    """Give runs of three partitions with holes everywhere, some of nothing but holes."""
    rng = random.Random(seed)
    logs = [partition(number) for number in range(3)]
    runs = [logs[0].add(deposit("anna", "1.00"))]
    for _ in range(rng.randint(1, 6)):
        log = rng.choice(logs)
        for _ in range(rng.randint(1, 4)):
            log.leave_hole(rng.choice([0, 0, 1, 3]))
            log.append(*[b"{"] * rng.choice([0, 1, 2]))
        run = log.read()
        if run.end > run.start:
            runs.append(run)
    return runs


@pytest.mark.parametrize("seed", range(60))
def test_every_record_and_offset_is_in_exactly_one_half(seed: int) -> None:
    """In order, so that each half takes up a partition where the one before has left it."""
    runs = random_runs(seed)
    parts = list(_halved(batch_of(*runs)))

    where = {run.log: run.start for run in joined(runs)}
    records: list[Any] = []
    for part in parts:
        for run in joined(part.runs):
            assert run.start == where[run.log]
            where[run.log] = run.end
            assert all(run.start <= record.offset < run.end for record in run.records)
            records += [(run.log.source_id, record.offset) for record in run.records]
        read = [(one.source.source_id, one.source.offset) for one in part.arrivals]
        held = [(run.log.source_id, one.offset) for run in part.runs for one in run.records]
        assert sorted(read) == sorted(held)
    assert where == {run.log: run.end for run in joined(runs)}
    assert sorted(records) == sorted(
        (run.log.source_id, record.offset) for run in runs for record in run.records
    )
    assert len(records) == len(set(records))


def _halved(batch: Batch) -> Iterator[Batch]:
    if len(batch.arrivals) <= 1:
        yield batch
        return
    for half in halves(batch, REFUSED, Unpostables(10_000)):
        yield from _halved(half)


def test_alone_it_becomes_a_dead_letter() -> None:
    """With the id, the channel and PostgreSQL's code, at its own place."""
    log, document = partition(0), deposit("anna", "1.00")
    log.leave_hole(2)

    (alone,) = halves(batch_of(log.add(document)), REFUSED, Unpostables(1))

    (arrival,) = alone.arrivals
    assert arrival.asked == Invalid(
        InvalidReason.UNPOSTABLE,
        "",
        "PostgreSQL refuses it with SQLSTATE 22021",
        document["transaction_id"],
        "mobile",
    )
    assert arrival.source.offset == 2
    assert [(run.start, run.end) for run in alone.runs] == [(0, 3)]


def test_what_can_not_become_a_dead_letter_is_a_fault() -> None:
    """A refused dead letter, or a refusal without any record: then it is our bug."""
    log = partition(0)
    with pytest.raises(FaultError, match="refuses a dead letter"):
        list(halves(batch_of(log.add(b"{")), REFUSED, Unpostables(1)))
    log.leave_hole(2)
    with pytest.raises(FaultError, match="without records"):
        list(halves(batch_of(log.read()), REFUSED, Unpostables(1)))


def test_too_many_a_minute_stop_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit counts within a minute, not for ever."""
    now = 1000.0
    monkeypatch.setattr("processor.bisect.time.monotonic", lambda: now)
    unpostables = Unpostables(2)
    for _ in range(5):
        unpostables.found(REFUSED)
        unpostables.found(REFUSED)
        now += 60.5

    unpostables.found(REFUSED)
    unpostables.found(REFUSED)
    with pytest.raises(FaultError, match="refused 3 rows within a minute"):
        unpostables.found(REFUSED)


def test_a_batch_without_partitions_lacks_all_of_them() -> None:
    """Runs and arrivals; the rest is untouched."""
    one, two = partition(0), partition(1)
    first, second = one.add(deposit("anna", "1.00"), b"{"), two.add(deposit("anna", "2.00"))
    batch = batch_of(first, second)

    rest = without(batch, {(TOPIC, 0)})

    assert rest.runs == [second]
    assert rest.arrivals == batch.arrivals[2:]
    assert without(batch, set()).runs == batch.runs


class FakeReader:
    """Holds claims until they are lost."""

    def __init__(self) -> None:
        self.gone: set[Log] = set()

    def holds(self, log: Log) -> bool:
        """Say whether a claim is still held."""
        return log not in self.gone

    def lost(self, logs: list[Log], *, wait: bool) -> None:  # noqa: ARG002 - the reader's
        """Give claims up."""
        self.gone.update(logs)

    def posted(self, runs: list[Run]) -> None:
        """Take no notice."""


class FakeLine:
    """A ledger that refuses one id, and in which one partition becomes another's meanwhile."""

    def __init__(self, refused: str, fenced: Log | None) -> None:
        self._refused = refused
        self._fenced = fenced
        self.starts: dict[Log, int] = {}
        self.posted: list[Batch] = []
        self.acknowledger = Silent()

    async def post(self, batch: Batch) -> Answered:
        """Refuse as the ledger does: first by position and claim, then by data."""
        runs = joined(batch.runs)
        for run in runs:
            if self.starts.setdefault(run.log, run.start) < run.start:
                raise RewoundError("a gap", frozenset({(run.log.topic, run.log.partition)}))
            if run.log == self._fenced and self.posted:
                raise FencedError("another's", frozenset({(run.log.topic, run.log.partition)}))
        ids = {one.asked.transaction_id for one in batch.arrivals if isinstance(one.asked, Command)}
        if self._refused in ids:
            raise UnpostableError("refused", "22021")
        for run in runs:
            self.starts[run.log] = run.end
        self.posted.append(batch)
        return Answered(batch, [])


class Silent:
    """Takes notice of nothing."""

    def __getattr__(self, name: str) -> Any:
        """Give a function that does nothing."""
        return lambda *_arguments, **_more: None


async def restored(why: str) -> None:
    """Fail: nothing was restored in these tests."""
    raise AssertionError(why)


def conveyor(line: FakeLine, reader: FakeReader) -> Conveyor:
    """Give a conveyor that posts to a fake line."""
    return Conveyor(
        cast("Any", line),
        cast("Any", Silent()),
        cast("Any", reader),
        Health(stuck_after_s=1),
        cast("Any", Silent()),
        batch_records_max=100,
        settle_deadline_s=1,
        unpostables=Unpostables(10),
        on_restored=restored,
        on_stuck=lambda: None,
    )


async def test_the_rest_of_a_batch_is_posted_around_the_offender() -> None:
    """One record of three partitions is refused; all others are posted in order."""
    logs = [partition(number) for number in range(3)]
    bad = new_id()
    runs = [log.add(*[deposit("anna", "1.00") for _ in range(5)]) for log in logs]
    runs[1] = logs[1].add(deposit("anna", "1.00", transaction_id=bad), deposit("anna", "1.00"))
    runs[1] = logs[1].run(0, 7)
    line = FakeLine(bad, None)

    answered = await conveyor(line, FakeReader())._post_until_done(batch_of(*runs))

    assert answered.batch.runs == runs
    assert [line.starts[run.log] for run in runs] == [5, 7, 5]
    letters = [
        (one.source.partition, one.source.offset)
        for batch in line.posted
        for one in batch.arrivals
        if isinstance(one.asked, Invalid)
    ]
    assert letters == [(1, 5)]


async def test_a_partition_lost_between_two_halves_is_dropped_as_a_whole() -> None:
    """The second half does not look like a ledger that was set back."""
    one, two = partition(0), partition(1)
    bad = new_id()
    runs = [
        one.add(deposit("anna", "1.00"), deposit("anna", "1.00", transaction_id=bad)),
        two.add(*[deposit("anna", "1.00") for _ in range(6)]),
    ]
    line, reader = FakeLine(bad, two.log), FakeReader()

    answered = await conveyor(line, reader)._post_until_done(batch_of(*runs))

    assert answered.batch.runs == [runs[0]]
    assert line.starts[one.log] == 2
    assert reader.gone == {two.log}


async def test_a_batch_behind_a_fenced_one_is_not_posted() -> None:
    """It was prepared before the claim was lost; there is nothing left to post of it."""
    log = partition(0)
    first, second = log.add(deposit("anna", "1.00")), log.add(deposit("anna", "1.00"))
    line, reader = FakeLine("", log.log), FakeReader()
    line.posted.append(batch_of())
    belt = conveyor(line, reader)

    assert (await belt._post_until_done(batch_of(first))).batch.runs == []
    assert (await belt._post_until_done(batch_of(second))).batch.runs == []
    assert line.starts == {log.log: 0}


async def test_a_claim_won_back_posts_only_what_was_read_under_it() -> None:
    """Runs of the lost claim stand beside those of the new one, and must not drag them along."""
    log = partition(0)
    old = log.add(deposit("anna", "1.00"))
    again = Run(structs.replace(old.log, claim=uuid4()), old.start, old.end, old.records)
    line, reader = FakeLine("", None), FakeReader()
    reader.lost([old.log], wait=False)
    belt, ready, posted = conveyor(line, reader), Ready(10), asyncio.Queue[Answered](1)
    for run in (old, again):
        await ready.put(Prepared(run, batch_of(run).arrivals, set()))

    posting = asyncio.create_task(belt._post(ready, posted))
    answered = await asyncio.wait_for(posted.get(), 1)
    posting.cancel()

    assert answered.batch.runs == [again]
    assert [batch.runs for batch in line.posted] == [[again]]
