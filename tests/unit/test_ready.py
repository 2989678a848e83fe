"""Prepared runs between decoding and posting: bounded, in order, as many at once as are there."""

from __future__ import annotations

import asyncio

from processor.batch import Batch, Log, Prepared, Run
from processor.core.answers import Arrival
from processor.core.books import Source
from processor.core.decode import Invalid, InvalidReason
from processor.ready import GATHER_S, GATHERED_RECORDS, Ready
from tests.builders import TOPIC, Written, uuid_of

LOG = Log(1, TOPIC, 0, uuid_of(1), uuid_of(2))
EMPTY = Invalid(InvalidReason.EMPTY, "", "no value")


def prepared(records: int, suspects: set[str] | None = None) -> Prepared:
    """Give a decoded run of so many records."""
    written = [Written(at, None, None) for at in range(records)]
    arrivals = [Arrival(one, Source(1, TOPIC, 0, one.offset), EMPTY) for one in written]
    return Prepared(Run(LOG, 0, records, written), arrivals, suspects or set())


async def test_what_is_there_is_taken_at_once() -> None:
    """Whole runs in their order, at least one, then as many as fit."""
    ready, runs = Ready(100), [prepared(3), prepared(3), prepared(30), prepared(1)]
    for one in runs:
        await ready.put(one)

    assert await ready.take(6) == runs[:2]
    assert await ready.take(6) == [runs[2]]
    assert await ready.take(6) == [runs[3]]


async def test_taking_waits_only_while_there_is_nothing() -> None:
    """An idle line posts a record the moment it is decoded."""
    ready, one = Ready(100), prepared(1)
    taking = asyncio.create_task(ready.take(100))
    await asyncio.sleep(0)
    assert not taking.done()

    await ready.put(one)

    assert await asyncio.wait_for(taking, 1) == [one]


async def test_what_does_not_fit_waits_for_room() -> None:
    """One run is always let in; the next waits until the records fit."""
    ready, big, small = Ready(10), prepared(50), prepared(1)
    await ready.put(big)
    putting = asyncio.create_task(ready.put(small))
    await asyncio.sleep(0)
    assert not putting.done()

    assert await ready.take(10) == [big]
    await asyncio.wait_for(putting, 1)

    assert await ready.take(10) == [small]


async def test_few_wait_for_the_rest_of_their_fetch() -> None:
    """A run of a fetch is not posted alone while the others are being prepared."""
    ready, first, second = Ready(100), prepared(1), prepared(2)
    ready.expect(more=True)
    await ready.put(first)
    taking = asyncio.create_task(ready.take(100))
    await asyncio.sleep(GATHER_S / 5)
    assert not taking.done()

    await ready.put(second)
    ready.expect(more=False)

    assert await asyncio.wait_for(taking, GATHER_S / 2) == [first, second]


async def test_enough_wait_for_nothing() -> None:
    """The ledger is not kept waiting for the last runs of a large fetch."""
    ready, many = Ready(2 * GATHERED_RECORDS), prepared(GATHERED_RECORDS)
    ready.expect(more=True)
    await ready.put(many)

    assert await asyncio.wait_for(ready.take(GATHERED_RECORDS), GATHER_S / 2) == [many]


async def test_what_waits_for_room_is_not_waited_for() -> None:
    """Where batches are small, neither side waits for the other."""
    ready, first, second = Ready(10), prepared(8), prepared(8)
    ready.expect(more=True)
    await ready.put(first)
    taking = asyncio.create_task(ready.take(10))
    await asyncio.sleep(0)
    putting = asyncio.create_task(ready.put(second))

    assert await asyncio.wait_for(taking, GATHER_S / 2) == [first]
    await asyncio.wait_for(putting, GATHER_S / 2)


async def test_what_was_dropped_is_not_waited_for() -> None:
    """A rebalance may take the rest of a fetch away: what is there goes on after a moment."""
    ready, one = Ready(100), prepared(1)
    ready.expect(more=True)
    await ready.put(one)

    assert await asyncio.wait_for(ready.take(100), 10 * GATHER_S) == [one]


def test_a_batch_is_its_runs_in_order() -> None:
    """With what is suspected of any of them."""
    one, two = prepared(2, {"a"}), prepared(1, {"b"})

    batch = Batch.of([one, two])

    assert batch.runs == [one.run, two.run]
    assert batch.arrivals == [*one.arrivals, *two.arrivals]
    assert batch.suspects == {"a", "b"}
