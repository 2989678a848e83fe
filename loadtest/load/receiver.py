"""The reading side of the open loop: a program of its own that notes when outcomes were read."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import Any

import msgspec
import orjson
from aiokafka import TopicPartition

from loadtest.child import needs, serve, tell, told_to_stop
from loadtest.load.arrivals import TELL_EVERY_S, Arrivals
from loadtest.load.schedule import Schedule, Stage
from loadtest.load.transfers import number_of
from loadtest.observe import consumer

QUIET_LIMIT_S = 30.0
FETCH_WAIT_MS = 200
ENDING_QUIET_LIMIT_S = 5.0
"""The same once nothing more is sent."""

OUTCOME = "posted"


def _quiet_limit_s(stopping: asyncio.Event) -> float:
    return ENDING_QUIET_LIMIT_S if stopping.is_set() else QUIET_LIMIT_S


async def main(
    bootstrap_servers: str,
    topic: str,
    partitions: int,
    starts_at: float,
    stages: list[dict[str, Any]],
) -> dict[str, Any]:
    """Read outcomes until all are there, or none comes for a while; give the figures."""
    gc.disable()  # millions of small objects and no cycles
    plan = Schedule(starts_at, msgspec.convert(stages, list[Stage]))
    arrivals = Arrivals(plan)
    others, stopping = 0, told_to_stop()
    reader = consumer(bootstrap_servers)
    await reader.start()
    try:
        assigned = [TopicPartition(topic, number) for number in range(partitions)]
        reader.assign(assigned)
        await reader.seek_to_beginning(*assigned)
        quiet_since = told_at = plan.starts_at
        while not arrivals.complete and time.monotonic() - quiet_since < _quiet_limit_s(stopping):
            found = await reader.getmany(timeout_ms=FETCH_WAIT_MS)
            now = time.monotonic()
            if now >= told_at:
                tell(arrivals.lately())
                told_at += TELL_EVERY_S
            is_all = not stopping.is_set() and arrivals.read >= plan.due_by(now)
            if found or is_all:
                quiet_since = max(now, plan.starts_at)
            outcomes = [orjson.loads(one.value) for records in found.values() for one in records]
            others += sum(outcome["outcome"] != OUTCOME for outcome in outcomes)
            arrivals.add([number_of(outcome["transaction_id"]) for outcome in outcomes], now)
    finally:
        await reader.stop()
    return {**arrivals.figures(), "not_posted": others}


if __name__ == "__main__":
    serve(main(**needs()))
