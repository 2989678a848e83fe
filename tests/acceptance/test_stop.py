"""A worker ends in order and in time, under load and in an outage."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from deploy.local import KafkaBroker, PostgresServer
from tests.acceptance.harness import World
from tests.acceptance.workers import until
from tests.places import COMPILES_LITTLE

STOP_DEADLINE_S = 8.0
"""As the tests' settings have it."""

EXIT_ABANDONED = 75


async def test_stopped_under_load(world: World) -> None:
    """SIGTERM under load ends a worker in order and in time, and nothing comes twice."""
    worker = world.worker()
    await worker.start().ready()
    await world.open_bank()
    async with world.load():
        await world.progressed(500)
        began = time.monotonic()
        assert await worker.stop() == 0, worker.tail()
        assert time.monotonic() - began < STOP_DEADLINE_S
        again = await world.worker("b").start().ready()
        await world.progressed(300)
    verdict = await world.proven()
    assert verdict.delivered_again == 0
    assert await again.stop() == 0, again.tail()


async def test_stopped_while_postgresql_is_away(world: World, postgres: PostgresServer) -> None:
    """With PostgreSQL away SIGTERM still ends a worker in time, and nothing is skipped."""
    worker = await world.worker().start().ready()
    await world.open_bank()
    async with world.load():
        await world.progressed(300)
        postgres.stop()
        try:
            await until(lambda: "waits for ledger" in worker.readyz()[1], 10, worker.state)
            began = time.monotonic()
            status = await worker.stop()
            took_s = time.monotonic() - began
        finally:
            postgres.start()
        assert status in {0, EXIT_ABANDONED}, worker.tail()
        assert took_s < STOP_DEADLINE_S + 2
        again = world.worker("b").start()
    await world.proven()
    assert await again.stop() == 0, again.tail()


async def test_stopped_while_the_broker_is_away(
    short_folder: Path, ledger_url: str, tmp_path: Path
) -> None:
    """With the broker away SIGTERM ends a worker in time, and nothing is skipped."""
    broker = KafkaBroker(short_folder / "own", java_options=COMPILES_LITTLE)
    broker.start()
    world = World(broker, ledger_url, tmp_path)
    try:
        await world.make_topics()
        worker = await world.worker().start().ready()
        await world.publish([*world.bank.opening(), *world.bank.traffic(500)])
        await world.progressed(100)
        broker.stop()
        await until(lambda: "waits for" in worker.readyz()[1], 10, worker.state)
        began = time.monotonic()
        status = await worker.stop()
        took_s = time.monotonic() - began
        assert status in {0, EXIT_ABANDONED}, worker.tail()
        assert took_s < STOP_DEADLINE_S + 2
        broker.start()
        again = world.worker("b").start()
        await world.proven()
        assert await again.stop() == 0, again.tail()
    finally:
        world.close()
        broker.stop()


@pytest.mark.long
async def test_second_signal_ends_at_once(world: World, postgres: PostgresServer) -> None:
    """Who can't wait sends a second signal: nothing is acknowledged that was not done."""
    worker = await world.worker().start().ready()
    await world.publish([*world.bank.opening(), *world.bank.traffic(3000)])
    await world.progressed(1)
    worker.send(signal.SIGSTOP)
    worker.send(signal.SIGTERM)
    worker.send(signal.SIGINT)
    worker.send(signal.SIGCONT)
    assert await worker.ended(STOP_DEADLINE_S) in {0, EXIT_ABANDONED}, worker.tail()
    assert postgres.running
    again = world.worker("b").start()
    await world.proven()
    assert await again.stop() == 0, again.tail()
