"""A crash between any two steps loses nothing and doubles nothing."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable

import pytest

from tests.acceptance.faulty_worker import STEPS
from tests.acceptance.harness import BATCH_RECORDS_MAX, World
from tests.acceptance.workers import WorkerProcess

WORLDS_AT_ONCE = 3
MORE_EVERY_S = 1.0
MORE_RECORDS = 50
EXIT_FAULT = 70

BEFORE_THE_COMMIT = {"dedupe": 3, "decode": 3, "decide": 3, "record": 3, "before-commit": 3}
"""Steps with the how many-th call at which the worker dies there: in the middle of its work."""

AROUND_THE_COMMIT = {"commit-unanswered": 3, "commit": 3}
WITH_EVENTS_OUT = {"half-emitted": 12, "emit": 3, "remember": 3, "acknowledge": 3}
"""Some events are out and not yet on record as delivered: the next worker sends them again."""

AT_KAFKAS_COMMIT = {"before-kafka-commit": 1, "kafka-commit": 1}

VERIFIED = {"commit-unanswered", "half-emitted"}
"""After these, one for each way to be in doubt, the product's own proof is asked as well."""

Worlds = Callable[[str], Awaitable[World]]


async def killed_at(world: World, step: str, count: int) -> int:
    """Kill a worker at a step, start it again, prove all; give how many events came again."""
    traffic = max(1500, 2 * BATCH_RECORDS_MAX * count)
    await world.publish([*world.bank.opening(), *world.bank.traffic(traffic)])
    crashed = world.worker().start(fault=(step, count))
    assert await died(world, crashed) == -signal.SIGKILL, f"{step}: {crashed.tail()}"
    again = world.worker().start()
    verdict = await world.proven()
    if step in VERIFIED:
        await world.verified()
    await again.ready()  # the first may have left it nothing to do: it could still be starting
    assert await again.stop() == 0, f"{step}: {again.tail()}"
    return verdict.delivered_again


async def died(world: World, worker: WorkerProcess) -> int:
    """
    Wait for a worker's end, and let more come all the while: what it commits to Kafka at intervals
    is less often than it can be struck, where all was there at once.
    """
    ended = asyncio.create_task(worker.ended())
    while not (await asyncio.wait({ended}, timeout=MORE_EVERY_S))[0]:
        await world.publish(world.bank.traffic(MORE_RECORDS))
    return ended.result()


async def killed_at_each(worlds: Worlds, steps: dict[str, int]) -> dict[str, int]:
    """Kill a worker at each step, a world for each; give how many events came again by step."""
    room = asyncio.Semaphore(WORLDS_AT_ONCE)

    async def one(step: str) -> int:
        async with room:
            return await killed_at(await worlds(step), step, steps[step])

    async with asyncio.TaskGroup() as group:
        tasks = {step: group.create_task(one(step), name=step) for step in steps}
    return {step: task.result() for step, task in tasks.items()}


async def test_killed_before_the_commit_nothing_has_happened(worlds: Worlds) -> None:
    """Killed before the commit, the next worker decides the same records, each once."""
    await killed_at_each(worlds, BEFORE_THE_COMMIT)


async def test_killed_around_the_commit_money_has_moved_once(worlds: Worlds) -> None:
    """Killed with a COMMIT under way or just done, the next worker finds out which it was."""
    await killed_at_each(worlds, AROUND_THE_COMMIT)


async def test_killed_with_events_out_the_same_events_come_again(worlds: Worlds) -> None:
    """Killed after events went out, the next worker sends the byte-identical ones again."""
    again = await killed_at_each(worlds, WITH_EVENTS_OUT)
    assert [step for step, count in again.items() if count == 0] == []


async def test_killed_around_kafkas_commit_nothing_is_skipped(worlds: Worlds) -> None:
    """Killed before or after offsets are committed to Kafka, the next worker skips nothing."""
    await killed_at_each(worlds, AT_KAFKAS_COMMIT)


async def test_unexpected_error_ends_the_process_without_acknowledging(world: World) -> None:
    """What nobody foresaw ends the worker with status 70; the next one finds everything to do."""
    await world.publish([*world.bank.opening(), *world.bank.traffic(1000)])
    failed = world.worker().start(fault=("fail-line", 4))
    assert await failed.ended() == EXIT_FAULT, failed.tail()
    (told,) = failed.events("worker.fault")
    assert told["why"] == "RuntimeError: the line failed"
    again = world.worker().start()
    await world.proven()
    assert await again.stop() == 0, again.tail()


async def test_failed_agent_ends_the_process(world: World) -> None:
    """An agent that fails is not restarted behind the run that nobody saw: the process ends."""
    await world.publish([*world.bank.opening(), *world.bank.traffic(1000)])
    failed = world.worker().start(fault=("fail-agent", 4))
    assert await failed.ended() == EXIT_FAULT, failed.tail()
    again = world.worker().start()
    await world.proven()
    assert await again.stop() == 0, again.tail()


def test_every_step_has_its_crash() -> None:
    """Each step that can be struck is struck above."""
    struck = BEFORE_THE_COMMIT | AROUND_THE_COMMIT | WITH_EVENTS_OUT | AT_KAFKAS_COMMIT
    assert struck.keys() == STEPS.keys()


@pytest.mark.long
@pytest.mark.parametrize("step", sorted(STEPS))
@pytest.mark.parametrize("count", [1, 2, 5, 9])
async def test_killed_at_other_times(worlds: Worlds, step: str, count: int) -> None:
    """The same holds at whichever call of a step the crash comes."""
    if step.endswith("kafka-commit"):
        count = min(count, 2)
    await killed_at(await worlds(step), step, count)
