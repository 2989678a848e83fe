"""Worlds for acceptance tests: shared servers, everything else a test's own."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from deploy.local import KafkaBroker, PostgresServer
from processor import settings as settings_module
from processor.app import connection_settings
from processor.contracts import contract_folders
from processor.ledger.migrate import migrate
from tests.acceptance.harness import Ledgers, World


@pytest.fixture(scope="session")
def ledgers(postgres: PostgresServer) -> Iterator[Ledgers]:
    """Return the shared server with a migrated ledger to copy."""
    template = f"template_{uuid.uuid4().hex[:12]}"
    postgres.create_database(template)
    make_ledger(postgres.url(template))
    yield Ledgers(postgres, template)
    postgres.drop_database(template)


def make_ledger(url: str) -> None:
    """Make a test ledger in an empty database."""
    settings = settings_module.read({"PROCESSOR_DATABASE_URL": url})
    folder = contract_folders()[0] / "ledger"
    asyncio.run(migrate(connection_settings(settings, role=None), folder, test_ledger=True))


@pytest.fixture
async def worlds(
    broker: KafkaBroker, ledgers: Ledgers, tmp_path: Path
) -> AsyncIterator[Callable[[str], Awaitable[World]]]:
    """Return a maker of worlds by name; their workers end with the test."""
    made: list[World] = []

    async def make(name: str) -> World:
        database = await asyncio.to_thread(ledgers.create)
        world = World(broker, ledgers.server.url(database), tmp_path / name)
        made.append(world)
        await world.make_topics()
        return world

    try:
        yield make
    finally:
        for world in made:
            world.close()
            await asyncio.to_thread(ledgers.drop, world.database_url)


@pytest.fixture
async def world(worlds: Callable[[str], Awaitable[World]]) -> World:
    """Return a world with topics and a ledger."""
    return await worlds("world")
