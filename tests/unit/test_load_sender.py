"""What the sender tells of the batches that it has sent."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest

from loadtest.errors import LoadTestError
from loadtest.load import sender
from loadtest.load.schedule import Schedule, Stage
from loadtest.load.sender import Due, Lane, Ordinals, progress

SCHEDULE = Schedule(100.0, [Stage(seconds=10, per_second=10)])


class Told(NamedTuple):
    """What a producer tells of a batch."""

    offset: int


def test_batches_stand_where_the_broker_says() -> None:
    """With gaps where others write in between."""
    ordinals = Ordinals()
    assert [ordinals.base(told, 3) for told in (10, 13, 20)] == [10, 13, 20]


def test_a_batch_that_came_twice_stands_behind_the_one_before() -> None:
    """The broker can't tell where any more; the next one shows that nobody wrote in between."""
    ordinals = Ordinals()
    assert [ordinals.base(told, 3) for told in (-1, 3, -1, -1, 12, 40)] == [0, 3, 6, 9, 12, 40]


def test_a_batch_that_can_be_anywhere_ends_the_load() -> None:
    """Figures that may be those of other commands are none."""
    ordinals = Ordinals()
    ordinals.base(10, 3)
    ordinals.base(-1, 3)
    with pytest.raises(LoadTestError, match="stands at offset 17, not at 16"):
        ordinals.base(17, 3)


class Producer:
    """Holds the batches that it gets until it is told where they stand."""

    def __init__(self) -> None:
        self.deliveries: list[asyncio.Future[Told]] = []

    async def send(self, *_: object) -> asyncio.Future[Told]:
        """Take a batch."""
        self.deliveries.append(asyncio.get_running_loop().create_future())
        return self.deliveries[-1]


async def lanes_of(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> tuple[Producer, list[Lane], list[asyncio.Task[None]]]:
    """Return lanes that run, and what they send to."""
    fake = Producer()
    monkeypatch.setattr(sender, "send", fake.send)
    monkeypatch.setattr("loadtest.load.sender.time.monotonic", lambda: 100.5)
    lanes = [Lane(None, "commands", number, SCHEDULE) for number in range(count)]
    return fake, lanes, [asyncio.create_task(lane.run()) for lane in lanes]


async def put(lanes: list[Lane], *numbers: int, slow: Sequence[int] = ()) -> None:
    """Put commands into partitions in turn, `slow` ones too late, and let them be sent."""
    for number in numbers:
        lanes[number % len(lanes)].put(Due(number, (b"key", b"value"), number in slow))
    await asyncio.sleep(0)


async def test_what_was_delivered_is_told_once_and_batches_in_a_row_as_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In their order: a batch waits for the one before it."""
    fake, lanes, tasks = await lanes_of(2, monkeypatch)
    homes = bytearray(b"\x00\x01\x00\x01")

    def told(*, ended: bool = False) -> dict[str, Any]:
        return progress(lanes, 4, homes, ended=ended)

    await put(lanes, 0, 1)
    await put(lanes, 2)
    await put(lanes, 4)
    fake.deliveries[2].set_result(Told(1))
    first = told()
    assert (first["runs"], b64decode(first["homes"])) == ([], b"\x00\x01\x00\x01")
    fake.deliveries[0].set_result(Told(0))
    fake.deliveries[1].set_result(Told(7))
    second = told()
    assert (second["runs"], second["homes"]) == ([(0, 0, 2), (1, 7, 1)], "")
    fake.deliveries[3].set_result(Told(5))
    for lane in lanes:
        lane.end()
    await asyncio.gather(*tasks)
    last = told(ended=True)
    assert (last["runs"], last["ended"]) == ([(0, 5, 1)], True)


async def test_sends_are_late_after_ten_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """At 100.5 command 5 is due; those before it are late, the latest by half a second."""
    _, (lane,), (task,) = await lanes_of(1, monkeypatch)
    await put([lane], *range(6), slow=[0, 1])
    # Three came in time and were held up behind what the broker had not taken yet.
    assert (lane.late, lane.held_up) == (5, 3)
    assert lane.latest_s == pytest.approx(0.5)
    task.cancel()


async def test_a_batch_that_failed_ends_the_load(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was sent is not known then."""
    fake, lanes, tasks = await lanes_of(1, monkeypatch)
    await put(lanes, 0)
    fake.deliveries[0].set_exception(OSError("no broker"))
    with pytest.raises(OSError, match="no broker"):
        progress(lanes, 1, bytearray(), ended=False)
    tasks[0].cancel()
