"""Two workers at once, each with a partition of its own: what holds for every `Ledger`."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import cast

import pytest

from processor.ledger import Ledger
from tests.builders import (
    Desk,
    Document,
    deposit,
    journal,
    line,
    opening,
    payment,
    refund,
    reversal,
    told,
    transfer,
    withdrawal,
)
from tests.integration.ledgers import Backend
from tests.integration.races import WAIT_S, HeldLedger, Race


async def test_two_full_reversals(race: Race, backend: Backend) -> None:
    """One gives the money back, the other finds nothing left."""
    paid = transfer("anna", "bert", "60.00")
    await race.given(opening("anna"), opening("bert"), deposit("anna", "60.00"), paid)
    await race.given(deposit("bert", "60.00"))

    words = await race.run([reversal(paid)], [reversal(paid)])

    assert words == [["posted"], ["exceeds_original"]]
    assert await backend.balances() == {"anna": 6_000, "bert": 6_000, "cash-EUR": -12_000}
    assert await backend.totals() == {paid["transaction_id"]: 6_000}


async def test_two_partial_reversals(race: Race, backend: Backend) -> None:
    """Together they never exceed the original; what is left can still be given back."""
    paid = transfer("anna", "bert", "100.00")
    await race.given(opening("anna"), opening("bert"), deposit("anna", "100.00"), paid)

    words = await race.run(
        [reversal(paid, "60.00")], [reversal(paid, "60.00"), reversal(paid, "40.00")]
    )

    assert words == [["posted"], ["exceeds_original", "posted"]]
    assert await backend.totals() == {paid["transaction_id"]: 10_000}
    assert await backend.balances() == {"anna": 10_000, "bert": 0, "cash-EUR": -10_000}


@pytest.mark.parametrize("is_refund_first", [True, False])
async def test_a_refund_and_a_reversal(
    race: Race, backend: Backend, *, is_refund_first: bool
) -> None:
    """Of one payment, whichever comes first: together never more than was paid."""
    paid = payment("anna", "shop", "60.00")
    shop = opening("shop", kind="merchant")
    await race.given(opening("anna"), shop, deposit("anna", "60.00"), paid)
    await race.given(deposit("shop", "60.00"))
    one, other = (refund, reversal) if is_refund_first else (reversal, refund)

    words = await race.run([one(paid, "40.00")], [other(paid, "20.01"), other(paid), other(paid)])

    assert words == [["posted"], ["exceeds_original", "posted", "exceeds_original"]]
    assert await backend.balances() == {"anna": 6_000, "shop": 6_000, "cash-EUR": -12_000}
    assert await backend.totals() == {paid["transaction_id"]: 6_000}


def exchanged(one: str, other: str, amount: str) -> Document:
    """Give a journal from one account to another."""
    return journal(line(one, "debit", amount), line(other, "credit", amount))


async def test_two_journals_with_crossed_accounts(race: Race, backend: Backend) -> None:
    """The second waits, sees what the first has left, and clearing is made once and even."""
    await race.given(opening("anna"), opening("bert"), deposit("anna", "10.00"))

    words = await race.run(
        [exchanged("anna", "bert", "10.00")],
        [exchanged("bert", "anna", "4.00"), exchanged("anna", "bert", "4.01")],
    )

    assert words == [["posted"], ["posted", "insufficient_funds"]]
    assert await backend.balances() == {
        "anna": 400,
        "bert": 600,
        "cash-EUR": -1_000,
        "clearing-EUR": 0,
    }


async def test_many_journals_with_crossed_accounts(backend: Backend) -> None:
    """Two workers that take the same accounts in opposite order get through and balance."""
    desks = [Desk(await backend.connect()) for _ in range(2)]
    logs = [await desk.claim(at) for at, desk in enumerate(desks)]
    names = [f"a{number}" for number in range(6)]
    funds = [deposit(name, "100.00") for name in names]
    await desks[0].post(logs[0].add(*[opening(name) for name in names], *funds))

    async def work(at: int) -> None:
        order = names if at == 0 else names[::-1]
        for one, other in [*pairwise(order)] * 8:
            (answer,) = await desks[at].post(logs[at].add(exchanged(one, other, "1.00")))
            assert told(answer) == "posted"

    await asyncio.gather(work(0), work(1))

    assert await backend.balances() == {
        **dict.fromkeys(names, 10_000),
        "cash-EUR": -60_000,
        "clearing-EUR": 0,
    }


async def test_two_withdrawals_of_the_same_money(race: Race, backend: Backend) -> None:
    """The second sees what the first has left."""
    await race.given(opening("anna"), deposit("anna", "10.00"))

    words = await race.run([withdrawal("anna", "6.00")], [withdrawal("anna", "6.00")])

    assert words == [["posted"], ["insufficient_funds"]]
    assert await backend.balances() == {"anna": 400, "cash-EUR": -400}


async def test_the_same_id_in_two_partitions(race: Race, backend: Backend) -> None:
    """Money moves once; the other is a repeat, though nothing was known of it at the start."""
    await race.given(opening("anna"))
    paid = deposit("anna", "10.00")

    words = await race.run([paid], [deposit("anna", "1.00"), paid])

    assert words == [["posted"], ["posted", "Repeat"]]
    assert await backend.balances() == {"anna": 1_100, "cash-EUR": -1_100}


async def test_many_ids_in_opposite_order(race: Race, backend: Backend) -> None:
    """Two workers can't wait for each other in a circle for long; each id is posted once."""
    await race.given(opening("anna"), opening("bert"))
    paid = [deposit("anna" if one % 2 else "bert", "1.00") for one in range(40)]

    words = await race.run(paid, paid[::-1])

    assert words == [["posted"] * 40, ["Repeat"] * 40]
    assert await backend.balances() == {"anna": 2_000, "bert": 2_000, "cash-EUR": -4_000}


