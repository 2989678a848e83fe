"""PostgreSQL and Kafka go away and come back under load: waited out, told, and nothing is lost."""

from __future__ import annotations

import asyncio
import time

from deploy.local import KafkaBroker, PostgresServer
from tests.acceptance.harness import World
from tests.acceptance.proxy import Cut, CuttingProxy
from tests.acceptance.workers import WorkerProcess, until

AWAY_S = 5.0
"""Longer than the poll interval of the tests' settings, after which Kafka gives up a member."""

LOG_LINES_MAX = 1_000
"""How much a worker may say of an outage of some seconds; aiokafka alone said thirty times that."""

NOTICE_LIMIT_S = 8.0
"""Longer than a delivery, a connection or a statement may take before it counts as an outage."""


async def _away(worker: WorkerProcess, cause: str) -> None:
    """While something is away the worker names the cause, is not ready, and stays alive."""
    await until(lambda: cause in worker.readyz()[1], NOTICE_LIMIT_S, worker.state)
    ends = time.monotonic() + AWAY_S
    while time.monotonic() < ends:
        assert (worker.readyz()[0], worker.livez()[0]) == (503, 200), worker.state()
        await asyncio.sleep(0.5)


async def test_postgresql_restarted_and_killed_under_load(
    world: World, postgres: PostgresServer
) -> None:
    """A restart and a crash of PostgreSQL cost time and nothing else."""
    worker = await world.worker().start().ready()
    await world.open_bank()
    async with world.load():
        await world.progressed(500)
        postgres.restart()
        await world.progressed(500)
        postgres.kill()
        postgres.start()
        await world.progressed(500)
    await world.proven()
    assert await worker.stop() == 0, worker.tail()


async def test_postgresql_away_longer_than_the_poll_interval(
    world: World, postgres: PostgresServer
) -> None:
    """A long outage of PostgreSQL makes the worker not ready, keeps it alive, and loses nothing."""
    worker = await world.worker().start().ready()
    await world.open_bank()
    async with world.load():
        await world.progressed(300)
        postgres.stop()
        try:
            await _away(worker, "waits for ledger: PostgreSQL")
        finally:
            postgres.start()
        await world.progressed(500)
        await worker.ready()
    await world.proven()
    assert await worker.stop() == 0, worker.tail()


async def test_idle_worker_outlives_an_outage_of_postgresql(
    world: World, postgres: PostgresServer
) -> None:
    """A worker that comes up while PostgreSQL is away waits for it, and then serves."""
    postgres.stop()
    try:
        worker = world.worker().start()
        await _away(worker, "waits for ledger: PostgreSQL")
    finally:
        postgres.start()
    await worker.ready()
    await world.publish(world.bank.opening())
    await world.proven()
    assert await worker.stop() == 0, worker.tail()


async def test_connection_cut_in_the_middle_of_a_commit(world: World) -> None:
    """Commits whose fate is unknown are found out: none is lost, none is made twice."""
    async with CuttingProxy(world.database_url, every=4) as proxy:
        worker = world.worker(database_url=proxy.url).start()
        await world.publish(world.bank.opening())
        async with world.load(mixed=True):
            await until(lambda: min(proxy.cuts.values()) >= 3, 40, worker.state)
        verdict = await world.proven()
        assert await worker.stop() == 0, worker.tail()
    assert proxy.cuts[Cut.BEFORE] >= 3
    assert verdict.reasons()["posted"] > 100


async def test_broker_restarted_and_killed_under_load(world: World, broker: KafkaBroker) -> None:
    """A restart and a crash of the broker cost time and nothing else."""
    worker = await world.worker().start().ready()
    await world.open_bank()
    async with world.load():
        await world.progressed(500)
        broker.stop()
        broker.start()
        await world.progressed(500)
        broker.kill()
        broker.start()
        await world.progressed(500)
    await world.proven()
    assert await worker.stop() == 0, worker.tail()


async def test_broker_away_longer_than_the_poll_interval(world: World, broker: KafkaBroker) -> None:
    """A long outage of the broker makes the worker not ready, keeps it alive, and loses nothing."""
    worker = await world.worker().start().ready()
    await world.open_bank()
    await world.publish(world.bank.traffic(2000))
    await world.progressed(100)
    broker.stop()
    lines_before = len(worker.lines())
    try:
        await _away(worker, "Kafka's group coordinator does not answer")
        assert len(worker.lines()) - lines_before < LOG_LINES_MAX
    finally:
        broker.start()
    await worker.ready()
    await world.publish(world.bank.traffic(300))
    await world.proven()
    assert await worker.stop() == 0, worker.tail()
