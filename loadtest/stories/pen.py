"""Write commands as channels write them, from a seed: the same seed gives the same bytes."""

from __future__ import annotations

import json
from collections import Counter
from random import Random
from typing import Any

import msgspec

from loadtest.record import Headers, Record, partition_of
from loadtest.reference.amounts import major_of

Body = dict[str, Any]

FIRST_ID_MS = 1_795_255_200_000
"""Time part of the first transaction id, 2026-11-21T10:00:00Z, in milliseconds."""

IDS_PER_MS = 4
RATE_CHARACTERS = 12
"""A rate that is shorter may be written longer: it has at most 12 decimals."""

CHANNELS = ("mobile", "cards", "branch", "partner", "web")
REQUESTED_AT = "2026-11-21T10:00:00Z"
TRACED_PERCENT = 33
CLOUD_EVENTS_PERCENT = 3
LONG_PAST = "2020-01-01T00:00:00Z"
FAR_FUTURE = "2099-12-31T23:59:59.999999+01:00"
DEFAULT_SIDE = {"deposit": "debit_account", "withdrawal": "credit_account"}
"""The side that is the currency's cash account where a command does not name it."""

DEFAULTS = {
    "reversal": ("on_shortfall", "refuse"),
    "journal": ("on_shortfall", "refuse"),
    "fx.transfer": ("fixed_side", "debit"),
}
"""The field of a type that may be left out, with what it says then."""

DIGITS = {"EUR": 2, "USD": 2, "GBP": 2, "CHF": 2, "JPY": 0, "KWD": 3, "NOK": 2}
"""Minor-unit digits of the currencies that the sample uses."""


class Account(msgspec.Struct):
    """
    An account of the sample. Money in minor units.

    `spendable` is what it surely has in whatever order partitions are read: its first deposit less
    all that later commands take, credits not counted. `final` is what it holds at the end, None
    where that depends on the order. `customer` is None where it is nobody's.
    """

    name: str
    currency: str
    spendable: int = 0
    final: int | None = 0
    customer: str | None = None


class Pen:
    """
    Writes records, and keeps the balances that they must lead to.

    `cash` holds the final balances of the bank's own accounts by name, in minor units. `races`
    counts the outcomes of records that are open one by one but known as a group.
    """

    def __init__(self, rng: Random, partitions: int) -> None:
        self.rng = rng
        self.partitions = partitions
        self.cash: Counter[str] = Counter()
        self.races: Counter[str] = Counter()
        self.ids_written = 0

    def new_id(self) -> str:
        """Make the next UUID of version 7: time first, then random bits."""
        at_ms = FIRST_ID_MS + self.ids_written // IDS_PER_MS
        self.ids_written += 1
        head = at_ms << 16 | 0x7000 | self.rng.getrandbits(12)
        text = f"{head << 64 | 0b10 << 62 | self.rng.getrandbits(62):032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def body(self, type_: str, **fields: Any) -> Body:
        """Write the fields of a command: those that every command has, then its own."""
        return {
            "transaction_id": self.new_id(),
            "type": type_,
            **fields,
            "requested_at": REQUESTED_AT,
            "channel": CHANNELS[self.rng.getrandbits(8) % len(CHANNELS)],
        }

    def headers(self) -> Headers:
        """Give every third record a trace, a few CloudEvents attributes or a broken trace."""
        dice = self.rng.randrange(100)
        if dice >= TRACED_PERCENT:
            return ()
        trace = f"00-{self.rng.getrandbits(128) | 1:032x}-{self.rng.getrandbits(64) | 1:016x}-01"
        if dice == 0:
            return (("traceparent", b"00-zz-not-a-trace-01"),)
        if dice < CLOUD_EVENTS_PERCENT:
            return (
                ("ce_specversion", b"1.0"),
                ("ce_type", b"payment.command"),
                ("ce_source", b"/channels/mobile"),
                ("traceparent", trace.encode()),
            )
        return (("traceparent", trace.encode()),)

    def record(
        self,
        key: str,
        value: Body | bytes | None,
        expect: str | None,
        *,
        partition: int | None = None,
        answered: bool = True,
    ) -> Record:
        """Put a value under its key; `partition` where a channel did not go by the key."""
        raw = write(value) if isinstance(value, dict) else value
        coded = key.encode()
        if partition is None:
            partition = partition_of(coded, self.partitions)
        return Record(partition, coded, raw, self.headers(), expect, answered)

    def elsewhere(self, key: str) -> int:
        """Choose a partition that is not the key's."""
        home = partition_of(key.encode(), self.partitions)
        return (home + 1 + self.rng.randrange(self.partitions - 1)) % self.partitions

    def amount(self, minor: int, currency: str) -> str:
        """Write minor units as a decimal string with exactly the currency's digits."""
        return major_of(minor, DIGITS[currency])


def write(body: Body) -> bytes:
    """Write a command the usual way: compact JSON in UTF-8."""
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()


def respell(body: Body, rng: Random) -> bytes:
    """Write the same command differently: nothing that a reader of its meaning can notice."""
    other = dict(body)
    other["transaction_id"] = other["transaction_id"].upper()
    other["requested_at"] = "2026-11-21T11:00:07.250000+01:00"
    other |= _without_zeros(other)
    if "lines" in other:
        other["lines"] = [line | _without_zeros(line) for line in other["lines"]]
    other.setdefault("metadata", {})
    if other["type"] in DEFAULTS:
        other.setdefault(*DEFAULTS[other["type"]])
    if other["type"] in DEFAULT_SIDE:
        other.setdefault(DEFAULT_SIDE[other["type"]], "cash-" + other["currency"])
    fields = list(other.items())
    rng.shuffle(fields)
    style = rng.randrange(3)
    if style == 0:
        return json.dumps(dict(fields), indent=2).encode()
    if style == 1:
        return b" \r\n\t" + json.dumps(dict(fields), separators=(" , ", " : ")).encode() + b"\n"
    plain = json.dumps(dict(fields))
    return plain.replace('"type"', '"\\u0074ype"').replace("channel", "ch\\u0061nnel").encode()


def _without_zeros(fields: Body) -> Body:
    """Write amounts without the zeros at their ends, and a rate with one more."""
    found = {
        name: fields[name].rstrip("0").removesuffix(".")
        for name in ("amount", "credit_amount")
        if "." in fields.get(name, "")
    }
    rate = fields.get("rate", "")
    return found | {"rate": f"{rate}0"} if "." in rate and len(rate) < RATE_CHARACTERS else found
