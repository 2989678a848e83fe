"""The events in the topics against the recorded answers: each was told, and nothing else."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from processor.audit.finding import FAULTS_SHOWN_MAX, Finding, finding
from processor.audit.log import FETCH_WAIT_MS, LOOK_TIMEOUT_S, consumer
from processor.contracts import DEAD_LETTERS, OUTCOMES, Contract
from processor.core.books import Source
from processor.core.outcomes import EventIds
from processor.errors import BrokerUnavailableError
from processor.topics import admin, partitions_of

if TYPE_CHECKING:
    from processor.ledger.verify import RecordedAnswer, Snapshot, SourceLog, Standing, TimelineStart
    from processor.settings import Settings

FETCH_RECORDS_MAX: Final = 5_000
FETCH_BYTES_MAX: Final = 1_048_576
_OFFSET_BITS: Final = 48


class EventSource(msgspec.Struct, frozen=True):
    """Where the command of an event stood."""

    topic: str
    partition: int
    offset: int


class SeenEvent(msgspec.Struct, frozen=True):
    """What is read of an event."""

    event_id: str
    source: EventSource


class Names:
    """Gives the event ids of recorded answers, and tells older lives of the ledger apart."""

    def __init__(self, sources: Sequence[SourceLog], timelines: Sequence[TimelineStart]) -> None:
        self.sources = {one.source_id: one for one in sources}
        self._starts = [one.from_sequence for one in timelines]
        self._timelines = [one.timeline_id for one in timelines]
        self._ids = EventIds(
            {one.source_id: one.incarnation for one in sources},
            {one.timeline_id: one.token for one in timelines},
        )

    def of(self, answer: RecordedAnswer) -> bytes:
        """Give the id of an answer's events."""
        timeline_id = answer.timeline_id
        if timeline_id is None:
            assert answer.ledger_sequence is not None, "a first answer has its sequence"
            index = bisect_right(self._starts, answer.ledger_sequence) - 1
            timeline_id = self._timelines[max(index, 0)]
        return self._named(answer.source_id, answer.offset, timeline_id)

    def numbers(self) -> list[int]:
        """Give the partition numbers of the sources."""
        return sorted({one.partition for one in self.sources.values()})

    def source_ids(self, number: int) -> list[int]:
        """Give the sources of a partition number."""
        return [one.source_id for one in self.sources.values() if one.partition == number]

    def place(self, source_id: int, offset: int) -> str:
        """Write a position for people."""
        one = self.sources[source_id]
        return f"{one.topic}/{one.partition}@{offset}"

    def is_of_earlier_life(self, event_id: bytes, event: EventSource) -> bool:
        """Whether an event was told of a decision that a restore of the database took back."""
        return any(
            self._named(source_id, event.offset, timeline_id) == event_id
            for source_id, one in self.sources.items()
            if (one.topic, one.partition) == (event.topic, event.partition)
            for timeline_id in self._timelines
        )

    def _named(self, source_id: int, offset: int, timeline_id: int) -> bytes:
        one = self.sources[source_id]
        name = self._ids.of(Source(source_id, one.topic, one.partition, offset), timeline_id)
        return _packed(name)


def _packed(event_id: str) -> bytes:
    return bytes.fromhex(event_id.replace("-", ""))


class Tally:
    """What the events were found to be."""

    def __init__(self) -> None:
        self.events = 0
        self.wrong = 0
        self.earlier = 0
        self.faults: list[str] = []
        self.is_whole = True

    def fault(self, line: str) -> None:
        """Count a wrong thing; keep as many lines as are shown."""
        self.wrong += 1
        if len(self.faults) < FAULTS_SHOWN_MAX:
            self.faults.append(line)


