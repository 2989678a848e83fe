"""Generators under one conductor: their ends, failures and interruptions."""

from __future__ import annotations

import asyncio
import os
import textwrap
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest

from loadtest.errors import LoadTestError
from loadtest.load.drive import conduct
from loadtest.load.generator import Hear, LocalGenerator, Order
from loadtest.load.latencies import Latencies
from loadtest.load.schedule import Stage
from loadtest.load.share import WHOLE
from loadtest.load.track import Track
from loadtest.traffic.shape import PLAIN
from tests.unit.played import Deaf, Played

ORDER = Order(
    bootstrap_servers="nobody:1",
    commands="commands",
    outcomes="outcomes",
    dead_letters="dead-letters",
    partitions=8,
    accounts=10,
    seed=1,
    traffic=PLAIN,
    stages=(Stage(seconds=1, per_second=1),),
    share=WHOLE,
    starts_in_s=0.0,
    patience_s=0.0,
)
SENT = {"sent": 0, "late": 0, "held_up": 0, "ended": True}
READ = {
    "at_s": 1.0,
    "read": 0,
    "outcomes": {},
    "waiting_ms": 0.0,
    "latencies": Latencies().encoded(),
}
SLEEPS = "import time; time.sleep(60)"


class Children:
    """Modules that stand for sender and reader."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def generator(self, sender: str, reader: str) -> LocalGenerator:
        """Return a generator of two such modules."""
        for name, text in (("a_sender", sender), ("a_reader", reader)):
            (self._folder / f"{name}.py").write_text(textwrap.dedent(text))
        return LocalGenerator(sender="a_sender", reader="a_reader")


@pytest.fixture
def children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Children:
    """Return what writes modules that a child can run."""
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).resolve().parents[2]}")
    return Children(tmp_path)


async def forever() -> None:
    """Go on for longer than anybody waits."""
    await asyncio.sleep(3_600)


def own_children() -> set[int]:
    """Return the processes that this one has started, and that still run."""
    mine = psutil.Process(os.getpid()).children(recursive=True)
    return {one.pid for one in mine if one.status() != psutil.STATUS_ZOMBIE}


@pytest.mark.parametrize(
    ("sender", "reader"), [("raise SystemExit('no broker')", SLEEPS), (SLEEPS, "1 / 0")]
)
async def test_where_one_side_fails_the_other_is_ended(
    children: Children, sender: str, reader: str
) -> None:
    """Nobody waits for outcomes of what is not sent, nor sends what nobody reads."""
    before = own_children()
    one = children.generator(sender, reader)
    with pytest.raises(LoadTestError, match=r"no broker|division by zero"):
        await conduct([one], [ORDER], Track(), forever())
    assert own_children() == before
    assert one.pids() == {}


async def test_what_fails_beside_a_load_ends_it(children: Children) -> None:
    """A worker that has ended, or a server that does not come back, is told at once."""
    before = own_children()

    async def fails() -> None:
        raise LoadTestError("worker 1 has ended with status 70")

    with pytest.raises(LoadTestError, match="worker 1 has ended"):
        await conduct([children.generator(SLEEPS, SLEEPS)], [ORDER], Track(), fails())
    assert own_children() == before


async def test_where_one_generator_fails_the_others_are_ended() -> None:
    """A load with a part that is missing is none."""
    ended = asyncio.Event()

    async def goes_on(_: Played, __: Hear) -> dict[str, Any]:
        try:
            await forever()
        finally:
            ended.set()
        return {}

    async def fails(_: Played, __: Hear) -> dict[str, Any]:
        raise LoadTestError("agent far away was lost")

    with pytest.raises(LoadTestError, match="agent far away was lost"):
        await conduct([Played(goes_on), Played(fails)], [ORDER, ORDER], Track(), forever())
    assert ended.is_set()


async def test_interrupted_nothing_is_hurried_before_all_that_was_sent_is_answered() -> None:
    """By all generators together: the answers to one may come after those to the other."""
    begun = asyncio.Event()
    tracks: list[Hear] = []

    async def sends(_: Played, hear: Hear) -> dict[str, Any]:
        tracks.append(hear)
        hear.sender(SENT | {"sent": 5, "ended": False})
        hear.reader(READ | {"read": 5})
        if len(tracks) == 2:
            begun.set()
        await one.stopped.wait()
        hear.sender(SENT | {"sent": 6})
        await one.hurried.wait()
        return {"read": 6}

    one, other = Played(sends), Played(sends)
    running = asyncio.create_task(conduct([one, other], [ORDER] * 2, Track(), forever()))
    await begun.wait()
    running.cancel()
    await one.stopped.wait()
    tracks[0].reader(READ | {"read": 6})
    await asyncio.sleep(0.3)
    assert not one.hurried.is_set()
    tracks[1].reader(READ | {"read": 6})
    tracks[0].reader(READ | {"read": 6})
    tracks[1].reader(READ | {"read": 6})
    assert await running == ([{"read": 6}, {"read": 6}], True)
    assert other.stopped.is_set()
    assert other.hurried.is_set()


async def test_interrupted_what_is_done_beside_is_undone_first(
    children: Children, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was sent before can only be answered when nothing is frozen or away any more."""
    mended = tmp_path / "mended"
    sender = f"""
        from loadtest.child import needs, serve, tell, told_to_stop

        async def main(**_):
            stopping = told_to_stop()
            tell({SENT} | {{"sent": 1, "ended": False}})
            await stopping.wait()
            tell({SENT})
            return {{"sender": True}}

        serve(main(**needs()))
        """
    reader = f"""
        from pathlib import Path
        from loadtest.child import heard, needs, serve, tell

        async def main(**_):
            tell({READ})
            async for said in heard():
                if "hurry" in said:
                    return {{"reader": Path({str(mended)!r}).exists()}}

        serve(main(**needs()))
        """
    up = [asyncio.Event(), asyncio.Event(), asyncio.Event()]

    async def fault() -> None:
        up[2].set()
        try:
            await forever()
        finally:
            await asyncio.sleep(0.1)
            mended.touch()

    track = Track()
    monkeypatch.setattr(track, "reader", lambda _: up[1].set())
    tell_track = track.sender

    def told(said: dict[str, Any]) -> None:
        up[0].set()
        tell_track(said)

    monkeypatch.setattr(track, "sender", told)
    one = children.generator(sender, reader)
    running = asyncio.create_task(conduct([one], [ORDER], track, fault()))
    for event in up:
        await event.wait()
    assert one.pids().keys() == {"sender", "reader"}
    running.cancel()
    assert await running == ([{"sender": True, "reader": True}], True)


