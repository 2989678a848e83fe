"""Looks up one account, payment or position for people, and records an operator's decision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import asyncpg
import msgspec
import orjson

from processor.core.books import Decided
from processor.core.currencies import DIGITS
from processor.core.decisions.reversal import REVERSIBLE
from processor.core.money import to_major, to_minor
from processor.core.shown import Exceeded
from processor.errors import ProcessorError
from processor.ledger import rows
from processor.ledger.connection import ConnectionSettings
from processor.ledger.reading import connect, explained, snapshot
from processor.ledger.statements import SQL as LINE_SQL
from processor.ledger.statements import load

SQL: Final = load("lookup.sql")

ROWS_MAX: Final = 100
"""Repeats, conflicts, dead letters and relatives of one payment that are read."""

Document = dict[str, Any]
"""What was found, ready to be written as JSON; amounts are texts in major units."""


async def _fetch(connection: asyncpg.Connection, name: str, *arguments: Any) -> list[Document]:
    with explained():
        return [dict(row) for row in await connection.fetch(SQL[name], *arguments)]


async def account(access: ConnectionSettings, name: str, entries_max: int) -> Document | None:
    """Read an account with its newest entries, None where it was never opened."""
    async with snapshot(access) as connection:
        found = await _fetch(connection, "account", name)
        if not found:
            return None
        limits = await _fetch(connection, "account_limits", name)
        entries = await _fetch(connection, "account_entries", name, entries_max)
    (row,) = found
    digits = DIGITS[row["currency"]]
    limit = row["overdraft_limit"]
    return {
        "account": row["account"],
        "currency": row["currency"],
        "kind": row["kind"],
        "status": row["status"],
        "opened_at": row["opened_at"],
        "balance": to_major(row["posted"], digits),
        "held": to_major(row["held"], digits),
        "overdraft_limit": None if limit is None else to_major(limit, digits),
        "available": None
        if limit is None
        else to_major(row["posted"] - row["held"] + limit, digits),
        "customer": row["customer"],
        "limits": [_limit(one, digits) for one in limits],
        "entries": entries,
    }


def _limit(row: Mapping[str, Any], digits: int) -> Document:
    """Describe a spending limit and what is left of it today, None where it does not bound."""
    daily, count = row["daily_amount"], row["daily_count"]
    single, spent = row["single_amount"], row["spent_amount"]
    left = None if daily is None else max(daily - spent, 0)
    return {
        "limit": row["limit"],
        "scope": row["scope"],
        "subject": row["subject"],
        "single_amount": None if single is None else to_major(single, digits),
        "daily_amount": None if daily is None else to_major(daily, digits),
        "daily_count": count,
        "spent_amount": to_major(spent, digits),
        "spent_count": row["spent_count"],
        "left_amount": None if left is None else to_major(left, digits),
        "left_count": None if count is None else max(count - row["spent_count"], 0),
    }


def _in_major(row: Mapping[str, Any], fields: tuple[str, ...], digits: int) -> Document:
    return {
        name: to_major(value, digits) if name in fields else value for name, value in row.items()
    }


async def payment(access: ConnectionSettings, transaction_id: str) -> Document | None:
    """Read all that is recorded under a transaction id, None where that is nothing."""
    async with snapshot(access) as connection:
        with explained():
            decided = await connection.fetch(LINE_SQL["decided"], [transaction_id])
        told: Document = {
            name: await _fetch(connection, f"payment_{name}", transaction_id, ROWS_MAX)
            for name in ("repeats", "conflicts", "dead_letters")
        }
        for conflict in told["conflicts"]:
            conflict["differences"] = orjson.loads(conflict["differences"])
        if decided:
            first = await _first(connection, dict(decided[0]))
            first["family"] = await _family(connection, transaction_id)
        elif any(told.values()):
            first = {"transaction_id": transaction_id, "outcome": None}
        else:
            return None
    return {**first, **told}


async def _first(connection: asyncpg.Connection, row: Document) -> Document:
    """Describe the first answer: what was asked, what was decided, what moved."""
    decided = rows.decided_of(row)
    ruling, source = decided.ruling, decided.source
    found: Document = {
        "transaction_id": decided.transaction_id,
        "type": decided.type,
        "outcome": "posted" if ruling.reason is None else "rejected",
        "reason": ruling.reason,
        "amount": ruling.amount,
        "currency": ruling.currency,
        "debit_account": ruling.debit_account,
        "credit_account": ruling.credit_account,
        "account": ruling.account,
        "decided_at": decided.decided_at,
        "ledger_sequence": decided.ledger_sequence,
        "source": {"topic": source.topic, "partition": source.partition, "offset": source.offset},
        "asked": decided.content(),
    }
    if ruling.shown is not None and isinstance(ruling.shown.exceeded, Exceeded):
        found["exceeded"] = msgspec.to_builtins(ruling.shown.exceeded)
    if ruling.amount_minor is not None:
        found.update(await _moved(connection, decided))
    return found


async def _moved(connection: asyncpg.Connection, decided: Decided) -> Document:
    """Describe what moved, and what was given back of it."""
    found = await _fetch(connection, "payment_entries", decided.transaction_id)
    entries = [
        _in_major(one, ("amount", "balance_after"), DIGITS[one["currency"]]) for one in found
    ]
    if decided.type not in REVERSIBLE:
        return {"entries": entries, "reversals": [], "left_to_reverse": None}
    digits = DIGITS[found[0]["currency"]]
    totals = await _fetch(connection, "payment_reversed", decided.transaction_id)
    reversals: list[Document] = []
    reversed_minor = 0
    if totals:
        reversed_minor = totals[0]["reversed_amount"]
        reversals = await _fetch(connection, "payment_reversals", decided.transaction_id, ROWS_MAX)
    return {
        "entries": entries,
        "reversals": [_in_major(one, ("amount",), digits) for one in reversals],
        "left_to_reverse": to_major(found[0]["amount"] - reversed_minor, digits),
    }


async def _family(connection: asyncpg.Connection, transaction_id: str) -> Document:
    """Describe the payment at the top of the family, its relatives nested below it."""
    found = await _fetch(connection, "payment_family", transaction_id, ROWS_MAX + 1)
    members = {one["transaction_id"]: {**one, "members": []} for one in found[:ROWS_MAX]}
    root = members[found[0]["transaction_id"]]
    for member in members.values():
        parent = member.pop("parent_transaction_id")
        if parent is not None:
            members[parent]["members"].append(member)
    root["left_to_reverse"] = await _left_of(connection, root)
    held = await _fetch(connection, "payment_hold", root["transaction_id"])
    root["hold"] = held[0] if held else None
    root["is_whole"] = len(found) <= ROWS_MAX
    return root


async def _left_of(connection: asyncpg.Connection, root: Document) -> str | None:
    """Give what can still be given back of a payment, None where nothing ever can."""
    if root["outcome"] != "posted" or root["type"] not in REVERSIBLE:
        return None
    digits = DIGITS[root["currency"]]
    totals = await _fetch(connection, "payment_reversed", root["transaction_id"])
    reversed_minor = totals[0]["reversed_amount"] if totals else 0
    return to_major(to_minor(root["amount"], digits) - reversed_minor, digits)


async def position(access: ConnectionSettings, topic: str, partition: int) -> Document | None:
    """Read where the ledger stands in a partition, and what operators decided about it."""
    async with snapshot(access) as connection:
        found = await _fetch(connection, "standing", topic, partition)
        if not found:
            return None
        decisions = await _fetch(connection, "decisions", topic, partition)
    return {"topic": topic, "partition": partition, **found[0], "decisions": decisions}


async def accept_position(
    access: ConnectionSettings,
    topic: str,
    partition: int,
    offset: int,
    *,
    decided_by: str,
    reason: str,
) -> None:
    """
    Go on at `offset` of what is from now on another source, on record, fencing every worker.

    Raises ProcessorError where the ledger has no position in the partition.
    """
    connection = await connect(access)
    try:
        with explained():
            async with connection.transaction():
                old = await connection.fetchrow(SQL["hold_position"], topic, partition)
                if old is None:
                    raise ProcessorError(_no_position(topic, partition))
                source_id = await connection.fetchval(
                    SQL["begin_source"], topic, partition, decided_by, reason
                )
                await connection.execute(
                    SQL["move_position"], topic, partition, source_id, decided_by, offset
                )
                await connection.execute(
                    SQL["record_decision"],
                    decided_by,
                    topic,
                    partition,
                    old["source_id"],
                    old["next_offset"],
                    source_id,
                    offset,
                    reason,
                )
    finally:
        await connection.close(timeout=access.connect_timeout_s)


def _no_position(topic: str, partition: int) -> str:
    return f"the ledger has no position in {topic}/{partition}: a worker opens it when it reads it"
