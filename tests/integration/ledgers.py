"""Ledgers for tests: migrated once per server, then copied as a template for each test."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Protocol

import asyncpg

from deploy.local import PostgresServer
from processor.contracts import contract_folders
from processor.ledger import Ledger
from processor.ledger.connection import WORKER_ROLE, ConnectionSettings
from processor.ledger.memory import MemoryLedger
from processor.ledger.postgres import PostgresLedger

MIGRATIONS = contract_folders()[0] / "ledger"

Counted = dict[tuple[str, str, str, str], tuple[int, int]]
"""Amount and number by date, scope, subject and currency."""

_COUNTED = """
SELECT booking_date::text, scope, subject, currency, sum(amount)::bigint, count(*)
FROM ledger.spending GROUP BY 1, 2, 3, 4
"""
_COUNTS = """
SELECT (SELECT count(*) FROM ledger.transaction) AS decided,
       (SELECT count(*) FROM ledger.posting) AS postings,
       (SELECT count(*) FROM ledger.account) AS accounts,
       (SELECT count(*) FROM ledger.repeat) + (SELECT count(*) FROM ledger.conflict)
     + (SELECT count(*) FROM ledger.dead_letter) AS others
"""


def settings_for(url: str, *, role: str | None = WORKER_ROLE) -> ConnectionSettings:
    """Give settings as the worker has them, with limits short enough for tests."""
    return ConnectionSettings(
        url,
        role=role,
        application_name="a test",
        connect_timeout_s=10,
        statement_timeout_ms=20_000,
        lock_timeout_ms=10_000,
    )


@contextmanager
def copied(server: PostgresServer, template: str) -> Iterator[str]:
    """Give the URL of a copy of the template, dropped at the end."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    server.query(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        yield server.url(name)
    finally:
        server.drop_database(name)


class Backend(Protocol):
    """Books that one or more workers are connected to, and a look into them from the side."""

    async def connect(self) -> Ledger:
        """Give another worker's ledger on the same books."""

    async def counts(self) -> dict[str, int]:
        """Give how many ids, postings, accounts and other answers are recorded."""

    async def holes(self) -> set[tuple[int, int]]:
        """Give the recorded holes as [from, to)."""

    async def balances(self) -> dict[str, int]:
        """Give what each account holds, in minor units."""

    async def held(self) -> dict[str, int]:
        """Give what is held in each account, in minor units."""

    async def totals(self) -> dict[str, int]:
        """Give how much of each original was given back, in minor units."""

    async def counted(self) -> Counted:
        """Give what was spent under limits, in minor units, and how often."""


class MemoryBackend:
    """One ledger in memory that all share."""

    def __init__(self) -> None:
        self._ledger = MemoryLedger()

    async def connect(self) -> Ledger:
        """Give the one ledger."""
        return self._ledger

    async def counts(self) -> dict[str, int]:
        """Count what is in the dictionaries."""
        state = self._ledger._tables
        return {
            "decided": len(state.decided),
            "postings": len(state.entries),
            "accounts": len(state.accounts),
            "others": len(state.recorded),
        }

    async def holes(self) -> set[tuple[int, int]]:
        """Give the holes without their source."""
        return {(start, end) for (_, start), end in self._ledger.holes().items()}

    async def balances(self) -> dict[str, int]:
        """Read the accounts."""
        return {name: account.posted for name, account in self._ledger.balances().items()}

    async def held(self) -> dict[str, int]:
        """Read the accounts."""
        return {name: account.held for name, account in self._ledger.balances().items()}

    async def totals(self) -> dict[str, int]:
        """Read the totals."""
        return dict(self._ledger._tables.reversed_minor)

    async def counted(self) -> Counted:
        """Sum up what was spent."""
        counted: Counted = {}
        for spending in self._ledger._tables.spendings.values():
            key = (spending.after.booking_date, *spending.subject)
            amount, count = counted.get(key, (0, 0))
            counted[key] = (amount + spending.amount, count + 1)
        return counted


class PostgresBackend:
    """A database, with a connection of its own for each worker and one as the owner."""

    def __init__(self, url: str, stack: AsyncExitStack, owner: asyncpg.Connection) -> None:
        self.url = url
        self._stack = stack
        self.owner = owner

    async def connect(self) -> Ledger:
        """Give a ledger on connections of its own."""
        ledger = PostgresLedger(settings_for(self.url))
        self._stack.push_async_callback(ledger.close)
        return ledger

    async def counts(self) -> dict[str, int]:
        """Count the rows."""
        return dict(await self.owner.fetchrow(_COUNTS) or {})

    async def holes(self) -> set[tuple[int, int]]:
        """Read the holes."""
        rows = await self.owner.fetch("SELECT from_offset, to_offset FROM ledger.hole")
        return {(row[0], row[1]) for row in rows}

    async def balances(self) -> dict[str, int]:
        """Read the accounts."""
        rows = await self.owner.fetch("SELECT name, posted FROM ledger.account")
        return {row[0]: row[1] for row in rows}

    async def held(self) -> dict[str, int]:
        """Read the accounts."""
        rows = await self.owner.fetch("SELECT name, held FROM ledger.account")
        return {row[0]: row[1] for row in rows}

    async def totals(self) -> dict[str, int]:
        """Read the totals."""
        rows = await self.owner.fetch("SELECT * FROM ledger.reversal_total")
        return {str(row["original_transaction_id"]): row["reversed_amount"] for row in rows}

    async def counted(self) -> Counted:
        """Sum up what was spent."""
        rows = await self.owner.fetch(_COUNTED)
        return {(row[0], row[1], row[2], row[3]): (row[4], row[5]) for row in rows}


@asynccontextmanager
async def postgres_backend(url: str) -> AsyncIterator[PostgresBackend]:
    """Give a database as a backend; its connections are closed at the end."""
    async with AsyncExitStack() as stack:
        owner = await asyncpg.connect(url)
        stack.push_async_callback(owner.close)
        yield PostgresBackend(url, stack, owner)
