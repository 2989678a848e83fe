"""A bank for tests of the command line: topics, a ledger and a worker that has posted a little."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka import AIOKafkaProducer

from deploy.local import KafkaBroker
from tests.acceptance.workers import POLL_S, WorkerProcess
from tests.integration.command_line import (
    CommandLine,
    Ran,
    deposit,
    on,
    opening,
    reversal,
    transfer,
)

COMMANDS, OUTCOMES = "payments.commands.v1", "payments.outcomes.v1"

FREEZE_LIMIT_S = 20.0
_IN_HAND = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND application_name LIKE 'processor %' AND state <> 'idle'"
)

ANNA, BERT = opening("anna", overdraft_limit="50"), opening("bert")
PAID_IN = deposit("anna", "100.00")
PAID = transfer("anna", "bert", "30.00")
GIVEN_BACK = reversal(PAID, "10.00")
REFUSED = transfer("anna", "nobody", "1.00")
CONFLICT = PAID | {"amount": "31.00", "reference": "other"}


class Bank:
    """Topics, a ledger and a worker that has posted a few commands."""

    def __init__(self, line: CommandLine, worker: WorkerProcess) -> None:
        self.line = line
        self.worker = worker

    @property
    def servers(self) -> str:
        """The broker's address."""
        return self.line.settings["kafka_bootstrap_servers"]

    def topic(self, name: str) -> str:
        """Give a topic's full name."""
        return self.line.settings["topic_prefix"] + name

    def send(self, *commands: dict[str, Any], words: tuple[str, ...] = ()) -> Ran:
        """Send commands by standard input and wait for their outcomes."""
        text = "".join(json.dumps(one) + "\n" for one in commands)
        ran = self.line.run("send", "-", "--wait", *words, stdin=text)
        assert (ran.status, ran.err) == (0, "")
        return ran

    async def execute(self, sql: str) -> None:
        """Change the ledger as nobody may."""
        connection = await asyncpg.connect(self.line.settings["database_url"])
        try:
            await connection.execute(f"SET session_replication_role = replica; {sql}")
        finally:
            await connection.close()

    @asynccontextmanager
    async def still(self) -> AsyncIterator[None]:
        """
        Freeze the worker while the ledger is wrong: it looks back every few seconds, and would take
        the ledger for a restored one. No transaction is in its hands, which would block ours.
        """
        connection = await asyncpg.connect(self.line.settings["database_url"])
        try:
            async with asyncio.timeout(FREEZE_LIMIT_S):
                self.worker.send(signal.SIGSTOP)
                while await connection.fetchval(_IN_HAND):
                    self.worker.send(signal.SIGCONT)
                    await asyncio.sleep(POLL_S)
                    self.worker.send(signal.SIGSTOP)
            yield
        finally:
            self.worker.send(signal.SIGCONT)
            await connection.close()

    async def publish(self, topic: str, value: bytes, partition: int = 0) -> None:
        """Put a record into a topic."""
        producer = AIOKafkaProducer(bootstrap_servers=self.servers)
        await producer.start()
        try:
            await producer.send_and_wait(self.topic(topic), value, partition=partition)
        finally:
            await producer.stop()

    def faults(self, *words: str, **settings: str) -> dict[str, list[str]]:
        """Verify; give what is wrong by check."""
        ran = self.line.run("verify", "--json", *words, **settings)
        wrong = {
            one["check"]: one["faults"] for one in ran.document["checks"] if one["fault_count"]
        }
        assert ran.status == (1 if wrong else 0)
        return wrong

    def notes(self, check: str, **settings: str) -> list[str]:
        """Verify; give what a check notes."""
        ran = self.line.run("verify", "--json", **settings)
        (found,) = [one for one in ran.document["checks"] if one["check"].startswith(check)]
        notes: list[str] = found["notes"]
        return notes


def bank_on(broker: KafkaBroker, database_url: str, folder: Path) -> Iterator[Bank]:
    """Make topics and a worker, and post the commands."""
    line = on(broker, database_url, folder, fenced_wait_s="4")
    assert line.run("topics", "--apply").status == 0
    worker = WorkerProcess(folder, line.environment()).start()
    try:
        asyncio.run(worker.ready())
        bank = Bank(line, worker)
        bank.send(ANNA, BERT)
        for one in (PAID_IN, PAID, GIVEN_BACK):
            bank.send(one)
        bank.send(PAID, CONFLICT, REFUSED)
        yield bank
    finally:
        worker.end()
