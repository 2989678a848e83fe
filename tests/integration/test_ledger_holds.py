"""Holds in every `Ledger`: whatever a batch does with them, and two workers at once."""

from __future__ import annotations

import pytest

from tests.builders import (
    Desk,
    Document,
    capture,
    closing,
    deposit,
    hold,
    limit,
    opening,
    refund,
    release,
    reversal,
    told,
    transfer,
    withdrawal,
)
from tests.integration.ledgers import Backend
from tests.integration.races import Race

ANNA, SHOP = opening("anna", overdraft_limit="20.00"), opening("shop", kind="merchant")
PLACED = hold("anna", "shop", "60.00")
OVER = hold("anna", "shop", "60.00", capture_max="100.00")

BATCHES: dict[str, tuple[list[Document], list[str], tuple[int, int, int]]] = {
    "placed with money that comes in the same batch": (
        [deposit("anna", "40.00"), PLACED],
        ["posted", "posted"],
        (40_00, 60_00, 0),
    ),
    "placed, taken and freed at once": (
        [deposit("anna", "40.00"), PLACED, capture(PLACED, "50.00"), release(PLACED)],
        ["posted"] * 4,
        (-10_00, 0, 50_00),
    ),
    "freed to pay something else": (
        [
            deposit("anna", "40.00"),
            PLACED,
            withdrawal("anna", "0.01"),
            release(PLACED, "10.00"),
            withdrawal("anna", "10.00"),
        ],
        ["posted", "posted", "insufficient_funds", "posted", "posted"],
        (30_00, 50_00, 0),
    ),
    "freed and placed again": (
        [deposit("anna", "40.00"), PLACED, release(PLACED), hold("anna", "shop", "60.00")],
        ["posted"] * 4,
        (40_00, 60_00, 0),
    ),
    "taken below a limit that was lowered": (
        [
            deposit("anna", "50.00"),
            PLACED,
            limit("anna", "0.00"),
            capture(PLACED, "30.00"),
            withdrawal("anna", "0.01"),
            capture(PLACED),
        ],
        ["posted", "posted", "posted", "posted", "insufficient_funds", "posted"],
        (-10_00, 0, 60_00),
    ),
    "under a limit that was raised for it": (
        [limit("anna", "70.00"), PLACED, limit("anna", "10.00"), capture(PLACED)],
        ["posted"] * 4,
        (-60_00, 0, 60_00),
    ),
    "beyond what was set aside": (
        [deposit("anna", "60.00"), OVER, capture(OVER, "75.00"), capture(OVER, "5.01")],
        ["posted", "posted", "posted", "insufficient_funds"],
        (-15_00, 0, 75_00),
    ),
    "emptied and closed": (
        [deposit("anna", "60.00"), PLACED, capture(PLACED), closing("anna")],
        ["posted"] * 4,
        (0, 0, 60_00),
    ),
}


async def held(backend: Backend) -> tuple[int, int, int]:
    """Give what anna has, what is held of it, and what the shop got."""
    balances, holding = await backend.balances(), await backend.held()
    return balances["anna"], holding["anna"], balances["shop"]


@pytest.mark.parametrize("case", BATCHES)
@pytest.mark.parametrize("at_once", [True, False])
async def test_a_batch_with_holds(backend: Backend, case: str, *, at_once: bool) -> None:
    """At once or one by one: the same answers, and the ledger takes all that was decided."""
    documents, words, expected = BATCHES[case]
    desk = Desk(await backend.connect())
    partition = await desk.claim()
    await desk.post(partition.add(ANNA, SHOP))

    found: list[str] = []
    for batch in [documents] if at_once else [[one] for one in documents]:
        found += [told(one) for one in await desk.post(partition.add(*batch))]

    assert found == words
    assert await held(backend) == expected


async def test_two_captures_of_all(race: Race, backend: Backend) -> None:
    """One takes the money, the other finds nothing left."""
    await race.given(ANNA, SHOP, deposit("anna", "60.00"), PLACED)

    words = await race.run([capture(PLACED)], [capture(PLACED)])

    assert words == [["posted"], ["hold_not_open"]]
    assert await held(backend) == (0, 0, 60_00)


async def test_a_capture_and_a_release(race: Race, backend: Backend) -> None:
    """What is freed is not taken, whichever comes first."""
    await race.given(ANNA, SHOP, deposit("anna", "60.00"), PLACED)

    words = await race.run([release(PLACED, "50.00")], [capture(PLACED, "10.01"), capture(PLACED)])

    assert words == [["posted"], ["exceeds_hold", "posted"]]
    assert await held(backend) == (50_00, 0, 10_00)


async def test_two_holds_on_the_same_money(race: Race, backend: Backend) -> None:
    """The second sees what the first has set aside."""
    await race.given(ANNA, SHOP, deposit("anna", "60.00"))

    words = await race.run([PLACED], [hold("anna", "shop", "20.01"), hold("anna", "shop", "20.00")])

    assert words == [["posted"], ["insufficient_funds", "posted"]]
    assert await held(backend) == (60_00, 80_00, 0)


async def test_a_hold_and_a_transfer_of_the_same_money(race: Race, backend: Backend) -> None:
    """What is set aside is not there for others."""
    await race.given(ANNA, SHOP, deposit("anna", "60.00"))

    words = await race.run([PLACED], [transfer("anna", "shop", "20.01")])

    assert words == [["posted"], ["insufficient_funds"]]
    assert await held(backend) == (60_00, 60_00, 0)


async def test_a_refund_and_a_reversal_of_one_capture(race: Race, backend: Backend) -> None:
    """Together they give back no more than was taken."""
    taken = capture(PLACED, "50.00")
    await race.given(ANNA, SHOP, deposit("anna", "60.00"), PLACED, taken)

    words = await race.run([refund(taken, "30.00")], [reversal(taken, "20.01"), reversal(taken)])

    assert words == [["posted"], ["exceeds_original", "posted"]]
    assert await held(backend) == (60_00, 10_00, 0)
