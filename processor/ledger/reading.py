"""Connections for those who look: read only, one snapshot, an error for each way to miss."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import asyncpg

from processor.errors import ProcessorError, SettingsError
from processor.ledger.connection import CONNECTION_ERRORS, ConnectionSettings, translated

CLOSE_TIMEOUT_S: Final = 5.0
"""How long a connection may take to say goodbye."""


class NoLedgerError(SettingsError):
    """The database holds no ledger, or one that this release does not know."""


@contextmanager
def explained() -> Iterator[None]:
    """
    Turn errors of a person's settings into lines that name the setting; others as `translated`.

    Raises SettingsError, NoLedgerError, LedgerUnavailableError.
    """
    try:
        with translated():
            yield
    except ProcessorError as error:
        cause = error.__cause__
        if isinstance(cause, asyncpg.PostgresError):
            _explain(cause)
        if isinstance(cause, ValueError):  # asyncpg's errors of a URL are both
            raise SettingsError(f"PROCESSOR_DATABASE_URL can't be used: {cause}") from error
        raise


def _explain(cause: asyncpg.PostgresError) -> None:
    """Raise what a person can mend, or return."""
    said = str(cause.args[0] if cause.args else cause)
    if isinstance(
        cause,
        asyncpg.UndefinedTableError
        | asyncpg.InvalidSchemaNameError
        | asyncpg.UndefinedColumnError
        | asyncpg.UndefinedFunctionError,
    ):
        raise NoLedgerError(f"this database holds no such ledger ({said}): run `processor migrate`")
    if (cause.sqlstate or "")[:2] == "22" and "role" in said:
        raise NoLedgerError(f"this server has no ledger ({said}): run `processor migrate`")
    if (cause.sqlstate or "")[:2] in {"28", "3D"} or cause.sqlstate == "42501":
        raise SettingsError(f"PROCESSOR_DATABASE_URL: PostgreSQL says: {said}")


async def connect(settings: ConnectionSettings) -> asyncpg.Connection:
    """Open a connection. Raises SettingsError, NoLedgerError, LedgerUnavailableError."""
    server_settings = {
        "application_name": settings.application_name,
        "statement_timeout": str(settings.statement_timeout_ms),
        "lock_timeout": str(settings.lock_timeout_ms),
        "timezone": "UTC",
        "jit": "off",
    }
    if settings.role is not None:
        server_settings["role"] = settings.role
    with explained():
        return await asyncpg.connect(
            settings.url,
            timeout=settings.connect_timeout_s,
            command_timeout=settings.statement_timeout_ms / 1000 + settings.connect_timeout_s,
            server_settings=server_settings,
        )


@asynccontextmanager
async def connected(settings: ConnectionSettings) -> AsyncIterator[asyncpg.Connection]:
    """Hold a connection. Raises as `connect` does."""
    connection = await connect(settings)
    try:
        yield connection
    finally:
        try:
            await connection.close(timeout=CLOSE_TIMEOUT_S)
        except (asyncpg.PostgresError, *CONNECTION_ERRORS):
            connection.terminate()


@asynccontextmanager
async def snapshot(settings: ConnectionSettings) -> AsyncIterator[asyncpg.Connection]:
    """Open a connection in a transaction that sees one moment and changes nothing."""
    async with connected(settings) as connection:
        with explained():
            await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield connection
