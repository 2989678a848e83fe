"""The proof of whatever was sent, on real servers: all kinds of commands, and what breaks it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

import asyncpg
import orjson
from aiokafka import AIOKafkaProducer
from rich.console import Console

from deploy.local import KafkaBroker
from loadtest.ground import DEAD_LETTERS, OUTCOMES
from loadtest.lanes import COMMAND_TOPICS, Lanes
from loadtest.message import Message
from loadtest.observe import Watch, read_topic
from loadtest.processes import Command, Worker
from loadtest.proof.prove import Proof, prove
from loadtest.publish import Publisher
from loadtest.sample import PARTITIONS, Sample, generate
from loadtest.site import BOOTSTRAP_SERVERS, CONSUMER_GROUP, DATABASE_URL, TOPIC_PREFIX, Site

ANSWER_LIMIT_S = 30.0


def site(broker: KafkaBroker, ledger_url: str, prefix: str) -> Site:
    """Return where a run takes place."""
    servers = broker.bootstrap_servers
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PROCESSOR_")}
    environment = plain | {
        BOOTSTRAP_SERVERS: servers,
        DATABASE_URL: ledger_url,
        TOPIC_PREFIX: prefix,
        CONSUMER_GROUP: f"{prefix}payments-processor",
    }
    return Site(servers, ledger_url, prefix, environment)


async def answer(place: Site, sample: Sample, folder: Path) -> None:
    """Send a sample through a worker, phase by phase."""
    await asyncio.to_thread(Command(["topics", "--apply"], place.environment).succeed)
    worker = Worker(folder, place.environment)
    worker.launch()
    lanes = Lanes(tuple(map(place.topic, COMMAND_TOPICS)), PARTITIONS)
    topics = [place.topic(name) for name in (OUTCOMES, DEAD_LETTERS)]
    try:
        async with (
            Publisher(place.bootstrap_servers, lanes, f"{place.prefix}sample") as publisher,
            Watch(place.bootstrap_servers, lanes, topics) as watch,
        ):
            for phase in sample.phases:
                await publisher.phase(phase, lambda _: None)
                sent = publisher.published.records
                assert await watch.until(sent, ANSWER_LIMIT_S, worker.check)
    finally:
        await asyncio.to_thread(worker.stop)


async def tell(place: Site, messages: Sequence[Message]) -> None:
    """Write outcomes into their topic once more, as after a crash."""
    async with AIOKafkaProducer(bootstrap_servers=place.bootstrap_servers) as producer:
        for one in messages:
            await producer.send_and_wait(
                place.topic(OUTCOMES),
                one.value,
                key=one.key,
                partition=one.partition,
                headers=list(one.headers),
            )


async def test_a_site_is_proven_from_its_topics_and_views_alone(
    broker: KafkaBroker, ledger_url: str, tmp_path: Path
) -> None:
    """
    All kinds of commands, repeats, conflicts, broken messages and aborted transactions hold, and so
    does what is delivered again. What says two things does not, nor do other books.
    """
    place = site(broker, ledger_url, f"{tmp_path.name}.")
    sample = generate(7, accounts=300, scale=0.005)
    await answer(place, sample, tmp_path / "worker")

    async def proof() -> Proof:
        return await prove([place], PARTITIONS, Console(quiet=True))

    good = await proof()
    assert good.lines == ()
    assert good.checked["commands"] == sample.visible()
    assert good.checked["outcomes"] == sample.expected.outcome_events
    assert good.checked["dead_letters"] > 0
    assert good.checked["entries"] > good.checked["payments"] > 0

    outcomes, _ = await read_topic(place.bootstrap_servers, place.topic(OUTCOMES), PARTITIONS)
    await tell(place, outcomes[:10])
    again = await proof()
    assert again.lines == ()
    assert again.checked == good.checked | {"delivered_again": 10}

    value = orjson.loads(outcomes[0].value or b"")
    other = orjson.dumps(value | {"decided_at": "2026-01-01T00:00:00Z"})
    await tell(place, [outcomes[0]._replace(value=other)])
    connection = await asyncpg.connect(ledger_url)
    await connection.execute(
        "ALTER TABLE ledger.account DISABLE TRIGGER ALL;"
        "UPDATE ledger.account SET posted = posted - 1 WHERE name = 'acc-000007'"
    )
    await connection.close()
    two_things, balance, total = (await proof()).lines
    assert "came twice and says two things" in two_things
    assert "reporting.balances: acc-000007 is Balance(" in balance
    assert "all balances together are -0.01" in total
