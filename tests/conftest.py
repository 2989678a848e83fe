"""The real servers that tests share: one broker and one PostgreSQL for each test session."""

import asyncio
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import KafkaBroker, PostgresServer
from loadtest.report.history import FOLDER_VARIABLE
from processor.ledger.migrate import migrate
from tests.integration.ledgers import MIGRATIONS, copied, settings_for
from tests.places import COMPILES_LITTLE, server_folder


@pytest.fixture(scope="session", autouse=True)
def history_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep the loads that tests run, in whatever process, out of this checkout's history."""
    folder = tmp_path_factory.mktemp("history")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FOLDER_VARIABLE, str(folder))
        yield folder


@pytest.fixture(scope="session")
def short_folder() -> Iterator[Path]:
    """Return a folder with a short path, removed at the end; pytest's own are long."""
    with server_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def broker(short_folder: Path) -> Iterator[KafkaBroker]:
    """Return a running broker that the whole test session shares."""
    server = KafkaBroker(short_folder / "kafka", java_options=COMPILES_LITTLE)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres(short_folder: Path) -> Iterator[PostgresServer]:
    """Return a running PostgreSQL that the whole test session shares."""
    server = PostgresServer(short_folder / "postgres")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def database_url(postgres: PostgresServer) -> Iterator[str]:
    """Return the URL of an empty database of the test's own."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    postgres.create_database(name)
    yield postgres.url(name)
    postgres.drop_database(name)


@pytest.fixture(scope="session")
def ledger_template(postgres: PostgresServer) -> str:
    """Return the name of a migrated, empty test ledger, to be copied and never connected to."""
    name = f"ledger_{uuid.uuid4().hex[:12]}"
    postgres.create_database(name)
    owner = settings_for(postgres.url(name), role=None)
    with asyncio.Runner() as runner:
        runner.run(migrate(owner, MIGRATIONS, test_ledger=True))
    return name


@pytest.fixture
def ledger_url(postgres: PostgresServer, ledger_template: str) -> Iterator[str]:
    """Return the URL of an empty test ledger of the test's own."""
    with copied(postgres, ledger_template) as url:
        yield url
