"""The topics of one site, read as streams as often as they are asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any, Self

from aiokafka import TopicPartition

from loadtest.ground import DEAD_LETTERS, OUTCOMES
from loadtest.lanes import COMMAND_TOPICS, Lanes
from loadtest.message import Message
from loadtest.observe import ObservationError, consumer
from loadtest.proof.fetching import Fetching
from loadtest.site import Site

FETCH_BYTES_MAX = 512 * 1024
"""At most so much of each partition waits in memory, twice: as it came, and parsed."""

BATCH_RECORDS_MAX = 500
FETCH_WAIT_MS = 500
QUIET_LIMIT_S = 30.0
"""A partition that gives nothing for so long, though its end is not reached, can't be read."""


class KafkaTopics:
    """
    The topics of a site, see `Topics`; an async context.

    Every command topic has a consumer of its own, with the partitions that answer it: outcomes and
    dead letters are read along with the commands of each lane, at that lane's pace. `records`
    counts what was read.
    """

    def __init__(self, site: Site, partitions: int, fetching: Fetching) -> None:
        self.lanes = Lanes(tuple(map(site.topic, COMMAND_TOPICS)), partitions)
        self.ends: dict[int, int] = {}
        self.records = 0
        self._site = site
        self._fetching = fetching
        self._readers: list[Any] = []
        self._part_begins: dict[TopicPartition, int] = {}
        self._part_ends: dict[TopicPartition, int] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            for topic in self.lanes.topics:
                await self._open(topic, stack)
            self._stack = stack.pop_all()
        for lane in range(len(self.lanes.topics) * self.lanes.partitions):
            self.ends[lane] = self._part_ends[self._part(self.lanes.topic(lane), lane)]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _open(self, topic: str, stack: AsyncExitStack) -> None:
        reader = consumer(self._site.bootstrap_servers, FETCH_BYTES_MAX)
        stack.push_async_callback(reader.stop)
        await reader.start()
        topics = (topic, self._site.topic(OUTCOMES), self._site.topic(DEAD_LETTERS))
        parts = [
            TopicPartition(name, number)
            for name in topics
            for number in range(self.lanes.partitions)
        ]
        reader.assign(parts)
        reader.pause(*parts)
        self._readers.append(reader)
        self._part_begins |= await reader.beginning_offsets(parts)
        self._part_ends |= await reader.end_offsets(parts)

    def commands(self, lane: int) -> Iterator[Message]:
        """Give the commands of a lane."""
        return self._read(lane, self.lanes.topic(lane), lane)

    def outcomes(self, lane: int) -> Iterator[Message]:
        """Give the partition of the outcomes topic that answers a lane."""
        return self._read(lane, self._site.topic(OUTCOMES), self.lanes.partition(lane))

    def dead_letters(self, lane: int) -> Iterator[Message]:
        """Give the partition of the dead-letter topic that answers a lane."""
        return self._read(lane, self._site.topic(DEAD_LETTERS), self.lanes.partition(lane))

    def _part(self, topic: str, lane: int) -> TopicPartition:
        return TopicPartition(topic, self.lanes.partition(lane))

    def _read(self, lane: int, topic: str, number: int) -> Iterator[Message]:
        """Read a partition for a lane from its beginning; `number` is what its records are of."""
        reader, part = self._readers[lane // self.lanes.partitions], self._part(topic, lane)
        is_begun = False

        async def batch() -> list[Message]:
            nonlocal is_begun
            if not is_begun:
                is_begun = True
                reader.seek(part, self._part_begins[part])
                reader.resume(part)
            return await self._batch(reader, part, number)

        return self._fetching.stream(batch)

    async def _batch(self, reader: Any, part: TopicPartition, number: int) -> list[Message]:
        loop = asyncio.get_running_loop()
        quiet_until = loop.time() + QUIET_LIMIT_S
        while await reader.position(part) < self._part_ends[part]:
            runs = await reader.getmany(
                part, timeout_ms=FETCH_WAIT_MS, max_records=BATCH_RECORDS_MAX
            )
            records = runs.get(part)
            if records:
                self.records += len(records)
                return [
                    Message(number, one.offset, one.key, one.value, one.headers) for one in records
                ]
            if loop.time() > quiet_until:
                raise ObservationError(
                    f"{part.topic} partition {part.partition} could not be read to its end: "
                    f"nothing came for {QUIET_LIMIT_S:.0f} s"
                )
        # A partition at its end would hold up the others: it is asked until something comes.
        reader.pause(part)
        return []
