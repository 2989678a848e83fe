"""The family of a payment: what gave it back, what was to give it back, and who is on top."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from processor.ledger import lookup
from tests.builders import (
    Desk,
    capture,
    deposit,
    hold,
    new_id,
    opening,
    refund,
    release,
    reversal,
    told,
    transfer,
)
from tests.integration.ledgers import PostgresBackend, postgres_backend, settings_for

SHOP = opening("shop", kind="merchant")
PAID = {**transfer("anna", "shop", "30.00"), "type": "payment"}
GIVEN_BACK = {**reversal(PAID, "10.00"), "type": "refund"}
REVERSED = reversal(PAID, "5.00")
TOO_MUCH = reversal(PAID, "20.00")
OF_REVERSAL = reversal(REVERSED)
OTHER = deposit("anna", "1.00")
FAMILY = {
    PAID["transaction_id"]: (None, 0, "payment", "posted", None),
    GIVEN_BACK["transaction_id"]: (PAID["transaction_id"], 1, "refund", "posted", None),
    REVERSED["transaction_id"]: (PAID["transaction_id"], 1, "reversal", "posted", None),
    TOO_MUCH["transaction_id"]: (
        PAID["transaction_id"],
        1,
        "reversal",
        "rejected",
        "exceeds_original",
    ),
    OF_REVERSAL["transaction_id"]: (
        REVERSED["transaction_id"],
        2,
        "reversal",
        "rejected",
        "not_reversible",
    ),
}
"""Of each member its parent, depth, type, outcome and reason."""


@pytest.fixture
async def backend(ledger_url: str) -> AsyncIterator[PostgresBackend]:
    """Return a ledger with one family in it, and a payment beside it."""
    async with postgres_backend(ledger_url) as found:
        desk = Desk(await found.connect())
        partition = await desk.claim()
        await desk.post(partition.add(opening("anna"), SHOP, deposit("anna", "100.00")))
        for one in (PAID, GIVEN_BACK, REVERSED, TOO_MUCH, OF_REVERSAL, OTHER):
            await desk.post(partition.add(one), suspects=set())
        yield found


async def family(backend: PostgresBackend, member: str) -> dict[str, tuple[Any, ...]]:
    """Read a family by one of its members."""
    rows = await backend.owner.fetch(
        "SELECT transaction_id::text, parent_transaction_id::text, depth, type, outcome, reason"
        " FROM reporting.payment_family WHERE root_transaction_id = reporting.payment_root($1)"
        " ORDER BY ledger_sequence",
        member,
    )
    return {row[0]: tuple(row)[1:] for row in rows}


async def test_any_member_leads_to_the_whole_family(backend: PostgresBackend) -> None:
    """The payment, what gave it back, and what was refused; each under what it names."""
    for member in FAMILY:
        assert await family(backend, member) == FAMILY
    alone = {OTHER["transaction_id"]: (None, 0, "deposit", "posted", None)}
    assert await family(backend, OTHER["transaction_id"]) == alone
    assert await family(backend, new_id()) == {}


async def test_each_payment_is_in_one_family(backend: PostgresBackend) -> None:
    """The view as a whole has each decided id once."""
    rows = await backend.owner.fetch("SELECT transaction_id FROM reporting.payment_family")
    known = await backend.owner.fetch("SELECT transaction_id FROM ledger.transaction")

    assert sorted(str(row[0]) for row in rows) == sorted(str(row[0]) for row in known)


async def test_the_lookup_nests_the_family(backend: PostgresBackend) -> None:
    """Members below members, with amounts and reasons; on top what is left to give back."""
    found = await lookup.payment(settings_for(backend.url), OF_REVERSAL["transaction_id"])
    assert found is not None
    root = found["family"]
    shown = [(one["type"], one["amount"], one["reason"]) for one in root["members"]]

    assert found["reason"] == "not_reversible"
    assert (root["transaction_id"], root["amount"]) == (PAID["transaction_id"], "30.00")
    assert (root["left_to_reverse"], root["is_whole"]) == ("15.00", True)
    assert shown == [
        ("refund", "10.00", None),
        ("reversal", "5.00", None),
        ("reversal", "20.00", "exceeds_original"),
    ]
    (below,) = root["members"][1]["members"]
    assert (below["transaction_id"], below["members"]) == (OF_REVERSAL["transaction_id"], [])


async def test_what_came_too_early_belongs_to_the_family(ledger_url: str) -> None:
    """An attempt before its original is found below it; those that name each other end there."""
    late = deposit("anna", "1.00")
    early, itself = reversal(late), reversal({"transaction_id": new_id()})
    itself["original_transaction_id"] = itself["transaction_id"]
    first, second = reversal({"transaction_id": new_id()}), reversal(early)
    second["original_transaction_id"] = first["transaction_id"]
    first["original_transaction_id"] = second["transaction_id"]
    async with postgres_backend(ledger_url) as backend:
        desk = Desk(await backend.connect())
        partition = await desk.claim()
        for one in (opening("anna"), early, itself, first, second, late):
            words = [told(answer) for answer in await desk.post(partition.add(one))]
            assert words[0] in {"posted", "original_not_found", "original_not_posted"}

        assert list(await family(backend, early["transaction_id"])) == [
            early["transaction_id"],
            late["transaction_id"],
        ]
        assert list(await family(backend, itself["transaction_id"])) == [itself["transaction_id"]]
        pair = [first["transaction_id"], second["transaction_id"]]
        assert list(await family(backend, second["transaction_id"])) == pair
        assert list(await family(backend, first["transaction_id"])) == pair


async def test_a_hold_is_on_top_of_all_that_came_of_it(ledger_url: str) -> None:
    """Captures, releases and what was refused, and below a capture what was given back of it."""
    placed = hold("anna", "shop", "50.00", capture_max="60.00")
    taken = capture(placed, "20.00")
    too_much, back = capture(placed, "60.00"), refund(taken, "5.00")
    freed = release(placed, "10.00")
    steps = [placed, taken, too_much, back, freed]
    async with postgres_backend(ledger_url) as backend:
        desk = Desk(await backend.connect())
        partition = await desk.claim()
        await desk.post(partition.add(opening("anna"), SHOP, deposit("anna", "100.00")))
        for one in steps:
            await desk.post(partition.add(one))

        found = await family(backend, back["transaction_id"])
        told_of = await lookup.payment(settings_for(backend.url), too_much["transaction_id"])

    top, below = placed["transaction_id"], taken["transaction_id"]
    assert found == {
        top: (None, 0, "hold.place", "posted", None),
        below: (top, 1, "hold.capture", "posted", None),
        too_much["transaction_id"]: (top, 1, "hold.capture", "rejected", "exceeds_hold"),
        back["transaction_id"]: (below, 2, "refund", "posted", None),
        freed["transaction_id"]: (top, 1, "hold.release", "posted", None),
    }
    assert told_of is not None
    assert told_of["family"]["hold"] == {
        "placed": "50.00",
        "held": "20.00",
        "captured": "20.00",
        "released": "10.00",
        "capture_max": "60.00",
        "expires_at": None,
        "status": "open",
    }
