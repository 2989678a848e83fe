"""Send on a schedule and read the outcomes, each in a process of its own, until all are there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

from loadtest.ground import DEAD_LETTERS, OUTCOMES
from loadtest.lanes import COMMANDS
from loadtest.load.generator import Generator, LocalGenerator, Order
from loadtest.load.schedule import Schedule, Stage
from loadtest.load.sender import AHEAD
from loadtest.load.share import Share
from loadtest.load.together import Together, together
from loadtest.load.track import Track
from loadtest.site import Site
from loadtest.traffic.shape import PLAIN, Traffic

CHILD_START_S = 2.5
"""The schedule begins so long from now, when all children are up, and the first are written."""

ENDING_LIMIT_S = 60.0
"""After an interruption no outcome may come for so long; what was away has to come back first."""

ENDING_POLL_S = 0.1

WRITE_S = 30e-6
"""What writing one command takes on a slow machine, or looking at one account."""


class Load(NamedTuple):
    """
    What is sent: a traffic of a seed among so many accounts, by a schedule of stages.

    For `patience_s` longer than usual no outcome may come.
    """

    stages: Sequence[Stage]
    accounts: int
    partitions: int
    seed: int
    traffic: Traffic = PLAIN
    patience_s: float = 0.0


class Running(NamedTuple):
    """
    A load that is under way: its schedule, and the process ids of what sends and reads on this
    machine, by name. `enough` ends the sending before its time.
    """

    schedule: Schedule
    pids: Callable[[], Mapping[str, int]]
    enough: Callable[[], None]


Beside = Callable[[Running], Awaitable[None]]
"""What is done while a load runs. It is cancelled when the load is over, or is to end."""


async def nothing(_: Running) -> None:
    """Do nothing beside a load."""


async def drive(
    place: Site,
    load: Load,
    track: Track,
    beside: Beside = nothing,
    generators: Sequence[Generator] = (),
    bootstrap_servers: str | None = None,
) -> dict[str, Any]:
    """
    Send a load and give the figures of all that send and read: a generator on this machine, or
    those that are named, each its share. They reach Kafka at `bootstrap_servers` where that is
    another address than the site's.

    Raises LoadTestError where one fails, and what `beside` raises.
    """
    all_ = generators or (LocalGenerator(),)
    count = Schedule(0.0, load.stages).count
    written = min(count, AHEAD * len(all_)) / len(all_)
    starts_in_s = CHILD_START_S + WRITE_S * (written + load.accounts)
    schedule = Schedule(time.monotonic() + starts_in_s, load.stages)
    track.begin(schedule)
    orders = [
        Order(
            bootstrap_servers=bootstrap_servers or place.bootstrap_servers,
            commands=place.topic(COMMANDS),
            outcomes=place.topic(OUTCOMES),
            dead_letters=place.topic(DEAD_LETTERS),
            partitions=load.partitions,
            accounts=load.accounts,
            seed=load.seed,
            traffic=load.traffic,
            stages=tuple(load.stages),
            share=Share(number, len(all_)),
            starts_in_s=starts_in_s,
            patience_s=load.patience_s,
        )
        for number in range(len(all_))
    ]

    def pids() -> dict[str, int]:
        return {name: pid for one in all_ for name, pid in one.pids().items()}

    def enough() -> None:
        for one in all_:
            one.stop()

    doing = beside(Running(schedule, pids, enough))
    parts, is_interrupted = await conduct(all_, orders, track, doing)
    found = together(parts)
    return {
        **found,
        "missing": found["sent"] - found["read"],
        "warm_up_commands": schedule.warm_up,
        "is_interrupted": is_interrupted,
    }


class _Ears(NamedTuple):
    """Takes what one generator tells."""

    number: int
    all: Together

    def sender(self, said: dict[str, Any]) -> None:
        self.all.sender(self.number, said)

    def reader(self, said: dict[str, Any]) -> None:
        self.all.reader(self.number, said)


async def conduct(
    generators: Sequence[Generator],
    orders: Sequence[Order],
    track: Track,
    beside: Awaitable[None],
) -> tuple[list[dict[str, Any]], bool]:
    """
    Wait for all generators; give what each has found, and whether it was interrupted.

    Interrupted, nothing more is sent, what is done beside comes to its end, and what was sent is
    waited for.
    """
    said = Together(len(generators), track)

    async def run(number: int) -> dict[str, Any]:
        found = await generators[number].run(orders[number], _Ears(number, said))
        said.over(number)
        return found

    tasks = [asyncio.create_task(run(number)) for number in range(len(generators))]
    doing = asyncio.ensure_future(beside)
    is_interrupted = False
    try:
        try:
            await _all_or_failure(tasks, doing)
        except asyncio.CancelledError:
            is_interrupted = True
            for one in generators:
                one.stop()
            await _over(doing)
            await _answered(said, track, tasks)
            for one in generators:
                one.hurry()
            await asyncio.gather(*tasks)
        else:
            await _over(doing)
        return [task.result() for task in tasks], is_interrupted
    finally:
        # Whatever went wrong: nothing goes on sending into topics that are about to be removed.
        for task in (*tasks, doing):
            task.cancel()
        await asyncio.gather(*tasks, doing, return_exceptions=True)


async def _answered(said: Together, track: Track, tasks: Sequence[asyncio.Task[Any]]) -> None:
    """
    Wait until all that was sent is answered, no more comes once nothing more is sent, or a
    generator has failed.
    """
    last, quiet_since = track.answered, time.monotonic()
    while not (all(task.done() for task in tasks) or any(map(_has_failed, tasks))):
        if said.all_sent and track.answered >= track.sent:
            return
        if not said.all_sent or track.answered > last:
            last, quiet_since = track.answered, time.monotonic()
        elif time.monotonic() - quiet_since >= ENDING_LIMIT_S:
            return
        await asyncio.sleep(ENDING_POLL_S)


def _has_failed(task: asyncio.Task[Any]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)


async def _all_or_failure(tasks: Sequence[asyncio.Task[Any]], doing: asyncio.Future[None]) -> None:
    """Wait for all generators, and for none any more where one of them or `doing` fails."""
    left: set[asyncio.Future[Any]] = {*tasks, doing}
    while left.intersection(tasks):
        done, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
        for one in done:
            one.result()


async def _over(doing: asyncio.Future[None]) -> None:
    """Have what is done beside come to its end, in order."""
    doing.cancel()
    await asyncio.wait({doing})
    if not doing.cancelled():
        doing.result()
