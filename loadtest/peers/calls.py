"""The same demonstrations on the SQL function, which is called and reads no topic."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from typing import Any, Final

import asyncpg
import msgspec

from loadtest.child import Child
from loadtest.errors import LoadTestError
from loadtest.peers.books import FUNCTION, postings
from loadtest.peers.demonstrations import Demonstration, demonstrations
from loadtest.peers.seen import Seen, of_answers
from loadtest.peers.systems import System
from loadtest.peers.testbed import Tour
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
    client = caller(tour, system, database_url, one.asked)
    try:
        answer = asyncio.create_task(client.answer())
        await _strike(connection, client, one, answer)
        unasked = 0
        if one.name == "killed":
            with suppress(LoadTestError):
                await answer
            unasked = of_answers(
                wanted, [], await postings(connection, FUNCTION, list(wanted))
            ).lost
            # Its caller does not know how far it came, and asks for all of it again.
            again = caller(tour, system, database_url, one.asked)
            answer = asyncio.create_task(again.answer())
        answers = (await answer)["told"]
    finally:
        client.abandon()
    told = [{"transaction_id": id_, "outcome": word} for id_, word in answers]
    posted = await postings(connection, FUNCTION, list(wanted))
    return msgspec.structs.replace(
        of_answers(wanted, told, posted),
        unexplained=await connection.fetchval(FUNCTION.unexplained),
        lost_unless_asked_again=unasked,
    )


async def _strike(
    connection: Any, client: Child, one: Demonstration, answer: asyncio.Task[Any]
) -> None:
    """Cut the connections or kill the client, when so much has been posted."""
    before = await connection.fetchval(COUNT)
    for share in one.blows_at:
        while await connection.fetchval(COUNT) - before < share * len(one.asked):
            if answer.done():
                await answer  # which says what went wrong, if it did
                raise LoadTestError(f"{one.name}: all calls were answered before the blow fell")
            await asyncio.sleep(LOOK_S)
        if one.name == "killed":
            os.kill(client.pid, signal.SIGKILL)
        else:
            await connection.execute(CUT)
