"""A ledger with a row in every table, and attempts at it that are taken back."""

from __future__ import annotations

from typing import Any, Final

import asyncpg

from tests.builders import (
    Desk,
    bound,
    capture,
    day_close,
    deposit,
    hold,
    opening,
    release,
    reversal,
    tariff,
    tier,
    told,
    transfer,
)
from tests.integration.ledgers import postgres_backend

OWNER: Final = "postgres"
WORKER: Final = "processor_worker"
READER: Final = "processor_reader"
STRANGER: Final = "pg_signal_backend"
"""A role of PostgreSQL's own that nothing was granted to."""

OPENED = opening("anna")
PAID = transfer("anna", "bert", "30.00")
GIVEN_BACK = reversal(PAID, "10.00")
REFUSED = transfer("anna", "bert", "5000.00")
HELD = hold("carl", "shop", "40.00")
TAKEN = capture(HELD, "20.00")
LIMITED = bound("b", "account", "bert", single_amount="5.00", daily_amount="20.00")
SPENT = transfer("bert", "carl", "2.00")


CLOSED_DAY, OPEN_DAY = "2001-01-01", "2001-01-02"


async def fill(url: str) -> None:
    """
    Put a row in every table: 80.00 EUR are left to anna, 120.00 EUR to bert. In the end `OPEN_DAY`
    is open.
    """
    async with postgres_backend(url) as backend:
        desk = Desk(await backend.connect())
        partition = await desk.claim()
        partition.leave_hole(1)
        partition.add(OPENED, opening("bert", customer="c-2"), opening("usd", currency="USD"))
        partition.add(opening("bank", kind="internal"))
        partition.add(deposit("anna", "100.00"), deposit("bert", "100.00"))
        partition.add(PAID, PAID, {**PAID, "reference": "other"}, GIVEN_BACK, REFUSED, b"{")
        partition.add(opening("carl"), opening("shop", kind="merchant"), deposit("carl", "40.00"))
        partition.add(HELD, TAKEN, release(HELD, "5.00"))
        partition.add(LIMITED, bound("c", "customer", daily_count="9"), SPENT)
        partition.add(transfer("carl", "bert", "2.00"))
        partition.add(tariff("transfer", "debit", tier("1.00")), day_close(CLOSED_DAY))
        words = [told(one) for one in await desk.post(partition.run(0, partition.next_offset))]
        assert words == [
            *["posted"] * 7,
            *["Repeat", "Conflict", "posted", "insufficient_funds", "DeadLetter"],
            *["posted"] * 12,
        ]
        await backend.owner.execute(
            "INSERT INTO ledger.operator_decision"
            " (decided_by, topic, partition, new_source_id, new_next, reason)"
            " VALUES ('a test', 'payments', 0, $1, 0, 'there must be one')",
            partition.log.source_id,
        )


async def attempt(url: str, role: str, sql: str) -> tuple[str, str | None]:
    """Try statements in one transaction; give how they are refused: SQLSTATE and constraint."""
    connection = await asyncpg.connect(url)
    transaction = connection.transaction()
    try:
        await transaction.start()
        await connection.execute(f"SET LOCAL ROLE {role}")
        await connection.execute(sql)
    except asyncpg.PostgresError as error:
        found: Any = error
        return str(error.sqlstate), found.constraint_name
    else:
        return "", None
    finally:
        await transaction.rollback()
        await connection.close()