class EventAudit:
    """Holds events against answers, a partition number at a time, so that memory is bounded."""

    def __init__(
        self,
        reader: AIOKafkaConsumer,
        ledger: Snapshot,
        names: Names,
        positions: Sequence[Standing],
    ) -> None:
        self._reader = reader
        self._ledger = ledger
        self._names = names
        self._next = {(one.topic, one.partition): one.next_offset for one in positions}
        self._told = {one.source_id: one.delivered_offset for one in positions}
        self.tally = Tally()

    async def partition(self, topics: tuple[str, str], number: int, *, drained: bool) -> None:
        """Hold the events of a partition number against the answers of its sources."""
        outcomes, dead_letters = dict[bytes, int](), dict[bytes, int]()
        async for answer in self._ledger.answers(self._names.source_ids(number)):
            name = self._names.of(answer)
            where = answer.source_id << _OFFSET_BITS | answer.offset
            if answer.has_outcome:
                outcomes[name] = where
            if answer.is_dead:
                dead_letters[name] = where
        for topic, known in zip(topics, (outcomes, dead_letters), strict=True):
            untold = await self._read(TopicPartition(topic, number), known)
            for where in untold if self.tally.is_whole else ():
                source_id, offset = where >> _OFFSET_BITS, where & ((1 << _OFFSET_BITS) - 1)
                # What was posted a moment ago may be on its way.
                if drained or offset < self._told.get(source_id, offset + 1):
                    place = self._names.place(source_id, offset)
                    self.tally.fault(f"{place}: no event in {topic}")

    async def _read(self, tp: TopicPartition, known: dict[bytes, int]) -> list[int]:
        """Read a partition of events; give where the known answers stand that have none."""
        untold = dict(known)
        async for place, value in _values(self._reader, tp, self.tally):
            self.tally.events += 1
            event = _event(value)
            if event is None:
                self.tally.fault(f"{place}: no event of this release")
                continue
            name = _packed(event.event_id)
            untold.pop(name, None)
            if name not in known:
                self._unknown(place, name, event)
        return list(untold.values())

    def _unknown(self, place: str, name: bytes, event: SeenEvent) -> None:
        source = event.source
        if source.offset >= self._next.get((source.topic, source.partition), 0):
            return  # decided after the snapshot
        if self._names.is_of_earlier_life(name, source):
            self.tally.earlier += 1
            return
        at = f"{source.topic}/{source.partition}@{source.offset}"
        self.tally.fault(f"{place}: event {event.event_id} about {at} is not the ledger's")


async def events(
    settings: Settings,
    contract: Contract,
    ledger: Snapshot,
    positions: Sequence[Standing],
    *,
    drained: bool,
) -> Finding:
    """Hold both topics against the ledger."""
    names = Names(await ledger.sources(), await ledger.timelines())
    outcomes, dead_letters = (
        settings.topic(contract.topics[role].name) for role in (OUTCOMES, DEAD_LETTERS)
    )
    async with admin(settings) as client:
        partitions = await partitions_of(client, [outcomes, dead_letters])
    check = "every answer has its event, and no other"
    for topic in (outcomes, dead_letters):
        if partitions.get(topic, 0) <= max(names.numbers(), default=0):
            return finding(check, "0 events", [f"topic {topic} has not enough partitions"])
    async with consumer(settings, "read_committed", fetch_bytes_max=FETCH_BYTES_MAX) as reader:
        audit = EventAudit(reader, ledger, names, positions)
        for number in names.numbers():
            await audit.partition((outcomes, dead_letters), number, drained=drained)
    tally, notes = audit.tally, []
    if tally.earlier:
        notes.append(f"{tally.earlier:,} events tell of decisions that a restore took back")
    if not tally.is_whole:
        notes.append("old events were deleted: answers without an event are not faults here")
    return finding(check, f"{tally.events:,} events", tally.faults, notes, tally.wrong)


def _event(value: bytes | None) -> SeenEvent | None:
    try:
        event = msgspec.json.decode(value or b"", type=SeenEvent)
        _packed(event.event_id)
    except (msgspec.MsgspecError, ValueError):
        return None
    return event


async def _values(
    reader: AIOKafkaConsumer, tp: TopicPartition, tally: Tally
) -> AsyncIterator[tuple[str, Any]]:
    """Give each value of a partition as it is now, with its place."""
    start = (await reader.beginning_offsets([tp]))[tp]
    end = (await reader.end_offsets([tp]))[tp]
    tally.is_whole = tally.is_whole and start == 0
    if start == end:
        return
    reader.assign([tp])
    reader.seek(tp, start)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + LOOK_TIMEOUT_S
    while await reader.position(tp) < end:
        found = await reader.getmany(
            tp, timeout_ms=FETCH_WAIT_MS * 2, max_records=FETCH_RECORDS_MAX
        )
        for record in found.get(tp, ()):
            yield f"{tp.topic}/{tp.partition}@{record.offset}", record.value
        if found:
            deadline = loop.time() + LOOK_TIMEOUT_S
        elif loop.time() > deadline:
            raise BrokerUnavailableError(
                f"Kafka gave nothing of {tp.topic}/{tp.partition} any more"
            )
