"""Two workers at once, one of which changes what is charged: the same for every `Ledger`."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from processor.batch import Batch
from processor.bisect import Unpostables, halves
from processor.core.answers import Answer, Clock, First
from processor.core.commands import Command
from processor.errors import UnpostableError
from processor.ledger.session import PostgresSession
from processor.pipeline import decode
from processor.post import post
from tests.builders import (
    DECODER,
    Desk,
    capture,
    deposit,
    hold,
    opening,
    tariff,
    tariff_end,
    tier,
    told,
    transfer,
)
from tests.integration.ledgers import Backend, postgres_backend
from tests.integration.races import Race

PAID_BY_EACH = 24
GIVEN = [opening("anna"), opening("bert"), deposit("anna", "60.00"), deposit("bert", "60.00")]


async def test_a_command_waits_for_a_tariff_that_is_being_set(race: Race, backend: Backend) -> None:
    """And is decided by it, though it began before it was there."""
    await race.given(*GIVEN)

    words = await race.run(
        [tariff("transfer", "debit", tier("1.00"))], [transfer("anna", "bert", "10.00")]
    )

    assert words == [["posted"], ["posted"]]
    assert (await backend.balances())["fees-EUR"] == 100


async def test_a_tariff_waits_for_a_command_in_flight(race: Race, backend: Backend) -> None:
    """Which costs nothing; what stands behind the tariff in its batch costs something."""
    await race.given(*GIVEN)

    words = await race.run(
        [transfer("anna", "bert", "10.00")],
        [
            transfer("bert", "anna", "1.00"),
            tariff("transfer", "debit", tier("1.00")),
            transfer("bert", "anna", "1.00"),
        ],
    )

    assert words == [["posted"], ["posted"] * 3]
    assert await backend.balances() == {
        "anna": 5_200,
        "bert": 6_700,
        "cash-EUR": -12_000,
        "fees-EUR": 100,
    }


async def test_two_tariffs_for_the_same(race: Race) -> None:
    """One is set; the other is found to overlap."""
    words = await race.run(
        [tariff("transfer", "debit", tier("1.00"), tariff="one")],
        [tariff("transfer", "debit", tier("2.00"), tariff="two")],
    )

    assert words == [["posted"], ["tariff_overlaps"]]


async def test_two_first_fees_of_a_currency(race: Race, backend: Backend) -> None:
    """Both want to make the account that earns them; there is one."""
    await race.given(*GIVEN, opening("carl"), opening("dora"))
    await race.given(tariff("transfer", "debit", tier("1.00")))

    words = await race.run([transfer("anna", "carl", "1.00")], [transfer("bert", "dora", "1.00")])

    assert words == [["posted"], ["posted"]]
    assert (await backend.balances())["fees-EUR"] == 200


async def test_a_fee_counts_to_no_hold(backend: Backend) -> None:
    """Captures with fees take the whole hold; the fees come out of what is not held."""
    desk = Desk(await backend.connect())
    partition = await desk.claim()
    placed = hold("anna", "bert", "50.00")
    await desk.post(partition.add(*GIVEN, tariff("hold.capture", "debit", tier("5.00")), placed))

    answers = await desk.post(partition.add(capture(placed, "20.00"), capture(placed)))

    assert [told(answer) for answer in answers] == ["posted", "posted"]
    assert set((await backend.held()).values()) == {0}
    assert await backend.balances() == {
        "anna": 0,
        "bert": 11_000,
        "cash-EUR": -12_000,
        "fees-EUR": 1_000,
    }


async def test_whatever_is_behind_a_tariff_is_decided_by_it(backend: Backend) -> None:
    """
    By `ledger_sequence`, whoever posts and whenever: each transfer cost what the last tariff before
    it says, and nothing where it was ended.
    """
    desks = [Desk(await backend.connect()) for _ in range(3)]
    logs = [await desk.claim(at) for at, desk in enumerate(desks)]
    await desks[0].post(logs[0].add(*GIVEN, opening("carl"), opening("dora")))
    answers: list[Answer] = []
    paid: list[Answer] = []
    more = asyncio.Event()

    async def change() -> None:
        for fee in range(1, 13):
            asked = (
                tariff_end() if fee % 4 == 0 else tariff("transfer", "debit", tier(f"0.{fee:02}"))
            )
            answers.extend(await desks[0].post(logs[0].add(asked)))
            # Two may be under way: four more mean that two were decided behind this change.
            behind = min(len(paid) + 4, 2 * PAID_BY_EACH)
            while len(paid) < behind:
                more.clear()
                await more.wait()

    async def pay(at: int, debit: str, credit: str) -> None:
        for _ in range(PAID_BY_EACH):
            paid.extend(await desks[at].post(logs[at].add(transfer(debit, credit, "0.10"))))
            more.set()
            await asyncio.sleep(0)

    await asyncio.gather(change(), pay(1, "anna", "carl"), pay(2, "bert", "dora"))
    answers += paid

    charged = "0.00"
    seen: set[str] = set()
    firsts = [answer.decided for answer in answers if isinstance(answer, First)]
    assert [told(answer) for answer in answers] == ["posted"] * (12 + 2 * PAID_BY_EACH)
    for decided in sorted(firsts, key=lambda one: one.ledger_sequence):
        if decided.type == "transfer":
            shown = decided.ruling.shown
            fees = [] if shown is None else shown.fields()["fees"]
            assert [one.amount for one in fees] == ([] if charged == "0.00" else [charged])
            seen.add(charged)
            continue
        tiers = decided.content().get("tiers")
        charged = tiers[0]["fixed"] if isinstance(tiers, list) else "0.00"
    assert len(seen) > 1


async def test_rules_that_stand_are_read_before_a_batch_is_decided(
    ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next batch, of whichever worker, is decided by them at its first try."""
    decisions: list[int] = []

    async def clock(session: PostgresSession, count: int) -> tuple[Clock, list[int]]:
        decisions.append(count)
        return await counted(session, count)

    counted = PostgresSession.clock
    monkeypatch.setattr(PostgresSession, "clock", clock)
    async with postgres_backend(ledger_url) as backend:
        desk, other = Desk(await backend.connect()), Desk(await backend.connect())
        log, others = await desk.claim(), await other.claim(1)
        await desk.post(log.add(*GIVEN))
        await desk.post(log.add(tariff("transfer", "debit", tier("1.00"))))
        await desk.post(log.add(transfer("anna", "bert", "1.00"), tariff_end()))
        await other.post(others.add(transfer("bert", "anna", "1.00")))

        assert (await backend.balances())["fees-EUR"] == 100
    assert decisions == [4, 1, 2, 1]


