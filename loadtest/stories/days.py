"""
Stories of the sample about business dates: closings, and money that counts from another day.

All days are fixed, so nothing hangs on the day of the run: the first day is open before anything
else is sent, closed amid the late commands, and asked for again when it is long closed.
"""

from __future__ import annotations

from typing import Any

from loadtest.record import Record, partition_of
from loadtest.stories.pen import Account, Body
from loadtest.stories.world import Script, World

BEFORE = "2026-11-19"
FIRST = "2026-11-20"
"""A Friday: the day that is open from the beginning on."""

SECOND = "2026-11-23"
LATER = "2026-11-25"


def first_closing(world: World) -> list[Record]:
    """Close the day before the first one, so that from here on dates hang on no clock."""
    return [world.internal(BEFORE, _closing(world, BEFORE), "posted")]


def value_dated(world: World) -> Script:
    """Move money that counts from a later day, and send it again, also for another day."""
    body, debit, _ = _moved(world, LATER)
    return world.told(
        debit,
        (body, "posted"),
        (body, "repeat"),
        (body | {"value_date": SECOND}, "conflict"),
    )


def late_for_the_day(world: World) -> Script:
    """Move money that should count from a closed day: it counts from the open one."""
    body, debit, _ = _moved(world, BEFORE)
    return world.told(debit, (body, "posted"), (body, "repeat"))


def days_refused(world: World) -> Script:
    """Close in vain: a closed day, one that never was open, backwards, and as a channel."""
    closed = _closing(world, BEFORE)
    own = {"transaction_id": world.pen.new_id()}
    return [
        world.internal(BEFORE, closed, "rejected:day_not_open"),
        world.internal(BEFORE, closed, "repeat"),
        world.internal(BEFORE, closed | {"next_date": SECOND}, "conflict"),
        world.internal(BEFORE, _closing(world, LATER), "rejected:day_not_open"),
        world.internal(BEFORE, _closing(world, FIRST, next_date=BEFORE), "invalid:schema"),
        world.pen.record(BEFORE, closed | own, "invalid:unknown_type"),
    ]


def racing_closings(world: World) -> None:
    """Close the first day twice at once, through two partitions, beside all late commands."""
    home = partition_of(FIRST.encode(), world.pen.partitions)
    for partition in (home, world.pen.elsewhere(FIRST)):
        body = _closing(world, FIRST, next_date=SECOND)
        world.late.append([world.internal(FIRST, body, None, partition)])
    world.pen.races.update(("posted", "rejected:day_not_open"))


def next_day(world: World, count: int) -> list[Record]:
    """Move money once the first day is closed: some of it asks for that day, some for another."""
    asked = (FIRST, None, SECOND, LATER)
    records = []
    for turn in range(count):
        body, debit, _ = _moved(world, asked[turn % len(asked)])
        records.append(world.pen.record(debit.name, body, "posted"))
    return records


def _closing(world: World, day: str, **fields: Any) -> Body:
    return world.pen.body("day.close", business_date=day, **fields) | {"channel": "internal"}


def _moved(world: World, day: str | None) -> tuple[Body, Account, Account]:
    body, debit, credit, *_ = world.posted_transfer()
    return (body if day is None else body | {"value_date": day}), debit, credit
