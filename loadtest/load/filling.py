"""Fill a topic fast: many records a batch, all partitions side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer

from loadtest.load.transfers import Pair

BATCH_RECORDS = 500
BATCH_BYTES_MAX = 900_000
PATIENCE_S = 30.0


def producer(bootstrap_servers: str, *, patience_s: float = PATIENCE_S) -> Any:
    """
    Make an idempotent producer that waits for all in-sync replicas.

    It tries again, without doubling anything, while the broker is away for up to `patience_s`.
    """
    return AIOKafkaProducer(
        bootstrap_servers=bootstrap_servers,
        acks="all",
        enable_idempotence=True,
        max_batch_size=BATCH_BYTES_MAX,
        request_timeout_ms=round(patience_s * 1000),
    )


async def fill(bootstrap_servers: str, topic: str, lanes: Sequence[Sequence[Pair]]) -> float:
    """Publish the records of each partition in order; give the seconds that it took."""
    loop = asyncio.get_running_loop()
    async with producer(bootstrap_servers) as sender:
        began = loop.time()
        await asyncio.gather(
            *(_lane(sender, topic, partition, lane) for partition, lane in enumerate(lanes))
        )
        return loop.time() - began


async def _lane(sender: Any, topic: str, partition: int, lane: Sequence[Pair]) -> None:
    delivery: Any = None
    for start in range(0, len(lane), BATCH_RECORDS):
        accepted = await send(sender, topic, partition, lane[start : start + BATCH_RECORDS])
        # The next batch is built while this one travels.
        if delivery is not None:
            await delivery
        delivery = accepted
    if delivery is not None:
        await delivery


async def send(sender: Any, topic: str, partition: int, records: Sequence[Pair]) -> Any:
    """Hand a batch to the producer; give the future of its delivery."""
    builder = sender.create_batch()
    for key, value in records:
        added = builder.append(key=key, value=value, timestamp=None)
        assert added is not None, "a batch of transfers fits into a batch of the producer"
    builder.close()
    return await sender.send_batch(builder, topic, partition=partition)
