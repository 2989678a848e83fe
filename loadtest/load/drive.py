"""Send on a schedule and read the outcomes, each in a process of its own, until all are there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from loadtest.child import CHILD_LIMIT_S, Child
from loadtest.ground import DEAD_LETTERS, OUTCOMES
from loadtest.lanes import COMMANDS
from loadtest.load.schedule import Schedule, Stage
from loadtest.load.sender import AHEAD
from loadtest.load.track import Track
from loadtest.site import Site
from loadtest.traffic.shape import PLAIN, Traffic

CHILD_START_S = 2.5
"""The schedule begins so long from now, when both children are up, and the first are written."""

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
    A load that is under way: its schedule, and the process ids of both sides. `enough` ends the
    sending before its time.
    """

    schedule: Schedule
    sender: int
    reader: int
    enough: Callable[[], None]


Beside = Callable[[Running], Awaitable[None]]
"""What is done while a load runs. It is cancelled when the load is over, or is to end."""


async def nothing(_: Running) -> None:
    """Do nothing beside a load."""


async def drive(place: Site, load: Load, track: Track, beside: Beside = nothing) -> dict[str, Any]:
    """
    Send a load and give the figures of both sides. Raises LoadTestError where a child fails, and
    what `beside` raises.
    """
    count = Schedule(0.0, load.stages).count
    starts_at = time.monotonic() + CHILD_START_S + WRITE_S * (min(count, AHEAD) + load.accounts)
    schedule = Schedule(starts_at, load.stages)
    track.begin(schedule)
    limit_s = CHILD_LIMIT_S + schedule.seconds
    common = {
        "bootstrap_servers": place.bootstrap_servers,
        "partitions": load.partitions,
        "starts_at": starts_at,
        "stages": msgspec.to_builtins(load.stages),
    }
    to_send = common | {
        "topic": place.topic(COMMANDS),
        "accounts": load.accounts,
        "seed": load.seed,
        "traffic": msgspec.to_builtins(load.traffic),
    }
    to_read = common | {
        "topic": place.topic(COMMANDS),
        "outcomes": place.topic(OUTCOMES),
        "dead_letters": place.topic(DEAD_LETTERS),
        "patience_s": load.patience_s,
    }
    reader = Child("loadtest.load.receiver", to_read, limit_s, hears=True)
    try:
        sender = Child("loadtest.load.sender", to_send, limit_s)
        try:
            doing = beside(Running(schedule, sender.pid, reader.pid, sender.stop))
            found = await both(sender, reader, track, doing)
        finally:
            sender.abandon()
    finally:
        reader.abandon()
    missing = found["sent"] - found["read"]
    return {**found, "missing": missing, "warm_up_commands": schedule.warm_up}


async def both(
    sender: Child, reader: Child, track: Track, beside: Awaitable[None]
) -> dict[str, Any]:
    """
    Wait for both sides; what the sender tells is for the reader as well.

    Interrupted, nothing more is sent, what is done beside comes to its end, and what was sent is
    waited for.
    """
    ear = await reader.ear()

    def hand_on(said: dict[str, Any]) -> None:
        track.sender(said)
        ear(said)

    sending = asyncio.create_task(sender.answer(hand_on))
    reading = asyncio.create_task(reader.answer(track.reader))
    doing = asyncio.ensure_future(beside)
    is_interrupted = False
    try:
        await _all_or_failure(sending, reading, doing)
    except asyncio.CancelledError:
        is_interrupted = True
        sender.stop()
        await _over(doing)
        await asyncio.wait({sending})
        await _answered((await sending)["sent"], track, reading)
        ear({"hurry": True})
    except BaseException:
        for one in (sending, reading, doing):
            one.cancel()
        await asyncio.gather(sending, reading, doing, return_exceptions=True)
        raise
    await _over(doing)
    return {**await sending, **await reading, "is_interrupted": is_interrupted}


async def _answered(sent: int, track: Track, reading: asyncio.Task[Any]) -> None:
    """Wait until all that was sent is answered, or no more comes."""
    last, quiet_since = track.answered, time.monotonic()
    while last < sent and not reading.done() and time.monotonic() - quiet_since < ENDING_LIMIT_S:
        await asyncio.sleep(ENDING_POLL_S)
        if track.answered > last:
            last, quiet_since = track.answered, time.monotonic()


async def _all_or_failure(
    sending: asyncio.Task[Any], reading: asyncio.Task[Any], doing: asyncio.Future[None]
) -> None:
    """Wait for both sides, and for none any more where one of the three fails."""
    left: set[asyncio.Future[Any]] = {sending, reading, doing}
    while left & {sending, reading}:
        done, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
        for one in done:
            one.result()


async def _over(doing: asyncio.Future[None]) -> None:
    """Have what is done beside come to its end, in order."""
    doing.cancel()
    await asyncio.wait({doing})
    if not doing.cancelled():
        doing.result()
