"""The job that lets holds expire: what it publishes, and what a second run does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from processor.batch import Run
from processor.core.answers import Answer
from processor.errors import BrokerUnavailableError
from processor.expiry import ATTEMPTS_MAX, Expiry, attempt_id
from processor.ledger.memory import MemoryLedger
from tests.builders import Bank, Desk, Document, Partition, deposit, hold, opening, told

TOPIC = "payments.internal.v1"
AT = "2026-11-21T10:00:05Z"
START_US = Bank.NOW.now_us


class Broker:
    """Takes what producers send, or fails once."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, bytes, bytes]] = []
        self.fails_after: int | None = None
        self.stopped = 0

    def make(self) -> Any:
        """Make a producer: this object plays it."""
        return self

    async def start(self) -> None:
        """Do nothing."""

    async def stop(self) -> None:
        """Count."""
        self.stopped += 1

    async def send(self, topic: str, value: bytes, *, key: bytes) -> Any:
        """Take a record; give a future that is done."""
        if self.fails_after is not None and len(self.taken) >= self.fails_after:
            self.fails_after = None
            raise KafkaConnectionError("away")
        self.taken.append((topic, key, value))
        sent = asyncio.get_running_loop().create_future()
        sent.set_result(None)
        return sent

    def documents(self) -> list[Document]:
        """Read everything that was sent."""
        return [json.loads(value) for _, _, value in self.taken]


class Town:
    """A ledger in memory with a clock of its own, a worker at it, and the job."""

    def __init__(self) -> None:
        self.now_us = START_US
        self.ledger = MemoryLedger(now_us=lambda: self.now_us)
        self.broker = Broker()
        self.desk = Desk(self.ledger)
        self.partition: Partition | None = None
        self.job = self.new_job()

    def new_job(self) -> Expiry:
        """Give the job as another worker, or one that was started again, has it."""
        return Expiry(self.ledger, self.broker.make, TOPIC, lag_s=10, delivery_timeout_s=5)

    async def tell(self, *documents: Document | bytes) -> list[str]:
        """Post commands and say what became of them."""
        if self.partition is None:
            self.partition = await self.desk.claim()
        run: Run = self.partition.add(*documents)
        answers: Sequence[Answer] = await self.desk.post(run)
        return [told(answer) for answer in answers]

    async def with_holds(self, *holds: Document) -> None:
        """Open anna's and bert's accounts, and place holds."""
        await self.tell(opening("anna"), opening("bert"), deposit("anna", "100.00"))
        assert set(await self.tell(*holds)) == {"posted"}

    def held(self) -> int:
        """Give what is held of anna's money."""
        return self.ledger.balances()["anna"].held


async def test_only_what_is_due_is_published_under_the_accounts_key() -> None:
    """Which hold, and no amount; to the internal topic."""
    town = Town()
    soon, later = hold("anna", "bert", "5.00", expires_at=AT), hold("anna", "bert", "7.00")
    await town.with_holds(soon, later)

    assert await town.job.turn() == 0
    town.now_us = START_US + 5_000_001
    assert await town.job.turn() == 1

    ((topic, key, value),) = town.broker.taken
    assert (topic, key) == (TOPIC, b"anna")
    assert json.loads(value) == {
        "transaction_id": attempt_id(soon["transaction_id"], 1),
        "type": "hold.expire",
        "hold_transaction_id": soon["transaction_id"],
        "requested_at": "2026-11-21T10:00:05.000000Z",
        "channel": "internal",
    }
    assert town.job.overdue_s == pytest.approx(0.000001)


async def test_what_is_published_frees_the_money_once() -> None:
    """However often the job runs, on whichever worker, and whatever is delivered twice."""
    town = Town()
    await town.with_holds(hold("anna", "bert", "5.00", expires_at=AT))
    town.now_us = START_US + 6_000_000

    assert [await town.job.turn(), await town.job.turn(), await town.new_job().turn()] == [1, 0, 1]
    first, second = [value for _, _, value in town.broker.taken]
    assert first == second
    assert await town.tell(first, second) == ["posted", "Repeat"]
    assert town.held() == 0
    assert [await town.job.turn(), await town.new_job().turn()] == [0, 0]
    assert town.job.overdue_s == 0


async def test_a_run_that_breaks_off_half_way_is_made_good_by_the_next() -> None:
    """The same commands under the same ids, those that had gone out among them."""
    town = Town()
    await town.with_holds(*(hold("anna", "bert", "1.00", expires_at=AT) for _ in range(5)))
    town.now_us = START_US + 6_000_000
    town.broker.fails_after = 2

    with pytest.raises(BrokerUnavailableError):
        await town.job.turn()
    assert town.broker.stopped == 1
    assert await town.job.turn() == 5

    ids = [document["transaction_id"] for document in town.broker.documents()]
    assert (len(ids), len(set(ids)), ids[:2]) == (7, 5, ids[2:4])
    words = await town.tell(*(value for _, _, value in town.broker.taken))
    assert sorted(words) == ["Repeat"] * 2 + ["posted"] * 5
    assert town.held() == 0


async def test_an_attempt_that_was_refused_is_followed_by_another_under_its_own_id() -> None:
    """A refused id stays refused; the hold does not stay held for that."""
    town = Town()
    placed = hold("anna", "bert", "5.00", expires_at=AT)
    await town.with_holds(placed)
    early = {
        "transaction_id": attempt_id(placed["transaction_id"], 1),
        "type": "hold.expire",
        "hold_transaction_id": placed["transaction_id"],
        "requested_at": AT,
        "channel": "internal",
    }
    assert await town.tell(early) == ["hold_not_expired"]
    town.now_us = START_US + 6_000_000

    assert await town.job.turn() == 1
    (document,) = town.broker.documents()
    assert document["transaction_id"] == attempt_id(placed["transaction_id"], 2)
    assert await town.tell(document) == ["posted"]
    assert town.held() == 0


async def test_after_many_refusals_a_hold_is_left_to_people() -> None:
    """The job does not go on for ever, and stays useful for the others."""
    town = Town()
    placed = hold("anna", "bert", "5.00", expires_at=AT)
    await town.with_holds(placed)
    refused = [
        {
            "transaction_id": attempt_id(placed["transaction_id"], attempt),
            "type": "hold.expire",
            "hold_transaction_id": placed["transaction_id"],
            "requested_at": AT,
            "channel": "internal",
        }
        for attempt in range(1, ATTEMPTS_MAX + 1)
    ]
    assert set(await town.tell(*refused)) == {"hold_not_expired"}
    other = hold("anna", "bert", "6.00", expires_at=AT)
    await town.tell(other)
    town.now_us = START_US + 6_000_000

    assert await town.job.turn() == 1
    assert town.broker.documents()[0]["hold_transaction_id"] == other["transaction_id"]
