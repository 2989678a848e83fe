"""Records stay as they are, and each role can do its job and nothing else."""

from __future__ import annotations

import asyncpg
import pytest

from tests.integration.filled import OWNER, READER, STRANGER, WORKER, attempt

ACCEPTED = ("", None)
NOT_ALLOWED = ("42501", None)
STAYS = ("23001", "records_stay")

TABLES = {
    "closing",
    "account",
    "account_change",
    "account_kind",
    "conflict",
    "currency",
    "dead_letter",
    "hold",
    "hole",
    "identity",
    "migration",
    "operator_decision",
    "position",
    "posting",
    "refusal",
    "repeat",
    "reversal_total",
    "spending",
    "spending_limit",
    "spent",
    "source",
    "timeline",
    "transaction",
}
WORKER_INSERTS = TABLES - {"account", "account_kind", "currency", "identity", "migration"}
WORKER_INSERTS -= {*("closing", "hold", "reversal_total", "spending_limit", "spent", "timeline")}
COLUMNS = "name, currency, kind, overdraft_limit, opened_at"
RICH = "'rich', 'EUR', 'customer', 100, now()"
VIEWS = (
    "balances",
    "chart_of_accounts",
    "payments",
    "entries",
    "trial_balance",
    "payment_family",
    "holds",
    "tariffs",
    "closed_days",
    "business_day",
)
CALLS = (
    "balance_at('anna', now())",
    "balance_at_booking_date('anna', '2026-11-21')",
    "balance_at_value_date('anna', '2026-11-21')",
    "statement('anna', '-infinity')",
    "newest_entries('anna', 1)",
    "trial_balance_at('infinity')",
    "trial_balance_of_accounts()",
    "trial_balance_of_day('2026-11-21')",
    "trial_balance_of_accounts_of_day('2026-11-21')",
    "payment_root(gen_random_uuid())",
)


async def fetch(url: str, sql: str) -> list[asyncpg.Record]:
    """Read rows as the owner."""
    connection = await asyncpg.connect(url)
    try:
        return list(await connection.fetch(sql))
    finally:
        await connection.close()


async def tables_of(url: str) -> dict[str, str]:
    """Give every table of the ledger, partitions included, with its first column."""
    rows = await fetch(
        url,
        "SELECT relname, (SELECT attname FROM pg_attribute WHERE attrelid = pg_class.oid"
        " AND attnum > 0 AND attgenerated = '' AND attidentity = '' ORDER BY attnum LIMIT 1)"
        " FROM pg_class WHERE relnamespace = 'ledger'::regnamespace AND relkind IN ('r', 'p')",
    )
    return {row[0]: row[1] for row in rows}


async def test_the_filled_ledger_has_a_row_in_every_table(filled_url: str) -> None:
    """What is tried below is tried on something."""
    tables = await tables_of(filled_url)

    assert {name for name in tables if not name[-1].isdigit() and "default" not in name} == TABLES
    counts = [
        (await fetch(filled_url, f"SELECT count(*) FROM ledger.{name}"))[0][0] for name in TABLES
    ]
    assert all(counts), dict(zip(TABLES, counts, strict=True))


async def test_no_row_is_changed_or_removed_by_the_owner(filled_url: str) -> None:
    """In no table and no partition, by no UPDATE, DELETE or TRUNCATE; positions alone move on."""
    for table, column in (await tables_of(filled_url)).items():
        update = f"UPDATE ledger.{table} SET {column} = {column}"
        refused = ACCEPTED if table == "position" else STAYS

        assert await attempt(filled_url, OWNER, update) == refused, table
        assert await attempt(filled_url, OWNER, f"DELETE FROM ledger.{table}") == STAYS, table
        truncate = f"TRUNCATE ledger.{table} CASCADE"
        assert await attempt(filled_url, OWNER, truncate) == STAYS, table


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE ledger.account SET posted = posted + 1",
        "UPDATE ledger.account SET status = 'closed'",
        "UPDATE ledger.account SET overdraft_limit = 1",
        "UPDATE ledger.account SET tolerated = 1",
        "UPDATE ledger.account SET currency = 'USD'",
        "UPDATE ledger.account SET name = 'other' WHERE name = 'anna'",
        f"INSERT INTO ledger.account ({COLUMNS}, posted) VALUES ({RICH}, 100)",
        f"INSERT INTO ledger.account ({COLUMNS}, held) VALUES ({RICH}, 100)",
        "INSERT INTO ledger.reversal_total VALUES (gen_random_uuid(), 100, 1)",
        "UPDATE ledger.reversal_total SET reversed_amount = 1",
        "UPDATE ledger.reversal_total SET original_amount = 99999",
        "UPDATE ledger.identity SET is_test = false",
        "UPDATE ledger.currency SET digits = 3 WHERE code = 'EUR'",
        "UPDATE ledger.migration SET sha256 = ''",
    ],
)
async def test_the_owners_hand_moves_no_money(filled_url: str, sql: str) -> None:
    """Balances and totals follow from postings; what is agreed does not change afterwards."""
    assert await attempt(filled_url, OWNER, sql) == STAYS


