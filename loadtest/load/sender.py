"""The sending side of the open loop: a program of its own that keeps to its schedule."""

from __future__ import annotations

import asyncio
import gc
import time
from base64 import b64encode
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple, Protocol

import msgspec

from loadtest.child import needs, serve, tell, told_to_stop
from loadtest.errors import LoadTestError
from loadtest.load.arrivals import LATE_AFTER_S
from loadtest.load.filling import producer, send
from loadtest.load.precedence import take_precedence
from loadtest.load.schedule import Schedule, Stage
from loadtest.load.share import Share
from loadtest.load.transfers import Pair, transfers
from loadtest.traffic.blocks import Blocks
from loadtest.traffic.shape import Traffic

TICK_S = 0.005
"""Shorter ticks make more and smaller batches: the broker and the sender pay for each."""

TELL_EVERY_S = 0.25
"""The reader can't time an answer before it is told where the command stands."""

BATCH_RECORDS_MAX = 1000
AHEAD = 50_000
"""So many commands are written before they are due, as far as there is time."""

OUTAGE_LIMIT_S = 120.0
"""So long the broker may be away before sending is given up."""

WRITTEN_PER_TICK_MAX = 500
"""Two milliseconds of writing, four of a mix: more would make sends late."""


class Record(Protocol):
    """What is sent, and where to."""

    @property
    def partition(self) -> int:
        """The partition that the key leads to."""

    @property
    def key(self) -> bytes:
        """The key."""

    @property
    def value(self) -> bytes:
        """The command."""


def commands(
    number: int, accounts: int, partitions: int, seed: int, traffic: Traffic, share: Share
) -> Iterator[Record]:
    """Write so many commands of a share of a load."""
    if traffic.is_plain:
        return transfers(number, accounts, partitions, seed=seed, share=share)
    return Blocks(accounts, partitions, seed, traffic).commands(number, share=share)


class Ordinals:
    """
    Follows where the batches of a partition stand.

    The broker can't always tell that of a batch that it got twice. It stands behind the one before
    then, where nobody else writes there: if the next one proves otherwise, nothing can be timed.
    With others there, as when several share a load, it can't be known at all.
    """

    def __init__(self, *, is_alone: bool = True) -> None:
        self._is_alone = is_alone
        self._end = 0
        self._is_taken_for_granted = False

    def base(self, told: int, count: int) -> int:
        """Give the offset of a batch of so many. Raises LoadTestError where it is not known."""
        if told < 0 and not self._is_alone:
            raise LoadTestError(
                "the broker got a batch twice and can't tell where it stands: where several "
                "generators share a load nothing can be timed then"
            )
        if told < 0:
            self._is_taken_for_granted = True
        elif self._is_taken_for_granted and told != self._end:
            raise LoadTestError(
                f"a batch stands at offset {told}, not at {self._end}: others write there as well, "
                "and the broker could not tell where the batch before it stands"
            )
        else:
            self._end, self._is_taken_for_granted = told, False
        base, self._end = self._end, self._end + count
        return base


class Due(NamedTuple):
    """A command that is to be sent now; `is_late` says that it came too late to be sent in time."""

    number: int
    pair: Pair
    is_late: bool


class Lane:
    """
    Sends what is due in one partition; while a batch waits its turn, the next one grows.

    `late` counts what came here too late, which is the sender's own fault; `held_up` what came in
    time and left too late, as the broker took the batches before it too slowly, or was away.
    """

    def __init__(
        self,
        sender: Any,
        topic: str,
        partition: int,
        schedule: Schedule,
        *,
        is_alone: bool = True,
    ) -> None:
        self._sender = sender
        self._topic = topic
        self._partition = partition
        self._schedule = schedule
        self._due: deque[Due] = deque()
        self._travelling: deque[tuple[Any, int]] = deque()
        self._ordinals = Ordinals(is_alone=is_alone)
        self._more = asyncio.Event()
        self._ended = False
        self.late = 0
        self.held_up = 0
        self.latest_s = 0.0

    def put(self, due: Due) -> None:
        """Add a command that is due now."""
        self._due.append(due)
        self._more.set()

    def end(self) -> None:
        """Say that nothing more will come."""
        self._ended = True
        self._more.set()

    async def run(self) -> None:
        """Send until the end."""
        while self._due or not self._ended:
            await self._more.wait()
            self._more.clear()
            while self._due:
                size = min(len(self._due), BATCH_RECORDS_MAX)
                batch = [self._due.popleft() for _ in range(size)]
                pairs = [due.pair for due in batch]
                delivery = await send(self._sender, self._topic, self._partition, pairs)
                self._travelling.append((delivery, size))
                self._count(batch)
        await asyncio.gather(*(delivery for delivery, _ in self._travelling))

    def delivered(self) -> Iterator[tuple[int, int, int]]:
        """Tell where batches stand that have been delivered: partition, base offset, number."""
        while self._travelling and self._travelling[0][0].done():
            delivery, size = self._travelling.popleft()
            yield self._partition, self._ordinals.base(delivery.result().offset, size), size

    def _count(self, batch: list[Due]) -> None:
        """Count those that leave too late: the first of them were due before the others."""
        now, schedule = time.monotonic(), self._schedule
        for due in batch:
            if due.number < schedule.warm_up:
                continue
            late_s = now - schedule.due(due.number)
            self.latest_s = max(self.latest_s, late_s)
            if late_s <= LATE_AFTER_S:
                break
            self.late += due.is_late
            self.held_up += not due.is_late