async def test_a_tariff_of_a_batch_that_is_halved_charges_what_stands_behind_it(
    backend: Backend,
) -> None:
    """It was undone with its batch, is set by its half, and known in the other halves."""
    desk = Desk(await backend.connect())
    partition = await desk.claim()
    await desk.post(partition.add(*GIVEN))
    run = partition.add(
        transfer("anna", "bert", "1.00"),
        tariff("transfer", "debit", tier("1.00")),
        transfer("anna", "bert", "1.00"),
        deposit("anna", "1.00"),
        transfer("anna", "bert", "1.00"),
    )
    arrivals = decode(run.log, run.records, DECODER)
    refused = arrivals[3].asked
    assert isinstance(refused, Command)
    arrivals[3].asked = msgspec.structs.replace(refused, reference="a\0b")

    answers = await _post_halved(desk, Batch([run], arrivals, set()))

    assert [told(one) for one in answers] == ["posted"] * 3 + ["DeadLetter", "posted"]
    assert await backend.balances() == {
        "anna": 6_000 - 3 * 100 - 2 * 100,
        "bert": 6_300,
        "cash-EUR": -12_000,
        "fees-EUR": 200,
    }


async def _post_halved(desk: Desk, batch: Batch) -> list[Answer]:
    """Post a batch as the conveyor does: what is refused by its halves."""
    try:
        return (await post(batch, desk.ledger, desk.timelines, {})).answers
    except UnpostableError as error:
        found: list[Answer] = []
        for half in halves(batch, error, Unpostables(10)):
            found += await _post_halved(desk, half)
        return found
