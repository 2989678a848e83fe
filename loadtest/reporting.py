"""Read the ledger through the views that its readers may rely on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple, Self

import asyncpg

from loadtest.errors import LoadTestError

if TYPE_CHECKING:
    from asyncpg.cursor import Cursor
    from asyncpg.prepared_stmt import PreparedStatement

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
    ledger_sequence: int


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
       balance_after::text, booking_date::text, value_date::text, ledger_sequence
FROM reporting.entries"""


RANGE = " WHERE ledger_sequence >= $1 AND ledger_sequence < $2"

NEXT = """
SELECT min(ledger_sequence)
FROM (
    SELECT ledger_sequence FROM reporting.payments
    UNION ALL SELECT ledger_sequence FROM reporting.entries
) AS row
WHERE ledger_sequence >= $1"""

WINDOW_SEQUENCES = 10_000
BALANCES_AT_ONCE = 10_000
PIECE_LIMIT_S = 60.0
LEAST_SEQUENCE = -(2**63)


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


class LedgerReader:
    """
    The three views as they are at one moment, piece by piece; an async context.

    Rows of payments and entries come in ranges of `ledger_sequence`, which the ledger has indexes
    for, so nothing has to be sorted; the others in the order in which they lie.
    """

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._stack = AsyncExitStack()
        self._turn = asyncio.Lock()
        self._payments: PreparedStatement
        self._entries: PreparedStatement
        self._balances: Cursor
        self._following: PreparedStatement
        self._begin, self._end = LEAST_SEQUENCE, WINDOW_SEQUENCES

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            connection = await stack.enter_async_context(_connected(self._database_url))
            await stack.enter_async_context(
                connection.transaction(isolation="repeatable_read", readonly=True)
            )
            self._payments = await connection.prepare(PAYMENTS + RANGE)
            self._entries = await connection.prepare(ENTRIES + RANGE)
            self._balances = await connection.cursor(BALANCES)
            self._following = await connection.prepare(NEXT)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def window(self) -> tuple[int, list[Payment], list[Entry]] | None:
        """Give the next rows by `ledger_sequence` and where they end; None behind the last."""
        async with self._turn:
            payments, entries = await self._range()
            if not payments and not entries:
                following = await self._following.fetchval(self._end, timeout=PIECE_LIMIT_S)
                if following is None:
                    return None
                self._end = following + WINDOW_SEQUENCES
                payments, entries = await self._range()
            end = self._begin = self._end
            self._end += WINDOW_SEQUENCES
        return end, list(map(Payment._make, payments)), list(map(Entry._make, entries))

    async def _range(self) -> tuple[list[asyncpg.Record], list[asyncpg.Record]]:
        bounds = (self._begin, self._end)
        payments = await self._payments.fetch(*bounds, timeout=PIECE_LIMIT_S)
        return payments, await self._entries.fetch(*bounds, timeout=PIECE_LIMIT_S)

    async def balances(self) -> list[Balance]:
        """Give some more balances; none when all were given."""
        async with self._turn:
            rows = await self._balances.fetch(BALANCES_AT_ONCE, timeout=PIECE_LIMIT_S)
        return list(map(Balance._make, rows))


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
