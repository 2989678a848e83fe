"""The step that tells: outcome events and dead letters, in batches, with delivery awaited."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from processor.batch import turns
from processor.core.answers import Answer, DeadLetter
from processor.core.outcomes import Event, EventWriter
from processor.errors import BrokerUnavailableError
from processor.kafka import started, stop

log = structlog.get_logger()

ProducerMaker = Callable[[], AIOKafkaProducer]


class Emitter:
    """
    Sends events with acks=all by an idempotent producer, which is made anew after any failure.

    A failed producer may hold batches whose fate is unknown, or be stuck in its sequence numbers; a
    new one sends the whole batch again, under the same event ids.
    """

    def __init__(
        self,
        make_producer: ProducerMaker,
        writer: EventWriter,
        *,
        outcomes_topic: str,
        dead_letters_topic: str,
        dead_letter_bytes_max: int,
        delivery_timeout_s: float,
    ) -> None:
        self._make_producer = make_producer
        self._writer = writer
        self._outcomes_topic = outcomes_topic
        self._dead_letters_topic = dead_letters_topic
        self._dead_letter_bytes_max = dead_letter_bytes_max
        self._delivery_timeout_s = delivery_timeout_s
        self._producer: AIOKafkaProducer | None = None

    async def emit(self, answers: Sequence[Answer]) -> None:
        """
        Deliver the events of a batch. Raises BrokerUnavailableError; then any part of them may have
        been delivered.
        """
        outcomes: list[Event] = []
        dead_letters: list[Event] = []
        write = self._writer.outcome
        async for piece in turns(answers):
            outcomes += [event for event in map(write, piece) if event is not None]
            dead_letters += [
                self._writer.dead_letter(answer, self._dead_letter_bytes_max)
                for answer in piece
                if type(answer) is DeadLetter
            ]
        try:
            producer = await self._started()
            async with asyncio.timeout(self._delivery_timeout_s):
                if dead_letters:
                    await self._send(producer, self._dead_letters_topic, dead_letters)
                await self._send(producer, self._outcomes_topic, outcomes)
        except (KafkaError, OSError, TimeoutError) as error:
            await self.close()
            raise BrokerUnavailableError(f"outcomes are not delivered: {error!r}") from error
        except BaseException:
            await self.close()
            raise

    async def _started(self) -> AIOKafkaProducer:
        if self._producer is None:
            self._producer = await started(self._make_producer)
        return self._producer

    async def _send(self, producer: AIOKafkaProducer, topic: str, events: Sequence[Event]) -> None:
        """
        Send partition by partition; a partition's next batch goes only after the one before was
        delivered.
        """
        waiting: dict[int, list[Any]] = defaultdict(list)
        async for piece in turns(events):
            for event in piece:
                _append(producer, waiting[event.partition], event)
        while waiting:
            futures = [
                await producer.send_batch(queue.pop(0), topic, partition=partition)
                for partition, queue in waiting.items()
            ]
            await asyncio.gather(*futures)
            waiting = {partition: queue for partition, queue in waiting.items() if queue}

    async def close(self) -> None:
        """Stop the producer; the next emit makes another."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await stop(producer)


def _append(producer: AIOKafkaProducer, builders: list[Any], event: Event) -> None:
    """Add an event to a partition's last batch, or to a new one where that is full."""
    for is_new in (False, True):
        if is_new or not builders:
            builders.append(producer.create_batch())
        written = builders[-1].append(
            key=event.key, value=event.value, timestamp=None, headers=event.headers
        )
        if written is not None:
            return
    raise AssertionError("an event fits an empty batch")
