"""Reads the outcomes that come from now on, and those of some orders alone."""

from __future__ import annotations

from typing import Any, Self

import orjson
from aiokafka import TopicPartition

from loadtest.observe import consumer
from loadtest.peers.orders import PARTITIONS


class Listener:
    """An async context; `told` holds the outcomes of the ids that it was asked to listen for."""

    def __init__(self, bootstrap_servers: str, topic: str) -> None:
        self._reader = consumer(bootstrap_servers)
        self._partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        self._ids: frozenset[str] = frozenset()
        self._answered: set[str] = set()
        self.told: list[dict[str, Any]] = []

    @property
    def answered(self) -> int:
        """How many of the ids have been told of."""
        return len(self._answered)

    async def __aenter__(self) -> Self:
        await self._reader.start()
        self._reader.assign(self._partitions)
        await self._reader.seek_to_end(*self._partitions)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._reader.stop()

    async def listen_for(self, ids: frozenset[str]) -> None:
        """Forget what was told, and skip what is there by now."""
        await self._reader.seek_to_end(*self._partitions)
        for partition in self._partitions:
            # A seek is lazy: without asking for the position, records of later count as earlier.
            await self._reader.position(partition)
        self._ids, self._answered, self.told = ids, set(), []

    async def hear(self, wait_ms: int) -> int:
        """Wait for outcomes at most so long; give how many have come."""
        runs: dict[Any, list[Any]] = await self._reader.getmany(timeout_ms=wait_ms)
        before = len(self.told)
        for run in runs.values():
            for record in run:
                value = orjson.loads(record.value or b"null")
                if isinstance(value, dict) and value.get("transaction_id") in self._ids:
                    self._answered.add(value["transaction_id"])
                    self.told.append(value)
        return len(self.told) - before
