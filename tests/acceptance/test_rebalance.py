"""Workers come, go and freeze under load; the books never notice."""

from __future__ import annotations

import asyncio
import signal

import asyncpg
import psutil

from tests.acceptance.harness import World
from tests.acceptance.workers import until


async def test_two_one_two_workers_lose_and_double_nothing(world: World) -> None:
    """A second worker comes, is killed, and comes again, all under load."""
    first = await world.worker("a").start().ready()
    await world.open_bank()
    async with world.load():
        second = await world.worker("b").start().ready()
        await world.progressed(500)
        await second.kill()
        await world.progressed(1500)
        await first.ready()
        second = await world.worker("b").start().ready()
        await world.progressed(500)
        assert await first.stop() == 0, first.tail()
        await world.progressed(500)
    await world.proven()
    await world.verified()
    assert await second.stop() == 0, second.tail()


async def test_partitions_are_shared_between_workers(world: World) -> None:
    """Two ready workers hold half of the partitions each, and take over all when one leaves."""
    first = await world.worker("a").start().ready()
    second = await world.worker("b").start().ready()
    await _held(world, {"a": 8, "b": 8})
    await world.open_bank()
    await world.publish(world.bank.traffic(500))
    await world.proven()
    assert await first.stop() == 0, first.tail()
    await _held(world, {"b": 16})
    await world.publish(world.bank.traffic(200))
    await world.proven()
    assert await second.stop() == 0, second.tail()


async def _held(world: World, expected: dict[str, int]) -> None:
    connection = await asyncpg.connect(world.database_url)
    query = "SELECT claimed_by, count(*) FROM ledger.position GROUP BY 1"
    held: dict[str, int] = {}
    try:
        for _ in range(200):
            held = {row[0]: row[1] for row in await connection.fetch(query)}
            if held == expected:
                return
            await asyncio.sleep(0.1)
    finally:
        await connection.close()
    assert held == expected, world.tails()


async def test_frozen_worker_is_fenced_when_it_thaws(world: World) -> None:
    """Frozen until another took over, a worker goes on as a member like any other."""
    zombie = await world.worker("zombie").start().ready()
    await world.open_bank()
    async with world.load():
        await world.progressed(500)
        zombie.send(signal.SIGSTOP)
        heir = world.worker("heir").start()
        try:
            await heir.ready()
            await _held(world, {"heir": 16})
            await world.progressed(500)
        finally:
            zombie.send(signal.SIGCONT)
        await world.progressed(1000)
    await zombie.ready()
    verdict = await world.proven()
    assert verdict.reasons()["posted"] > 1000
    assert await zombie.stop() == 0, zombie.tail()
    assert await heir.stop() == 0, heir.tail()


async def test_zombie_with_a_batch_in_hand_hits_the_fence(world: World) -> None:
    """Frozen between decision and commit, a worker that thaws after a takeover posts nothing."""
    await world.publish([*world.bank.opening(), *world.bank.traffic(1500)])
    zombie = world.worker("zombie").start(fault=("freeze-before-post", 3))
    await until(lambda: _is_stopped(zombie.process.pid), 30, zombie.tail)
    heir = await world.worker("heir").start().ready()
    await world.answered()
    zombie.send(signal.SIGCONT)
    await until(lambda: zombie.events("partition.lost") != [], 20, zombie.state)
    assert {one["why"] for one in zombie.events("partition.lost")} == {
        "the claim is another worker's"
    }
    await world.publish(world.bank.traffic(300))
    await world.proven()
    assert await zombie.stop() == 0, zombie.tail()
    assert await heir.stop() == 0, heir.tail()


async def test_accounts_of_a_worker_that_froze_in_a_transaction_are_given_back(
    world: World,
) -> None:
    """Others go on long before a statement's time is over, and the worker when it thaws."""
    await world.publish([*world.bank.opening(), *world.bank.traffic(1500)])
    patient = {"STATEMENT_TIMEOUT_MS": "300000", "IDLE_TRANSACTION_TIMEOUT_MS": "1500"}
    zombie = world.worker("zombie", **patient).start(fault=("freeze-before-commit", 3))
    await until(lambda: _is_stopped(zombie.process.pid), 30, zombie.tail)
    heir = await world.worker("heir").start().ready()
    await world.answered()
    zombie.send(signal.SIGCONT)
    await until(lambda: zombie.events("line.waits") != [], 20, zombie.state)
    await world.publish(world.bank.traffic(300))
    await world.proven()
    assert await zombie.stop() == 0, zombie.tail()
    assert await heir.stop() == 0, heir.tail()


def _is_stopped(pid: int) -> bool:
    return psutil.Process(pid).status() == psutil.STATUS_STOPPED