def progress(lanes: Iterable[Lane], sent: int, homes: bytearray, *, ended: bool) -> dict[str, Any]:
    """Tell how far the sender is, and what is new since it told last: clears `homes`."""
    runs: list[tuple[int, int, int]] = []
    late = held_up = 0
    for lane in lanes:
        late += lane.late
        held_up += lane.held_up
        for partition, base, count in lane.delivered():
            last = runs[-1] if runs else (-1, 0, 0)
            if (last[0], last[1] + last[2]) == (partition, base):
                runs[-1] = (partition, last[1], last[2] + count)
            else:
                runs.append((partition, base, count))
    told = b64encode(homes).decode()
    homes.clear()
    return {
        "sent": sent,
        "late": late,
        "held_up": held_up,
        "homes": told,
        "runs": runs,
        "ended": ended,
    }


async def main(
    *,
    bootstrap_servers: str,
    topic: str,
    partitions: int,
    accounts: int,
    seed: int,
    traffic: dict[str, Any],
    starts_at: float,
    stages: list[dict[str, Any]],
    share: list[int],
    place: int,
) -> dict[str, Any]:
    """Send a share of a load; give how many sends were late, and the CPU seconds used."""
    gc.disable()  # millions of small objects and no cycles
    precedence = take_precedence(place)
    cpu_s = time.process_time()
    own = Share(*share)
    plan = Schedule(starts_at, msgspec.convert(stages, list[Stage]), own)
    stopping = told_to_stop()
    mix = msgspec.convert(traffic, Traffic)
    written = commands(plan.count, accounts, partitions, seed, mix, own)
    # Written before they are due: what writing costs would be missed by the system under test.
    ahead = deque(islice(written, AHEAD))
    written_cpu_s = time.process_time() - cpu_s
    producing = producer(bootstrap_servers, patience_s=OUTAGE_LIMIT_S)
    async with producing as sender, asyncio.TaskGroup() as group:
        is_alone = own.of == 1
        lanes = [
            Lane(sender, topic, number, plan, is_alone=is_alone) for number in range(partitions)
        ]
        tasks = [group.create_task(lane.run()) for lane in lanes]
        sent, told_at, homes = 0, plan.starts_at, bytearray()
        while sent < plan.count and not stopping.is_set():
            now = time.monotonic()
            due = min(plan.due_by(now), sent + len(ahead))
            late_below = plan.due_by(now - LATE_AFTER_S)
            for number in range(sent, due):
                one = ahead.popleft()
                homes.append(one.partition)
                lanes[one.partition].put(Due(number, (one.key, one.value), number < late_below))
            sent = due
            if now >= told_at:
                tell(progress(lanes, sent, homes, ended=False))
                told_at += TELL_EVERY_S
            more_cpu_s = time.process_time()
            ahead.extend(islice(written, min(AHEAD - len(ahead), WRITTEN_PER_TICK_MAX)))
            written_cpu_s += time.process_time() - more_cpu_s
            await asyncio.sleep(TICK_S)
        for lane in lanes:
            lane.end()
        await asyncio.gather(*tasks)
        tell(progress(lanes, sent, homes, ended=True))
    cpu_s = time.process_time() - cpu_s
    return {
        "sent": sent,
        "late_sends": sum(lane.late for lane in lanes),
        "held_up_sends": sum(lane.held_up for lane in lanes),
        "latest_send_ms": round(max(lane.latest_s for lane in lanes) * 1000, 3),
        "sender_cpu_s": round(cpu_s, 3),
        "written_cpu_s": round(written_cpu_s, 3),
        **precedence,
    }


if __name__ == "__main__":
    serve(main(**needs()))
