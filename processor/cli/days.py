"""
`processor day-end`: closes the open business date, and shows what the day ended with.

It publishes an ordinary `day.close` under an id made of the ledger, the day and the attempt. So it
may run twice, or be killed half-way: what is published again is a repeat. A further attempt gets
another id only where the one before was refused.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid5

import click
import msgspec
import orjson

from processor import settings as settings_module
from processor.cli.access import reading_access
from processor.cli.moments import date_of
from processor.cli.reads import READ_TIMEOUT_MS, TRIAL_BALANCES, show_trial_balance
from processor.cli.writers import FORMATS
from processor.contracts import load_contract
from processor.core.dates import day_after
from processor.core.day_commands import DayClose
from processor.core.reasons import Reason
from processor.core.timestamps import from_epoch_us
from processor.errors import ProcessorError

if TYPE_CHECKING:
    from processor.ledger.days import ClosedDay, DayBook, Standing
    from processor.settings import Settings

CHANNEL: Final = "internal"
ANSWER_TIMEOUT_S: Final = 30.0
LOOK_EVERY_S: Final = 0.1
SAID_EVERY_S: Final = 1.0

ATTEMPTS_MAX: Final = 100
"""Attempts for one day; beyond that it is left to people."""


def attempt_id(ledger_id: UUID, day: str, attempt: int) -> str:
    """Give the transaction id of an attempt, counted from 1: the same wherever it is run."""
    return str(uuid5(ledger_id, f"{DayClose.TYPE}/{day}/{attempt}"))


def command_of(id_: str, day: str, next_date: str, now_us: int, until_us: int) -> bytes:
    """Write the command; not decided in time, it is refused, so that no day ends unexpectedly."""
    return orjson.dumps(
        {
            "transaction_id": id_,
            "type": DayClose.TYPE,
            "business_date": day,
            "next_date": next_date,
            "requested_at": from_epoch_us(now_us),
            "valid_until": from_epoch_us(until_us),
            "channel": CHANNEL,
        }
    )


@click.command("day-end")
@click.option("--date", "day", help="The day to close (YYYY-MM-DD).  [default: the open one]")
@click.option("--next", "next_day", help="The day to open.  [default: the following one]")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0.1),
    default=ANSWER_TIMEOUT_S,
    show_default=True,
    help="Seconds within which a worker must close the day.",
)
@click.option("--by", type=click.Choice(tuple(TRIAL_BALANCES)), default="kind", show_default=True)
@click.option("--format", "chosen", type=click.Choice(FORMATS), default="table", show_default=True)
def day_end(
    *, day: str | None, next_day: str | None, timeout_s: float, by: str, chosen: str
) -> None:
    """
    Close the open business date and show its trial balance.

    A day that is closed already stays so, and shows the same. Exit status 1 where the day can't be
    closed or the sides differ.
    """
    for text, option in ((day, "--date"), (next_day, "--next")):
        if text is not None:
            date_of(text, option)
    settings = settings_module.read()
    ending = DayEnd(settings, timeout_s)
    closed, is_new = asyncio.run(ending.run(day, next_day))
    said = "is closed" if is_new else f"was closed already, at {closed.closed_at}"
    click.echo(f"{closed.business_date} {said}; {closed.next_date} follows", err=chosen != "table")
    holds = asyncio.run(_show(settings, closed, by, chosen))
    sys.exit(0 if holds else 1)


async def _show(settings: Settings, closed: ClosedDay, by: str, chosen: str) -> bool:
    from processor.ledger import reads  # noqa: PLC0415 - PostgreSQL's client takes its time

    access = reading_access(settings, "day-end", statement_timeout_ms=READ_TIMEOUT_MS)
    rows = reads.trial_balance_of_day(access, closed.business_date, by=by)
    return await show_trial_balance(rows, msgspec.structs.asdict(closed), by, chosen)


class DayEnd:
    """One run of `processor day-end`."""

    def __init__(self, settings: Settings, timeout_s: float) -> None:
        self._settings = settings
        self._timeout_s = timeout_s
        self._topic = settings.topic(load_contract().topics["internal"].name)
        self._said_at = self._began = time.monotonic()

    async def run(self, day: str | None, next_day: str | None) -> tuple[ClosedDay, bool]:
        """
        Close a day, the open one unless it is named; give it, and whether this run closed it.

        Raises ProcessorError where it can't be closed or nobody answers in time.
        """
        from processor.ledger.days import day_book  # noqa: PLC0415 - as above

        async with day_book(reading_access(self._settings, "day-end")) as book:
            standing = await book.standing()
            day = day or _day_of(standing)
            closed, is_new = await book.closed(day), False
            if closed is None:
                _check(standing, day or standing.open_date, next_day)
                closed, is_new = await self._close(book, day or standing.open_date, next_day), True
        if next_day is not None and next_day != closed.next_date:
            raise ProcessorError(
                f"{closed.business_date} is closed already, and {closed.next_date} follows it, "
                f"not {next_day}"
            )
        return closed, is_new

    async def _close(self, book: DayBook, day: str, next_day: str | None) -> ClosedDay:
        from processor.cli.sender import partition_count, sending  # noqa: PLC0415 - Kafka's client takes its time

        following = next_day or day_after(day)
        if following is None:
            raise ProcessorError(f"no day follows {day}")
        deadline = self._began + self._timeout_s
        await partition_count(self._settings, self._topic)
        while True:
            standing = await book.standing()
            id_ = await self._next_id(book, standing.ledger_id, day)
            until_us = standing.now_us + int((deadline - time.monotonic()) * 1_000_000)
            value = command_of(id_, day, following, standing.now_us, until_us)
            async with sending(self._settings, self._topic, lambda _: None) as sender:
                await sender.send(f"the closing of {day}", value, day.encode(), None)
                await sender.finish()
            reason = await self._answer(book, id_, day, deadline)
            closed = await book.closed(day)
            if closed is not None:
                return closed
            if reason != Reason.EXPIRED:
                raise ProcessorError(f"{day} is not closed: {reason}")

    async def _next_id(self, book: DayBook, ledger_id: UUID, day: str) -> str:
        """Give the id of the first attempt that was not decided yet."""
        ids = [attempt_id(ledger_id, day, number) for number in range(1, ATTEMPTS_MAX + 1)]
        decided = await book.reasons(ids)
        for id_ in ids:
            if id_ not in decided:
                return id_
        raise ProcessorError(f"the closing of {day} was refused {ATTEMPTS_MAX} times")

    async def _answer(self, book: DayBook, id_: str, day: str, deadline: float) -> str | None:
        """Wait until an attempt is decided; give why it was refused, if it was."""
        while True:
            decided = await book.reasons([id_])
            if id_ in decided:
                return decided[id_]
            now = time.monotonic()
            if now > deadline:
                raise ProcessorError(
                    f"{day} is not closed: no answer for {self._timeout_s:g} s; does a worker run?"
                )
            if now - self._said_at >= SAID_EVERY_S:
                self._said_at = now
                click.echo(f"closing {day}: no answer yet, {now - self._began:.0f} s", err=True)
            await asyncio.sleep(LOOK_EVERY_S)


def _day_of(standing: Standing) -> str | None:
    """
    Give the day that is to be closed where none is named: the open one, None (the last that was
    closed) where that has not begun. So a second run in the evening does not close the next day.
    """
    has_begun = standing.open_date <= standing.today
    return standing.open_date if has_begun or not standing.has_closed else None


def _check(standing: Standing, day: str, next_day: str | None) -> None:
    """Refuse in words what a worker would refuse anyway. Raises ProcessorError."""
    if next_day is not None and next_day <= day:
        raise ProcessorError(f"--next: {next_day} is not later than {day}")
    if standing.has_closed and day != standing.open_date:
        raise ProcessorError(f"{day} is not the open day: that is {standing.open_date}")
    if not standing.has_closed and day > standing.today:
        raise ProcessorError(f"{day} has not begun: it is {standing.today} in UTC")
