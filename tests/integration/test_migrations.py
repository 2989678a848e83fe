"""Migrations: numbered, checksummed, forward only, one at a time; and what they make."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from deploy.local import PostgresServer
from processor.core.currencies import DIGITS
from processor.errors import ProcessorError
from processor.ledger.migrate import Migrated, MigrationError, migrate, migrations
from tests.integration.ledgers import MIGRATIONS, postgres_backend, settings_for
from tests.integration.schema_dump import SCHEMA, dumped

LOCK = 0x6C6564676572
WAIT_S = 0.2


async def migrated(url: str, folder: Path = MIGRATIONS, *, test_ledger: bool = False) -> Migrated:
    """Migrate as the owner."""
    return await migrate(settings_for(url, role=None), folder, test_ledger=test_ledger)


@pytest.fixture
async def owner(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """Return a connection to the test's own empty database."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy of the migrations, to be changed."""
    return Path(shutil.copytree(MIGRATIONS, tmp_path / "ledger"))


def test_the_schema_is_what_the_migrations_make(
    postgres: PostgresServer, ledger_template: str
) -> None:
    """The file that people read is the database that the worker meets."""
    assert dumped(postgres, ledger_template) == SCHEMA.read_text()


def test_numbers_have_no_gaps() -> None:
    """The files follow each other from 0000, and `schema.sql` is none of them."""
    names = [path.name for path in migrations(MIGRATIONS)]

    assert [name[:4] for name in names] == [f"{number:04}" for number in range(len(names))]
    assert SCHEMA.name not in names


