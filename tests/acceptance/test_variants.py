"""The same promises on every event loop, with and without compiled parts, on each broker."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import KafkaBroker
from tests.acceptance.harness import Ledgers, World

OLDER_KAFKA = "3.9.1"


async def _serves(world: World, **settings: str) -> None:
    """Kill a worker under load, start it again, prove everything."""
    await world.publish([*world.bank.opening(), *world.bank.traffic(800)])
    first = world.worker(**settings).start()
    await world.progressed(300)
    await first.kill()
    again = world.worker(**settings).start()
    await world.proven()
    assert await again.stop() == 0, again.tail()


@pytest.mark.parametrize("no_cython", [pytest.param("", marks=pytest.mark.long), "1"])
async def test_plain_event_loop(
    world: World, monkeypatch: pytest.MonkeyPatch, no_cython: str
) -> None:
    """A worker on asyncio's own loop, with Faust's compiled parts or without, keeps everything."""
    monkeypatch.setenv("NO_CYTHON", no_cython)
    await _serves(world, event_loop="asyncio")


@pytest.fixture
def older_broker(short_folder: Path) -> Iterator[KafkaBroker]:
    """Return a broker of the older supported release."""
    server = KafkaBroker(short_folder / "kafka-older", version=OLDER_KAFKA)
    server.start()
    yield server
    server.stop()


@pytest.mark.long
async def test_older_kafka(older_broker: KafkaBroker, ledgers: Ledgers, tmp_path: Path) -> None:
    """A worker on the older supported Kafka keeps everything."""
    name = await asyncio.to_thread(ledgers.create)
    world = World(older_broker, ledgers.server.url(name), tmp_path)
    try:
        await world.make_topics()
        await _serves(world)
    finally:
        world.close()
        await asyncio.to_thread(ledgers.drop, world.database_url)
