"""The sending side of the open loop: a program of its own that keeps to its schedule."""

from __future__ import annotations

import asyncio
import gc
import time
from collections import deque
from itertools import islice
from typing import Any

import msgspec

from loadtest.child import needs, serve, tell, told_to_stop
from loadtest.load.arrivals import LATE_AFTER_S, TELL_EVERY_S
from loadtest.load.filling import producer, send
from loadtest.load.schedule import Schedule, Stage
from loadtest.load.transfers import Pair, transfers

TICK_S = 0.005
"""Shorter ticks make more and smaller batches: the broker and the sender pay for each."""

BATCH_RECORDS_MAX = 1000
AHEAD = 50_000
"""So many commands are written before they are due, as far as there is time."""

WRITTEN_PER_TICK_MAX = 500
"""Two milliseconds of writing: more would make sends late."""


class Lane:
    """Sends what is due in one partition; while a batch waits its turn, the next one grows."""

    def __init__(self, sender: Any, topic: str, partition: int, schedule: Schedule) -> None:
        self._sender = sender
        self._topic = topic
        self._partition = partition
        self._schedule = schedule
        self._due: deque[tuple[int, Pair]] = deque()
        self._more = asyncio.Event()
        self._ended = False
        self.late = 0
        self.latest_s = 0.0

    def put(self, number: int, pair: Pair) -> None:
        """Add a command that is due now."""
        self._due.append((number, pair))
        self._more.set()

    def end(self) -> None:
        """Say that nothing more will come."""
        self._ended = True
        self._more.set()

    async def run(self) -> None:
        """Send until the end."""
        deliveries: deque[Any] = deque()
        while self._due or not self._ended:
            await self._more.wait()
            self._more.clear()
            while self._due:
                size = min(len(self._due), BATCH_RECORDS_MAX)
                batch = [self._due.popleft() for _ in range(size)]
                pairs = [pair for _, pair in batch]
                deliveries.append(await send(self._sender, self._topic, self._partition, pairs))
                self._count([number for number, _ in batch])
            while deliveries and deliveries[0].done():
                deliveries.popleft().result()
        await asyncio.gather(*deliveries)

    def _count(self, numbers: list[int]) -> None:
        now, schedule = time.monotonic(), self._schedule
        for number in numbers:
            late_s = now - schedule.due(number)
            if number < schedule.warm_up:
                continue
            self.latest_s = max(self.latest_s, late_s)
            self.late += late_s > LATE_AFTER_S


async def main(
    bootstrap_servers: str,
    topic: str,
    partitions: int,
    accounts: int,
    seed: int,
    starts_at: float,
    stages: list[dict[str, Any]],
) -> dict[str, Any]:
    """Send everything; give how many sends were late, and the CPU seconds used."""
    gc.disable()  # millions of small objects and no cycles
    plan = Schedule(starts_at, msgspec.convert(stages, list[Stage]))
    stopping = told_to_stop()
    written = transfers(plan.count, accounts, partitions, seed=seed)
    # Written before they are due: what writing costs would be missed by the system under test.
    ahead = deque(islice(written, AHEAD))
    async with producer(bootstrap_servers) as sender, asyncio.TaskGroup() as group:
        lanes = [Lane(sender, topic, number, plan) for number in range(partitions)]
        tasks = [group.create_task(lane.run()) for lane in lanes]
        cpu_s = time.process_time()
        sent, told_at = 0, plan.starts_at
        while sent < plan.count and not stopping.is_set():
            due = min(plan.due_by(time.monotonic()), sent + len(ahead))
            for number in range(sent, due):
                one = ahead.popleft()
                lanes[one.partition].put(number, (one.key, one.value))
            sent = due
            if time.monotonic() >= told_at:
                tell({"sent": sent, "late": sum(lane.late for lane in lanes)})
                told_at += TELL_EVERY_S
            ahead.extend(islice(written, min(AHEAD - len(ahead), WRITTEN_PER_TICK_MAX)))
            await asyncio.sleep(TICK_S)
        for lane in lanes:
            lane.end()
        await asyncio.gather(*tasks)
        cpu_s = time.process_time() - cpu_s
    return {
        "sent": sent,
        "late_sends": sum(lane.late for lane in lanes),
        "latest_send_ms": round(max(lane.latest_s for lane in lanes) * 1000, 3),
        "sender_cpu_s": round(cpu_s, 3),
    }


if __name__ == "__main__":
    serve(main(**needs()))
