"""The reading side of the open loop: a program of its own that notes when answers were read."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import Any, Self

import msgspec
from aiokafka import TopicPartition

from loadtest.child import heard, needs, serve, tell
from loadtest.load.answers import Answer, Reading
from loadtest.load.arrivals import Arrivals, Seconds
from loadtest.load.precedence import take_precedence
from loadtest.load.schedule import Schedule, Stage
from loadtest.load.share import Share
from loadtest.observe import consumer

QUIET_LIMIT_S = 30.0
FETCH_WAIT_MS = 200
ENDING_QUIET_LIMIT_S = 5.0
"""The same once nothing more is sent."""


class Ear:
    """Takes what the sender tells, and whether its parent wants an answer sooner."""

    def __init__(self, arrivals: Arrivals, seconds: Seconds, patience_s: float) -> None:
        self._arrivals = arrivals
        self._seconds = seconds
        self._patience_s = patience_s
        self.is_hurried = False

    @property
    def quiet_limit_s(self) -> float:
        """How long to wait for one more answer."""
        return ENDING_QUIET_LIMIT_S if self.is_hurried else QUIET_LIMIT_S + self._patience_s

    async def listen(self) -> None:
        """Listen to the end."""
        async for said in heard():
            if "hurry" in said:
                self.is_hurried = True
            else:
                now = time.monotonic()
                self._arrivals.told(said, now)
                self._seconds.placed(now)


class Ends:
    """Reads both topics of events, all partitions; an async context."""

    def __init__(
        self, bootstrap_servers: str, topic: str, outcomes: str, dead_letters: str, partitions: int
    ) -> None:
        reading = Reading(topic)
        self._read_by = {outcomes: reading.outcome, dead_letters: reading.dead_letter}
        self._assigned = [
            TopicPartition(one, number) for one in self._read_by for number in range(partitions)
        ]
        self._reader = consumer(bootstrap_servers)

    async def __aenter__(self) -> Self:
        await self._reader.start()
        self._reader.assign(self._assigned)
        await self._reader.seek_to_beginning(*self._assigned)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._reader.stop()

    async def more(self) -> tuple[list[Answer], float]:
        """Wait a moment for events; give the answers, and when they were read."""
        found = await self._reader.getmany(timeout_ms=FETCH_WAIT_MS)
        now = time.monotonic()
        answers = []
        for where, records in found.items():
            read = self._read_by[where.topic]
            answers += [answer for one in records if (answer := read(one.value)) is not None]
        return answers, now


async def main(
    *,
    bootstrap_servers: str,
    topic: str,
    outcomes: str,
    dead_letters: str,
    partitions: int,
    starts_at: float,
    stages: list[dict[str, Any]],
    share: list[int],
    place: int,
    patience_s: float,
) -> dict[str, Any]:
    """
    Read answers to a share of a load until all are there, or none comes for a while; give the
    figures.

    `patience_s` is how much longer than usual none may come: what is away for a while is waited
    for.
    """
    gc.disable()  # millions of small objects and no cycles
    take_precedence(place)
    plan = Schedule(starts_at, msgspec.convert(stages, list[Stage]), Share(*share))
    arrivals = Arrivals(plan, partitions)
    seconds = Seconds(arrivals, plan.starts_at, tell)
    ear = Ear(arrivals, seconds, patience_s)
    listening = asyncio.create_task(ear.listen())
    cpu_s = time.process_time()
    try:
        async with Ends(bootstrap_servers, topic, outcomes, dead_letters, partitions) as ends:
            quiet_since = plan.starts_at
            while not arrivals.complete and time.monotonic() - quiet_since < ear.quiet_limit_s:
                answers, now = await ends.more()
                arrivals.add(answers, now)
                seconds.passed(now)
                is_all = not ear.is_hurried and arrivals.read >= plan.due_by(now)
                if answers or is_all:
                    quiet_since = max(now, plan.starts_at)
                if listening.done():
                    listening.result()
            seconds.tell(time.monotonic())
    finally:
        listening.cancel()
    cpu_s = time.process_time() - cpu_s
    return {**arrivals.figures(), "reader_cpu_s": round(cpu_s, 3)}


if __name__ == "__main__":
    serve(main(**needs()))
