"""The dedupe table is a hint: lost, broken, foreign or wrong, it costs speed and never money."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from rocksdict import AccessType, Rdict

from processor.core.commands import id_bytes
from processor.stream.store import STAMP_KEY, options
from tests.acceptance.harness import World
from tests.acceptance.load import record
from tests.acceptance.workers import WorkerProcess

TTL_S = 7 * 86_400
MEMORY_BYTES = 8 << 20


def _open(folder: Path) -> Rdict:
    return Rdict(str(folder), options=options(MEMORY_BYTES), access_type=AccessType.with_ttl(TTL_S))


def _delete(folder: Path) -> None:
    shutil.rmtree(folder)


def _corrupt(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name.startswith(("MANIFEST", "CURRENT")) or path.suffix in {".sst", ".log"}:
            path.write_bytes(b"\x00garbage" * 40)


def _stamp_otherwise(folder: Path) -> None:
    table = _open(folder)
    table.put(STAMP_KEY, b"another ledger's")
    table.close()


async def _again(world: World, worker: WorkerProcess, *, repeats: int) -> None:
    """Send everything once more, and something new: nothing is posted a second time."""
    before = await world.value("SELECT count(*) FROM ledger.posting")
    await world.publish(sorted(world.published.values())[:repeats])
    await world.publish([world.bank.transfer() for _ in range(10)])
    await world.proven()
    assert await world.value("SELECT count(*) FROM ledger.posting") == before + 10
    assert await worker.stop() == 0, worker.tail()


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (_delete, []),
        (_corrupt, ["it can't be read"]),
        (_stamp_otherwise, ["it holds the ids of another ledger"]),
    ],
)
async def test_damaged_table(world: World, damage: object, told: list[str]) -> None:
    """Deleted, corrupted or another ledger's, the table is begun anew and repeats stay repeats."""
    worker = world.worker()
    await world.publish([*world.bank.opening(), *world.bank.traffic(200)])
    await worker.start().ready()
    await world.answered()
    assert await worker.stop() == 0, worker.tail()
    assert callable(damage)
    damage(worker.data / "seen")
    await worker.start().ready()
    whys = [event["why"].partition(":")[0] for event in worker.events("table.wiped")]
    assert whys == told
    await _again(world, worker, repeats=100)


async def test_table_ahead_of_the_ledger(world: World) -> None:
    """An id that the table knows and the ledger does not is posted: the ledger decides."""
    worker = world.worker()
    await worker.start().ready()
    await world.open_bank()
    assert await worker.stop() == 0, worker.tail()
    payments = [world.bank.transfer("1.00") for _ in range(20)]
    table = _open(worker.data / "seen")
    for body in world.bank.sent:
        table.put(id_bytes(body["transaction_id"]), (1).to_bytes(8, "big"))
    table.close()
    await worker.start().ready()
    await world.publish(payments)
    verdict = await world.proven()
    assert verdict.reasons()["posted"] == 2 * len(world.bank.accounts) + 20
    await _again(world, worker, repeats=40)


async def test_repeats_across_partitions_and_spellings(world: World) -> None:
    """The same id through another partition, in capitals or again in its batch is a repeat."""
    worker = await world.worker().start().ready()
    await world.open_bank()
    first = world.bank.transfer("2.00")
    body = world.bank.sent[-1]
    shouted = body | {"transaction_id": body["transaction_id"].upper()}
    await world.publish([first, first, record(body["debit_account"], shouted)])
    await world.answered()
    others = [record(body["debit_account"], shouted, partition) for partition in range(8)]
    changed = record(body["debit_account"], body | {"amount": "3.00"}, 7)
    await world.publish([*others, changed])
    verdict = await world.proven()
    about = [
        value["outcome"] if not value["repeat"] else "repeat"
        for value in verdict.outcomes.values()
        if value["transaction_id"] == body["transaction_id"]
    ]
    assert sorted(about) == ["conflict", "posted"] + ["repeat"] * 10
    assert await worker.stop() == 0, worker.tail()
