"""
Callers of one SQL function, so many connections side by side and no Kafka: a program of its own.

Each connection makes one call at a time and waits for its commit, as the handlers of a web service
do; asyncpg prepares the statement once for each. The calls are parsed before the clock starts, as
a web framework would have done that. A call whose connection breaks has no answer: whether it was
posted its caller does not know. The connection is made anew, and the next call goes on.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final
from uuid import UUID

import asyncpg
import uvloop

from loadtest.child import answer, needs
from loadtest.measure.usage import Processes, peak_memory_bytes

CALL: Final = "SELECT move_money($1, $2, $3, $4)"
CONNECT_TRIES_MAX: Final = 20
CONNECT_PAUSE_S: Final = 0.1

BROKEN: Final = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresError,
)
SESSION_ENDED: Final = ("57", "08")
"""Classes of SQLSTATE: the operator intervened, the connection failed."""

Order = tuple[str, str, str, int]
"""Transaction id, debit account, credit account, minor units."""

Call = tuple[UUID, str, str, int]
"""The same, parsed."""

Answer = tuple[str, str]
"""Transaction id and what the function said."""


async def main(
    database_url: str,
    connections: int,
    calls: list[Order],
    postgres: int | None,
    broker: int | None,
) -> dict[str, Any]:
    """Make all calls; give the seconds, what they answered, and the CPU that they took."""
    opened = await _opened(database_url, connections)
    asked = iter([_parsed(call) for call in calls])
    processes = Processes(os.getpid(), postgres, broker)
    before, began = processes.usage(), time.perf_counter()
    told = await _answers(database_url, opened, asked)
    seconds, after = time.perf_counter() - began, processes.usage()
    return {
        "payments": len(calls),
        "seconds": round(seconds, 4),
        "per_second": round(len(calls) / seconds, 1),
        "told": told,
        "cpu_us_per_payment": after.per_payment_us(before, len(calls)),
        "peak_memory_bytes": peak_memory_bytes(os.getpid()),
    }


async def called(database_url: str, connections: int, calls: Sequence[Order]) -> list[Answer]:
    """Make all calls in this process; give the answers."""
    opened = await _opened(database_url, connections)
    return await _answers(database_url, opened, iter([_parsed(call) for call in calls]))


def _parsed(call: Order) -> Call:
    id_, debit, credit, minor = call
    return UUID(id_), debit, credit, minor


async def _opened(database_url: str, connections: int) -> list[Any]:
    opened: list[Any] = [await asyncpg.connect(database_url) for _ in range(connections)]
    for connection in opened:
        await connection.prepare(CALL)
    return opened


async def _answers(database_url: str, opened: list[Any], left: Iterator[Call]) -> list[Answer]:
    told: list[Answer] = []
    await asyncio.gather(*(_caller(database_url, one, left, told) for one in opened))
    return told


async def _caller(
    database_url: str, connection: Any, left: Iterator[Call], told: list[Answer]
) -> None:
    current = connection
    for call in left:
        try:
            told.append((str(call[0]), await current.fetchval(CALL, *call)))
        except BROKEN as error:
            if isinstance(error, asyncpg.PostgresError) and not _is_cut(error):
                told.append((str(call[0]), f"error: {error.sqlstate}"))
                continue
            current.terminate()
            current = await _connected(database_url)
    await current.close()


def _is_cut(error: Any) -> bool:
    """Say whether the server ends the session, instead of refusing a statement."""
    return str(error.sqlstate).startswith(SESSION_ENDED)


async def _connected(database_url: str) -> Any:
    for _ in range(CONNECT_TRIES_MAX - 1):
        try:
            return await asyncpg.connect(database_url)
        except (OSError, asyncpg.PostgresError):
            await asyncio.sleep(CONNECT_PAUSE_S)
    return await asyncpg.connect(database_url)


if __name__ == "__main__":
    answer(uvloop.run(main(**needs())))
