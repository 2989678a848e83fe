"""
The naive consumer as a service: a program that runs until it is told to end.

The pattern is that of aiokafka's and asyncpg's own first examples, put together in
`loadtest.reference.naive`: one message, one transaction, one awaited send.
"""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg

from loadtest.child import needs, told_to_stop
from loadtest.reference.naive import clients, process


async def main(
    database_url: str,
    bootstrap_servers: str,
    commands: str,
    outcomes: str,
    session_timeout_s: int,
    first_message: str,
    **_: Any,
) -> None:
    """Process messages until SIGTERM; what goes wrong ends the program."""
    stopping = told_to_stop()
    connection: Any = await asyncpg.connect(database_url)
    consumer, producer = clients(
        bootstrap_servers, commands, session_timeout_ms=session_timeout_s * 1000
    )
    try:
        await producer.start()
        await consumer.start()
        serving = asyncio.create_task(
            _serve(connection, consumer, producer, outcomes, first_message)
        )
        stop = asyncio.create_task(stopping.wait())
        await asyncio.wait({serving, stop}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()
        serving.cancel()
    finally:
        await consumer.stop()
        await producer.stop()
        await connection.close()


async def _serve(
    connection: Any, consumer: Any, producer: Any, outcomes: str, first_message: str
) -> None:
    message = await consumer.getone()
    print(first_message, flush=True)
    while True:
        await process(connection, producer, outcomes, message)
        message = await consumer.getone()


if __name__ == "__main__":
    asyncio.run(main(**needs()))
