"""What channels send: compressed, aborted, poisoned, racing, refused by PostgreSQL itself."""

from __future__ import annotations

import asyncio

from loadtest.record import CODECS, Ending, Record, pack
from tests.acceptance.harness import World
from tests.acceptance.load import NO_COMMANDS, PARTITIONS, record
from tests.acceptance.workers import until

REFUSED_MINOR = 666


async def test_upstream_transactions_and_all_compressions(world: World) -> None:
    """Aborted records move no money, and they and the markers are holes; every codec is read."""
    worker = await world.worker().start().ready()
    await world.open_bank()
    await world.publish(world.bank.traffic(200), Ending.ABORTED)
    await world.publish(world.bank.traffic(200), Ending.COMMITTED)
    await world.publish(world.bank.traffic(200), Ending.ABORTED)
    traffic = world.bank.traffic(2000)
    assert {batch.codec for batch in pack(traffic * 4, PARTITIONS).batches} == set(CODECS)
    for part in range(0, 2000, 200):
        await world.publish(traffic[part : part + 200])
    verdict = await world.proven()
    assert world.aborted <= verdict.holes
    assert len(verdict.holes - world.aborted) >= PARTITIONS
    assert await worker.stop() == 0, worker.tail()


async def test_nothing_but_poison(world: World) -> None:
    """A topic full of poison becomes dead letters, each with its reason; good commands go on."""
    worker = await world.worker().start().ready()
    poison = [
        Record(number % PARTITIONS, b"odd", NO_COMMANDS[number % len(NO_COMMANDS)], (), None)
        for number in range(800)
    ]
    large = Record(0, b"odd", b"x" * 100_000, (), None)
    await world.publish([*poison, large, Record(1, None, None, (), None)])
    await world.answered()
    await world.publish(world.bank.opening())
    verdict = await world.proven()
    reasons: dict[str, int] = {}
    for value in verdict.dead_letters.values():
        reasons[value["reason"]] = reasons.get(value["reason"], 0) + 1
    assert reasons == {"empty": 161, "not_json": 320, "schema": 320, "too_large": 1}
    assert worker.readyz()[0] == 200
    assert await worker.stop() == 0, worker.tail()


async def test_racing_reversals_through_two_workers(world: World) -> None:
    """Two reversals of more than half each, decided by two workers at once: one of them passes."""
    first = await world.worker("a").start().ready()
    second = await world.worker("b").start().ready()
    await until(lambda: _both_hold(first.lines(), second.lines()), 30, world.tails)
    await world.open_bank()
    originals = [world.bank.transfer("10.00") for _ in range(60)]
    await world.publish(originals)
    await world.answered()
    racing = []
    for body in world.bank.sent:
        for partition in (0, 1):
            original = body["transaction_id"]
            reversal = world.bank.body("reversal", original_transaction_id=original, amount="6.00")
            racing.append(record(body["debit_account"], reversal, partition))
    await world.publish(racing)
    verdict = await world.proven()
    answers = [value for value in verdict.outcomes.values() if value["type"] == "reversal"]
    reasons = sorted(str(value["reason"]) for value in answers)
    assert reasons == ["None"] * 60 + ["exceeds_original"] * 60
    deciders = await world.value(
        "SELECT count(DISTINCT claimed_by) FROM ledger.position WHERE partition IN (0, 1)"
    )
    assert deciders == 2
    assert await first.stop() == 0, first.tail()
    assert await second.stop() == 0, second.tail()


def _both_hold(first: list[str], second: list[str]) -> bool:
    """Both have claimed something since the second one came."""
    return any("partition.claimed" in line for line in second) and len(first) > 0


async def test_payment_that_postgresql_refuses(world: World) -> None:
    """A row that PostgreSQL refuses becomes a dead letter with its SQLSTATE; the rest is posted."""
    await _refuse(world)
    worker = await world.worker().start().ready()
    await world.open_bank()
    records = [world.bank.transfer("0.50") for _ in range(300)]
    bad = [150, 151, 299]
    for place in bad:
        records[place] = world.bank.transfer("6.66")
    await world.publish(records)
    await world.answered()
    verdict = await world.judged()
    # The model knows nothing of the constraint: it finds a valid command with a dead letter.
    excused = {at for at, value in verdict.dead_letters.items() if value["reason"] == "unpostable"}
    names = [f" partition {at[0]} offset {at[1]}: " for at in excused]
    unexcused = [line for line in verdict.faults if not any(name in line for name in names)]
    assert unexcused == []
    assert len(excused) == len(bad)
    assert {verdict.dead_letters[at]["detail"] for at in excused} == {
        "PostgreSQL refuses it with SQLSTATE 23514"
    }
    assert {verdict.outcomes[at]["outcome"] for at in excused} == {"invalid"}
    posted = await world.value("SELECT count(*) FROM ledger.posting WHERE type = 'transfer'")
    assert posted == len(records) - len(bad)
    assert await worker.stop() == 0, worker.tail()


async def test_too_many_refused_payments_stop_the_worker(world: World) -> None:
    """More refused rows than a set number a minute are a bug of ours: the process ends with 70."""
    await _refuse(world)
    worker = await world.worker(unpostable_per_minute_max="3").start().ready()
    await world.open_bank()
    await world.publish([world.bank.transfer("6.66") for _ in range(8)])
    assert await worker.ended() == 70, worker.tail()
    (told,) = worker.events("worker.fault")
    assert "PostgreSQL refused 4 rows within a minute" in told["why"]
    await world.execute("ALTER TABLE ledger.posting DROP CONSTRAINT refuses")
    again = world.worker("b").start()
    await world.answered()
    await asyncio.sleep(0)
    assert await again.stop() == 0, again.tail()


async def _refuse(world: World) -> None:
    await world.execute(
        f"ALTER TABLE ledger.posting ADD CONSTRAINT refuses CHECK (amount <> {REFUSED_MINOR})"
    )
