"""Which sends count as late, and whose doing that is."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from loadtest.load import sender
from loadtest.load.arrivals import LATE_AFTER_S
from loadtest.load.schedule import Schedule, Stage
from loadtest.load.sender import Due, Lane

PAIR = (b"acc-000001", b"{}")
SLOW_S = 5 * LATE_AFTER_S


async def sent(
    monkeypatch: pytest.MonkeyPatch, dues: list[Due], schedule: Schedule, takes_s: float
) -> Lane:
    """Send commands to a broker that takes so long for each batch."""

    async def send(_sender: Any, _topic: str, _partition: int, _pairs: Any) -> asyncio.Future[None]:
        await asyncio.sleep(takes_s)
        delivered = asyncio.get_running_loop().create_future()
        delivered.set_result(None)
        return delivered

    monkeypatch.setattr(sender, "send", send)
    lane = Lane(None, "commands", 0, schedule)
    for due in dues:
        lane.put(due)
    lane.end()
    await lane.run()
    return lane


@pytest.mark.parametrize(
    ("due_in_s", "takes_s", "is_late", "late", "held_up"),
    [(60.0, 0.0, False, 0, 0), (0.0, SLOW_S, False, 0, 1), (0.0, SLOW_S, True, 1, 0)],
    ids=["in time", "held up by the broker", "late by itself"],
)
async def test_a_send_is_held_up_where_it_came_in_time(
    monkeypatch: pytest.MonkeyPatch,
    due_in_s: float,
    takes_s: float,
    *,
    is_late: bool,
    late: int,
    held_up: int,
) -> None:
    """One that came too late is the sender's doing, however slow the rest."""
    schedule = Schedule(time.monotonic() + due_in_s, [Stage(seconds=1, per_second=1)])
    lane = await sent(monkeypatch, [Due(0, PAIR, is_late)], schedule, takes_s)
    assert (lane.late, lane.held_up) == (late, held_up)


async def test_the_warm_up_is_never_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not measured."""
    stages = [Stage(seconds=1, per_second=1, warm_up=True), Stage(seconds=1, per_second=1)]
    schedule = Schedule(time.monotonic() - 10, stages)
    dues = [Due(0, PAIR, is_late=True), Due(1, PAIR, is_late=True)]
    lane = await sent(monkeypatch, dues, schedule, 0.0)
    assert (lane.late, lane.held_up) == (1, 0)
