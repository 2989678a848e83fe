"""Where a case of the bench or a load takes place: a database and topics of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg
from aiokafka.errors import KafkaError
from rich.console import Console

from deploy.local import Stack
from deploy.local.progress import jar_progress
from loadtest import site
from loadtest.errors import LoadTestError
from loadtest.lanes import COMMAND_TOPICS
from loadtest.measure.usage import Processes
from loadtest.processes import Command
from loadtest.reporting import is_test_ledger
from loadtest.site import Site

OUTCOMES = "payments.outcomes.v1"
DEAD_LETTERS = "payments.dead-letters.v1"
TOPICS = (*COMMAND_TOPICS, OUTCOMES, DEAD_LETTERS)


class Ground:
    """
    The servers that a bench or a load uses, and what it makes on them. `stack` is there where they
    were started for this run.
    """

    def __init__(self, place: Site, run: str, stack: Stack | None) -> None:
        self.place = place
        self.stack = stack
        self._run = run

    @property
    def is_own(self) -> bool:
        """Whether the servers were started for this run."""
        return self.stack is not None

    @property
    def outer_servers(self) -> str | None:
        """Where other machines reach the Kafka that was started for this run, where they may."""
        return None if self.stack is None else self.stack.broker.outer_servers

    def beside(self, worker: int) -> Processes:
        """Name the processes to measure beside a worker; servers of others are not looked into."""
        if self.stack is None:
            return Processes(worker, None, None)
        return Processes(worker, self.stack.postgres.pid, self.stack.broker.pid)

    async def refuse_unless_for_tests(self) -> None:
        """Refuse a database that holds a ledger with real money: what runs there slows it down."""
        if await is_test_ledger(self.place.database_url) is False:
            raise LoadTestError(
                "this ledger is not marked as a test ledger: name another database, "
                "or make one with `processor migrate --test-ledger`"
            )

    @asynccontextmanager
    async def case(self, title: str, template: str | None = None) -> AsyncIterator[Site]:
        """Make a database (a copy of `template`) and topics; remove both when the case is over."""
        name, case = self.database(title), self.site(title)
        try:
            await self._make_database(name, template)
            await asyncio.to_thread(self._topics, case)
            await self._level()
            yield case
        except BaseException:
            # What went wrong is what people are told, not that nothing could be removed after it.
            with suppress(LoadTestError, KafkaError, OSError):
                await self._remove(case, name)
            raise
        await self._remove(case, name)

    @asynccontextmanager
    async def seed(self, title: str) -> AsyncIterator[Site]:
        """Make a ledger that cases copy; remove it in the end."""
        async with self.case(title) as case:
            await asyncio.to_thread(Command(["migrate", "--test-ledger"], case.environment).succeed)
            yield case

    @asynccontextmanager
    async def database_alone(self, title: str) -> AsyncIterator[str]:
        """Make an empty database without topics, and give its URL."""
        name = self.database(title)
        try:
            await self._make_database(name, None)
            await self._level()
            yield self._url(name)
        finally:
            await self._drop(name)

    def database(self, title: str) -> str:
        """Name the database of a case."""
        return f"{self._run}-{title}"

    def site(self, title: str) -> Site:
        """Name a case's database and topics, which are there while the case is."""
        url, prefix = self._url(self.database(title)), f"{self.place.prefix}{self._run}.{title}."
        environment = {
            **self.place.environment,
            site.DATABASE_URL: url,
            site.TOPIC_PREFIX: prefix,
            site.CONSUMER_GROUP: f"{prefix}payments-processor",
        }
        return Site(self.place.bootstrap_servers, url, prefix, environment)

    def _url(self, database: str) -> str:
        parts = urlsplit(self.place.database_url)
        return urlunsplit(parts._replace(path=f"/{quote(database)}"))

    def _topics(self, case: Site) -> None:
        Command(["topics", "--apply"], case.environment).succeed()

    async def _make_database(self, name: str, template: str | None) -> None:
        copied = f' TEMPLATE "{template}"' if template else ""
        await self._on_server(f'CREATE DATABASE "{name}"{copied}')

    async def _remove(self, case: Site, name: str) -> None:
        await site.remove_topics(case, TOPICS)
        await self._drop(name)

    async def _drop(self, name: str) -> None:
        await self._on_server(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    async def _level(self) -> None:
        """Write out what earlier cases left behind, so that no case pays for another."""
        if self.stack is not None:
            await self._on_server("CHECKPOINT")

    async def _on_server(self, statement: str) -> None:
        try:
            connection = await asyncpg.connect(self.place.database_url)
            try:
                await connection.execute(statement)
            finally:
                await connection.close()
        except (OSError, asyncpg.PostgresError) as error:
            raise LoadTestError(f"PostgreSQL does not do as asked: {error}") from error


def found_or_started(
    name: str,
    folder: Path,
    console: Console,
    ends: ExitStack,
    *,
    kafka_proxy_port: int | None = None,
    kafka_outer_host: str | None = None,
) -> Ground:
    """
    Take the servers that the user names, or start some for this run, which end with `ends`.

    A broker that is started can have clients who come through a proxy on `kafka_proxy_port`, and
    clients on other machines who reach this one at `kafka_outer_host`.
    """
    if site.given():
        console.print("using the Kafka and PostgreSQL that the environment names")
        return Ground(site.the_users(name), name, None)
    console.print("starting Kafka and PostgreSQL for this run")
    stack = Stack(
        folder / "stack", kafka_proxy_port=kafka_proxy_port, kafka_outer_host=kafka_outer_host
    )
    ends.callback(stack.stop)
    with jar_progress(console) as report:
        place = site.start_stack(stack, report)
    return Ground(place, name, stack)