@pytest.mark.parametrize(
    ("row", "constraint"),
    [
        ("('no good', 'EUR', 'customer', 0)", "account_name_check"),
        ("('', 'EUR', 'customer', 0)", "account_name_check"),
        ("('x', 'EUR', 'pirate', 0)", "account_of_kind"),
        ("('x', 'EUR', 'customer', NULL)", "kind_has_limit"),
        ("('x', 'EUR', 'internal', 0)", "kind_has_limit"),
        ("('x', 'EUR', 'customer', -1)", "account_overdraft_limit_check"),
        ("('x', 'XAU', 'customer', 0)", "account_currency_fkey"),
        ("('anna', 'EUR', 'customer', 0)", "account_name_once"),
    ],
)
@pytest.mark.parametrize("role", [OWNER, WORKER])
async def test_accounts_are_of_a_known_shape(
    filled_url: str, role: str, row: str, constraint: str
) -> None:
    """Names, kinds, limits and currencies are checked where they come in."""
    sql = f"INSERT INTO ledger.account ({COLUMNS}) VALUES {row[:-1]}, now())"

    assert (await attempt(filled_url, role, sql))[1] == constraint


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("next_offset = next_offset + 1", None),
        ("delivered_offset = next_offset + 1", "delivered_is_posted"),
        ("delivered_offset = first_offset - 1", "delivered_is_posted"),
        ("last_offset = next_offset", "last_is_before_next"),
        ("last_digest = NULL", "last_is_whole"),
    ],
)
async def test_positions_keep_their_order(
    filled_url: str, change: str, constraint: str | None
) -> None:
    """First, delivered, next: in this order, and the last record is before the next."""
    sql = f"UPDATE ledger.position SET {change}"

    assert (await attempt(filled_url, WORKER, sql))[1] == constraint


async def test_the_worker_inserts_and_does_nothing_else(filled_url: str) -> None:
    """It may not insert into partitions, which would say where a record belongs."""
    rights = await fetch(
        filled_url,
        "SELECT relname, string_agg(kind, ' ' ORDER BY kind) AS kinds FROM pg_class CROSS JOIN"
        " unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS kind"
        f" WHERE has_table_privilege('{WORKER}', pg_class.oid, kind)"
        " AND relnamespace IN ('ledger'::regnamespace, 'reporting'::regnamespace)"
        " AND relkind IN ('r', 'p', 'v') GROUP BY relname",
    )

    assert {row["relname"]: row["kinds"] for row in rights} == dict.fromkeys(
        WORKER_INSERTS, "INSERT"
    )


