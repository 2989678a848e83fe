"""Sends commands to their topic and says where each went."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Final

from aiokafka.errors import MessageSizeTooLargeError

from processor.errors import ProcessorError
from processor.kafka import producer_maker, reaching
from processor.topics import admin, partitions_of

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer

    from processor.settings import Settings

IN_FLIGHT_MAX: Final = 5_000
"""Commands sent whose acknowledgement is awaited."""

Place = tuple[int, int]
"""Partition and offset."""


async def partition_count(settings: Settings, topic: str) -> int:
    """Give how many partitions a topic has. Raises ProcessorError where it does not exist."""
    async with admin(settings) as client:
        found = await partitions_of(client, [topic])
    if topic not in found:
        raise ProcessorError(f"topic {topic} does not exist; `processor topics --apply` makes it")
    return found[topic]


class Sender:
    """An idempotent producer with a bounded number of commands in flight."""

    def __init__(
        self,
        producer: AIOKafkaProducer,
        settings: Settings,
        topic: str,
        acknowledged: Callable[[Place], None],
    ) -> None:
        self._settings = settings
        self._producer = producer
        self._topic = topic
        self._acknowledged = acknowledged
        self._waiting: deque[tuple[str, asyncio.Future[Any]]] = deque()
        self.sent = 0
        self.by_partition: Counter[int] = Counter()

    async def send(self, name: str, value: bytes, key: bytes | None, partition: int | None) -> None:
        """Send one command; `name` is how an error speaks of it."""
        while len(self._waiting) >= IN_FLIGHT_MAX:
            await self._next()
        with reaching(self._settings), _named(name):
            future = await self._producer.send(
                self._topic, value=value, key=key, partition=partition
            )
        self._waiting.append((name, future))

    async def finish(self) -> None:
        """Wait for the acknowledgements of everything that was sent."""
        while self._waiting:
            await self._next()

    async def _next(self) -> None:
        name, future = self._waiting.popleft()
        with reaching(self._settings), _named(name):
            told = await future
        self.sent += 1
        self.by_partition[told.partition] += 1
        self._acknowledged((told.partition, told.offset))


@contextmanager
def _named(name: str) -> Iterator[None]:
    try:
        yield
    except MessageSizeTooLargeError as error:
        raise ProcessorError(f"{name}: larger than the topic takes") from error


@asynccontextmanager
async def sending(
    settings: Settings, topic: str, acknowledged: Callable[[Place], None]
) -> AsyncIterator[Sender]:
    """Open a sender. Raises BrokerUnavailableError."""
    producer = producer_maker(settings)()
    try:
        with reaching(settings):
            await producer.start()
        yield Sender(producer, settings, topic, acknowledged)
    finally:
        await producer.stop()
