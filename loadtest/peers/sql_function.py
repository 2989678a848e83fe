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
from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

import asyncpg
import uvloop

from loadtest.child import needs, tell
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

Call = tuple[UUID, str, str, int]
"""Transaction id, debit account, credit account, minor units."""


async def main(
    database_url: str,
    connections: int,
    calls: list[tuple[str, str, str, int]],
    postgres: int | None,
    broker: int | None,
) -> dict[str, Any]:
    """Make all calls; give the seconds, what they answered, and the CPU that they took."""
    asked: list[Call] = [(UUID(id_), debit, credit, minor) for id_, debit, credit, minor in calls]
    opened: list[Any] = [await asyncpg.connect(database_url) for _ in range(connections)]
    for connection in opened:
        await connection.prepare(CALL)
    processes = Processes(os.getpid(), postgres, broker)
    told: list[tuple[str, str]] = []
    left = iter(asked)
    tell({"ready": True})
    before, began = processes.usage(), time.perf_counter()
    await asyncio.gather(*(_caller(database_url, one, left, told) for one in opened))
    seconds, after = time.perf_counter() - began, processes.usage()
    return {
        "payments": len(asked),
        "seconds": round(seconds, 4),
        "per_second": round(len(asked) / seconds, 1),
        "told": told,
        "cpu_us_per_payment": after.per_payment_us(before, len(asked)),
        "peak_memory_bytes": peak_memory_bytes(os.getpid()),
    }


async def _caller(
    database_url: str, connection: Any, left: Iterator[Call], told: list[tuple[str, str]]
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
    tell(uvloop.run(main(**needs())))
