"""The real servers that tests share: one broker and one PostgreSQL for each test session."""

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import KafkaBroker, PostgresServer


@pytest.fixture(scope="session")
def short_folder() -> Iterator[Path]:
    """Return a folder with a short path, removed at the end; pytest's own are long."""
    folder = Path(tempfile.mkdtemp(prefix="payments-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def broker(short_folder: Path) -> Iterator[KafkaBroker]:
    """Return a running broker that the whole test session shares."""
    server = KafkaBroker(short_folder / "kafka")
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
