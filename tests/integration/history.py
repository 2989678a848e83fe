"""Accounts with long histories, written set-wise by the owner through ordinary postings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg

from tests.integration.filled import OPEN_DAY, fill

LINES: Final = 3
"""Postings of each transaction; all of them are on the account."""

SHARING: Final = 20
"""Transactions that were decided at the same moment, as those of a batch are."""

LARGE, SMALL = 21_000, 600
BUSY, CALM = "busy", "calm"

_ACCOUNTS: Final = """
INSERT INTO ledger.account (name, currency, kind, opened_at)
SELECT name, 'EUR', 'internal', '2020-01-01T00:00:00Z' FROM unnest($1::text[]) AS name
"""

_MOMENT: Final = "$2::timestamptz + (t - 1) / $4::integer * $3::interval"
_ID: Final = "lpad(to_hex($1::bigint + t), 32, '0')::uuid"

_IDS: Final = f"""
INSERT INTO ledger.transaction
SELECT {_ID}, decode(repeat('00', 32), 'hex'), 1, $1::bigint + t, {_MOMENT}
FROM generate_series(1, $5::integer) AS t
"""

_POSTINGS: Final = f"""
WITH line AS (
    SELECT t, l, CASE WHEN (t + l) % 3 = 0 THEN -1 ELSE 1 END * (1 + t % 7) AS change
    FROM generate_series(1, $5::integer) AS t CROSS JOIN generate_series(1, {LINES}) AS l
), walked AS (
    SELECT *, sum(change) OVER (ORDER BY t, l) AS held, {_MOMENT} AS moment FROM line
), side AS (
    SELECT own.account_id AS own, other.account_id AS other
    FROM ledger.account AS own JOIN ledger.account AS other ON other.name = own.name || '-other'
    WHERE own.name = $6
)
INSERT INTO ledger.posting (
    ledger_sequence, decided_at, transaction_id, source_id, source_offset, line,
    debit_account_id, credit_account_id, amount, debit_balance, credit_balance, value_date,
    booking_date, currency, type, channel)
SELECT $1::bigint + t, moment, {_ID}, 1, t, l,
       CASE WHEN change < 0 THEN own ELSE other END, CASE WHEN change < 0 THEN other ELSE own END,
       abs(change), CASE WHEN change < 0 THEN held ELSE -held END,
       CASE WHEN change < 0 THEN -held ELSE held END,
       (moment AT TIME ZONE 'UTC')::date, '{OPEN_DAY}'::date, 'EUR', 'journal', 'branch'
FROM walked CROSS JOIN side
"""


def months_on(months: int) -> datetime:
    """Give the first moment of a month, this one or a later one."""
    now = datetime.now(tz=UTC)
    years, month = divmod(now.month - 1 + months, 12)
    return datetime(now.year + years, month + 1, 1, tzinfo=UTC)


async def write_history(
    owner: asyncpg.Connection, account: str, entries: int, base: int, days: int
) -> None:
    """Give an account entries from the first of this month on, for so many days."""
    transactions = entries // LINES
    step = timedelta(days=days) / (transactions // SHARING)
    facts = (base, months_on(0), step, SHARING, transactions)
    async with owner.transaction():
        await owner.execute(_IDS, *facts)
        await owner.execute(_POSTINGS, *facts, account)


async def fill_with_history(url: str) -> None:
    """Fill a ledger, and give two accounts histories of different lengths over three months."""
    await fill(url)
    owner = await asyncpg.connect(url)
    try:
        await owner.execute(_ACCOUNTS, [BUSY, CALM, f"{BUSY}-other", f"{CALM}-other"])
        await write_history(owner, BUSY, LARGE, 1_000_000, 80)
        await write_history(owner, CALM, SMALL, 2_000_000, 80)
        await owner.execute("VACUUM ANALYZE ledger.posting")
    finally:
        await owner.close()