async def test_the_same_id_with_other_content(race: Race, backend: Backend) -> None:
    """One is posted, the other a conflict."""
    await race.given(opening("anna"))
    paid = deposit("anna", "10.00")

    words = await race.run([paid], [{**paid, "amount": "11.00"}])

    assert words == [["posted"], ["Conflict"]]
    assert await backend.balances() == {"anna": 1_000, "cash-EUR": -1_000}


async def test_an_account_opened_meanwhile(race: Race, backend: Backend) -> None:
    """The second finds the name taken and decides its batch again, with what came after it."""
    words = await race.run(
        [opening("anna"), deposit("anna", "5.00")],
        [opening("anna"), opening("bert"), transfer("anna", "bert", "2.00")],
    )

    assert words == [["posted", "posted"], ["account_exists", "posted", "posted"]]
    assert await backend.balances() == {"anna": 300, "bert": 200, "cash-EUR": -500}


async def test_two_first_accounts_of_a_currency(race: Race, backend: Backend) -> None:
    """Both want to make its cash account; there is one."""
    words = await race.run(
        [opening("anna", currency="KWD"), deposit("anna", "1.005", currency="KWD")],
        [opening("bert", currency="KWD"), deposit("bert", "2.000", currency="KWD")],
    )

    assert words == [["posted", "posted"], ["posted", "posted"]]
    assert await backend.balances() == {"anna": 1_005, "bert": 2_000, "cash-KWD": -3_005}


async def test_a_timeline_begins_between_two_batches(backend: Backend) -> None:
    """It waits for a transaction in flight; what that one decided belongs to the old timeline."""
    held = HeldLedger(await backend.connect())
    one, other = Desk(cast("Ledger", held)), await backend.connect()
    partition = await one.claim()
    (known,) = await other.timelines()

    posting = asyncio.create_task(one.post(partition.add(opening("anna"))))
    await held.written.wait()
    beginning = asyncio.create_task(other.start_timeline(known.timeline_id, "failed over"))
    _, waiting = await asyncio.wait([beginning], timeout=WAIT_S)
    assert waiting == {beginning}
    held.may_commit.set()
    (before,), begun = await posting, await beginning
    (after,) = await one.post(partition.add(opening("bert")))

    assert (before.timeline_id, after.timeline_id) == (known.timeline_id, begun.timeline_id)
    sequences = [event.value.split(b'"ledger_sequence":')[1] for event in one.events([before])]
    assert int(sequences[0].split(b",")[0]) < begun.from_sequence
    assert one.timelines.of_sequence(begun.from_sequence) == begun.timeline_id


async def test_a_claim_waits_for_the_batch_in_flight(backend: Backend) -> None:
    """The heir starts behind what the last batch of the worker before it has committed."""
    held = HeldLedger(await backend.connect())
    one, other = Desk(cast("Ledger", held)), Desk(await backend.connect())
    partition = await one.claim()

    posting = asyncio.create_task(one.post(partition.add(opening("anna"))))
    await held.written.wait()
    claiming = asyncio.create_task(other.claim())
    _, waiting = await asyncio.wait([claiming], timeout=WAIT_S)
    assert waiting == {claiming}
    held.may_commit.set()
    await posting

    assert (await claiming).next_offset == 1