async def test_each_file_is_applied_once(database_url: str, owner: asyncpg.Connection) -> None:
    """In order, noted with its checksum; the second run does nothing."""
    files = migrations(MIGRATIONS)

    first, second = await migrated(database_url), await migrated(database_url)

    assert first.applied == [path.name for path in files]
    assert (second.applied, second.total) == ([], len(files))
    rows = await owner.fetch("SELECT name, sha256 FROM ledger.migration ORDER BY applied_at")
    assert [(row["name"], row["sha256"]) for row in rows] == [
        (path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in files
    ]


async def test_two_at_once_apply_each_file_once(database_url: str) -> None:
    """The second waits for the first and finds nothing left to do."""
    both = await asyncio.gather(migrated(database_url), migrated(database_url))

    assert sorted(len(one.applied) for one in both) == [0, len(migrations(MIGRATIONS))]


async def test_migrations_wait_for_the_lock(database_url: str, owner: asyncpg.Connection) -> None:
    """While another holds the advisory lock nothing is touched."""
    await owner.execute("SELECT pg_advisory_lock($1)", LOCK)
    running = asyncio.create_task(migrated(database_url))
    _, waiting = await asyncio.wait([running], timeout=WAIT_S)

    assert waiting == {running}
    assert await owner.fetchval("SELECT to_regnamespace('ledger') IS NULL")
    await owner.execute("SELECT pg_advisory_unlock($1)", LOCK)
    assert (await running).applied == [path.name for path in migrations(MIGRATIONS)]


async def test_a_changed_file_is_refused(database_url: str, folder: Path) -> None:
    """What was applied can't be edited afterwards, not even a comment."""
    await migrated(database_url, folder)
    changed = folder / "0002_rules.sql"
    changed.write_text(changed.read_text() + "-- more\n")

    with pytest.raises(MigrationError, match=r"^0002_rules\.sql was changed after it was applied$"):
        await migrated(database_url, folder)


async def test_an_unknown_applied_file_is_refused(database_url: str, folder: Path) -> None:
    """An older release does not touch a newer database."""
    (folder / "0099_later.sql").write_text("CREATE TABLE ledger.later (a integer);\n")
    await migrated(database_url, folder)

    with pytest.raises(MigrationError, match=r"0099_later\.sql applied, which this release does"):
        await migrated(database_url)


async def test_a_file_can_not_be_slipped_in(database_url: str, folder: Path) -> None:
    """Forward only: what comes before an applied file is never applied after it."""
    await migrated(database_url, folder)
    (folder / "0002_after_all.sql").write_text("CREATE TABLE ledger.later (a integer);\n")

    with pytest.raises(MigrationError, match=r"^0002_after_all\.sql comes before "):
        await migrated(database_url, folder)


async def test_a_new_file_is_applied_on_top(
    database_url: str, owner: asyncpg.Connection, folder: Path
) -> None:
    """Only what is new; the ledger stays the one it is."""
    await migrated(database_url, folder)
    ledger_id = await owner.fetchval("SELECT ledger_id FROM ledger.identity")
    (folder / "0099_later.sql").write_text("CREATE TABLE ledger.later (a integer);\n")

    assert (await migrated(database_url, folder)).applied == ["0099_later.sql"]
    assert await owner.fetchval("SELECT ledger_id FROM ledger.identity") == ledger_id
    assert await owner.fetchval("SELECT count(*) FROM ledger.timeline") == 1


async def test_a_file_that_fails_leaves_nothing(
    database_url: str, owner: asyncpg.Connection, folder: Path
) -> None:
    """Each file is one transaction; the error is one line."""
    await migrated(database_url, folder)
    (folder / "0099_later.sql").write_text("CREATE TABLE ledger.later (a integer);\nSELECT 1/0;\n")

    with pytest.raises(ProcessorError, match="division by zero"):
        await migrated(database_url, folder)
    assert await owner.fetchval("SELECT to_regclass('ledger.later') IS NULL")
    assert await owner.fetchval("SELECT max(name) FROM ledger.migration") < "0099"


async def test_a_real_ledger_never_becomes_a_test_ledger(database_url: str) -> None:
    """The mark is set at birth, and a test ledger keeps it."""
    assert not (await migrated(database_url)).is_test
    with pytest.raises(MigrationError, match="a real ledger"):
        await migrated(database_url, test_ledger=True)
    assert not (await migrated(database_url)).is_test


async def test_a_test_ledger_stays_one(database_url: str) -> None:
    """Asking again, or not asking, changes nothing."""
    words = [await migrated(database_url, test_ledger=asked) for asked in (True, False, True)]

    assert [one.is_test for one in words] == [True, True, True]


async def test_currencies_are_those_of_the_contract(ledger_url: str) -> None:
    """The database and the commands agree on every code and its digits."""
    async with postgres_backend(ledger_url) as backend:
        rows = await backend.owner.fetch("SELECT code, digits FROM ledger.currency")

    assert {row["code"]: row["digits"] for row in rows} == dict(DIGITS)


async def test_kinds_are_those_of_the_chart(ledger_url: str) -> None:
    """The chart, the table and what the accounts are held to agree on every kind."""
    chart = json.loads((MIGRATIONS.parent / "chart_of_accounts.v1.json").read_bytes())["kinds"]
    async with postgres_backend(ledger_url) as backend:
        rows = await backend.owner.fetch("SELECT * FROM ledger.account_kind")
        found = {row["kind"]: dict(row) for row in rows}
        allowed = {
            kind: [limit for limit in (None, 0, 1) if await _opens(backend.owner, kind, limit)]
            for kind in found
        }

    assert found == {kind: {"kind": kind, **entry} for kind, entry in chart.items()}
    for kind, entry in chart.items():
        limits = [0, 1] if entry["may_overdraw"] else [0] if entry["limited"] else [None]
        assert allowed[kind] == limits, kind


async def _opens(owner: asyncpg.Connection, kind: str, limit: int | None) -> bool:
    try:
        await owner.execute(
            "INSERT INTO ledger.account (name, currency, kind, overdraft_limit, opened_at)"
            " VALUES ($1, 'EUR', $2, $3, now())",
            f"{kind}-{limit}",
            kind,
            limit,
        )
    except asyncpg.CheckViolationError:
        return False
    return True


def first_of_own(name: str) -> str:
    """Give the number of the migration since which the bank has accounts of its own of a name."""
    return "0012" if name.startswith("fees-") else "0009"


@pytest.mark.parametrize(
    ("name", "is_own"),
    [
        ("clearing-EUR", True),
        ("position-JPY", True),
        ("fees-EUR", True),
        ("fees-XAU", False),
        ("clearing-eur", False),
        ("position-XAU", False),
        ("my-position-EUR", False),
    ],
)
async def test_the_names_of_the_banks_own_accounts_must_be_free(
    database_url: str, owner: asyncpg.Connection, folder: Path, name: str, *, is_own: bool
) -> None:
    """An account that was opened under one keeps the migration from going on, in one line."""
    for path in migrations(folder):
        if path.name >= first_of_own(name):
            path.unlink()
    await migrated(database_url, folder)
    await owner.execute(
        "INSERT INTO ledger.account (name, currency, kind, overdraft_limit, opened_at)"
        " VALUES ($1, 'EUR', 'customer', 0, now())",
        name,
    )

    said = None
    try:
        await migrated(database_url)
    except ProcessorError as error:
        said = str(error)
    last = await owner.fetchval("SELECT max(name) FROM ledger.migration")
    assert (said is not None, last < first_of_own(name)) == (is_own, is_own)
    line = f"the name of account {name} now belongs to an account of the bank's own"
    assert said in (None, f"PostgreSQL says P0001: {line}")


async def test_months_are_made_ahead_and_once(ledger_url: str) -> None:
    """Workers that start together make the same partitions; each refuses changes as the rest."""
    async with postgres_backend(ledger_url) as backend:
        ledgers = [await backend.connect() for _ in range(3)]
        await asyncio.gather(*(ledger.prepare() for ledger in ledgers))
        await backend.owner.execute("SELECT ledger.create_month_partitions(5)")
        months = await backend.owner.fetch(
            "SELECT relname, array(SELECT tgname::text FROM pg_trigger WHERE tgrelid = pg_class.oid"
            " ORDER BY 1) FROM pg_class WHERE relname ~ '^(posting|refusal)_[0-9_]+$'"
            " AND relkind = 'r' AND relnamespace = 'ledger'::regnamespace"
        )

    assert len(months) == 2 * 6
    assert {name.split("_")[0]: triggers for name, triggers in months} == {
        "posting": ["apply_postings", "records_stay"],
        "refusal": ["records_stay"],
    }


async def test_growing_tables_are_sampled_little(ledger_url: str) -> None:
    """ANALYZE looks at few rows of every partition, those of months to come among them."""
    async with postgres_backend(ledger_url) as backend:
        await backend.owner.execute("SELECT ledger.create_month_partitions(5)")
        columns = await backend.owner.fetch(
            "SELECT relname, attname, attstattarget FROM pg_attribute"
            " JOIN pg_class ON pg_class.oid = attrelid WHERE attnum > 0 AND relkind = 'r'"
            " AND relnamespace = 'ledger'::regnamespace"
            " AND relname ~ '^(transaction|posting|refusal)_([0-9_]+|default)$'"
        )

    assert {row["attstattarget"] for row in columns} == {10}
    assert len({row["relname"] for row in columns}) == 8 + 2 * 7


async def test_what_was_booked_before_has_its_utc_date(
    database_url: str, owner: asyncpg.Connection, folder: Path
) -> None:
    """In each partition; and what a worker of the release before writes is dated all the same."""
    for path in migrations(folder):
        if path.name >= "0013":
            path.unlink()
    await migrated(database_url, folder)
    insert = (
        "INSERT INTO ledger.posting (ledger_sequence, decided_at, transaction_id, source_id,"
        " source_offset, debit_account_id, credit_account_id, amount, debit_balance,"
        " credit_balance, value_date, currency, type, channel)"
        " SELECT n, moment::timestamptz, gen_random_uuid(), 1, n, 1, 2, 1, 0, 0, '2020-01-01',"
        " 'EUR', 'transfer', 'mobile' FROM unnest($1::text[]) WITH ORDINALITY AS one (moment, n)"
    )
    await owner.execute("SET session_replication_role = replica; SET timezone = 'Asia/Tokyo'")
    await owner.execute(insert, ["2024-02-29T23:59:59Z", "2024-03-01T00:00:00Z"])
    await owner.execute(insert.replace("SELECT n", "SELECT 9 + n"), ["2019-01-01T12:00:00+14:00"])
    await migrated(database_url)
    await owner.execute(insert.replace("SELECT n", "SELECT 19 + n"), ["2019-01-01T12:00:00Z"])

    rows = await owner.fetch("SELECT booking_date FROM ledger.posting ORDER BY ledger_sequence")
    today = await owner.fetchval("SELECT (now() AT TIME ZONE 'UTC')::date")
    assert [str(row[0]) for row in rows] == ["2024-02-29", "2024-03-01", "2018-12-31", str(today)]
    assert await owner.fetchval("SELECT count(*) FROM reporting.closed_days") == 0
