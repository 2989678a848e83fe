"""The timed part: how fast a system works off the same payments, and the proof of its books."""

from __future__ import annotations

from collections import Counter
from typing import Any

import asyncpg

from loadtest.child import CHILD_LIMIT_S, Child
from loadtest.load.filling import fill
from loadtest.load.transfers import load
from loadtest.measure.drain import OutcomesEnd, drain
from loadtest.peers.beds import Bed, Tour
from loadtest.peers.books import FUNCTION, prove
from loadtest.peers.orders import PARTITIONS, Order, orders
from loadtest.peers.systems import PRODUCT, System
from loadtest.proof.books import prove_load
from loadtest.sample import SEED


async def drained(tour: Tour, bed: Bed) -> dict[str, Any]:
    """Fill the topic, start the system, time it to its last outcome; prove its books."""
    plan, case = tour.plan, bed.site
    payments = bed.system.payments(plan.payments)
    wanted = load(payments, plan.accounts, PARTITIONS, seed=SEED)
    await fill(case.bootstrap_servers, bed.commands, wanted.lanes)
    wanted.lanes.clear()
    async with OutcomesEnd(case.bootstrap_servers, bed.outcomes, PARTITIONS) as outcomes:
        found = await drain(
            outcomes,
            bed.runner,
            tour.ground.beside,
            payments,
            payments,
            tour.progress(bed.system),
            bed.mark,
        )
        events = await outcomes.end()
    if bed.system.name == PRODUCT:
        faults = await prove_load(case.database_url, wanted, plan.accounts, events)
        return found.shown() | {"faults": list(faults.lines)}
    connection = await asyncpg.connect(case.database_url)
    try:
        lines = await prove(connection, bed.books, wanted)
    finally:
        await connection.close()
    if events != payments:
        lines.append(f"outcome events: {events:,}, expected {payments:,}")
    return found.shown() | {"faults": lines}


async def called(tour: Tour, system: System, database_url: str) -> dict[str, Any]:
    """Call the SQL function for each payment; prove its books."""
    plan = tour.plan
    payments = system.payments(plan.payments)
    found = await caller(tour, system, database_url, orders(payments, plan.accounts)).answer()
    wanted = load(payments, plan.accounts, PARTITIONS, seed=SEED, keep_records=False)
    connection = await asyncpg.connect(database_url)
    try:
        lines = await prove(connection, FUNCTION, wanted)
    finally:
        await connection.close()
    answers = Counter(word for _, word in found.pop("told"))
    if answers != {"posted": payments}:
        lines.append(f"answers: {dict(answers)}, expected {payments:,} times posted")
    return found | {"faults": lines}


def caller(tour: Tour, system: System, database_url: str, asked: list[Order]) -> Child:
    """Start the program that calls the function."""
    beside = tour.ground.beside(0)
    needs = {
        "database_url": database_url,
        "connections": system.connections,
        "calls": [order[:4] for order in asked],
        "postgres": beside.postgres,
        "broker": beside.broker,
    }
    return Child("loadtest.peers.sql_function", needs, CHILD_LIMIT_S)
