"""Send on a schedule and read the outcomes, each in a process of its own, until all are there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from loadtest.child import CHILD_LIMIT_S, Child
from loadtest.errors import LoadTestError
from loadtest.ground import DEAD_LETTERS, OUTCOMES
from loadtest.lanes import COMMANDS
from loadtest.load.schedule import Schedule, Stage
from loadtest.load.sender import AHEAD
from loadtest.load.track import Track
from loadtest.site import Site
from loadtest.traffic.shape import PLAIN, Traffic

CHILD_START_S = 2.5
"""The schedule begins so long from now, when both children are up, and the first are written."""

WRITE_S = 30e-6
"""What writing one command takes on a slow machine, or looking at one account."""


class Load(NamedTuple):
    """What is sent: a traffic of a seed among so many accounts, by a schedule of stages."""

    stages: Sequence[Stage]
    accounts: int
    partitions: int
    seed: int
    traffic: Traffic = PLAIN


async def drive(place: Site, load: Load, track: Track) -> dict[str, Any]:
    """Send a load and give the figures of both sides. Raises LoadTestError where a child fails."""
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
    }
    reader = Child("loadtest.load.receiver", to_read, limit_s, hears=True)
    try:
        sender = Child("loadtest.load.sender", to_send, limit_s)
        try:
            found = await both(sender, reader, track)
        finally:
            sender.abandon()
    finally:
        reader.abandon()
    missing = found["sent"] - found["read"]
    return {**found, "missing": missing, "warm_up_commands": schedule.warm_up}


async def both(sender: Child, reader: Child, track: Track) -> dict[str, Any]:
    """
    Wait for both sides; what the sender tells is for the reader as well.

    Interrupted, nothing more is sent, and what was sent is waited for.
    """
    ear = await reader.ear()

    def hand_on(said: dict[str, Any]) -> None:
        track.sender(said)
        ear(said)

    sending = asyncio.create_task(sender.answer(hand_on))
    reading = asyncio.create_task(reader.answer(track.reader))
    is_interrupted = False
    try:
        await asyncio.shield(asyncio.gather(sending, reading))
    except asyncio.CancelledError:
        is_interrupted = True
        sender.stop()
        await asyncio.wait({sending})
        ear({"hurry": True})
    except LoadTestError:
        sending.cancel()
        reading.cancel()
        raise
    return {**await sending, **await reading, "is_interrupted": is_interrupted}
