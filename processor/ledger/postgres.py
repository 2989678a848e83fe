"""The ledger in PostgreSQL. One transaction per batch; every statement is in `queries.sql`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg
import structlog

from processor.batch import Log
from processor.errors import LedgerUnavailableError, OutageError, ProcessorError, UnpostableError
from processor.ledger import DueHold, Position, Timeline
from processor.ledger.connection import (
    CONNECTION_ERRORS,
    ConnectionSettings,
    LedgerConnection,
    translated,
)
from processor.ledger.rulebook import Rulebook
from processor.ledger.session import PostgresSession
from processor.ledger.statements import SQL

log = structlog.get_logger()

MONTHS_AHEAD: Final = 3
"""How many months of partitions are made ahead of the current one."""


ROLLBACK_TIMEOUT_S: Final = 2.0
"""How long a roll-back may take before the connection is given up, which rolls back too."""


class PostgresLedger:
    """
    `Ledger` over two connections: one posts, the other answers everything that must not wait for a
    posting.
    """

    def __init__(self, settings: ConnectionSettings) -> None:
        self._posting = LedgerConnection(settings)
        self._other = LedgerConnection(settings)
        self._asking = asyncio.Lock()
        self._rulebook = Rulebook()

    @asynccontextmanager
    async def posting(self) -> AsyncIterator[PostgresSession]:
        """
        Begin; commit on a clean exit. After any error the connection is given up: nothing half-done
        can stay on it.
        """
        connection = await self._posting.get()
        try:
            with translated():
                await connection.execute("BEGIN")
            yield PostgresSession(connection, self._rulebook.of(connection))
            with translated():
                await connection.execute("COMMIT")
        except OutageError:
            self._posting.abandon()
            raise
        except ProcessorError:
            await self._roll_back(connection)
            raise
        except BaseException:
            self._posting.abandon()
            raise

    async def _roll_back(self, connection: asyncpg.Connection) -> None:
        try:
            await connection.execute("ROLLBACK", timeout=ROLLBACK_TIMEOUT_S)
        except (asyncpg.PostgresError, *CONNECTION_ERRORS):
            self._posting.abandon()

    async def _fetch(self, name: str, *arguments: Any) -> list[Any]:
        async with self._asking:
            connection = await self._other.get()
            with translated():
                return await connection.fetch(SQL[name], *arguments)

    async def timelines(self) -> list[Timeline]:
        """Read all timelines, oldest first."""
        return [Timeline(*row) for row in await self._fetch("timelines")]

    async def start_timeline(self, known: int, reason: str) -> Timeline:
        """Begin a new timeline unless `known` is not the last any more; give the last."""
        (row,) = await self._fetch("start_timeline", known, reason)
        return Timeline(*row)

    async def incarnations(self) -> dict[int, UUID]:
        """Read the incarnation of every source."""
        return {row[0]: row[1] for row in await self._fetch("incarnations")}

    async def position(self, topic: str, partition: int) -> Position | None:
        """Read a position."""
        found = await self._fetch("position", topic, partition)
        return _position(found[0]) if found else None

    async def claim(
        self, topic: str, partition: int, first_offset: int, claim: UUID, claimed_by: str
    ) -> Position:
        """Write the claim; open the position on the first claim ever."""
        try:
            await self._claim(topic, partition, first_offset, claim, claimed_by)
        except UnpostableError as error:
            raise LedgerUnavailableError("another worker opens this position") from error
        position = await self.position(topic, partition)
        assert position is not None, "it was claimed on the line above"
        return position

    async def _claim(
        self, topic: str, partition: int, first_offset: int, claim: UUID, claimed_by: str
    ) -> None:
        async with self._asking:
            connection = await self._other.get()
            with translated():
                async with connection.transaction():
                    status = await connection.execute(
                        SQL["claim"], topic, partition, claim, claimed_by
                    )
                    if status == "UPDATE 0":
                        source_id = await connection.fetchval(
                            SQL["open_source"], topic, partition, uuid4(), claimed_by, "first claim"
                        )
                        await connection.execute(
                            SQL["open_position"],
                            topic,
                            partition,
                            source_id,
                            claim,
                            claimed_by,
                            first_offset,
                        )

    async def delivered(self, logs: dict[Log, int]) -> None:
        """Note deliveries where the claim still holds."""
        await self._fetch("delivered", [log.claim for log in logs], list(logs.values()))

    async def due_holds(self, holds_max: int) -> list[DueHold]:
        """Take the job until this connection ends, or leave it; read what is due."""
        (job,) = await self._fetch("take_expiry")
        if not job["is_taken"]:
            return []
        return [DueHold(*row) for row in await self._fetch("due_holds", holds_max)]

    async def known(self, transaction_ids: Collection[str]) -> set[str]:
        """Look ids up."""
        return {row[0] for row in await self._fetch("known", list(transaction_ids))}

    async def prepare(self) -> None:
        """
        At start and daily: partitions ahead; begin a timeline after a failover; tell of weak
        durability.
        """
        await self._fetch("create_month_partitions", MONTHS_AHEAD)
        (server,) = await self._fetch("server")
        if server["fsync"] != "on":
            log.warning("ledger.fsync_off", risk="a crash of the machine can lose posted payments")
        if not server["synchronous_standby_names"]:
            log.warning(
                "ledger.no_synchronous_standby",
                risk="a failover to an asynchronous replica can take back answered payments",
            )
        if server["server"] != server["known_server"]:
            known = (await self.timelines())[-1]
            await self.start_timeline(
                known.timeline_id, f"server timeline {server['known_server']} -> {server['server']}"
            )

    async def close(self) -> None:
        """Close both connections."""
        await self._posting.close()
        await self._other.close()


def _position(row: Any) -> Position:
    log_ = Log(row["source_id"], row["topic"], row["partition"], row["incarnation"], row["claim"])
    return Position(
        log_,
        row["first_offset"],
        row["next_offset"],
        row["delivered_offset"],
        row["last_offset"],
        row["last_digest"],
    )
