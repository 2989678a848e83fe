"""
A plain Faust agent, on stock faust-streaming: a program that runs until it is told to end.

The pattern is that of Faust's user guide: a model for the messages of a topic, an agent that
iterates over their stream with `async for`, and `topic.send` for what comes of each (chapters
"Agents" and "Models"); an application with a resource of its own opens it in `on_start` (chapter
"The App"); the pool is used as asyncpg's documentation does in a server. All settings are Faust's
defaults but for the session timeout and the web server. Faust delivers at least once, so the insert
knows a transaction id that it has met before.
"""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import Any, Final

import asyncpg
import faust

from loadtest.child import needs

LOCK: Final = """
SELECT name, balance FROM accounts WHERE name = ANY ($1::text[]) ORDER BY name FOR UPDATE"""
INSERT: Final = """
INSERT INTO payments (transaction_id, debit_account, credit_account, amount)
VALUES ($1, $2, $3, $4) ON CONFLICT (transaction_id) DO NOTHING RETURNING transaction_id"""
KNOWN: Final = "SELECT true FROM payments WHERE transaction_id = $1"
MOVE: Final = "UPDATE accounts SET balance = balance + $2 WHERE name = $1"


class Transfer(faust.Record, serializer="json"):
    """What a command asks for, as far as the agent reads it."""

    transaction_id: str
    debit_account: str
    credit_account: str
    amount: str


class Outcome(faust.Record, serializer="json"):
    """What came of it."""

    transaction_id: str
    outcome: str
    reason: str | None = None


class Payments(faust.App):
    """An application with a pool of connections."""

    pool: Any = None
    database_url = ""
    seen = False

    async def on_start(self) -> None:
        """Open the pool before any agent runs."""
        self.pool = await asyncpg.create_pool(self.database_url)
        await super().on_start()

    async def on_stop(self) -> None:
        """Close the pool after all agents."""
        await super().on_stop()
        await self.pool.close()


async def post(pool: Any, transfer: Transfer) -> str | None:
    """Post a transfer in a transaction of its own; give why it was refused."""
    amount = Decimal(transfer.amount)
    sides = [transfer.debit_account, transfer.credit_account]
    async with pool.acquire() as connection, connection.transaction():
        found = await connection.fetch(LOCK, sides)
        balances = {row["name"]: row["balance"] for row in found}
        if len(balances) < len(sides):
            return "account_not_found"
        if balances[transfer.debit_account] < amount:
            is_known = await connection.fetchval(KNOWN, transfer.transaction_id)
            return None if is_known else "insufficient_funds"
        if await connection.fetchval(INSERT, transfer.transaction_id, *sides, amount):
            await connection.execute(MOVE, transfer.debit_account, -amount)
            await connection.execute(MOVE, transfer.credit_account, amount)
    return None


def application(
    database_url: str,
    bootstrap_servers: str,
    commands: str,
    outcomes: str,
    group: str,
    folder: str,
    session_timeout_s: int,
    first_message: str,
) -> Any:
    """Build the application with its one agent."""
    app = Payments(
        group,
        broker=f"kafka://{bootstrap_servers}",
        datadir=folder,
        web_enabled=False,
        broker_session_timeout=session_timeout_s,
        broker_heartbeat_interval=session_timeout_s / 3,
    )
    app.database_url = database_url
    asked = app.topic(commands, key_type=bytes, value_type=Transfer)
    answers = app.topic(outcomes, key_type=bytes, value_type=Outcome)

    @app.agent(asked)
    async def transfers(stream: Any) -> None:
        async for key, transfer in stream.items():
            if not app.seen:
                app.seen = True
                print(first_message, flush=True)
            reason = await post(app.pool, transfer)
            outcome = Outcome(
                transaction_id=transfer.transaction_id,
                outcome="rejected" if reason else "posted",
                reason=reason,
            )
            await answers.send(key=key, value=outcome)

    return app


if __name__ == "__main__":
    sys.argv[1:] = ["worker", "--loglevel", "warn"]
    application(**needs()).main()
