"""What is asked of the systems beside the load: the same again, other content, no funds. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from loadtest.load.transfers import DIGITS, FUNDS_MINOR, Pair, account_name, transaction_id
from loadtest.load.transfers import transfers as drawn
from loadtest.reference.amounts import major_of
from loadtest.sample import SEED

PARTITIONS: Final = 8
UNCOVERED_MINOR: Final = 10 * FUNDS_MINOR
"""More than any account of the load can hold."""

NO_JSON: Final = b'{"transaction_id":"half a mes'
NO_JSON_KEY: Final = b"acc-000000"


class Order(NamedTuple):
    """One transfer that is asked for: parsed, for a call, and as a record, for Kafka."""

    id: str
    debit: str
    credit: str
    minor: int
    partition: int
    key: bytes
    value: bytes

    def of(self, minor: int) -> Order:
        """Give the same order, for another amount."""
        before, after = (
            f'"amount":"{major_of(one, DIGITS)}"'.encode() for one in (self.minor, minor)
        )
        return self._replace(minor=minor, value=self.value.replace(before, after))


def orders(count: int, accounts: int, *, first: int = 0) -> list[Order]:
    """Give transfers of the load's seed, numbered from `first` on; without it, the load's first."""
    found = drawn(count, accounts, PARTITIONS, seed=SEED, first=first)
    return [
        Order(
            transaction_id(number),
            account_name(one.debit),
            account_name(one.credit),
            one.amount_minor,
            one.partition,
            one.key,
            one.value,
        )
        for number, one in enumerate(found, first)
    ]


def lanes_of(asked: Iterable[Order]) -> list[list[Pair]]:
    """Lay orders out as the records of each partition."""
    lanes: list[list[Pair]] = [[] for _ in range(PARTITIONS)]
    for order in asked:
        lanes[order.partition].append((order.key, order.value))
    return lanes


def behind_no_json(asked: Sequence[Order], count: int) -> tuple[list[Order], list[list[Pair]]]:
    """Take up to `count` orders of one partition; give them, and them behind what is no JSON."""
    partition = asked[0].partition
    behind = [order for order in asked if order.partition == partition][:count]
    lanes = lanes_of(behind)
    lanes[partition].insert(0, (NO_JSON_KEY, NO_JSON))
    return behind, lanes
