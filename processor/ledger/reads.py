"""
What accountants read: the balance of an account at a moment, its statement, the trial balance.

Each is of one moment of the ledger, beside workers that post on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime
from typing import Any, Final

import asyncpg
import msgspec

from processor.ledger.connection import ConnectionSettings
from processor.ledger.reading import explained, snapshot
from processor.ledger.statements import load

SQL: Final = load("reads.sql")

CHUNK_ROWS: Final = 1_000
"""Rows held at once, however long a statement or a trial balance is."""

Row = dict[str, Any]
"""A row as people get it: amounts are texts in major units."""


class Owner(msgspec.Struct, frozen=True):
    """Whose statement or balance it is."""

    account: str
    currency: str
    kind: str
    code: str
    opened_at: str


class Period(msgspec.Struct, frozen=True):
    """From a moment on and before another; None is no end."""

    start: datetime
    end: datetime | None


class Statement:
    """The statement of an account for a period, of one moment of the ledger."""

    def __init__(self, connection: asyncpg.Connection, owner: Owner, period: Period) -> None:
        self._connection = connection
        self.owner = owner
        self.period = period

    async def opening_balance(self) -> str:
        """Give what the account held just before the period."""
        return await self._before(self.period.start)

    async def closing_balance(self) -> str:
        """Give what it held at the end of the period."""
        return await self._before(self.period.end)

    async def _before(self, moment: datetime | None) -> str:
        with explained():
            found = await self._connection.fetchval(
                SQL["balance_before"], self.owner.account, moment
            )
        return str(found)

    async def entries(self, after: str | None, entries_max: int | None) -> AsyncIterator[Row]:
        """
        Give the entries after a cursor, oldest first, reading `CHUNK_ROWS` at a time.

        Each has its own `cursor`.
        """
        left = entries_max
        while left is None or left > 0:
            size = CHUNK_ROWS if left is None else min(left, CHUNK_ROWS)
            with explained():
                found = await self._connection.fetch(
                    SQL["statement"],
                    self.owner.account,
                    self.period.start,
                    self.period.end,
                    after,
                    size,
                )
            for row in found:
                yield dict(row)
            if len(found) < size:
                return
            after = found[-1]["cursor"]
            left = None if left is None else left - size


async def _owner(connection: asyncpg.Connection, name: str) -> Owner | None:
    with explained():
        row = await connection.fetchrow(SQL["account"], name)
    return None if row is None else Owner(**row)


class Asked(msgspec.Struct, frozen=True):
    """When a balance is asked for: at a moment, or at the end of a day by one date; else now."""

    moment: datetime | None = None
    booking_date: date | None = None
    value_date: date | None = None


async def balance(access: ConnectionSettings, name: str, asked: Asked) -> tuple[Owner, str] | None:
    """Read an account's balance. None where the account was never opened."""
    async with snapshot(access) as connection:
        owner = await _owner(connection, name)
        if owner is None:
            return None
        with explained():
            if asked.booking_date is not None:
                by_date = SQL["balance_at_booking_date"]
                found = await connection.fetchval(by_date, name, asked.booking_date)
            elif asked.value_date is not None:
                by_date = SQL["balance_at_value_date"]
                found = await connection.fetchval(by_date, name, asked.value_date)
            else:
                found = await connection.fetchval(SQL["balance_at"], name, asked.moment)
    return owner, str(found)


@asynccontextmanager
async def statement(
    access: ConnectionSettings, name: str, period: Period
) -> AsyncIterator[Statement | None]:
    """Open the statement of an account, None where it was never opened."""
    async with snapshot(access) as connection:
        owner = await _owner(connection, name)
        yield None if owner is None else Statement(connection, owner, period)


@asynccontextmanager
async def trial_balance(
    access: ConnectionSettings, moment: datetime | None, *, by: str
) -> AsyncIterator[AsyncIterator[Row]]:
    """Open the trial balance at a moment, None being now: rows by `kind` or by `account`."""
    async with _opened(access, f"trial_balance_by_{by}", moment) as rows:
        yield rows


@asynccontextmanager
async def trial_balance_of_day(
    access: ConnectionSettings, day: str, *, by: str
) -> AsyncIterator[AsyncIterator[Row]]:
    """Open the trial balance of a business date: rows by `kind` or by `account`."""
    async with _opened(access, f"trial_balance_of_day_by_{by}", date.fromisoformat(day)) as rows:
        yield rows


@asynccontextmanager
async def _opened(
    access: ConnectionSettings, name: str, *arguments: Any
) -> AsyncIterator[AsyncIterator[Row]]:
    async with snapshot(access) as connection:
        with explained():
            cursor = await connection.cursor(SQL[name], *arguments)
            first = await cursor.fetch(CHUNK_ROWS)
        yield _rows(cursor, first)


async def _rows(cursor: Any, chunk: list[asyncpg.Record]) -> AsyncIterator[Row]:
    while chunk:
        for row in chunk:
            yield dict(row)
        with explained():
            chunk = await cursor.fetch(CHUNK_ROWS)
