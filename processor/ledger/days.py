"""What the day end asks of the ledger: the open day, closed days, what became of a closing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import date
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec

from processor.ledger.connection import ConnectionSettings
from processor.ledger.reading import connected, explained
from processor.ledger.statements import load

SQL: Final = load("days.sql")


class Standing(msgspec.Struct, frozen=True):
    """
    Which day is open in which ledger. `has_closed` where a day was ever closed; `today` (a UTC
    date) and `now_us` are by the database's clock.
    """

    ledger_id: UUID
    open_date: str
    has_closed: bool
    today: str
    now_us: int


class ClosedDay(msgspec.Struct, frozen=True):
    """A day that was closed, when, and by which command; `next_date` was open from there on."""

    business_date: str
    next_date: str
    closed_at: str
    transaction_id: str


class DayBook:
    """A connection that sees each moment anew."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def _fetch(self, name: str, *arguments: Any) -> list[Any]:
        with explained():
            found: list[Any] = await self._connection.fetch(SQL[name], *arguments)
            return found

    async def standing(self) -> Standing:
        """Read which day is open."""
        (row,) = await self._fetch("standing")
        return Standing(**row)

    async def closed(self, day: str | None) -> ClosedDay | None:
        """Read a closed day, the last one where none is named; None where it was not closed."""
        found = await self._fetch("closed_day", day and date.fromisoformat(day))
        return ClosedDay(**found[0]) if found else None

    async def reasons(self, transaction_ids: Collection[str]) -> dict[str, str | None]:
        """Give those of the ids that were decided, with the reason where one was refused."""
        return dict(await self._fetch("reasons", list(transaction_ids)))


@asynccontextmanager
async def day_book(settings: ConnectionSettings) -> AsyncIterator[DayBook]:
    """Open a day book. Raises SettingsError, NoLedgerError, LedgerUnavailableError."""
    async with connected(settings) as connection:
        yield DayBook(connection)
