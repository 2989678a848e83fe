"""Commands of many lines in the ledger: what a bug can't write, and what readers see of them."""

from __future__ import annotations

from decimal import Decimal

import asyncpg
import msgspec
import pytest

from processor.core.answers import First
from processor.core.books import Books, Ruling
from processor.core.catalogue import CATALOGUE
from processor.core.commands import Journal
from processor.core.decisions import journal as rule
from processor.core.reasons import Reason
from processor.errors import UnpostableError
from tests.builders import (
    Desk,
    Partition,
    deposit,
    fx,
    journal,
    line,
    new_id,
    opening,
    told,
    transfer,
)
from tests.integration.ledgers import Backend, postgres_backend

GIVEN = [opening("anna"), opening("bert"), opening("andy", currency="USD"), deposit("anna", "90")]
SPLIT = journal(
    line("anna", "debit", "30.00", reference="yours"),
    line("bert", "credit", "10.00"),
    line("cash-EUR", "credit", "20.00"),
    reference="split",
)


async def opened(backend: Backend) -> tuple[Desk, Partition]:
    """Give a worker with GIVEN posted."""
    desk = Desk(await backend.connect())
    partition = await desk.claim()
    assert [told(one) for one in await desk.post(partition.add(*GIVEN))] == ["posted"] * 4
    return desk, partition


@pytest.mark.parametrize(
    ("kept", "amount", "overdraws", "constraint"),
    [
        (2, "30.00", False, "clearing_is_even"),
        (3, "90.01", False, "balance_within_limit"),
        (3, "90.01", True, None),
    ],
)
async def test_a_wrong_decision_is_not_written(
    backend: Backend,
    monkeypatch: pytest.MonkeyPatch,
    kept: int,
    amount: str,
    *,
    overdraws: bool,
    constraint: str | None,
) -> None:
    """Lines that leave something in clearing, or a lack of funds that no flag allows."""
    desk, partition = await opened(backend)
    before = await backend.balances()
    given = line("anna", "debit", amount), line("bert", "credit", "10.00")
    rest = to_rest(amount)
    asked = journal(*given, line("cash-EUR", "credit", rest), on_shortfall="overdraw")
    decide = rule.decide

    def wrongly(command: Journal, books: Books, refused: Reason | None) -> Ruling:
        ruling = decide(command, books, refused)
        lines = [msgspec.structs.replace(one, overdraws=overdraws) for one in ruling.postings]
        return msgspec.structs.replace(ruling, postings=tuple(lines[:kept]))

    catalogue = CATALOGUE.copy()
    catalogue[Journal] = msgspec.structs.replace(CATALOGUE[Journal], decide=wrongly)
    monkeypatch.setattr("processor.core.answers.CATALOGUE", catalogue)
    if constraint is None:
        assert [told(one) for one in await desk.post(partition.add(asked))] == ["posted"]
        return
    with pytest.raises(UnpostableError, match=constraint):
        await desk.post(partition.add(asked))
    assert await backend.balances() == before


def to_rest(amount: str) -> str:
    """Give what is left of an amount after 10.00."""
    return str(Decimal(amount) - 10)


async def test_own_accounts_are_made_once(backend: Backend) -> None:
    """The first journal and the first exchange make them, later ones find what they hold."""
    desk, partition = await opened(backend)
    exchange = fx("anna", "andy", "10.00", "10.82")
    again = {**exchange, "transaction_id": new_id()}

    once_more = {**SPLIT, "transaction_id": new_id()}
    for document in (SPLIT, exchange, again, once_more):
        (answer,) = await desk.post(partition.add(document))
        assert isinstance(answer, First)
        assert told(answer) == "posted"

    assert await backend.balances() == {
        "anna": 10_00,
        "bert": 20_00,
        "andy": 21_64,
        "cash-EUR": -50_00,
        "cash-USD": 0,
        "clearing-EUR": 0,
        "position-EUR": 20_00,
        "position-USD": -21_64,
    }


async def test_readers_see_every_line(ledger_url: str) -> None:
    """Entries count through the lines; a payment is one row, whatever it consists of."""
    async with postgres_backend(ledger_url) as backend:
        desk, partition = await opened(backend)
        exchange = fx("anna", "andy", "10.00", "10.82", reference="holiday")
        refused = journal(line("bert", "debit", "99"), line("anna", "credit", "99"))
        paid = transfer("anna", "bert", "1.00", reference="rent")
        await desk.post(partition.add(SPLIT, exchange, refused, paid))
        payments = await backend.owner.fetch(
            "SELECT type, reason, amount, currency, debit_account, credit_account, reference"
            " FROM reporting.payments WHERE account IS NULL ORDER BY ledger_sequence"
        )
        split = await entries(backend.owner, SPLIT["transaction_id"])
        exchanged = await entries(backend.owner, exchange["transaction_id"])

    nothing = (None, None, None, None)
    assert [tuple(row) for row in payments][1:] == [
        ("journal", None, *nothing, "split"),
        ("fx.transfer", None, Decimal("10.00"), "EUR", "anna", "andy", "holiday"),
        ("journal", "insufficient_funds", *nothing, None),
        ("transfer", None, Decimal("1.00"), "EUR", "anna", "bert", "rent"),
    ]
    assert split == [
        (1, "anna", "debit", "30.00", "EUR", "60.00", "yours"),
        (2, "clearing-EUR", "credit", "30.00", "EUR", "30.00", "yours"),
        (3, "clearing-EUR", "debit", "10.00", "EUR", "20.00", "split"),
        (4, "bert", "credit", "10.00", "EUR", "10.00", "split"),
        (5, "clearing-EUR", "debit", "20.00", "EUR", "0.00", "split"),
        (6, "cash-EUR", "credit", "20.00", "EUR", "-70.00", "split"),
    ]
    assert exchanged == [
        (1, "anna", "debit", "10.00", "EUR", "50.00", "holiday"),
        (2, "position-EUR", "credit", "10.00", "EUR", "10.00", "holiday"),
        (3, "position-USD", "debit", "10.82", "USD", "-10.82", "holiday"),
        (4, "andy", "credit", "10.82", "USD", "10.82", "holiday"),
    ]


async def entries(owner: asyncpg.Connection, transaction_id: str) -> list[tuple[object, ...]]:
    """Read the lines of a transaction as reports show them."""
    rows = await owner.fetch(
        "SELECT line, account, direction, amount::text, currency, balance_after::text, reference"
        " FROM reporting.entries WHERE transaction_id = $1::uuid ORDER BY line",
        transaction_id,
    )
    return [tuple(row) for row in rows]
