"""The same demonstrations on the SQL function, which is called and reads no topic."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final

import asyncpg
import msgspec

from loadtest.errors import LoadTestError
from loadtest.peers.beds import Tour
from loadtest.peers.books import FUNCTION, postings
from loadtest.peers.demonstrations import Demonstration, demonstrations
from loadtest.peers.seen import Seen, of_answers
from loadtest.peers.sql_function import called as answers_to
from loadtest.peers.systems import System
from loadtest.peers.timed import caller
from loadtest.peers.trials import CUT

LOOK_S: Final = 0.005
COUNT: Final = "SELECT count(*) FROM transfer"


async def called_wrongly(tour: Tour, system: System, database_url: str) -> dict[str, Seen]:
    """Show all demonstrations that mean something to a caller; give them by name."""
    plan = tour.plan
    payments = system.payments(plan.payments)
    found: dict[str, Seen] = {}
    connection = await asyncpg.connect(database_url)
    try:
        for one in demonstrations(payments, plan.accounts, is_quick=plan.is_quick):
            # A caller of a function sends typed values: what is no JSON never gets there.
            if one.name != "no_json":
                found[one.name] = await _show(tour, system, connection, database_url, one)
                tour.told(system, one.name, found[one.name])
    finally:
        await connection.close()
    return found


async def _show(
    tour: Tour, system: System, connection: Any, database_url: str, one: Demonstration
) -> Seen:
    wanted = {order.id: one.should_post for order in one.asked}
    asked, unasked = [order[:4] for order in one.asked], 0
    if one.name == "killed":
        await _killed(tour, system, connection, database_url, one)
        posted = await postings(connection, FUNCTION, list(wanted))
        unasked = of_answers(wanted, [], posted).lost
    # Whose client was killed does not know how far it came, and asks for all of it again.
    calling = asyncio.create_task(answers_to(database_url, system.connections, asked))
    if one.name == "cut":
        await _strike(connection, one, calling, partial(connection.execute, CUT))
    answers = await calling
    told = [{"transaction_id": id_, "outcome": word} for id_, word in answers]
    posted = await postings(connection, FUNCTION, list(wanted))
    return msgspec.structs.replace(
        of_answers(wanted, told, posted),
        unexplained=await connection.fetchval(FUNCTION.unexplained),
        lost_unless_asked_again=unasked,
    )


async def _killed(
    tour: Tour, system: System, connection: Any, database_url: str, one: Demonstration
) -> None:
    """Have a client of its own make the calls, and kill it in the middle."""
    client = caller(tour, system, database_url, one.asked)
    try:
        calling = asyncio.create_task(client.answer())

        async def kill() -> None:
            os.kill(client.pid, signal.SIGKILL)

        await _strike(connection, one, calling, kill)
        with suppress(LoadTestError):
            await calling
    finally:
        client.abandon()


async def _strike(
    connection: Any,
    one: Demonstration,
    calling: asyncio.Task[Any],
    blow: Callable[[], Awaitable[Any]],
) -> None:
    """Strike whenever so much has been posted."""
    before = await connection.fetchval(COUNT)
    for share in one.blows_at:
        while await connection.fetchval(COUNT) - before < share * len(one.asked):
            if calling.done():
                await calling  # which says what went wrong, if it did
                raise LoadTestError(f"{one.name}: all calls were answered before the blow fell")
            await asyncio.sleep(LOOK_S)
        await blow()
