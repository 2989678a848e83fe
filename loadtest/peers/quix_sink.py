"""
Quix Streams with a sink to PostgreSQL: a program that runs until it is told to end.

It runs in an environment of its own (`build/peers-venv`), so it imports nothing of this checkout.

The PostgreSQL sink that comes with Quix Streams writes each message as a row, which can't express
this: a balance is the sum of what was and what comes, and a payment without funds is refused. So it
is the custom sink that the documentation describes for such a case ("Creating a Custom Sink"): a
`BatchingSink` whose `write` gets what a checkpoint has gathered of a partition, here in one
transaction by psycopg2, the driver that Quix's own sink uses. Sinks are terminal, and what a
dataframe produces goes out before a sink has written: so the sink itself produces the outcomes,
after its commit, with a producer of the application's settings (acks=all, idempotent). Quix Streams
delivers to sinks at least once, so ids that are known already are left out.

`commit_every` is that of the documentation's example; `commit_interval` is shorter than the
default of 5 s, for a payment waits that long for its outcome.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

import psycopg2
from psycopg2.extras import execute_values
from quixstreams import Application
from quixstreams.sinks.base import BatchingSink, SinkBatch

COMMIT_EVERY: Final = 1_000
COMMIT_INTERVAL_S: Final = 0.5

KNOWN: Final = "SELECT transaction_id FROM payments WHERE transaction_id = ANY (%s)"
LOCK: Final = """
SELECT name, balance FROM accounts WHERE name = ANY (%s) ORDER BY name FOR UPDATE"""
INSERT: Final = """
INSERT INTO payments (transaction_id, debit_account, credit_account, amount) VALUES %s"""
MOVE: Final = """
UPDATE accounts SET balance = moved.balance FROM (VALUES %s) AS moved (name, balance)
WHERE accounts.name = moved.name"""


class LedgerSink(BatchingSink):  # type: ignore[misc] # Quix Streams is not in this environment
    """Posts what a checkpoint has gathered of a partition in one transaction, then tells it."""

    def __init__(self, database_url: str, producer: Any, outcomes: str, first_message: str) -> None:
        super().__init__()
        self._database_url = database_url
        self._producer = producer
        self._outcomes = outcomes
        self._first_message = first_message
        self._connection: Any = None

    def setup(self) -> None:
        """Connect; called once, when the application starts."""
        self._connection = psycopg2.connect(self._database_url)

    def add(self, *words: Any, **named: Any) -> None:
        """Gather a message; says so of the first."""
        if self._first_message:
            print(self._first_message, flush=True)
            self._first_message = ""
        super().add(*words, **named)

    def write(self, batch: SinkBatch) -> None:
        """Post a batch, commit, and tell the outcomes; raising, it is tried again from Kafka."""
        items = list(batch)
        with self._connection, self._connection.cursor() as cursor:
            refused = dict(_post(cursor, [item.value for item in items]))
        for item in items:
            id_ = item.value["transaction_id"]
            reason = refused.get(id_)
            outcome = {
                "transaction_id": id_,
                "outcome": "rejected" if reason else "posted",
                "reason": reason,
            }
            value = json.dumps(outcome).encode()
            self._producer.produce(topic=self._outcomes, key=item.key, value=value)
        self._producer.flush()


def _post(cursor: Any, asked: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Post what is new and covered; give the ids of the rest, each with why it was refused."""
    cursor.execute(KNOWN, ([one["transaction_id"] for one in asked],))
    known = {id_ for (id_,) in cursor.fetchall()}
    names = {name for one in asked for name in (one["debit_account"], one["credit_account"])}
    cursor.execute(LOCK, (list(names),))
    balances: dict[str, Decimal] = dict(cursor.fetchall())
    rows = []
    for one in asked:
        id_, debit, credit = one["transaction_id"], one["debit_account"], one["credit_account"]
        amount = Decimal(one["amount"])
        if id_ in known:
            continue
        if debit not in balances or credit not in balances:
            yield id_, "account_not_found"
        elif balances[debit] < amount:
            yield id_, "insufficient_funds"
        else:
            known.add(id_)
            balances[debit] -= amount
            balances[credit] += amount
            rows.append((id_, debit, credit, amount))
    if rows:
        execute_values(cursor, INSERT, rows, page_size=len(rows))
        execute_values(cursor, MOVE, list(balances.items()), page_size=len(balances))


def main(
    database_url: str,
    bootstrap_servers: str,
    commands: str,
    outcomes: str,
    group: str,
    folder: str,
    session_timeout_s: int,
    first_message: str,
) -> None:
    """Run the application until SIGTERM; what goes wrong ends it."""
    app = Application(
        broker_address=bootstrap_servers,
        consumer_group=group,
        auto_offset_reset="earliest",
        commit_every=COMMIT_EVERY,
        commit_interval=COMMIT_INTERVAL_S,
        auto_create_topics=False,
        state_dir=folder,
        loglevel="WARNING",
        consumer_extra_config={"session.timeout.ms": session_timeout_s * 1000},
    )
    topic = app.topic(commands, value_deserializer="json", key_deserializer="bytes")
    with app.get_producer() as producer:
        frame = app.dataframe(topic)
        frame.sink(LedgerSink(database_url, producer, outcomes, first_message))
        app.run()


if __name__ == "__main__":
    main(**json.load(sys.stdin))
