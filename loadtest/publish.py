"""Publish the sample as its channels would, in order within each lane."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, Self

from aiokafka import AIOKafkaProducer

from loadtest.lanes import Lanes, Position
from loadtest.record import Batch, Ending, Phase, Record, Step

PRODUCER_BATCH_BYTES_MAX = 512 * 1024
REQUEST_TIMEOUT_MS = 30_000
TRANSACTION_TIMEOUT_MS = 60_000

Progress = Callable[[int], None]
"""Is told how many more records the broker has acknowledged."""


class Published:
    """What the broker acknowledged: where records stand, and what transactions left."""

    def __init__(self) -> None:
        self.records: dict[Position, Record] = {}
        self.aborted: dict[Position, Record] = {}
        self.markers: defaultdict[int, int] = defaultdict(int)

    def add(self, batch: Batch, base_offset: int, ending: Ending | None) -> None:
        """Take note of a batch that stands from `base_offset` on."""
        shelf = self.aborted if ending is Ending.ABORTED else self.records
        for offset, record in enumerate(batch.records, base_offset):
            shelf[batch.partition, offset] = record

    def end(self, partition: int) -> int:
        """Count the offsets that a lane must have: records, aborted ones, markers."""
        shelves = (self.records, self.aborted)
        stood = sum(position[0] == partition for shelf in shelves for position in shelf)
        return stood + self.markers[partition]


class Publisher:
    """
    Producers for the command topics, one for each codec and one for transactions; an async context.

    In flight is at most one batch for each lane, so a lane holds the batches in order.
    """

    def __init__(self, bootstrap_servers: str, lanes: Lanes, transactional_id: str) -> None:
        self._servers = bootstrap_servers
        self._lanes = lanes
        self._transactional_id = transactional_id
        self._producers: dict[str | None, Any] = {}
        self._transactions: Any = None
        self.published = Published()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        producers = [*self._producers.values(), self._transactions]
        await asyncio.gather(*(one.stop() for one in producers if one is not None))

    async def phase(self, phase: Phase, progress: Progress) -> None:
        """Publish the steps of a phase one after another."""
        for step in phase.steps:
            if step.ending is None:
                await self._step(step, progress)
            else:
                await self._transaction(step, step.ending, progress)

    async def _step(self, step: Step, progress: Progress) -> None:
        for codec in dict.fromkeys(batch.codec for batch in step.batches):
            await self._producer(codec)
        lanes: dict[int, list[Batch]] = {}
        for batch in step.batches:
            lanes.setdefault(batch.partition, []).append(batch)
        try:
            async with asyncio.TaskGroup() as group:
                for lane in lanes.values():
                    group.create_task(self._lane(lane, progress))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _lane(self, batches: Iterable[Batch], progress: Progress) -> None:
        for batch in batches:
            producer = self._producers[batch.codec]
            delivery = await self._send(producer, batch)
            self.published.add(batch, (await delivery).offset, None)
            progress(len(batch.records))

    async def _transaction(self, step: Step, ending: Ending, progress: Progress) -> None:
        producer = await self._transactional()
        await producer.begin_transaction()
        for batch in step.batches:
            delivery = await self._send(producer, batch)
            self.published.add(batch, (await delivery).offset, ending)
        if ending is Ending.ABORTED:
            await producer.abort_transaction()
        else:
            await producer.commit_transaction()
            progress(sum(len(batch.records) for batch in step.batches))
        for partition in {batch.partition for batch in step.batches}:
            self.published.markers[partition] += 1

    async def _send(self, producer: Any, batch: Batch) -> Any:
        builder = producer.create_batch()
        for record in batch.records:
            added = builder.append(
                key=record.key, value=record.value, timestamp=None, headers=list(record.headers)
            )
            assert added is not None, "a batch of the sample fits into a batch of the producer"
        builder.close()
        lane = batch.partition
        topic, partition = self._lanes.topic(lane), self._lanes.partition(lane)
        return await producer.send_batch(builder, topic, partition=partition)

    async def _producer(self, codec: str | None) -> Any:
        if codec not in self._producers:
            self._producers[codec] = self._make(compression_type=codec)
            await self._producers[codec].start()
        return self._producers[codec]

    async def _transactional(self) -> Any:
        if self._transactions is None:
            self._transactions = self._make(
                transactional_id=self._transactional_id,
                transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
            )
            await self._transactions.start()
        return self._transactions

    def _make(self, **settings: Any) -> Any:
        return AIOKafkaProducer(
            bootstrap_servers=self._servers,
            acks="all",
            enable_idempotence=True,
            max_batch_size=PRODUCER_BATCH_BYTES_MAX,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            **settings,
        )