async def test_a_load_ends_with_what_goes_wrong_as_it_is_interrupted() -> None:
    """Nothing goes on sending into topics that are about to be removed."""
    begun, ended = asyncio.Event(), asyncio.Event()

    async def goes_on(_: Played, __: Hear) -> dict[str, Any]:
        begun.set()
        try:
            await forever()
        finally:
            ended.set()
        return {}

    async def fault() -> None:
        try:
            await forever()
        finally:
            raise LoadTestError("the broker did not come back")

    running = asyncio.create_task(conduct([Played(goes_on)], [ORDER], Track(), fault()))
    await begun.wait()
    running.cancel()
    with pytest.raises(LoadTestError, match="the broker did not come back"):
        await running
    assert ended.is_set()


async def test_one_that_is_lost_as_a_load_is_interrupted_is_not_waited_for() -> None:
    """It will never say that it has ended."""

    async def lost(_: Played, __: Hear) -> dict[str, Any]:
        await one.stopped.wait()
        raise LoadTestError("agent far away was lost")

    async def waits(_: Played, __: Hear) -> dict[str, Any]:
        await forever()
        return {}

    one, other = Played(lost), Played(waits)
    running = asyncio.create_task(conduct([one, other], [ORDER] * 2, Track(), forever()))
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(LoadTestError, match="agent far away was lost"):
        await asyncio.wait_for(running, 10)


async def test_children_leave_the_threads_of_the_loop_to_others(children: Children) -> None:
    """However many there are: a worker is killed, and a server restarted, in such a thread."""
    many = [children.generator(SLEEPS, SLEEPS) for _ in range(8)]
    tasks = [asyncio.create_task(one.run(ORDER, Deaf())) for one in many]
    while not all(one.pids() for one in many):  # noqa: ASYNC110 - nothing tells it
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    assert await asyncio.wait_for(asyncio.to_thread(threading.active_count), 10) >= 2 * len(many)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
