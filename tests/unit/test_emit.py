"""The step that tells: everything delivered, in order, or the same again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka.errors import KafkaError, KafkaTimeoutError

from processor.core.answers import Answer
from processor.core.decode import Invalid, InvalidReason
from processor.core.outcomes import EventIds, EventWriter
from processor.emit import Emitter
from processor.errors import BrokerUnavailableError
from tests.builders import Bank, opening, uuid_of

BATCH_RECORDS = 3


class FakeBatch:
    """A batch that holds a few records."""

    def __init__(self) -> None:
        self.values: list[bytes] = []

    def append(self, *, value: bytes, **_more: Any) -> object | None:
        """Refuse what does not fit any more."""
        if len(self.values) == BATCH_RECORDS:
            return None
        self.values.append(value)
        return self


class FakeBroker:
    """What producers have delivered; may fail, or never answer."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, int, list[bytes]]] = []
        self.in_flight: dict[tuple[str, int], int] = {}
        self.failures: list[BaseException | None] = []
        self.made = 0
        self.stopped = 0
        self.is_silent = False

    def make(self) -> Any:
        """Make a producer."""
        self.made += 1
        return FakeProducer(self)


class FakeProducer:
    """A producer of the fake broker."""

    def __init__(self, broker: FakeBroker) -> None:
        self._broker = broker

    async def start(self) -> None:
        """Fail where the broker is to fail at once."""
        if self._broker.failures and isinstance(self._broker.failures[0], OSError):
            raise self._broker.failures.pop(0) or OSError

    async def stop(self) -> None:
        """Count."""
        self._broker.stopped += 1

    def create_batch(self) -> FakeBatch:
        """Give an empty batch."""
        return FakeBatch()

    async def send_batch(
        self, batch: FakeBatch, topic: str, *, partition: int
    ) -> asyncio.Future[None]:
        """Deliver a little later; two batches of a partition are never under way at once."""
        broker, place = self._broker, (topic, partition)
        assert broker.in_flight.get(place, 0) == 0
        broker.in_flight[place] = 1

        async def deliver() -> None:
            await asyncio.sleep(60 if broker.is_silent else 0)
            broker.in_flight[place] = 0
            failure = broker.failures.pop(0) if broker.failures else None
            if failure is not None:
                raise failure
            broker.sent.append((topic, partition, batch.values))

        return asyncio.ensure_future(deliver())


def emitter(broker: FakeBroker) -> Emitter:
    """Give an emitter to a fake broker."""
    ids = EventIds({1: uuid_of(1)}, {1: uuid_of(2)})
    return Emitter(
        broker.make,
        EventWriter(ids, lambda _: 1),
        outcomes_topic="outcomes",
        dead_letters_topic="letters",
        dead_letter_bytes_max=10_000,
        delivery_timeout_s=0.2,
    )


def answers(count: int) -> list[Answer]:
    """Give answers, with a dead letter at the end."""
    invalid = Invalid(InvalidReason.EMPTY, "", "no value")
    return Bank().ask(*[opening(f"a{one}") for one in range(count)], invalid)


async def test_events_are_delivered_in_order_and_batch_after_batch() -> None:
    """Dead letters first; what has no id has no outcome."""
    broker, told = FakeBroker(), answers(7)
    await emitter(broker).emit(told)

    assert [(topic, len(values)) for topic, _, values in broker.sent] == [
        ("letters", 1),
        ("outcomes", 3),
        ("outcomes", 3),
        ("outcomes", 1),
    ]
    values = [value for topic, _, batch in broker.sent if topic == "outcomes" for value in batch]
    assert [b'"account":"a%d"' % one in value for one, value in enumerate(values)] == [True] * 7


async def test_one_producer_serves_many_batches() -> None:
    """It is made when it is needed, and stopped at the end."""
    broker = FakeBroker()
    told = emitter(broker)
    assert broker.made == 0
    await told.emit(answers(1))
    await told.emit(answers(1))
    await told.close()
    await told.close()

    assert (broker.made, broker.stopped) == (1, 1)


@pytest.mark.parametrize(
    "failure", [KafkaError("x"), KafkaTimeoutError(), OSError("refused"), TimeoutError()]
)
async def test_a_failure_is_an_outage_and_the_next_try_sends_all_again(
    failure: BaseException,
) -> None:
    """By another producer, under the same bytes."""
    broker, told = FakeBroker(), answers(4)
    plain = FakeBroker()
    await emitter(plain).emit(told)
    broker.failures = [failure] if isinstance(failure, OSError) else [None, failure]
    emitting = emitter(broker)

    with pytest.raises(BrokerUnavailableError, match=r"^outcomes are not delivered: "):
        await emitting.emit(told)
    broker.sent.clear()
    broker.in_flight.clear()
    await emitting.emit(told)

    assert broker.sent == plain.sent
    assert (broker.made, broker.stopped) == (2, 1)


async def test_a_broker_that_never_answers_is_an_outage() -> None:
    """Within the delivery timeout."""
    broker = FakeBroker()
    broker.is_silent = True

    with pytest.raises(BrokerUnavailableError):
        await asyncio.wait_for(emitter(broker).emit(answers(1)), 5)
    assert broker.stopped == 1


async def test_an_unknown_error_is_not_swallowed() -> None:
    """It is a fault; the producer is given up all the same."""
    broker = FakeBroker()
    broker.failures = [None, ZeroDivisionError()]

    with pytest.raises(ZeroDivisionError):
        await emitter(broker).emit(answers(1))
    assert broker.stopped == 1
