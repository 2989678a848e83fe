"""
What the tutorial does: one task, one transaction for each message, send and wait, auto-commit.

It works until something fails: it has no answer to a repeat, a crash or a bad message. It is here
for its speed alone.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from decimal import Decimal
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

TABLES = """
CREATE TABLE accounts (name text PRIMARY KEY, balance numeric(20, 4) NOT NULL CHECK (balance >= 0));
CREATE TABLE payments (
    transaction_id text PRIMARY KEY,
    debit_account text NOT NULL REFERENCES accounts,
    credit_account text NOT NULL REFERENCES accounts,
    amount numeric(20, 4) NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);"""

ACCOUNTS = """
INSERT INTO accounts
SELECT 'acc-' || lpad(number::text, 6, '0'), 100000000
FROM generate_series(0, $1::bigint - 1) AS number"""

FIRST_MESSAGE_LIMIT_S = 30.0


async def measure(
    database_url: str,
    bootstrap_servers: str,
    commands: str,
    outcomes: str,
    payments: int,
    accounts: int,
) -> dict[str, Any]:
    """Process `payments` messages; give the seconds from the first message to the last outcome."""
    connection: Any = await asyncpg.connect(database_url)
    consumer, producer = clients(bootstrap_servers, commands)
    try:
        await connection.execute(TABLES)
        await connection.execute(ACCOUNTS, accounts)
        await producer.start()
        await consumer.start()
        message = await asyncio.wait_for(consumer.getone(), FIRST_MESSAGE_LIMIT_S)
        began = time.perf_counter()
        await process(connection, producer, outcomes, message)
        for _ in range(payments - 1):
            await process(connection, producer, outcomes, await consumer.getone())
        seconds = time.perf_counter() - began
        posted = await connection.fetchval("SELECT count(*) FROM payments")
    finally:
        await consumer.stop()
        await producer.stop()
        await connection.close()
    if posted != payments:
        sys.exit(f"{posted} payments are in the table, not {payments}")
    return {"payments": payments, "seconds": seconds}


def group_of(commands: str) -> str:
    """Name the consumer group of a topic of commands."""
    return f"{commands}.naive"


def clients(bootstrap_servers: str, commands: str, **more: Any) -> tuple[Any, Any]:
    """Give a consumer, with `more` of its settings, and a producer; both are to be started."""
    consumer = AIOKafkaConsumer(
        commands,
        bootstrap_servers=bootstrap_servers,
        group_id=group_of(commands),
        auto_offset_reset="earliest",
        enable_auto_commit=True,
        **more,
    )
    return consumer, AIOKafkaProducer(bootstrap_servers=bootstrap_servers, acks="all")


async def process(connection: Any, producer: Any, outcomes: str, message: Any) -> None:
    """Post one message in a transaction of its own, and tell its outcome."""
    payment = json.loads(message.value)
    debit, credit = payment["debit_account"], payment["credit_account"]
    amount = Decimal(payment["amount"])
    async with connection.transaction():
        found = await connection.fetch(
            "SELECT name, balance FROM accounts WHERE name = ANY ($1::text[]) "
            "ORDER BY name FOR UPDATE",
            [debit, credit],
        )
        balances = {row["name"]: row["balance"] for row in found}
        posted = balances[debit] >= amount
        if posted:
            await connection.execute(
                "INSERT INTO payments (transaction_id, debit_account, credit_account, amount) "
                "VALUES ($1, $2, $3, $4)",
                payment["transaction_id"],
                debit,
                credit,
                amount,
            )
            await connection.execute(
                "UPDATE accounts SET balance = balance - $2 WHERE name = $1", debit, amount
            )
            await connection.execute(
                "UPDATE accounts SET balance = balance + $2 WHERE name = $1", credit, amount
            )
    outcome = {
        "transaction_id": payment["transaction_id"],
        "outcome": "posted" if posted else "rejected",
    }
    await producer.send_and_wait(outcomes, json.dumps(outcome).encode(), key=message.key)


if __name__ == "__main__":
    told = json.load(sys.stdin)
    print(json.dumps(asyncio.run(measure(**told))))
