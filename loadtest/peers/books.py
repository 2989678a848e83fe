"""The books of each system, read by plain SQL, and the proof of them that each allows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import asyncpg

from loadtest.load.transfers import FUNDS_MINOR, Load
from loadtest.reference.naive import ACCOUNTS, TABLES

SHOWN_MAX: Final = 3
"""So many wrong balances are named; their number is told."""


class Books(NamedTuple):
    """
    Statements over a system's tables; amounts in minor units. `totals` gives rows, ids, minor units
    moved; `postings` how often each of the ids $1 was posted; `balances` those of the load's
    accounts; `unexplained` counts accounts whose balance is not what they began with and what is
    written of them.
    """

    totals: str
    postings: str
    balances: str
    unexplained: str


PLAIN: Final = Books(
    """SELECT count(*), count(DISTINCT transaction_id), coalesce(sum(amount) * 100, 0)::bigint
    FROM payments""",
    """SELECT transaction_id, count(*) FROM payments
    WHERE transaction_id = ANY ($1::text[]) GROUP BY 1""",
    "SELECT name, (balance * 100)::bigint FROM accounts",
    f"""SELECT count(*) FROM accounts LEFT JOIN (
        SELECT name, sum(change) AS moved FROM (
            SELECT debit_account AS name, -amount AS change FROM payments
            UNION ALL SELECT credit_account, amount FROM payments
        ) AS sides GROUP BY name
    ) AS summed USING (name)
    WHERE balance * 100 <> {FUNDS_MINOR} + coalesce(moved, 0) * 100""",  # noqa: S608 - a number of this code
)
"""The tables of the naive consumer, which the Faust agent and the Quix sink write as well."""

FUNCTION: Final = Books(
    "SELECT count(*), count(DISTINCT transaction_id), coalesce(sum(amount), 0)::bigint"
    " FROM transfer",
    """SELECT transaction_id::text, count(*) FROM transfer
    WHERE transaction_id = ANY ($1::text[]::uuid[]) GROUP BY 1""",
    "SELECT name, balance FROM account",
    f"""SELECT count(*) FROM account LEFT JOIN (
        SELECT account AS name, sum(amount) AS moved FROM entry GROUP BY account
    ) AS summed USING (name)
    WHERE balance <> {FUNDS_MINOR} + coalesce(moved, 0)""",  # noqa: S608 - a number of this code
)
"""The tables of the SQL function."""

LEDGER: Final = Books(
    """SELECT count(*), count(DISTINCT transaction_id), coalesce(sum(amount) * 100, 0)::bigint
    FROM reporting.payments WHERE type = 'transfer' AND outcome = 'posted'""",
    """SELECT transaction_id::text, count(*) FROM reporting.payments
    WHERE outcome = 'posted' AND transaction_id = ANY ($1::text[]::uuid[]) GROUP BY 1""",
    "SELECT account, (posted * 100)::bigint FROM reporting.balances WHERE account LIKE 'acc-%'",
    """SELECT count(*) FROM (
        SELECT account, sum(CASE direction WHEN 'debit' THEN -amount ELSE amount END) AS total
        FROM reporting.entries GROUP BY account
    ) AS summed FULL JOIN reporting.balances AS balance USING (account)
    WHERE coalesce(total, 0) IS DISTINCT FROM balance.posted""",
)
"""The product's views; what its accounts began with are entries themselves."""

FUNCTION_FILE: Final = Path(__file__).with_name("sql_function.sql")
FUNCTION_ACCOUNTS: Final = """
INSERT INTO account (name, currency, balance)
SELECT 'acc-' || lpad(number::text, 6, '0'), 'EUR', $2
FROM generate_series(0, $1::bigint - 1) AS number"""


async def make_plain(database_url: str, accounts: int) -> None:
    """Make the naive consumer's tables and its funded accounts in an empty database."""
    await _make(database_url, TABLES, ACCOUNTS, accounts)


async def make_function(database_url: str, accounts: int) -> None:
    """Make the SQL function's tables and its funded accounts in an empty database."""
    tables = FUNCTION_FILE.read_text(encoding="utf-8")
    await _make(database_url, tables, FUNCTION_ACCOUNTS, accounts, FUNDS_MINOR)


async def _make(database_url: str, tables: str, rows: str, *values: int) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(tables)
        await connection.execute(rows, *values)
        # As the product's accounts are: the planner knows what it plans for.
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


async def prove(connection: Any, books: Books, wanted: Load) -> list[str]:
    """Say how a system's books differ from what the seed leads to, a line each."""
    rows, ids, minor = await connection.fetchrow(books.totals)
    facts = {
        "payments posted": (rows, wanted.payments),
        "ids posted": (ids, wanted.payments),
        "minor units moved": (minor, wanted.amount_minor),
        "balances that nothing written explains": (await connection.fetchval(books.unexplained), 0),
    }
    lines = [
        f"{what}: {found:,}, expected {right:,}"
        for what, (found, right) in facts.items()
        if found != right
    ]
    balances = dict(await connection.fetch(books.balances))
    wrong = [name for name, right in wanted.balances.items() if balances.get(name) != right]
    if wrong:
        lines.append(f"{len(wrong):,} balances are not what the seed leads to: {wrong[:SHOWN_MAX]}")
    total = sum(balances.values()) - sum(wanted.balances.values())
    return [*lines, f"{total:,} minor units came from nowhere"] if total else lines


async def postings(connection: Any, books: Books, ids: Sequence[str]) -> dict[str, int]:
    """Count how often each of these ids was posted; those that never were are missing."""
    return dict(await connection.fetch(books.postings, list(ids)))
