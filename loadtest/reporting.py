"""Read the ledger through the views that its readers may rely on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

import asyncpg

from loadtest.errors import LoadTestError

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

CONNECT_LIMIT_S = 15.0


class Balance(NamedTuple):
    """A row of `reporting.balances`; money as decimal strings."""

    account: str
    currency: str
    posted: str
    held: str
    available: str | None
    status: str


class Payment(NamedTuple):
    """A row of `reporting.payments`; `decided_at_us` in microseconds since 1970."""

    transaction_id: str
    type: str
    outcome: str
    reason: str | None
    amount: str | None
    currency: str | None
    debit_account: str | None
    credit_account: str | None
    decided_at_us: int
    ledger_sequence: int
    topic: str
    partition: int
    offset: int


class Entry(NamedTuple):
    """A row of `reporting.entries`; money as decimal strings, dates as YYYY-MM-DD."""

    transaction_id: str
    line: int
    account: str
    direction: str
    amount: str
    currency: str
    balance_after: str
    booking_date: str
    value_date: str


class Ledger(NamedTuple):
    """Everything that the views show."""

    balances: list[Balance]
    payments: list[Payment]
    entries: list[Entry]


BALANCES = """
SELECT account, currency, posted::text, held::text, available::text, status
FROM reporting.balances"""

PAYMENTS = """
SELECT transaction_id::text, type, outcome, reason, amount::text, currency, debit_account,
       credit_account, (extract(epoch FROM decided_at) * 1000000)::bigint, ledger_sequence,
       topic, partition, "offset"
FROM reporting.payments"""

ENTRIES = """
SELECT transaction_id::text, line, account, direction, amount::text, currency,
       balance_after::text, booking_date::text, value_date::text
FROM reporting.entries"""


@asynccontextmanager
async def _connected(database_url: str) -> AsyncIterator[Connection]:
    try:
        connection = await asyncpg.connect(database_url, timeout=CONNECT_LIMIT_S)
    except (OSError, ValueError, asyncpg.PostgresError) as error:
        raise LoadTestError(f"PostgreSQL does not answer: {error}") from error
    try:
        yield connection
    finally:
        await connection.close()


async def read_ledger(database_url: str) -> Ledger:
    """Read the three views as they are at one moment."""
    async with (
        _connected(database_url) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        return Ledger(
            [Balance(*row) for row in await connection.fetch(BALANCES)],
            [Payment(*row) for row in await connection.fetch(PAYMENTS)],
            [Entry(*row) for row in await connection.fetch(ENTRIES)],
        )


async def is_test_ledger(database_url: str) -> bool | None:
    """Say whether the ledger is a test ledger; None where the database holds no ledger."""
    async with _connected(database_url) as connection:
        if await connection.fetchval("SELECT to_regclass('ledger.identity')") is None:
            return None
        return bool(await connection.fetchval("SELECT is_test FROM ledger.identity"))


async def holds_payments(database_url: str) -> bool:
    """Say whether anything has been decided in the ledger."""
    async with _connected(database_url) as connection:
        return bool(await connection.fetchval("SELECT EXISTS (SELECT FROM reporting.payments)"))
