"""Payment commands for acceptance tests: a small bank in motion, the same for the same seed."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from random import Random
from typing import Any

import orjson

from loadtest.record import Record, partition_of

PARTITIONS = 8
REQUESTED_AT = "2026-11-21T10:00:00Z"
TRACE = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
NO_COMMANDS = (b"", b"not json", b'{"type": "transfer"}', b'{"a": 1, "a": 2}', b"[]")


class Bank:
    """Writes commands on its own accounts; `sent` holds what repeats and reversals refer to."""

    def __init__(self, seed: int = 1, accounts: int = 40, name: str = "acc") -> None:
        self.random = Random(seed)
        self.accounts = [f"{name}-{number:03}" for number in range(accounts)]
        self.sent: list[dict[str, Any]] = []

    def body(self, type_: str, **fields: Any) -> dict[str, Any]:
        """Write a command's fields, under an id of its own."""
        return {
            "transaction_id": str(uuid.UUID(int=self.random.getrandbits(128), version=4)),
            "type": type_,
            **fields,
            "requested_at": REQUESTED_AT,
            "channel": "mobile",
        }

    def opening(self) -> list[Record]:
        """Open every account and fund it."""
        records = []
        for name in self.accounts:
            opened = self.body("account.open", account=name, currency="EUR", kind="customer")
            funded = self.body("deposit", credit_account=name, amount="1000.00", currency="EUR")
            records += [record(name, opened), record(name, funded)]
        return records

    def transfer(self, amount: str = "0.01") -> Record:
        """Move money between two of the accounts."""
        debit, credit = self.random.sample(self.accounts, 2)
        body = self.body(
            "transfer", debit_account=debit, credit_account=credit, amount=amount, currency="EUR"
        )
        self.sent.append(body)
        return record(debit, body)

    def traffic(self, count: int) -> list[Record]:
        """Write transfers, with some of everything else that channels send among them."""
        return [one for _, one in zip(range(count), self._mix(), strict=False)]

    def _mix(self) -> Iterator[Record]:
        while True:
            dice = self.random.randrange(40)
            if dice < 32 or not self.sent:
                yield self.transfer(f"{self.random.randrange(1, 300)}.{dice:02}")
                continue
            before = self.random.choice(self.sent)
            key = before["debit_account"]
            match dice:
                case 32 | 33:
                    yield record(key, before)
                case 34:
                    yield record(key, before, partition=self.random.randrange(PARTITIONS))
                case 35:
                    yield record(key, before | {"amount": "0.02"})
                case 36:
                    taken = self.body("withdrawal", debit_account=key, amount="90.00")
                    yield record(key, taken | {"currency": "EUR"})
                case 37:
                    original = before["transaction_id"]
                    yield record(key, self.body("reversal", original_transaction_id=original))
                case 38:
                    poison = self.random.choice(NO_COMMANDS)
                    yield Record(self.random.randrange(PARTITIONS), b"odd", poison, (), None)
                case _:
                    yield record(key, before | {"transaction_id": "no uuid"})


def record(key: str, body: dict[str, Any], partition: int | None = None) -> Record:
    """Put a command under its key, in the key's partition unless told otherwise."""
    raw = key.encode()
    number = partition_of(raw, PARTITIONS) if partition is None else partition
    return Record(number, raw, orjson.dumps(body), (("traceparent", TRACE),), None)
