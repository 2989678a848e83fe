"""Ledgers that tests ask for by name."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from deploy.local import KafkaBroker, PostgresServer
from tests.integration.bank import Bank, bank_on
from tests.integration.filled import fill
from tests.integration.ledgers import Backend, MemoryBackend, copied, postgres_backend


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


@pytest.fixture(scope="module")
def filled_url(postgres: PostgresServer, ledger_template: str) -> Iterator[str]:
    """Return the URL of a filled ledger that a module shares: its attempts are taken back."""
    with copied(postgres, ledger_template) as url:
        with asyncio.Runner() as runner:
            runner.run(fill(url))
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
