"""
The frozen yardstick: the rows of transfers written by plain set-wise SQL over one connection.

It stands alone on purpose and is never tuned along with the product. Nothing is read, decided or
told: every value is known before the clock starts, and what is timed are batches of 1000 from BEGIN
to COMMIT.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import sys
import time
import uuid
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

import asyncpg

BATCH_ROWS = 1000
FUNDS_MINOR = 10_000_000_000
AMOUNT_MINOR_MAX = 50_000
CHANNELS = ("mobile", "cards", "branch", "partner", "web")

TRANSACTIONS = """
INSERT INTO ceiling.transaction (
    transaction_id, fingerprint, fingerprint_version, ledger_sequence, decided_at)
SELECT n.transaction_id, n.fingerprint, 1, n.ledger_sequence, $4
FROM unnest($1::uuid[], $2::bytea[], $3::bigint[])
     AS n (transaction_id, fingerprint, ledger_sequence)"""

POSTINGS = """
INSERT INTO ceiling.posting (
    ledger_sequence, decided_at, transaction_id, source_id, source_offset,
    debit_account_id, credit_account_id, amount, debit_balance, credit_balance,
    value_date, currency, type, channel, reference)
SELECT n.ledger_sequence, $1, n.transaction_id, 1, n.source_offset,
       n.debit_account_id, n.credit_account_id, n.amount, n.debit_balance, n.credit_balance,
       $2, 'EUR', 'transfer', n.channel, n.reference
FROM unnest($3::bigint[], $4::uuid[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
            $9::bigint[], $10::bigint[], $11::text[], $12::text[])
     AS n (ledger_sequence, transaction_id, source_offset, debit_account_id, credit_account_id,
           amount, debit_balance, credit_balance, channel, reference)"""

POSITION = "UPDATE ceiling.position SET next_offset = $1 WHERE topic = 'commands' AND partition = 0"

ACCOUNTS = """
INSERT INTO ceiling.account (account_id, name, currency, kind, posted, overdraft_limit)
SELECT number + 1, 'acc-' || lpad(number::text, 6, '0'), 'EUR', 'customer', $2, 0
FROM generate_series(0, $1::bigint - 1) AS number"""

PROOF = """
SELECT (SELECT count(*) FROM ceiling.posting) AS postings,
       (SELECT count(*) FROM ceiling.transaction) AS ids,
       (SELECT sum(posted)::bigint FROM ceiling.account) AS funds"""


class Rows:
    """Writes batches of rows, with the balances after each posting."""

    def __init__(self, accounts: int) -> None:
        self._rng = random.Random(1)
        self._balances = [FUNDS_MINOR] * accounts

    def batch(self, first: int, size: int) -> tuple[list[Any], list[Any]]:
        """Give the columns of `size` transactions and postings from number `first` on."""
        numbers = range(first, first + size)
        ids = [_time_ordered_id(number, self._rng.getrandbits(62)) for number in numbers]
        prints = [hashlib.sha256(one.bytes).digest() for one in ids]
        rows = [self._posting(number, one) for number, one in zip(numbers, ids, strict=True)]
        ordered = sorted(zip(ids, prints, numbers, strict=True))
        return (
            [list(column) for column in zip(*ordered, strict=True)],
            [list(column) for column in zip(*rows, strict=True)],
        )

    def _posting(self, number: int, identity: uuid.UUID) -> tuple[Any, ...]:
        balances = self._balances
        debit = self._rng.randrange(len(balances))
        credit = (debit + self._rng.randrange(1, len(balances))) % len(balances)
        amount = self._rng.randint(1, AMOUNT_MINOR_MAX)
        balances[debit] -= amount
        balances[credit] += amount
        sides = (debit + 1, credit + 1, amount, balances[debit], balances[credit])
        return (number, identity, number, *sides, CHANNELS[number % 5], f"invoice {number}")


def _time_ordered_id(number: int, spread: int) -> uuid.UUID:
    return uuid.UUID(
        int=(1_795_255_200_000 + number // 20) << 80
        | 7 << 76
        | number % 20 << 64
        | 2 << 62
        | spread
    )


async def measure(database_url: str, payments: int, accounts: int) -> dict[str, Any]:
    """Make the tables in an empty database, write `payments` rows, and give the seconds."""
    connection: Any = await asyncpg.connect(database_url)
    try:
        await connection.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
        await connection.execute(ACCOUNTS, accounts, FUNDS_MINOR)
        await connection.execute("VACUUM ANALYZE ceiling.account")
        rows = Rows(accounts)
        cuts = range(0, payments, BATCH_ROWS)
        batches = [rows.batch(first, min(BATCH_ROWS, payments - first)) for first in cuts]
        began = time.perf_counter()
        for first, batch in zip(cuts, batches, strict=True):
            await _write(connection, batch, first + len(batch[0][0]))
        seconds = time.perf_counter() - began
        found = await connection.fetchrow(PROOF)
    finally:
        await connection.close()
    if tuple(found) != (payments, payments, accounts * FUNDS_MINOR):
        sys.exit(f"the yardstick's own books are wrong: {dict(found)}")
    return {"payments": payments, "seconds": seconds}


async def _write(connection: Any, batch: tuple[list[Any], list[Any]], end: int) -> None:
    now = datetime.now(timezone.utc)  # noqa: UP017 - as old as the oldest Python that runs it
    today: date = now.date()
    async with connection.transaction():
        await connection.execute(TRANSACTIONS, *batch[0], now)
        await connection.execute(POSTINGS, now, today, *batch[1])
        await connection.execute(POSITION, end)


if __name__ == "__main__":
    told = json.load(sys.stdin)
    print(json.dumps(asyncio.run(measure(**told))))
