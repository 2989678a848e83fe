"""
Applies `schemas/ledger/*.sql`: numbered, checksummed, forward only, one at a time under an advisory
lock.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final
from uuid import uuid4

import asyncpg
import msgspec

from processor.errors import ProcessorError
from processor.ledger.connection import ConnectionSettings, translated

_NUMBERED: Final = re.compile(r"\d{4}_[a-z0-9_]+\.sql")
_LOCK: Final = 0x6C6564676572
"""Key of the advisory lock: "ledger" in ASCII."""

MIGRATION_TIMEOUT_S: Final = 600.0


class MigrationError(ProcessorError):
    """The database and the migrations do not fit each other; one line says how."""


class Migrated(msgspec.Struct, frozen=True):
    """What was done: the files applied now, how many there are, and what ledger this is."""

    applied: list[str]
    total: int
    is_test: bool


def migrations(folder: Path) -> list[Path]:
    """Give the migration files in their order."""
    return sorted(path for path in folder.glob("*.sql") if _NUMBERED.fullmatch(path.name))


async def migrate(settings: ConnectionSettings, folder: Path, *, test_ledger: bool) -> Migrated:
    """
    Bring a database up to date; make it a ledger when it is none yet, a test ledger where asked.

    Raises MigrationError when an applied file has changed, is missing, or the ledger is not what
    was asked for.
    """
    with translated():
        connection = await asyncpg.connect(settings.url, timeout=settings.connect_timeout_s)
    try:
        with translated():
            await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
            applied = await _apply(connection, migrations(folder))
            is_test = await _identify(connection, test_ledger=test_ledger)
    finally:
        await connection.close(timeout=settings.connect_timeout_s)
    return Migrated(applied, len(migrations(folder)), is_test)


async def _apply(connection: asyncpg.Connection, files: list[Path]) -> list[str]:
    known: dict[str, str] = {}
    if await connection.fetchval("SELECT to_regclass('ledger.migration') IS NOT NULL"):
        rows = await connection.fetch("SELECT name, sha256 FROM ledger.migration")
        known = {row["name"]: row["sha256"] for row in rows}
    unknown = known.keys() - {path.name for path in files}
    if unknown:
        raise MigrationError(
            f"the database has {min(unknown)} applied, which this release does not know"
        )
    applied = []
    for path in files:
        text = path.read_text()
        digest = hashlib.sha256(text.encode()).hexdigest()
        if path.name in known:
            if known[path.name] != digest:
                raise MigrationError(f"{path.name} was changed after it was applied")
            continue
        if known and path.name < max(known):
            raise MigrationError(f"{path.name} comes before {max(known)}, which is applied already")
        async with connection.transaction():
            await connection.execute(text, timeout=MIGRATION_TIMEOUT_S)
            await connection.execute(
                "INSERT INTO ledger.migration (name, sha256) VALUES ($1, $2)", path.name, digest
            )
        applied.append(path.name)
    return applied


async def _identify(connection: asyncpg.Connection, *, test_ledger: bool) -> bool:
    """Give the ledger its identity and its first timeline, once."""
    async with connection.transaction():
        await connection.execute(
            "INSERT INTO ledger.identity (ledger_id, is_test) VALUES ($1, $2) "
            "ON CONFLICT DO NOTHING",
            uuid4(),
            test_ledger,
        )
        is_test: bool = await connection.fetchval("SELECT is_test FROM ledger.identity")
        if test_ledger and not is_test:
            raise MigrationError("this is a real ledger: it can't become a test ledger")
        if not await connection.fetchval("SELECT count(*) FROM ledger.timeline"):
            await connection.execute("SELECT ledger.start_timeline(0, 'the ledger was made')")
    return is_test
