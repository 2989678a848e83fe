"""What accountants read by SQL: balances, statements and their pages, trial balances."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from tests.builders import Desk, deposit, opening, transfer
from tests.integration.filled import READER, WORKER
from tests.integration.history import BUSY, CALM, LARGE, SMALL, months_on
from tests.integration.ledgers import PostgresBackend, postgres_backend

BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
PAGE = 50
# A page has 50 entries; each may lie in a block of its own, beside the blocks of the indexes.
PAGE_BUFFERS_MAX = 250
BALANCE_BUFFERS_MAX = 150
STATEMENT = "SELECT * FROM reporting.statement($1, $2, $3, $4, $5)"


@pytest.fixture
async def reader(history_url: str) -> AsyncIterator[asyncpg.Connection]:
    """Return a connection that may read the schema `reporting` and nothing else."""
    connection = await asyncpg.connect(history_url)
    await connection.execute(f"SET ROLE {READER}; SET timezone = 'UTC'")
    yield connection
    await connection.close()


@pytest.fixture
async def backend(ledger_url: str) -> AsyncIterator[PostgresBackend]:
    """Return an empty ledger of the test's own."""
    async with postgres_backend(ledger_url) as found:
        yield found


async def entries(reader: asyncpg.Connection, account: str, *bounds: Any) -> list[asyncpg.Record]:
    """Read a statement: from, to, after, page size."""
    given = [*bounds, *(BEGINNING, None, None, None)[len(bounds) :]]
    given[1] = given[1] or months_on(12)
    return list(await reader.fetch(STATEMENT, account, *given))


async def buffers(reader: asyncpg.Connection, sql: str) -> int:
    """Count the blocks that a statement touches once its plans and catalogues are known."""
    await reader.fetch(sql)
    (row,) = await reader.fetch(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}")
    plan = json.loads(row[0])[0]["Plan"]
    assert plan["Temp Written Blocks"] == 0
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def change(entry: asyncpg.Record) -> Decimal:
    """Give what an entry adds to the balance."""
    amount: Decimal = entry["amount"]
    return amount if entry["direction"] == "credit" else -amount


async def test_a_statement_is_an_unbroken_chain(reader: asyncpg.Connection) -> None:
    """Each balance is the one before it plus the change, over months and lines of one id."""
    found = await entries(reader, BUSY)
    places = [(one["booked_at"], one["ledger_sequence"], one["line"]) for one in found]
    balances = [Decimal(0), *(one["balance_after"] for one in found)]

    assert len(found) == LARGE
    assert len({(one.year, one.month) for one, _, _ in places}) == 3
    assert places == sorted(set(places))
    assert balances[1:] == [
        before + change(one) for before, one in zip(balances, found, strict=False)
    ]


async def test_pages_are_the_statement(reader: asyncpg.Connection) -> None:
    """Pages of any size, cut also within a transaction, give each entry once and in order."""
    whole = await entries(reader, CALM)
    pages: list[list[asyncpg.Record]] = []
    cursor = None
    while page := await entries(reader, CALM, BEGINNING, None, cursor, 7):
        pages.append(page)
        assert page[-1]["cursor"] != cursor, "a page must get on"
        cursor = page[-1]["cursor"]

    assert len(whole) == SMALL
    assert {len(page) for page in pages[:-1]} == {7}
    assert [one for page in pages for one in page] == whole


