"""Reads the bank's rules for people: what was said last about each tariff or spending limit."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from processor.ledger.connection import ConnectionSettings
from processor.ledger.lookup import SQL
from processor.ledger.reading import explained, snapshot


class Said(msgspec.Struct, frozen=True):
    """
    What was said last about a rule: its fields as the command that sets it has them, None where it
    was ended; when, and at which `ledger_sequence`.
    """

    name: str
    fields: dict[str, Any] | None
    since: str
    ledger_sequence: int


async def said(access: ConnectionSettings, noun: str) -> list[Said]:
    """Read what was said last about each `tariff` or `limit`, by name."""
    async with snapshot(access) as connection:
        with explained():
            found = await connection.fetch(SQL["rules"], noun)
    return [
        Said(
            row["name"],
            orjson.loads(row["details"]) if row["is_set"] else None,
            row["since"],
            row["ledger_sequence"],
        )
        for row in found
    ]
