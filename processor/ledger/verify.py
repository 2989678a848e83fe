"""What `processor verify` reads of a ledger: one moment of it, beside workers that post on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec

from processor.core.fingerprint import FINGERPRINT_VERSION, fingerprint
from processor.ledger import rows
from processor.ledger.connection import ConnectionSettings
from processor.ledger.reading import explained, snapshot
from processor.ledger.statements import SQL as LINE_SQL
from processor.ledger.statements import load

SQL: Final = load("verify.sql") | load("verify_dates.sql") | load("verify_limits.sql")

CHUNK_ROWS: Final = 5_000
"""Rows held at once where all of a table are read."""

PERCENT_MAX: Final = 100.0


class Faults(msgspec.Struct, frozen=True):
    """Lines about the first wrong things, and how many there are."""

    lines: list[str]
    total: int


class CurrencyBooks(msgspec.Struct, frozen=True):
    """A currency's sums in minor units. They can exceed 64 bits."""

    currency: str
    balance: int
    debits: int
    credits: int


class Standing(msgspec.Struct, frozen=True):
    """Where the ledger stands in a partition; see `ledger.position`."""

    source_id: int
    topic: str
    partition: int
    first_offset: int
    next_offset: int
    delivered_offset: int
    last_offset: int | None
    last_digest: bytes | None


class Hole(msgspec.Struct, frozen=True):
    """Offsets [from_offset, to_offset) in which the worker found no record."""

    topic: str
    partition: int
    from_offset: int
    to_offset: int


class SourceLog(msgspec.Struct, frozen=True):
    """A log that commands were read from."""

    source_id: int
    topic: str
    partition: int
    incarnation: UUID


class TimelineStart(msgspec.Struct, frozen=True):
    """A life of the ledger, from a ledger_sequence on."""

    timeline_id: int
    token: UUID
    from_sequence: int


class RecordedAnswer(msgspec.Struct, frozen=True):
    """One recorded answer: what its events are named after."""

    source_id: int
    offset: int
    ledger_sequence: int | None
    timeline_id: int | None
    has_outcome: bool
    is_dead: bool


class Snapshot:
    """One moment of the ledger. Raises LedgerUnavailableError and SettingsError."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def _fetch(self, name: str, *arguments: Any) -> list[Any]:
        with explained():
            found: list[Any] = await self._connection.fetch(SQL[name], *arguments)
            return found

    async def faults(self, name: str) -> Faults:
        """Ask a statement of faults."""
        found = await self._fetch(name)
        return Faults([row["line"] for row in found], found[0]["total"] if found else 0)

    async def counts(self) -> dict[str, int]:
        """Count the rows of each kind."""
        (row,) = await self._fetch("counts")
        return dict(row)

    async def currencies(self) -> list[CurrencyBooks]:
        """Sum up each currency."""
        return [
            CurrencyBooks(row[0], int(row[1]), int(row[2]), int(row[3]))
            for row in await self._fetch("currencies")
        ]

    async def positions(self) -> list[Standing]:
        """Read all positions."""
        return [Standing(*row) for row in await self._fetch("positions")]

    async def holes(self, holes_max: int) -> list[Hole]:
        """Read the newest holes of the current sources."""
        return [Hole(*row) for row in await self._fetch("holes", holes_max)]

    async def sources(self) -> list[SourceLog]:
        """Read all sources."""
        return [SourceLog(*row) for row in await self._fetch("sources")]

    async def timelines(self) -> list[TimelineStart]:
        """Read all timelines, oldest first."""
        return [TimelineStart(*row) for row in await self._fetch("timelines")]

    async def unknown_ids(self, entries: Sequence[tuple[bytes, int]]) -> list[str]:
        """Give a line for each (id, ledger_sequence) that the ledger does not hold."""
        ids, sequences = [one for one, _ in entries], [sequence for _, sequence in entries]
        return [row["line"] for row in await self._fetch("unknown_ids", ids, sequences)]

    async def answers(self, source_ids: Sequence[int]) -> AsyncIterator[RecordedAnswer]:
        """Read every answer that was recorded for the sources, in no order."""
        async for row in self._each("answers", list(source_ids)):
            yield RecordedAnswer(*row)

    async def wrong_fingerprints(self, percent: float) -> tuple[int, Faults]:
        """
        Compute fingerprints again from what is recorded, for all or `percent` of the ids.

        Gives how many were compared and what differs.
        """
        compared, wrong, lines = 0, 0, list[str]()
        chunk: list[str] = []
        async for row in self._each("sampled_ids", percent):
            chunk.append(row[0])
            if len(chunk) == CHUNK_ROWS:
                count, found = await self._compare(chunk)
                compared, wrong, lines = compared + count, wrong + len(found), lines or found
                chunk = []
        count, found = await self._compare(chunk)
        return compared + count, Faults(lines or found, wrong + len(found))

    async def _compare(self, ids: list[str]) -> tuple[int, list[str]]:
        with explained():
            found = await self._connection.fetch(LINE_SQL["decided"], ids)
        compared, lines = 0, list[str]()
        for row in found:
            if row["fingerprint_version"] != FINGERPRINT_VERSION:
                continue
            compared += 1
            try:
                content = rows.decided_of(dict(row)).content()
                wrong = None if fingerprint(content) == row["fingerprint"] else "does not agree"
            except (ValueError, KeyError, TypeError, AssertionError) as error:
                wrong = f"can't be computed: {error!r}"
            if wrong:
                lines.append(f"transaction {row['transaction_id']}: its fingerprint {wrong}")
        return compared, lines

    async def _each(self, name: str, *arguments: Any) -> AsyncIterator[Any]:
        """Read rows a chunk at a time."""
        with explained():
            cursor = await self._connection.cursor(SQL[name], *arguments)
        while True:
            with explained():
                found = await cursor.fetch(CHUNK_ROWS)
            for row in found:
                yield row
            if len(found) < CHUNK_ROWS:
                return


@asynccontextmanager
async def reading(settings: ConnectionSettings) -> AsyncIterator[Snapshot]:
    """Open a snapshot of the ledger."""
    async with snapshot(settings) as connection:
        with explained():
            await connection.execute(SQL["snapshot"])
        yield Snapshot(connection)


def percent_for(wanted: int, count: int) -> float:
    """Give the share of `count` rows that yields about `wanted`, in percent."""
    return PERCENT_MAX if count <= wanted else PERCENT_MAX * wanted / count
