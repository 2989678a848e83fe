"""Prove a bench's ledger by plain SQL over the views that its readers may rely on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import asyncpg

from loadtest.load.transfers import Load, with_cash
from loadtest.sample import Sample
from loadtest.stories.pen import DIGITS

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

SHOWN_MAX = 3
"""So many wrong balances are named; their number is told."""

COUNTS = """
SELECT CASE outcome WHEN 'posted' THEN outcome ELSE outcome || ':' || reason END AS kind,
       count(*)
FROM reporting.payments GROUP BY 1"""

TRANSFERS = """
SELECT count(*) AS rows, count(DISTINCT transaction_id) AS ids,
       count(DISTINCT (topic, partition, "offset")) AS positions,
       coalesce(sum(amount), 0) AS amount,
       coalesce(sum(('x' || right(transaction_id::text, 12))::bit(48)::bigint), 0) AS ids_sum
FROM reporting.payments WHERE type = 'transfer' AND outcome = 'posted'"""

UNBALANCED = """
SELECT currency, sum(CASE direction WHEN 'debit' THEN -amount ELSE amount END) AS rest
FROM reporting.entries GROUP BY currency
HAVING sum(CASE direction WHEN 'debit' THEN -amount ELSE amount END) <> 0
UNION ALL
SELECT currency, sum(posted) FROM reporting.balances GROUP BY currency HAVING sum(posted) <> 0"""

WRONG_SUMS = """
SELECT count(*) FROM (
    SELECT account, sum(CASE direction WHEN 'debit' THEN -amount ELSE amount END) AS total
    FROM reporting.entries GROUP BY account
) AS summed FULL JOIN reporting.balances AS balance USING (account)
WHERE coalesce(total, 0) IS DISTINCT FROM balance.posted"""

BALANCES = "SELECT account, currency, posted FROM reporting.balances"


class Faults(NamedTuple):
    """What is wrong, one line each; empty where the proof holds."""

    lines: tuple[str, ...]


async def prove_load(database_url: str, load: Load, accounts: int, events: int) -> Faults:
    """Prove that each transfer of a load was posted once, and told once."""
    connection = await asyncpg.connect(database_url)
    try:
        row = await connection.fetchrow(TRANSFERS)
        assert row is not None, "an aggregate has a row"
        major = load.amount_minor
        facts = {
            "posted transfers": (row["rows"], load.payments),
            "ids posted": (row["ids"], load.payments),
            "positions posted": (row["positions"], load.payments),
            "minor units moved": (int(row["amount"].scaleb(2)), major),
            "sum of the ids": (int(row["ids_sum"]), load.ids_sum),
            "outcome events": (events, load.payments),
        }
        balances = with_cash(load.balances, accounts)
        return Faults((*_differ(facts), *await _books(connection, balances)))
    finally:
        await connection.close()


async def prove_sample(database_url: str, sample: Sample, events: int) -> Faults:
    """Prove that a sample had the outcomes and balances that were known beforehand."""
    connection = await asyncpg.connect(database_url)
    try:
        found = await connection.fetch(COUNTS)
        counts = Counter({row["kind"]: row["count"] for row in found})
        expected = sample.expected
        facts = {
            kind: (counts[kind], count)
            for kind, count in expected.outcomes.items()
            if kind == "posted" or kind.startswith("rejected:")
        } | {"outcome events": (events, expected.outcome_events)}
        return Faults((*_differ(facts), *await _books(connection, expected.balances)))
    finally:
        await connection.close()


def _differ(facts: Mapping[str, tuple[int, int]]) -> list[str]:
    return [
        f"{what}: {found:,}, expected {wanted:,}"
        for what, (found, wanted) in facts.items()
        if found != wanted
    ]


async def _books(connection: Connection, expected: Mapping[str, int]) -> list[str]:
    faults = [
        f"{currency} does not sum up to zero: {rest} are over"
        for currency, rest in await connection.fetch(UNBALANCED)
    ]
    unsummed = await connection.fetchval(WRONG_SUMS)
    if unsummed:
        faults.append(f"{unsummed:,} balances are not the sum of their entries")
    found = {
        account: int(posted.scaleb(DIGITS[currency]))
        for account, currency, posted in await connection.fetch(BALANCES)
    }
    wrong = [name for name, minor in expected.items() if found.get(name, 0) != minor]
    if wrong:
        faults.append(f"{len(wrong):,} balances are not as known beforehand: {wrong[:SHOWN_MAX]}")
    return faults
