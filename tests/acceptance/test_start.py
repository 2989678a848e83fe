"""What a worker refuses to start on, and what it starts on although something is amiss."""

from __future__ import annotations

import asyncio
import socket
import uuid

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.local import PostgresServer
from tests.acceptance.harness import COMMANDS, DEAD_LETTERS, INTERNAL, OUTCOMES, World
from tests.acceptance.workers import WorkerProcess

EXIT_CONFIG = 78


async def _refuses(worker: WorkerProcess) -> str:
    """Start a worker that must not start; give the one line that it says to people."""
    assert await worker.start().ended() == EXIT_CONFIG, worker.tail()
    said = [line for line in worker.lines() if not line.startswith("{")]
    assert len(said) == 1, said
    return said[0].removeprefix("processor: ")


async def _admin(world: World) -> AIOKafkaAdminClient:
    admin = AIOKafkaAdminClient(bootstrap_servers=world.broker.bootstrap_servers)
    await admin.start()
    return admin


async def test_port_taken(world: World) -> None:
    """A taken port is named."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = await _refuses(world.worker(http_port=str(port)))
    assert said == f"cannot listen on 127.0.0.1:{port}: address already in use"


async def test_topics_missing(world: World) -> None:
    """A missing topic is named, with the command that makes it."""
    said = await _refuses(world.worker(topic_prefix=f"{world.prefix}none."))
    assert said == (
        f"topic {world.prefix}none.payments.commands.v1 does not exist; "
        "`processor topics --apply` makes it"
    )


async def test_outcomes_with_fewer_partitions(world: World) -> None:
    """Outcomes go to the partition of their command's number, so there must be as many."""
    prefix = f"{world.prefix}few."
    admin = await _admin(world)
    try:
        counts = {COMMANDS: 8, INTERNAL: 8, OUTCOMES: 4, DEAD_LETTERS: 8}
        await admin.create_topics(
            [NewTopic(prefix + name, count, 1) for name, count in counts.items()]
        )
    finally:
        await admin.close()
    said = await _refuses(world.worker(topic_prefix=prefix))
    assert said == (
        f"{prefix}payments.commands.v1 has 8 partitions, {prefix}{OUTCOMES} only 4: "
        "an outcome goes to the partition of its command's number"
    )


async def test_data_folder_in_use(world: World) -> None:
    """Two workers never share a data folder; the one that holds it goes on."""
    first = await world.worker("a").start().ready()
    said = await _refuses(world.worker("b", data_dir=str(first.data)))
    assert said == f"the data folder {first.data / 'seen'} is in use by another worker"
    assert first.readyz()[0] == 200
    await world.publish(world.bank.opening())
    await world.proven()
    assert await first.stop() == 0, first.tail()


@pytest.mark.parametrize("what", ["empty", "missing"])
async def test_ledger_not_migrated(world: World, postgres: PostgresServer, what: str) -> None:
    """A database without a ledger, or none at all, is told in one line."""
    name = f"bare_{uuid.uuid4().hex[:8]}"
    if what == "empty":
        await asyncio.to_thread(postgres.create_database, name)
    try:
        said = await _refuses(world.worker(database_url=postgres.url(name)))
    finally:
        await asyncio.to_thread(postgres.drop_database, name)
    assert said == (
        'this database holds no such ledger (schema "ledger" does not exist): '
        "run `processor migrate`"
        if what == "empty"
        else f'PROCESSOR_DATABASE_URL: PostgreSQL says: database "{name}" does not exist'
    )


async def test_unknown_setting(world: World) -> None:
    """A mistyped setting is named, not ignored."""
    said = await _refuses(world.worker(exactly_once="true"))
    assert said == "PROCESSOR_EXACTLY_ONCE is no setting"
