"""Accounts with funds, opened by the product itself, in a database that loads copy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from loadtest.ground import OUTCOMES, Ground
from loadtest.lanes import COMMANDS
from loadtest.load.filling import fill
from loadtest.measure.drain import MeasuredWorker, OutcomesEnd, drain
from loadtest.traffic.population import openings
from loadtest.traffic.shape import PLAIN, Traffic

TITLE = "accounts"
RECORDS_EACH = 2
"""An account is opened and gets its funds."""


@asynccontextmanager
async def funded(
    ground: Ground, accounts: int, partitions: int, folder: Path, traffic: Traffic = PLAIN
) -> AsyncIterator[str]:
    """
    Open and fund the accounts that a traffic needs, so many of them customers'.

    Gives the name of the database, which is there while it is used.
    """
    async with ground.seed(TITLE) as case:
        lanes = openings(accounts, partitions, traffic)
        await fill(case.bootstrap_servers, case.topic(COMMANDS), lanes)
        worker = MeasuredWorker(folder / TITLE, case.environment)
        topic = case.topic(OUTCOMES)
        try:
            async with OutcomesEnd(case.bootstrap_servers, topic, partitions) as outcomes:
                count = sum(map(len, lanes))
                await drain(outcomes, worker, ground.beside, count, count, lambda _, __: None)
        finally:
            worker.stop()
        connection = await asyncpg.connect(case.database_url)
        await connection.execute("VACUUM ANALYZE")
        await connection.close()
        yield ground.database(TITLE)
