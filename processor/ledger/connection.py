"""
One connection to PostgreSQL: made when needed, checked, given up when it breaks; driver errors are
translated here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import asyncpg
import structlog

from processor.errors import (
    AlreadyDecidedError,
    FaultError,
    LedgerUnavailableError,
    UnpostableError,
)
from processor.ledger.statements import SQL

log = structlog.get_logger()

WORKER_ROLE: Final = "processor_worker"
DURABLE_COMMITS: Final = frozenset({"on", "remote_write", "remote_apply"})

# Class 08 is the connection, 53 resources, 57 operator intervention (a server that stops or
# starts), 58 the system around it, 25 a server that turned read-only, 55P03 and 57014 limits of
# ours, 40 serialisation and deadlock, XX001.. corruption stays out.
_RETRIED_CLASSES: Final = frozenset({"08", "25", "40", "53", "57", "58"})
_RETRIED_STATES: Final = frozenset({"55P03"})
CONNECTION_ERRORS: Final = (
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)
"""What asyncpg raises where a connection is away, or was left in the middle of something."""

_DATA_CLASSES: Final = frozenset({"22", "23"})
_REGISTERED_ID: Final = re.compile(r"transaction_(\d+_pkey|id_once)")
"""The primary key of transaction ids, as its partitions name it."""


class ConnectionSettings:
    """
    How to reach the database, and the limits of every statement. A transaction may be idle for as
    long as a statement may take, unless `idle_transaction_timeout_ms` says otherwise.
    """

    def __init__(
        self,
        url: str,
        *,
        role: str | None,
        application_name: str,
        connect_timeout_s: float,
        statement_timeout_ms: int,
        lock_timeout_ms: int,
        idle_transaction_timeout_ms: int | None = None,
    ) -> None:
        self.url = url
        self.role = role
        self.application_name = application_name
        self.connect_timeout_s = connect_timeout_s
        self.statement_timeout_ms = statement_timeout_ms
        self.lock_timeout_ms = lock_timeout_ms
        self.idle_transaction_timeout_ms = idle_transaction_timeout_ms or statement_timeout_ms


@contextmanager
def translated() -> Iterator[None]:
    """
    Turn asyncpg's errors into ours, once: outages, data that PostgreSQL refuses, and faults.

    The original error stays as the cause.
    """
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        if _REGISTERED_ID.fullmatch(error.constraint_name or ""):
            raise AlreadyDecidedError("an id was decided before") from error
        raise UnpostableError(_line(error), str(error.sqlstate)) from error
    except asyncpg.PostgresError as error:
        state = error.sqlstate or ""
        line = _line(error)
        if state[:2] in _RETRIED_CLASSES or state in _RETRIED_STATES:
            raise LedgerUnavailableError(line) from error
        if state[:2] in _DATA_CLASSES:
            raise UnpostableError(line, state) from error
        raise FaultError(line) from error
    except CONNECTION_ERRORS as error:
        what = str(error) or type(error).__name__
        raise LedgerUnavailableError(f"PostgreSQL does not answer: {what}") from error


def _line(error: asyncpg.PostgresError) -> str:
    return f"PostgreSQL says {error.sqlstate}: {error.args[0] if error.args else error}"


class LedgerConnection:
    """A connection that is opened on first use, and again after it broke."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self._settings = settings
        self._connection: asyncpg.Connection | None = None

    async def get(self) -> asyncpg.Connection:
        """Give an open connection. Raises LedgerUnavailableError where there is none to be had."""
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._connect()
        return self._connection

    def abandon(self) -> None:
        """
        Let the connection go without a word to the server: it may be broken in the middle of a
        transaction.
        """
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def close(self) -> None:
        """Close in order, within the connect timeout."""
        if self._connection is not None:
            with suppress(asyncpg.PostgresError, *CONNECTION_ERRORS):
                await self._connection.close(timeout=self._settings.connect_timeout_s)
            self._connection = None

    async def _connect(self) -> asyncpg.Connection:
        settings = self._settings
        server_settings = {
            "application_name": settings.application_name,
            "statement_timeout": str(settings.statement_timeout_ms),
            "lock_timeout": str(settings.lock_timeout_ms),
            "idle_in_transaction_session_timeout": str(settings.idle_transaction_timeout_ms),
            "timezone": "UTC",
            "jit": "off",
        }
        if settings.role is not None:
            server_settings["role"] = settings.role
        with translated():
            connection = await asyncpg.connect(
                settings.url,
                timeout=settings.connect_timeout_s,
                command_timeout=settings.statement_timeout_ms / 1000 + settings.connect_timeout_s,
                server_settings=server_settings,
            )
        try:
            await _check_durability(connection)
        except BaseException:
            connection.terminate()
            raise
        return connection


async def _check_durability(connection: asyncpg.Connection) -> None:
    """Never post with commits that may be forgotten, and never to a standby."""
    with translated():
        row = await connection.fetchrow(SQL["durability"])
        assert row is not None, "a SELECT without FROM has a row"
        if row["standby"]:
            raise LedgerUnavailableError("PostgreSQL at this address is a standby")
        if row["synchronous_commit"] not in DURABLE_COMMITS:
            await connection.execute("SET synchronous_commit = on")
            log.warning("ledger.commits_made_durable", was=row["synchronous_commit"])