async def test_the_worker_fills_only_some_columns(filled_url: str) -> None:
    """Of an account all but its balance and status; of a position all but whose it is."""
    rights = await fetch(
        filled_url,
        "SELECT relname || '.' || attname, kind FROM pg_class"
        " JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0"
        " CROSS JOIN unnest(ARRAY['INSERT', 'UPDATE']) AS kind"
        " WHERE relname IN ('account', 'position') AND relnamespace = 'ledger'::regnamespace"
        f" AND NOT has_column_privilege('{WORKER}', pg_class.oid, attname, kind)",
    )

    held_back = {"INSERT": set[str](), "UPDATE": set[str]()}
    for column, kind in rights:
        held_back[kind].add(column)
    unmoved = {"account_id", "status", "posted", "held", "tolerated", "ahead"}
    assert held_back["INSERT"] == {f"account.{column}" for column in unmoved}
    named = {"name", "currency", "kind", "overdraft_limit", "opened_at", "customer"}
    assert held_back["UPDATE"] == {
        *(f"account.{column}" for column in unmoved | named),
        "position.topic",
        "position.partition",
    }


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE ledger.account SET posted = posted + 1",
        "UPDATE ledger.account SET overdraft_limit = 100000",
        "UPDATE ledger.account SET status = 'frozen'",
        f"INSERT INTO ledger.account ({COLUMNS}, posted) VALUES ({RICH}, 100)",
        "UPDATE ledger.position SET topic = 'other'",
        "UPDATE ledger.position SET partition = 9",
        "INSERT INTO ledger.timeline VALUES (9, gen_random_uuid(), 1, now(), '', 'mine')",
        "SELECT setval('ledger.ledger_sequence', 1)",
        "CREATE TABLE ledger.mine (a integer)",
        "CREATE TABLE reporting.mine (a integer)",
        "CREATE TABLE public.mine (a integer)",
        "CREATE SCHEMA mine",
        "CREATE FUNCTION ledger.mine() RETURNS integer LANGUAGE sql RETURN 1",
        "ALTER TABLE ledger.posting DISABLE TRIGGER ALL",
        "ALTER TABLE ledger.account DROP CONSTRAINT balance_within_limit",
        "DROP TABLE ledger.hole",
        "DROP TRIGGER records_stay ON ledger.posting",
        "LOCK TABLE ledger.posting IN ACCESS EXCLUSIVE MODE",
        "SET session_replication_role = replica",
        "SELECT ledger.guard('ledger.posting')",
        "SELECT ledger.guard_posting_partition('ledger.posting_default')",
        "SELECT * FROM pg_authid",
        "COPY ledger.posting TO PROGRAM 'cat'",
    ],
)
async def test_the_worker_may_not(filled_url: str, sql: str) -> None:
    """Move a balance but by a posting, shape a table, switch a rule off, or leave its schema."""
    assert (await attempt(filled_url, WORKER, sql))[0] == "42501"


async def test_the_owner_of_the_tables_is_another_than_the_worker(filled_url: str) -> None:
    """And the worker's role can't log in by itself, create roles or databases, or be superuser."""
    owners = await fetch(
        filled_url,
        "SELECT DISTINCT relowner::regrole::text FROM pg_class"
        " WHERE relnamespace IN ('ledger'::regnamespace, 'reporting'::regnamespace)",
    )
    powers = await fetch(
        filled_url,
        "SELECT rolcanlogin OR rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls FROM"
        f" pg_roles WHERE rolname IN ('{WORKER}', '{READER}')",
    )

    assert [row[0] for row in owners] == [OWNER]
    assert [row[0] for row in powers] == [False, False]


async def test_the_reader_sees_the_views_alone(filled_url: str) -> None:
    """Every view and no table, and what is to be called; nothing can be written."""
    for view in VIEWS:
        read = f"DO $$ BEGIN ASSERT 0 < (SELECT count(*) FROM reporting.{view}); END $$"
        assert await attempt(filled_url, READER, read) == ACCEPTED
        insert = f"INSERT INTO reporting.{view} SELECT * FROM reporting.{view}"
        assert await attempt(filled_url, READER, insert) != ACCEPTED
    for call in CALLS:
        read = f"DO $$ BEGIN ASSERT 0 < (SELECT count(*) FROM reporting.{call}); END $$"
        assert await attempt(filled_url, READER, read) == ACCEPTED, call
    for table in await tables_of(filled_url):
        assert await attempt(filled_url, READER, f"SELECT FROM ledger.{table}") == NOT_ALLOWED
    for call in ("lock_accounts('{}')", "create_month_partitions(1)", "start_timeline(1, 'x')"):
        assert await attempt(filled_url, READER, f"SELECT ledger.{call}") == NOT_ALLOWED


async def test_others_see_nothing(filled_url: str) -> None:
    """A role that nothing was granted to reaches neither tables nor views nor functions."""
    for name in [*(f"ledger.{table}" for table in TABLES), *(f"reporting.{v}" for v in VIEWS)]:
        assert await attempt(filled_url, STRANGER, f"SELECT FROM {name}") == NOT_ALLOWED
    for call in ("ledger.create_month_partitions(1)", *(f"reporting.{one}" for one in CALLS)):
        assert await attempt(filled_url, STRANGER, f"SELECT {call}") == NOT_ALLOWED
    public = "has_function_privilege('public', pg_proc.oid, 'EXECUTE') AND prosecdef"
    assert await fetch(filled_url, f"SELECT proname FROM pg_proc WHERE {public}") == []
