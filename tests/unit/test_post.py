"""The step that moves money: what it reads, how often it tries, what it never does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from processor.core.answers import First
from processor.core.decode import Invalid
from processor.errors import AlreadyDecidedError, FaultError
from processor.ledger import PostingSession
from processor.ledger.memory import MemoryLedger
from processor.post import REDECISIONS_MAX
from tests.builders import (
    Desk,
    capture,
    deposit,
    hold,
    new_id,
    opening,
    reversal,
    tariff,
    tier,
    told,
    transfer,
    withdrawal,
)


class Watched:
    """A session that notes what it is asked, and may find ids to be known though they are new."""

    def __init__(self, session: PostingSession, calls: list[tuple[str, Any]], false: bool) -> None:  # noqa: FBT001 - a test's own
        self._session = session
        self._calls = calls
        self._false = false

    def __getattr__(self, name: str) -> Any:
        """Note the call, then make it."""
        method = getattr(self._session, name)
        if name == "rules":
            return method

        async def noted(*arguments: Any, **named: Any) -> Any:
            first = arguments[0]
            is_names = isinstance(first, Collection) and name in ("decided", "lock")
            self._calls.append((name, set(first) if is_names else None))
            if name == "reversed_totals":
                self._calls[-1] = (name, set(first))
            if name == "record" and self._false:
                raise AlreadyDecidedError("never new")
            return await method(*arguments, **named)

        return noted


class WatchedLedger(MemoryLedger):
    """A ledger whose sessions are watched."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, Any]] = []
        self.is_false = False

    @asynccontextmanager
    async def posting(self) -> AsyncIterator[Any]:
        """Watch the session."""
        async with super().posting() as session:
            yield cast("Any", Watched(session, self.calls, self.is_false))

    def asked(self, name: str) -> list[Any]:
        """Give what a method was asked for, each time."""
        return [what for called, what in self.calls if called == name]


async def desk_of(ledger: WatchedLedger) -> tuple[Desk, Any]:
    """Give a worker and its partition, with two accounts opened and paid into."""
    desk = Desk(ledger)
    partition = await desk.claim()
    await desk.post(partition.add(opening("anna"), opening("bert"), deposit("anna", "9.00"), PAID))
    ledger.calls.clear()
    return desk, partition


PAID = transfer("anna", "bert", "2.00")


async def test_the_steps_of_a_transaction_keep_their_order() -> None:
    """Positions, ids, locks, what the locks protect, the clock, and only then the writing."""
    ledger = WatchedLedger()
    desk, partition = await desk_of(ledger)

    await desk.post(partition.add(reversal(PAID), transfer("anna", "bert", "1.00")))

    assert [name for name, _ in ledger.calls] == [
        "fence",
        "decided",
        "lock",
        "reversed_totals",
        "holds",
        "lock_spent",
        "clock",
        "record",
        "advance",
    ]


async def test_only_what_is_suspected_is_probed() -> None:
    """New ids are proved new by the insertion; originals are always read."""
    ledger = WatchedLedger()
    desk, partition = await desk_of(ledger)
    fresh, known = deposit("anna", "1.00"), PAID

    await desk.post(partition.add(fresh, known), suspects={known["transaction_id"], "other"})
    assert ledger.asked("decided") == [{known["transaction_id"]}]
    ledger.calls.clear()
    await desk.post(partition.add(reversal(PAID, "1.00")))
    assert ledger.asked("decided") == [{PAID["transaction_id"]}]


async def test_all_that_is_named_is_locked_and_nothing_else() -> None:
    """Both sides, cash accounts by default, the sides of an original; not those of a repeat."""
    ledger = WatchedLedger()
    desk, partition = await desk_of(ledger)

    await desk.post(partition.add(reversal(PAID), withdrawal("carl", "1.00"), b"{"))
    assert ledger.asked("lock") == [{"anna", "bert", "carl", "cash-EUR"}]
    assert ledger.asked("reversed_totals") == [{PAID["transaction_id"]}]
    ledger.calls.clear()
    await desk.post(partition.add(PAID), suspects={PAID["transaction_id"]})
    assert ledger.asked("lock") == [set()]


async def test_what_a_batch_may_cost_is_locked_with_it() -> None:
    """In the currencies of the tariffs, those that the batch sets included, and no other."""
    ledger = WatchedLedger()
    desk, partition = await desk_of(ledger)
    placed = hold("anna", "bert", "1.00")

    await desk.post(partition.add(tariff("hold.capture", "debit", tier("0.10")), placed))
    await desk.post(partition.add(capture(placed), opening("carl")))
    await desk.post(partition.add(transfer("yoko", "bank", "1", currency="JPY")))
    again = hold("anna", "bert", "1.00")
    answers = await desk.post(partition.add(again, capture(again)))

    assert ledger.asked("lock") == [
        {"anna", "bert", "fees-EUR"},
        {"anna", "bert", "carl", "cash-EUR", "fees-EUR"},
        {"yoko", "bank"},
        {"anna", "bert", "fees-EUR"},
    ]
    assert [told(answer) for answer in answers] == ["posted", "posted"]
    assert ledger.balances()["fees-EUR"].posted == 20


async def test_a_lost_table_costs_one_more_try() -> None:
    """Lost in part, too: every id is asked for, and the batch is decided again."""
    ledger = WatchedLedger()
    desk, partition = await desk_of(ledger)
    fresh, kept = deposit("anna", "1.00"), deposit("bert", "1.00")
    await desk.post(partition.add(kept))
    ledger.calls.clear()

    answers = await desk.post(partition.add(fresh, PAID, kept), suspects={kept["transaction_id"]})

    assert [told(answer) for answer in answers] == ["posted", "Repeat", "Repeat"]
    suspected = {kept["transaction_id"]}
    ids = {fresh["transaction_id"], PAID["transaction_id"]} | suspected
    assert ledger.asked("decided") == [suspected, ids]


async def test_a_batch_that_is_never_new_is_a_fault() -> None:
    """The tries are bounded, and nothing is left of them."""
    ledger = WatchedLedger()
    desk, partition = await desk_of(ledger)
    before = ledger.balances()
    ledger.is_false = True

    with pytest.raises(FaultError, match=f"decided anew {REDECISIONS_MAX} times"):
        await desk.post(partition.add(deposit("anna", "1.00")))
    assert len(ledger.asked("record")) == REDECISIONS_MAX
    assert ledger.balances() == before


async def test_a_run_of_holes_moves_the_position_alone() -> None:
    """Nothing is decided and nothing recorded."""
    ledger = WatchedLedger()
    desk, partition = await desk_of(ledger)
    partition.leave_hole(3)

    assert await desk.post(partition.read()) == []
    assert ledger.asked("record") == []
    position = await ledger.position(partition.log.topic, 0)
    assert position is not None
    assert position.next_offset == 7


async def test_each_record_has_one_answer_in_its_order() -> None:
    """Redelivered ones first, then the new ones, in offset order within the partition."""
    ledger = WatchedLedger()
    desk, partition = await desk_of(ledger)
    partition.append(deposit("anna", "1.00"), b"{", {**PAID, "transaction_id": new_id()})

    answers = await desk.post(partition.run(0, 7))

    assert [answer.arrival.source.offset for answer in answers] == list(range(7))
    assert sum(isinstance(answer, First) for answer in answers) == 6
    assert isinstance(answers[5].arrival.asked, Invalid)
