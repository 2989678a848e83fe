"""Runs in hand: bounded, taken whole, let go once."""

from __future__ import annotations

import asyncio

import pytest

from processor.batch import Log, Run
from processor.stream.intake import Intake
from tests.builders import TOPIC, Written, uuid_of

LOG = Log(1, TOPIC, 0, uuid_of(1), uuid_of(2))


def run(records: int, start: int = 0) -> Run:
    """Give a run of so many records."""
    return Run(
        LOG, start, start + records, [Written(start + at, None, None) for at in range(records)]
    )


async def test_room_is_for_what_is_held_and_on_its_way() -> None:
    """One run is always let in; after that the records count, until they are let go."""
    intake, big, small = Intake(10), run(50), run(5)

    assert intake.has_room()
    intake.announce([big])
    assert (intake.has_room(), intake.has_more()) == (False, True)
    intake.put(big, "big")
    assert (intake.has_room(), intake.held_records) == (False, 50)
    assert await intake.take() is big
    assert (intake.has_room(), intake.has_more()) == (False, False)
    assert intake.finish([big]) == ["big"]
    assert (intake.has_room(), intake.held_records) == (True, 0)
    intake.put(small, "small")
    assert intake.has_room()


async def test_runs_are_taken_whole_and_in_order() -> None:
    """One at a time."""
    intake, runs = Intake(1000), [run(3), run(30), run(1)]
    for number, one in enumerate(runs):
        intake.put(one, number)

    assert [await intake.take() for _ in runs] == runs
    assert not intake.has_more()


async def test_all_is_finished_when_the_last_run_is_let_go() -> None:
    """Whether it was done or dropped, and whether or not it was taken."""
    intake, done, dropped = Intake(10), run(2), run(3)
    await asyncio.wait_for(intake.all_finished(), 1)
    intake.put(done, "done")
    intake.put(dropped, "dropped")
    waiting = asyncio.create_task(intake.all_finished())
    await intake.take()

    intake.finish([done])
    await asyncio.sleep(0)
    assert not waiting.done()
    intake.drop_waiting()
    await asyncio.wait_for(waiting, 1)


async def test_taking_waits_only_while_there_is_nothing() -> None:
    """An idle line takes a record the moment it comes."""
    intake, one = Intake(10), run(1)
    taking = asyncio.create_task(intake.take())
    await asyncio.sleep(0)
    assert not taking.done()

    intake.put(one, "one")

    assert await asyncio.wait_for(taking, 1) is one


async def test_a_run_is_let_go_once() -> None:
    """Finished twice or dropped after, its message comes once and its records count once."""
    intake, one, equal = Intake(10), run(2), run(2)
    intake.put(one, "one")
    intake.put(equal, "equal")

    assert intake.finish([one]) == ["one"]
    assert intake.finish([one]) == []
    assert intake.held_records == 2
    assert intake.drop_all() == ["equal"]
    assert (intake.drop_all(), intake.held_records, intake.has_more()) == ([], 0, False)


async def test_dropping_what_waits_keeps_what_is_in_work() -> None:
    """What is on its way through the channel is forgotten, too."""
    intake, working, waiting = Intake(10), run(2), run(3)
    intake.put(working, "working")
    await intake.take()
    intake.put(waiting, "waiting")
    intake.announce([run(20)])

    assert intake.drop_waiting() == ["waiting"]
    assert (intake.held_records, intake.has_more(), intake.has_room()) == (2, False, True)
    assert intake.finish([working]) == ["working"]


async def test_waiting_for_a_change_ends_with_it_or_in_time() -> None:
    """A run that comes or goes wakes the waiter; nothing does not hold it for ever."""
    intake, one = Intake(10), run(1)

    await asyncio.wait_for(intake.changed(0.01), 1)
    waiting = asyncio.create_task(intake.changed(60))
    await asyncio.sleep(0)
    intake.put(one, "one")
    await asyncio.wait_for(waiting, 1)
    waiting = asyncio.create_task(intake.changed(60))
    await asyncio.sleep(0)
    intake.finish([one])
    await asyncio.wait_for(waiting, 1)


@pytest.mark.parametrize("records", [0, 1])
async def test_a_run_of_holes_passes_like_any_other(records: int) -> None:
    """It has no records and is finished all the same: the position must move past it."""
    intake = Intake(1)
    holes = Run(LOG, 5, 9, [Written(5, None, None)] * records)
    intake.put(holes, "holes")

    assert await intake.take() is holes
    assert intake.finish([holes]) == ["holes"]
