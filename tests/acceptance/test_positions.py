"""Where reading starts: Kafka's offsets moved by hand, a restored ledger, a recreated topic."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from deploy.local import KafkaBroker, PostgresServer
from loadtest.message import Message
from tests.acceptance.books import Topics, judge
from tests.acceptance.conftest import make_ledger
from tests.acceptance.harness import COMMANDS, DEAD_LETTERS, OUTCOMES, World
from tests.acceptance.load import PARTITIONS
from tests.acceptance.workers import until


async def _commit(world: World, offsets: dict[int, int]) -> None:
    """Set the group's committed offsets, as an operator would with Kafka's own tools."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=world.broker.bootstrap_servers,
        group_id=world.group,
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        parts = {TopicPartition(world.commands_topic, one): at for one, at in offsets.items()}
        consumer.assign(list(parts))
        await consumer.commit(parts)
    finally:
        await consumer.stop()


async def _ends(world: World) -> dict[int, int]:
    ends = dict.fromkeys(range(PARTITIONS), 0)
    for message in await world.topic(COMMANDS):
        ends[message.partition] = max(ends[message.partition], message.offset + 1)
    return ends


async def test_committed_offsets_moved_by_hand(world: World) -> None:
    """Moved ahead, back or lost, Kafka's offsets make nothing be skipped or applied twice."""
    worker = world.worker()
    await world.publish([*world.bank.opening(), *world.bank.traffic(300)])
    await worker.start().ready()
    await world.answered()
    assert await worker.stop() == 0, worker.tail()

    await world.publish(world.bank.traffic(300))
    await _commit(world, await _ends(world))
    await worker.start().ready()
    ahead = await world.proven()
    assert await worker.stop() == 0, worker.tail()

    await _commit(world, dict.fromkeys(range(PARTITIONS), 0))
    await worker.start().ready()
    known = len(world.published)
    await until(lambda: worker.metric("payments_offset_accounted") >= known, 20, worker.state)
    back = await world.proven()
    assert back.outcomes == ahead.outcomes
    assert back.delivered_again >= ahead.delivered_again + len(world.published)
    assert await worker.stop() == 0, worker.tail()

    await world.publish(world.bank.traffic(100))
    other = world.worker("b", consumer_group="another").start()
    lost = await world.proven()
    assert lost.delivered_again == back.delivered_again
    assert await other.stop() == 0, other.tail()


# --- a ledger that was set back


@pytest.fixture
def own_postgres(short_folder: Path) -> Iterator[PostgresServer]:
    """Return a PostgreSQL of the test's own, whose files it may set back."""
    server = PostgresServer(short_folder / "own")
    server.start()
    yield server
    server.stop()
    shutil.rmtree(short_folder / "own", ignore_errors=True)


def _copy(source: Path, target: Path) -> None:
    """Copy a folder with its owners: the server runs under an account of its own."""
    subprocess.run(["cp", "-a", source, target], check=True)


def _last_of_each(messages: list[Message]) -> list[Message]:
    """Keep what was said last of each command: what the ledger that stands now has decided."""
    found: dict[tuple[int, int], Message] = {}
    for message in messages:
        source = orjson.loads(message.value or b"null")["source"]
        place = (source["partition"], source["offset"])
        found.pop(place, None)
        found[place] = message
    return list(found.values())


async def test_ledger_restored_to_an_earlier_moment(
    broker: KafkaBroker, own_postgres: PostgresServer, tmp_path: Path
) -> None:
    """Set back under a running worker, the ledger gets everything again, under new event ids."""
    own_postgres.create_database("bank")
    await asyncio.to_thread(make_ledger, own_postgres.url("bank"))
    world = World(broker, own_postgres.url("bank"), tmp_path)
    await world.make_topics()
    try:
        worker = await world.worker().start().ready()
        await world.open_bank()
        await world.publish(world.bank.traffic(200))
        await world.answered()
        own_postgres.stop()
        saved = own_postgres.folder / "saved"
        await asyncio.to_thread(_copy, own_postgres.data, saved)
        own_postgres.start()
        await world.publish(world.bank.traffic(300))
        await world.answered()
        before = await _event_ids(world)

        own_postgres.stop()
        shutil.rmtree(own_postgres.data)
        saved.rename(own_postgres.data)
        own_postgres.start()
        await world.publish([world.bank.transfer()])
        await _accounted(world)
        after = await _event_ids(world)
        topics = Topics(
            world.commands_topic,
            await world.topic(COMMANDS),
            _last_of_each(await world.topic(OUTCOMES)),
            _last_of_each(await world.topic(DEAD_LETTERS)),
        )
        verdict = await judge(world.database_url, topics)
        assert verdict.faults[:10] == []
        decided_twice = [place for place, ids in after.items() if len(ids) == 2]
        assert len(decided_twice) >= 250
        assert [place for place, ids in before.items() if not ids <= after[place]] == []
        assert await worker.stop() == 0, worker.tail()
    finally:
        world.close()


async def _event_ids(world: World) -> dict[tuple[int, int], set[str]]:
    ids: dict[tuple[int, int], set[str]] = defaultdict(set)
    for message in await world.topic(OUTCOMES):
        value = orjson.loads(message.value or b"null")
        ids[value["source"]["partition"], value["source"]["offset"]].add(value["event_id"])
    return ids


async def _accounted(world: World) -> None:
    """Wait until the ledger stands at the end of every partition, answered."""
    ends = sorted((await _ends(world)).values())
    query = (
        "SELECT array_agg(delivered_offset ORDER BY delivered_offset) FROM ledger.position"
        f" WHERE topic LIKE '%{COMMANDS}'"
    )
    found: list[int] = []
    for _ in range(300):
        found = await world.value(query)
        if found == ends:
            return
        await asyncio.sleep(0.1)
    assert found == ends, world.tails()


# --- a topic that was recreated


async def test_recreated_topic_stops_its_partitions_until_an_operator_decides(
    world: World,
) -> None:
    """A topic made anew is not taken for the old one until a decision on record says so."""
    worker = await world.worker().start().ready()
    await world.publish(world.bank.opening())
    await world.proven()
    touched = [partition for partition, end in (await _ends(world)).items() if end]
    await _recreate(world)
    stopped = f"partition {world.commands_topic}/{touched[0]} is stopped: "
    await until(lambda: stopped in worker.readyz()[1], 30, worker.state)
    lines = worker.readyz()[1].splitlines()
    assert worker.livez()[0] == 200
    assert [line for line in lines if "recreated topic" in line] != []

    for partition in touched:
        words = ("--accept", "0", "--reason", "the topic was made anew")
        done = await world.run("position", COMMANDS, str(partition), *words)
        assert done.returncode == 0, done.stderr
    await worker.ready()
    world.published.clear()
    await world.publish([world.bank.transfer() for _ in range(100)])
    await world.answered()
    decisions = await world.value("SELECT count(*) FROM ledger.operator_decision")
    assert decisions == len(touched)
    posted = await world.value("SELECT count(*) FROM ledger.posting WHERE type = 'transfer'")
    assert posted == 100
    assert await worker.stop() == 0, worker.tail()


async def _recreate(world: World) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=world.broker.bootstrap_servers)
    await admin.start()
    try:
        await admin.delete_topics([world.commands_topic])
        await _until_gone(admin, world.commands_topic)
    finally:
        await admin.close()
    await world.make_topics()


async def _until_gone(admin: AIOKafkaAdminClient, topic: str) -> None:
    names: Callable[[], Awaitable[list[str]]] = admin.list_topics
    for _ in range(100):
        if topic not in await names():
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{topic} was not deleted")