async def test_opening_plus_entries_is_closing(reader: asyncpg.Connection) -> None:
    """A period from within one month to within another, whose ends belong to the later period."""
    whole = await entries(reader, BUSY)
    first, last = whole[LARGE // 5]["booked_at"], whole[LARGE // 2]["booked_at"]
    found = await entries(reader, BUSY, first, last)
    at = "SELECT reporting.balance_at($1, $2)"
    before = await reader.fetchval(at, BUSY, first - MICROSECOND)
    after = await reader.fetchval(at, BUSY, last - MICROSECOND)

    assert first.month != last.month
    assert found == [one for one in whole if first <= one["booked_at"] < last]
    assert before + sum(change(one) for one in found) == after


async def test_a_page_costs_what_the_page_costs(reader: asyncpg.Connection) -> None:
    """A page touches as many blocks in the middle of a long history as in a short one."""
    costs = {}
    for account in (BUSY, CALM):
        whole = await entries(reader, account)
        for cursor in ("NULL", f"'{whole[len(whole) // 2]['cursor']}'"):
            sql = f"SELECT * FROM reporting.statement('{account}', '-infinity', 'infinity'"
            costs[account, cursor] = await buffers(reader, f"{sql}, {cursor}, {PAGE})")

    assert max(costs.values()) <= PAGE_BUFFERS_MAX, costs


async def test_a_balance_costs_a_look_at_the_index(reader: asyncpg.Connection) -> None:
    """Neither the balance at a moment nor the newest entries nor a value date read a history."""
    moment = (await entries(reader, BUSY))[LARGE // 2]["booked_at"]
    costs = [
        await buffers(reader, f"SELECT reporting.balance_at('{BUSY}', '{moment}')"),
        await buffers(reader, f"SELECT reporting.balance_at('{BUSY}', 'infinity')"),
        await buffers(
            reader, f"SELECT reporting.balance_at_value_date('{BUSY}', '{moment:%Y-%m-%d}')"
        ),
        await buffers(reader, f"SELECT * FROM reporting.newest_entries('{BUSY}', 10)"),
    ]

    assert max(costs) <= BALANCE_BUFFERS_MAX, costs


async def test_the_newest_entries_are_the_end_of_the_statement(reader: asyncpg.Connection) -> None:
    """Newest first, with what a statement says of them."""
    whole = await entries(reader, CALM)
    newest = await reader.fetch("SELECT * FROM reporting.newest_entries($1, 10)", CALM)

    both = set(newest[0].keys())
    assert both == set(whole[0].keys()) - {"booking_date", "cursor"}
    assert [dict(one) for one in newest] == [
        {name: value for name, value in one.items() if name in both} for one in whole[:-11:-1]
    ]


async def test_a_balance_is_of_its_very_moment(backend: PostgresBackend) -> None:
    """What was decided at the moment counts, a microsecond before it does not; then it is zero."""
    desk = Desk(await backend.connect())
    partition = await desk.claim()
    await desk.post(partition.add(opening("anna"), opening("bert")))
    moments = []
    for amount in ("100.00", "0.01"):
        await desk.post(partition.add(deposit("anna", amount), transfer("anna", "bert", amount)))
        moments.append(
            await backend.owner.fetchval("SELECT max(decided_at) FROM ledger.transaction")
        )
        await desk.post(partition.add(deposit("anna", "1.00")))

    at = "SELECT reporting.balance_at('{}', $1)"
    expected = {"anna": (0, 0, 1, 1), "bert": (0, 100, 100, Decimal("100.01"))}
    for name, held in expected.items():
        found = [
            await backend.owner.fetchval(at.format(name), moment)
            for one in moments
            for moment in (one - MICROSECOND, one)
        ]
        assert tuple(found) == held, name
    early = moments[0] - timedelta(days=1)
    assert str(await backend.owner.fetchval(at.format("anna"), early)) == "0.00"
    assert await backend.owner.fetchval(at.format("nobody"), moments[0]) is None


async def test_a_value_date_counts_for_itself(backend: PostgresBackend) -> None:
    """Money that counts earlier or later than it was booked is in the balance of its own day."""
    desk = Desk(await backend.connect())
    partition = await desk.claim()
    await desk.post(partition.add(opening("bert"), opening("anna"), deposit("anna", "100.00")))
    booked = await backend.owner.fetchval("SELECT decided_at FROM ledger.posting")
    for number, (days, amount) in enumerate(((-3, 10), (2, 5), (0, 1)), start=900):
        await post_with_value_date(backend.owner, number, booked, days, amount)
    day = booked.astimezone(UTC).date()
    found = {
        days: await backend.owner.fetchval(
            "SELECT reporting.balance_at_value_date('anna', $1)", day + timedelta(days=days)
        )
        for days in (-4, -3, -1, 0, 1, 2, 9)
    }

    left = Decimal("99.89")
    assert found == {
        -4: 0,
        -3: Decimal("-0.10"),
        -1: Decimal("-0.10"),
        0: left,
        1: left,
        2: left - Decimal("0.05"),
        9: left - Decimal("0.05"),
    }


async def post_with_value_date(
    owner: asyncpg.Connection, number: int, booked: datetime, days: int, amount: int
) -> None:
    """Post cents from anna to bert that count from another day, as no command does yet."""
    async with owner.transaction():
        await owner.execute(f"SET LOCAL ROLE {WORKER}")
        await owner.execute(
            "INSERT INTO ledger.transaction VALUES"
            " (lpad($1::bigint::text, 32, '0')::uuid, decode(repeat('00', 32), 'hex'), 1, $1, $2)",
            number,
            booked,
        )
        await owner.execute(
            "INSERT INTO ledger.posting (ledger_sequence, decided_at, transaction_id, source_id,"
            " source_offset, debit_account_id, credit_account_id, amount, debit_balance,"
            " credit_balance, value_date, currency, type, channel)"
            " SELECT $1, $2, lpad($1::bigint::text, 32, '0')::uuid, 1, $1, anna.account_id,"
            " bert.account_id, $4::bigint, anna.posted - $4, bert.posted + $4,"
            " ($2 AT TIME ZONE 'UTC')::date + $3::integer, 'EUR', 'transfer', 'mobile'"
            " FROM ledger.account AS anna, ledger.account AS bert"
            " WHERE anna.name = 'anna' AND bert.name = 'bert'",
            number,
            booked,
            days,
            amount,
        )


async def test_a_trial_balance_adds_up_at_any_moment(reader: asyncpg.Connection) -> None:
    """By kind and by account, now and in the past: debits are credits, balance by balance."""
    moment = (await entries(reader, BUSY))[LARGE // 2]["booked_at"]
    for at in (moment, months_on(12)):
        rows = await reader.fetch("SELECT * FROM reporting.trial_balance_of_accounts($1)", at)
        held = {one["account"]: one["credit_balance"] - one["debit_balance"] for one in rows}

        assert sum(one["debits"] for one in rows) == sum(one["credits"] for one in rows) != 0
        assert sum(held.values()) == 0
        assert held == {one["account"]: one["credits"] - one["debits"] for one in rows}
        for account, balance in held.items():
            at_moment = "SELECT reporting.balance_at($1, $2)"
            assert await reader.fetchval(at_moment, account, at) == balance, account
        kinds = await reader.fetch("SELECT * FROM reporting.trial_balance_at($1)", at)
        for side in ("debits", "credits"):
            assert sum(one[side] for one in kinds) == sum(one[side] for one in rows)


async def test_the_trial_balance_of_now_is_by_kind(reader: asyncpg.Connection) -> None:
    """Each kind of account with its place in the chart, on the side where its balance stands."""
    rows = await reader.fetch(
        "SELECT currency, code, kind, accounts, debit_balance::text, credit_balance::text"
        " FROM reporting.trial_balance WHERE kind = 'customer' OR currency = 'USD'"
        " ORDER BY currency, code"
    )

    assert [tuple(one) for one in rows] == [
        ("EUR", "2000", "customer", 3, "0.00", "220.00"),
        ("USD", "1000", "internal", 1, "0.00", "0.00"),
        ("USD", "2000", "customer", 1, "0.00", "0.00"),
    ]


async def test_a_new_month_has_the_indexes(history_url: str) -> None:
    """Every partition of postings, made by whatever migration or worker, has all of them."""
    connection = await asyncpg.connect(history_url)
    try:
        await connection.execute("SELECT ledger.create_month_partitions(5)")
        rows = await connection.fetch(
            "SELECT inhrelid::regclass::text, (SELECT count(*) FROM pg_index"
            " WHERE indrelid = inhrelid) FROM pg_inherits"
            " WHERE inhparent = 'ledger.posting'::regclass"
        )
    finally:
        await connection.close()

    assert len(rows) == 7
    assert {row[1] for row in rows} == {7}
