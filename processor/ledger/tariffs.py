"""Reads the tariffs for people: what is charged now, and what was said last about each name."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from processor.ledger.connection import ConnectionSettings
from processor.ledger.lookup import SQL
from processor.ledger.reading import explained, snapshot


class Said(msgspec.Struct, frozen=True):
    """
    What was said last about a tariff: its fields as `tariff.set` has them, None where it was ended;
    when, and at which `ledger_sequence`.
    """

    name: str
    fields: dict[str, Any] | None
    since: str
    ledger_sequence: int


async def said(access: ConnectionSettings) -> list[Said]:
    """Read what was said last about each tariff, by name."""
    async with snapshot(access) as connection:
        with explained():
            found = await connection.fetch(SQL["tariffs"])
    return [
        Said(
            row["tariff"],
            orjson.loads(row["details"]) if row["is_charged"] else None,
            row["since"],
            row["ledger_sequence"],
        )
        for row in found
    ]
