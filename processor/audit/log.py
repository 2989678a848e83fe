"""The ledger against the broker: is it the log that was read, what waits, are holes empty."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from processor.audit.finding import Finding, finding
from processor.batch import digest_of
from processor.errors import BrokerUnavailableError
from processor.kafka import client_options, reaching
from processor.topics import admin, partitions_of

if TYPE_CHECKING:
    from processor.ledger.verify import Hole, Standing
    from processor.settings import Settings

FETCH_WAIT_MS: Final = 50
FETCH_RECORDS_MAX: Final = 2_000
FETCH_BYTES_MAX: Final = 65_536
"""Of each look: a hole is small, and what follows it is not wanted."""

STOP_TIMEOUT_S: Final = 1.0
"""How long a reader may take to stop before it is cancelled."""

LOOK_TIMEOUT_S: Final = 15.0
"""How long reading one stretch of a log may take without getting on."""

REQUEST_TIMEOUT_MS: Final = 15_000
WAITING_COUNTED_MAX: Final = 10_000
"""Offsets of a partition in which waiting records are counted one by one; beyond, offsets count."""

Bounds = dict[tuple[str, int], tuple[int, int, int]]
"""First offset kept, end for read_committed, and end, by (topic, partition)."""


@asynccontextmanager
async def consumer(
    settings: Settings, isolation_level: str, *, fetch_bytes_max: int = FETCH_BYTES_MAX
) -> AsyncIterator[AIOKafkaConsumer]:
    """Open a consumer of no group. Raises BrokerUnavailableError."""
    reader = AIOKafkaConsumer(
        **client_options(settings),
        client_id="processor verify",
        isolation_level=isolation_level,
        auto_offset_reset="none",
        enable_auto_commit=False,
        fetch_max_wait_ms=FETCH_WAIT_MS,
        max_partition_fetch_bytes=fetch_bytes_max,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
    )
    try:
        with reaching(settings):
            await reader.start()
            yield reader
    finally:
        # aiokafka's fetcher can swallow the one cancellation that its stop waits for, where an
        # assignment has just changed; the second, by the timeout, gets through.
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await reader.stop()


class BrokerLook:
    """Two readers of the broker: one sees what was committed, one also what was aborted."""

    def __init__(
        self, committed: AIOKafkaConsumer, uncommitted: AIOKafkaConsumer, partitions: dict[str, int]
    ) -> None:
        self._committed = committed
        self._uncommitted = uncommitted
        self._partitions = partitions

    def count(self, topic: str) -> int:
        """Give how many partitions a topic has, 0 where it does not exist."""
        return self._partitions.get(topic, 0)

    async def bounds(self, places: Sequence[tuple[str, int]]) -> Bounds:
        """Read where logs begin and end; partitions that do not exist are left out."""
        there = [
            TopicPartition(topic, partition)
            for topic, partition in places
            if partition < self.count(topic)
        ]
        if not there:
            return {}
        starts = await self._uncommitted.beginning_offsets(there)
        stable = await self._committed.end_offsets(there)
        ends = await self._uncommitted.end_offsets(there)
        return {(tp.topic, tp.partition): (starts[tp], stable[tp], ends[tp]) for tp in there}

    async def visible(self, place: tuple[str, int], low: int, high: int) -> list[int]:
        """Give the offsets of [low, high) at which a read_committed consumer sees a record."""
        return [record.offset for record in await _read(self._committed, place, low, high)]

    async def with_aborted(self, place: tuple[str, int], low: int, high: int) -> list[int]:
        """Give the offsets of [low, high) that hold a record, be it an aborted one."""
        return [record.offset for record in await _read(self._uncommitted, place, low, high)]

    async def digest(self, place: tuple[str, int], offset: int) -> bytes | None:
        """Identify the record at an offset, None where there is none."""
        found = await _read(self._committed, place, offset, offset + 1)
        return digest_of(found[0]) if found else None


@asynccontextmanager
async def looking(settings: Settings, topics: Sequence[str]) -> AsyncIterator[BrokerLook]:
    """Open both readers. Raises BrokerUnavailableError."""
    async with admin(settings) as client:
        partitions = await partitions_of(client, list(topics))
    async with (
        consumer(settings, "read_committed") as committed,
        consumer(settings, "read_uncommitted") as uncommitted,
    ):
        yield BrokerLook(committed, uncommitted, partitions)


async def _read(reader: AIOKafkaConsumer, place: tuple[str, int], low: int, high: int) -> list[Any]:
    """Read the records of [low, high); deleted ones are no records."""
    tp = TopicPartition(*place)
    reader.assign([tp])
    reader.seek(tp, low)
    found: list[Any] = []
    loop = asyncio.get_running_loop()
    deadline = loop.time() + LOOK_TIMEOUT_S
    while await reader.position(tp) < high:
        try:
            got = await reader.getmany(
                tp, timeout_ms=FETCH_WAIT_MS * 2, max_records=FETCH_RECORDS_MAX
            )
        except OffsetOutOfRangeError:
            return found
        records = got.get(tp, [])
        found += [record for record in records if record.offset < high]
        if records:
            if records[-1].offset >= high:
                break
            deadline = loop.time() + LOOK_TIMEOUT_S
        if loop.time() > deadline:
            raise BrokerUnavailableError(
                f"Kafka gave nothing of {place[0]}/{place[1]} from offset {low} on "
                f"for {LOOK_TIMEOUT_S:.0f} s"
            )
    return found


async def same_log(broker: BrokerLook, positions: Sequence[Standing], bounds: Bounds) -> Finding:
    """
    Check that the log is there, reaches to the ledger's position, and holds the record before it.
    """
    faults = []
    for stand in positions:
        place = (stand.topic, stand.partition)
        name = f"{stand.topic}/{stand.partition}"
        if place not in bounds:
            faults.append(f"{name}: the broker has no such partition")
            continue
        start, _, end = bounds[place]
        if end < stand.next_offset:
            faults.append(
                f"{name}: the log ends at {end}, the ledger stands at {stand.next_offset}"
            )
        elif start > stand.next_offset:
            faults.append(f"{name}: offsets {stand.next_offset} to {start - 1} were deleted unread")
        elif not await _is_last(broker, stand, start):
            faults.append(
                f"{name}: the record at {stand.last_offset} is not the one that the ledger read"
            )
    counted = f"{len(positions):,} partitions"
    return finding("the broker has the log that was read", counted, faults)


async def _is_last(broker: BrokerLook, stand: Standing, start: int) -> bool:
    """Whether the record before the position is the recorded one, or was deleted meanwhile."""
    last = stand.last_offset
    if last is None or last < start:
        return True
    return await broker.digest((stand.topic, stand.partition), last) == stand.last_digest


async def waiting(
    broker: BrokerLook, positions: Sequence[Standing], bounds: Bounds, *, drained: bool
) -> Finding:
    """Say how many records wait to be read; with `drained` there must be none."""
    stands = {(stand.topic, stand.partition): stand.next_offset for stand in positions}
    count, faults, notes = 0, [], []
    for place, (start, stable, end) in bounds.items():
        name, low = f"{place[0]}/{place[1]}", max(stands.get(place, start), start)
        counted_to = min(stable, low + WAITING_COUNTED_MAX)
        found = await broker.visible(place, low, counted_to) if low < stable else []
        behind = len(found) + max(0, stable - max(low, counted_to))
        count += behind
        about = "at most " if behind > len(found) else ""
        where = f", from offset {found[0]} on" if found else ""
        if behind and drained:
            faults.append(f"{name}: {about}{behind:,} not posted{where}")
        elif behind:
            notes.append(f"{name}: {about}{behind:,} waiting{where}")
        if stable < end:
            notes.append(f"{name}: an open transaction from offset {stable} on")
    check = "nothing waits" if drained else "what waits is named"
    return finding(check, f"{count:,} records waiting", faults, notes)


async def holes(broker: BrokerLook, found: Sequence[Hole], total: int, bounds: Bounds) -> Finding:
    """Check that read_committed consumers see no record in holes; say what is there."""
    faults = []
    offsets = aborted = gone = looked = 0
    for hole in found:
        place, name = (hole.topic, hole.partition), f"{hole.topic}/{hole.partition}"
        if place not in bounds or hole.from_offset < bounds[place][0]:
            gone += 1
            continue
        looked += 1
        offsets += hole.to_offset - hole.from_offset
        seen = await broker.visible(place, hole.from_offset, hole.to_offset)
        if seen:
            faults.append(f"{name}: offset {seen[0]} was taken for a hole, and holds a record")
        aborted += len(await broker.with_aborted(place, hole.from_offset, hole.to_offset))
    notes = []
    if looked:
        notes.append(
            f"{offsets:,} offsets: {aborted:,} aborted records, "
            f"{offsets - aborted:,} transaction markers or compacted"
        )
    if gone:
        notes.append(f"{gone:,} holes lie before the log's beginning")
    return finding("holes hold no record", f"{looked:,} of {total:,} holes", faults, notes)
