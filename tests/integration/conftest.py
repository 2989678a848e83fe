"""Ledgers that tests ask for by name."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import cast

import pytest

from deploy.local import KafkaBroker, PostgresServer
from processor.ledger import Ledger
from tests.builders import Desk
from tests.integration.bank import Bank, bank_on
from tests.integration.filled import fill
from tests.integration.history import fill_with_history
from tests.integration.ledgers import Backend, MemoryBackend, copied, postgres_backend
from tests.integration.machines import Machines
from tests.integration.machines import machines as made_machines
from tests.integration.races import HeldLedger, Race


@pytest.fixture(params=["memory", "postgres"])
def backend_url(request: pytest.FixtureRequest) -> str | None:
    """Return the URL of an empty ledger; None stands for one in memory."""
    if request.param == "memory":
        return None
    url: str = request.getfixturevalue("ledger_url")
    return url


@pytest.fixture
async def backend(backend_url: str | None) -> AsyncIterator[Backend]:
    """Return empty books, in memory and in PostgreSQL: what holds for one must hold for both."""
    if backend_url is None:
        yield MemoryBackend()
        return
    async with postgres_backend(backend_url) as found:
        yield found


@pytest.fixture
def machines() -> Iterator[Machines]:
    """Return what makes machines with networks and clocks of their own."""
    with made_machines() as found:
        yield found


@pytest.fixture
async def race(backend: Backend) -> Race:
    """Return two workers on the same books."""
    held = HeldLedger(await backend.connect())
    one, two = Desk(cast("Ledger", held)), Desk(await backend.connect())
    logs = [await one.claim(0), await two.claim(1), await two.claim(2)]
    await one.timelines.read()
    return Race(held, one, two, logs)


@pytest.fixture(scope="module")
def filled_url(postgres: PostgresServer, ledger_template: str) -> Iterator[str]:
    """Return the URL of a filled ledger that a module shares: its attempts are taken back."""
    with copied(postgres, ledger_template) as url:
        with asyncio.Runner() as runner:
            runner.run(fill(url))
        yield url


@pytest.fixture(scope="module")
def history_url(postgres: PostgresServer, ledger_template: str) -> Iterator[str]:
    """Return the URL of a ledger in which two accounts have long histories; a module shares it."""
    with copied(postgres, ledger_template) as url:
        with asyncio.Runner() as runner:
            runner.run(fill_with_history(url))
        yield url


@pytest.fixture(scope="module")
def bank(
    broker: KafkaBroker,
    postgres: PostgresServer,
    ledger_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Bank]:
    """Return a bank that a module shares; whoever changes it wrongly changes it back."""
    with copied(postgres, ledger_template) as url:
        yield from bank_on(broker, url, tmp_path_factory.mktemp("bank"))
