"""Read what stands in the topics, as any downstream service would: committed records only."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, TopicPartition

from loadtest.errors import LoadTestError
from loadtest.lanes import Lanes, Position
from loadtest.message import Message, parsed

FETCH_WAIT_MS = 100
FETCH_RECORDS_MAX = 5_000
FETCH_BYTES_MAX = 4 * 1024 * 1024
READ_TO_END_LIMIT_S = 30.0


Check = Callable[[], None]
"""Raises where something has ended that should run."""


class ObservationError(LoadTestError):
    """What should stand in a topic could not be read in time; the message is one line."""


def consumer(bootstrap_servers: str, fetch_bytes_max: int = FETCH_BYTES_MAX) -> Any:
    """
    Make a consumer of committed records without a group: it only looks.

    Of each partition at most `fetch_bytes_max` wait to be read.
    """
    return AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        fetch_max_wait_ms=FETCH_WAIT_MS,
        max_partition_fetch_bytes=fetch_bytes_max,
    )


async def read_topic(
    bootstrap_servers: str, topic: str, partitions: int
) -> tuple[list[Message], dict[int, int]]:
    """Read a topic as it is now; give its records and the end of each partition."""
    reader = consumer(bootstrap_servers)
    try:
        await reader.start()
        assigned = [TopicPartition(topic, partition) for partition in range(partitions)]
        reader.assign(assigned)
        await reader.seek_to_beginning(*assigned)
        ends = await reader.end_offsets(assigned)
        messages: list[Message] = []
        try:
            async with asyncio.timeout(READ_TO_END_LIMIT_S):
                while not await _at_end(reader, ends):
                    messages += await _some(reader)
        except TimeoutError:
            raise ObservationError(
                f"{topic} could not be read to its end within {READ_TO_END_LIMIT_S:.0f} s"
            ) from None
        return messages, {part.partition: end for part, end in ends.items()}
    finally:
        await reader.stop()


async def read_commands(
    bootstrap_servers: str, lanes: Lanes
) -> tuple[list[Message], dict[int, int]]:
    """Read all command topics as they are now; give the commands and the end of each lane."""
    messages: list[Message] = []
    ends: dict[int, int] = {}
    for number, topic in enumerate(lanes.topics):
        first = number * lanes.partitions
        found, found_ends = await read_topic(bootstrap_servers, topic, lanes.partitions)
        messages += [one._replace(partition=first + one.partition) for one in found]
        ends |= {first + partition: end for partition, end in found_ends.items()}
    return messages, ends


class Watch:
    """
    Follows the outcomes and dead letters while they come.

    Use it as an async context. `answered` holds the positions of commands with an outcome or a dead
    letter, those of `lanes` alone.
    """

    def __init__(self, bootstrap_servers: str, lanes: Lanes, topics: Sequence[str]) -> None:
        self._reader = consumer(bootstrap_servers)
        self._lanes = lanes
        self._partitions = [
            TopicPartition(topic, partition)
            for topic in topics
            for partition in range(lanes.partitions)
        ]
        self._task: asyncio.Task[None] | None = None
        self.answered: set[Position] = set()
        self.last_at: float = 0.0
        self.on_answers: Callable[[int], None] = lambda _: None

    async def __aenter__(self) -> Self:
        try:
            await self._reader.start()
            self._reader.assign(self._partitions)
            await self._reader.seek_to_beginning(*self._partitions)
        except BaseException:
            await self._reader.stop()
            raise
        self._task = asyncio.create_task(self._follow())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._reader.stop()

    async def until(self, positions: Iterable[Position], limit_s: float, healthy: Check) -> bool:
        """
        Wait until all of `positions` are answered; False when none of them came for `limit_s`.

        `healthy` is asked again and again and raises where waiting makes no sense any more.
        """
        wanted = set(positions)
        loop = asyncio.get_running_loop()
        quiet_since, left = loop.time(), len(wanted)
        while wanted := wanted - self.answered:
            healthy()
            if len(wanted) < left:
                quiet_since, left = loop.time(), len(wanted)
            if loop.time() - quiet_since > limit_s:
                return False
            if self._task is not None and self._task.done():
                self._task.result()
            await asyncio.sleep(FETCH_WAIT_MS / 1000 / 4)
        return True

    async def _follow(self) -> None:
        while True:
            messages = await _some(self._reader)
            before = len(self.answered)
            for message in messages:
                event = parsed(message)
                if event is None:
                    continue
                position = self._lanes.position(event["source"])
                if position is not None:
                    self.answered.add(position)
            if messages:
                self.last_at = asyncio.get_running_loop().time()
                self.on_answers(len(self.answered) - before)


async def _at_end(reader: Any, ends: dict[Any, int]) -> bool:
    for partition, end in ends.items():
        if await reader.position(partition) < end:
            return False
    return True


async def _some(reader: Any) -> list[Message]:
    runs: dict[Any, Iterable[Any]] = await reader.getmany(
        timeout_ms=FETCH_WAIT_MS, max_records=FETCH_RECORDS_MAX
    )
    return [
        Message(one.partition, one.offset, one.key, one.value, tuple(one.headers))
        for run in runs.values()
        for one in run
    ]
