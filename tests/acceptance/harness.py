"""A world for one test: topics and a database on the shared servers, and real workers."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg

from deploy.local import KafkaBroker, PostgresServer
from loadtest.lanes import Lanes, Position
from loadtest.message import Message
from loadtest.observe import Watch, read_topic
from loadtest.publish import Publisher
from loadtest.record import Ending, Phase, Record, pack
from processor import settings as settings_module
from processor import topics as topics_module
from processor.contracts import load_contract
from tests.acceptance.books import Topics, Verdict, judge
from tests.acceptance.load import PARTITIONS, Bank
from tests.acceptance.workers import CHECKOUT, WorkerProcess

COMMANDS = "payments.commands.v1"
INTERNAL = "payments.internal.v1"
OUTCOMES = "payments.outcomes.v1"
DEAD_LETTERS = "payments.dead-letters.v1"
ANSWER_LIMIT_S = 40.0
COMMAND_LIMIT_S = 60.0
POLL_S = 0.05
BATCH_RECORDS_MAX = 200

SHORT = {
    "SESSION_TIMEOUT_S": "2",
    "HEARTBEAT_INTERVAL_S": "0.5",
    "POLL_INTERVAL_MAX_S": "4",
    "REBALANCE_TIMEOUT_S": "6",
    "SETTLE_DEADLINE_S": "3",
    "FENCED_WAIT_S": "1",
    "STOP_DEADLINE_S": "8",
    "COMMIT_INTERVAL_S": "0.2",
    "DELIVERED_INTERVAL_S": "0.2",
    "CONNECT_TIMEOUT_S": "2",
    "DELIVERY_TIMEOUT_S": "5",
    "STATEMENT_TIMEOUT_MS": "5000",
    "LOCK_TIMEOUT_MS": "4000",
    "BATCH_RECORDS_MAX": str(BATCH_RECORDS_MAX),
    "RUN_RECORDS_MAX": "100",
    "HELD_RECORDS_MAX": "600",
}
"""Settings under which everything that takes minutes in a bank takes seconds here."""


class World:
    """Everything that one test sees. `prefix` names its topics and its consumer group."""

    def __init__(self, broker: KafkaBroker, database_url: str, folder: Path) -> None:
        self.broker = broker
        self.database_url = database_url
        self.folder = folder
        self.prefix = f"{uuid.uuid4().hex[:10]}."
        self.bank = Bank()
        self.workers: list[WorkerProcess] = []
        self.published: dict[Position, Record] = {}
        self.aborted: set[Position] = set()

    @property
    def commands_topic(self) -> str:
        """The full name of the commands topic."""
        return self.prefix + COMMANDS

    @property
    def group(self) -> str:
        """The full name of the consumer group."""
        return self.prefix + "payments-processor"

    def environment(self, **settings: str) -> dict[str, str]:
        """Give the environment of a worker or command, with short times and `settings`."""
        given = {
            "KAFKA_BOOTSTRAP_SERVERS": self.broker.bootstrap_servers,
            "DATABASE_URL": self.database_url,
            "TOPIC_PREFIX": self.prefix,
            **SHORT,
            **{name.upper(): value for name, value in settings.items()},
        }
        plain = {name: one for name, one in os.environ.items() if not name.startswith("PROCESSOR_")}
        return plain | {f"PROCESSOR_{name}": value for name, value in given.items()}

    async def make_topics(self) -> None:
        """Create the topics."""
        environment = self.environment()
        await topics_module.reconcile(
            settings_module.read(environment), load_contract(), apply=True
        )

    def worker(self, name: str = "a", **settings: str) -> WorkerProcess:
        """Describe a worker; the same name has the same data folder."""
        worker = WorkerProcess(self.folder / name, self.environment(**settings))
        self.workers.append(worker)
        return worker

    # --- input

    @asynccontextmanager
    async def publisher(self) -> AsyncIterator[Publisher]:
        """Open producers for the commands topic."""
        servers = self.broker.bootstrap_servers
        lanes = Lanes((self.commands_topic,), PARTITIONS)
        async with Publisher(servers, lanes, f"{self.prefix}channel") as publisher:
            yield publisher
        self.published.update(publisher.published.records)
        self.aborted.update(publisher.published.aborted)

    async def publish(self, records: Iterable[Record], ending: Ending | None = None) -> None:
        """Publish records, in all compressions; with `ending` in one transaction."""
        async with self.publisher() as publisher:
            step = pack(records, PARTITIONS, ending)
            await publisher.phase(Phase("", (step,)), lambda _: None)

    async def open_bank(self) -> None:
        """Publish the openings, and wait until they are answered."""
        await self.publish(self.bank.opening())
        await self.answered()

    @asynccontextmanager
    async def load(self, per_second: int = 800, *, mixed: bool = True) -> AsyncIterator[None]:
        """Publish traffic as long as the block lasts."""
        stop = asyncio.Event()

        async def publish() -> None:
            async with self.publisher() as publisher:
                began, sent = time.monotonic(), 0
                while not stop.is_set():
                    due = int((time.monotonic() - began) * per_second) - sent
                    if due > 0:
                        due = min(due, per_second)
                        bank = self.bank
                        records = (
                            bank.traffic(due) if mixed else [bank.transfer() for _ in range(due)]
                        )
                        step = pack(records, PARTITIONS)
                        await publisher.phase(Phase("", (step,)), lambda _: None)
                        sent += due
                    await asyncio.sleep(POLL_S)

        task = asyncio.create_task(publish())
        try:
            yield
        finally:
            stop.set()
            await task

    # --- output

    async def answered(self, limit_s: float = ANSWER_LIMIT_S) -> None:
        """Wait until everything published so far has an outcome or a dead letter."""
        topics = [self.prefix + OUTCOMES, self.prefix + DEAD_LETTERS]
        servers, commands = self.broker.bootstrap_servers, self.commands_topic
        async with Watch(servers, Lanes((commands,), PARTITIONS), topics) as watch:
            done = await watch.until(self.published, limit_s, self._healthy)
            missing = len(self.published.keys() - watch.answered)
        assert done, f"{missing} of {len(self.published)} commands have no answer: {self.tails()}"

    def _healthy(self) -> None:
        assert any(worker.running for worker in self.workers), f"no worker runs: {self.tails()}"

    def tails(self) -> str:
        """Give the ends of the workers' logs."""
        return "\n".join(f"{worker.folder.name}: {worker.tail()}" for worker in self.workers)

    async def progressed(self, records: int, limit_s: float = ANSWER_LIMIT_S) -> None:
        """Wait until the ledger has taken in so many more records."""
        goal: int | None = None
        deadline = time.monotonic() + limit_s
        while goal is None or (await self._posted() or 0) < goal:
            assert time.monotonic() < deadline, f"no progress in {limit_s:.0f} s: {self.tails()}"
            if goal is None and (posted := await self._posted()) is not None:
                goal = posted + records
            await asyncio.sleep(POLL_S)

    async def _posted(self) -> int | None:
        query = "SELECT coalesce(sum(next_offset - first_offset), 0)::bigint FROM ledger.position"
        try:
            return int(await self.value(query))
        except (OSError, asyncpg.PostgresError):
            return None

    async def value(self, query: str, *arguments: Any) -> Any:
        """Ask the database for one value, as its owner."""
        connection = await asyncpg.connect(self.database_url)
        try:
            return await connection.fetchval(query, *arguments)
        finally:
            await connection.close()

    async def becomes(self, query: str, wanted: object, limit_s: float) -> None:
        """Wait until the database gives a value, at most so long."""
        deadline = time.monotonic() + limit_s
        while (found := await self.value(query)) != wanted:
            waited = f"{query} is {found} after {limit_s:.0f} s, not {wanted}"
            assert time.monotonic() < deadline, f"{waited}: {self.tails()}"
            await asyncio.sleep(POLL_S)

    async def execute(self, statements: str) -> None:
        """Run statements in the database, as its owner."""
        connection = await asyncpg.connect(self.database_url)
        try:
            await connection.execute(statements)
        finally:
            await connection.close()

    async def topic(self, name: str) -> list[Message]:
        """Read a topic as it is now."""
        servers = self.broker.bootstrap_servers
        return (await read_topic(servers, self.prefix + name, PARTITIONS))[0]

    async def judged(self, *, allowed: Sequence[str] = ()) -> Verdict:
        """Compare everything with everything; give what was found."""
        commands, outcomes, dead_letters = [
            await self.topic(name) for name in (COMMANDS, OUTCOMES, DEAD_LETTERS)
        ]
        topics = Topics(self.commands_topic, commands, outcomes, dead_letters)
        verdict = await judge(self.database_url, topics, allowed=allowed)
        missing = self.published.keys() - {message.position for message in commands}
        verdict.faults.extend(f"{at} was published and is not there" for at in sorted(missing))
        return verdict

    async def proven(self) -> Verdict:
        """Wait until all is answered; everything must agree."""
        await self.answered()
        verdict = await self.judged()
        assert verdict.faults[:10] == []
        return verdict

    async def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the product to its end."""
        return await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "processor", *words],
            cwd=CHECKOUT,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=COMMAND_LIMIT_S,
            check=False,
        )

    async def verified(self) -> None:
        """The product's own proof finds nothing either, events and waiting records included."""
        done = await self.run("verify", "--events", "--drained", "--all")
        assert done.returncode == 0, done.stdout + done.stderr

    def close(self) -> None:
        """End every worker that still runs."""
        for worker in self.workers:
            worker.end()


class Ledgers:
    """Databases with an empty test ledger, copied from one that was migrated."""

    def __init__(self, server: PostgresServer, template: str) -> None:
        self.server = server
        self.template = template

    def create(self) -> str:
        """Create a database; give its name."""
        name = f"world_{uuid.uuid4().hex[:12]}"
        self.server.query(f'CREATE DATABASE "{name}" TEMPLATE "{self.template}"')
        return name

    def drop(self, database_url: str) -> None:
        """Drop a database that was created here."""
        self.server.drop_database(database_url.rpartition("/")[2])
