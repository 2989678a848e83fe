"""The accounts that a load moves money between, and how they are opened beforehand. Pure."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple, TypeVar

from loadtest.load.transfers import CURRENCY, FUNDS_MINOR, Pair, account_name, transaction_id
from loadtest.record import partition_of
from loadtest.reference.amounts import major_of
from loadtest.stories.pen import DIGITS, REQUESTED_AT
from loadtest.traffic.shape import PLAIN, Traffic

MERCHANTS_SHARE = 100
"""There is a merchant for so many customers, and one at least."""

FOREIGN = ("USD", "JPY", "KWD")
FOREIGN_SHARE = 20
"""In each other currency there is an account for so many customers, and one at least."""

CUSTOMER, MERCHANT = "customer", "merchant"
TO_MERCHANTS = frozenset({"payment", "hold.place"})

Draw = Callable[[], float]
"""Gives the next random number from 0 to below 1."""

T = TypeVar("T")


def choose(of: Sequence[T], draw: Draw) -> T:
    """Choose one of some evenly."""
    return of[int(draw() * len(of))]


class Opened(NamedTuple):
    """An account that is opened before a load."""

    name: str
    currency: str
    kind: str


def opened(accounts: int, traffic: Traffic) -> Iterator[Opened]:
    """Name all accounts that a load of so many customers needs, and no others."""
    sent = set(traffic.sent_kinds)
    for number in range(accounts):
        yield Opened(account_name(number), CURRENCY, CUSTOMER)
    if sent & TO_MERCHANTS:
        for number in range(max(1, accounts // MERCHANTS_SHARE)):
            yield Opened(f"shop-{number:06d}", CURRENCY, MERCHANT)
    if "fx.transfer" in sent:
        for currency in FOREIGN:
            for number in range(max(1, accounts // FOREIGN_SHARE)):
                yield Opened(f"acc-{currency}-{number:06d}", currency, CUSTOMER)


def openings(accounts: int, partitions: int, traffic: Traffic = PLAIN) -> list[list[Pair]]:
    """Write the opening and the first deposit of every account, for each partition."""
    lanes: list[list[Pair]] = [[] for _ in range(partitions)]
    common = f'"requested_at":"{REQUESTED_AT}","channel":"branch"}}'
    for number, (name, currency, kind) in enumerate(opened(accounts, traffic)):
        key = name.encode()
        # Numbers far above those of any load.
        opening, deposit = (transaction_id((2 + turn << 40) + number) for turn in range(2))
        funds = major_of(FUNDS_MINOR, DIGITS[currency])
        lane = lanes[partition_of(key, partitions)]
        lane.append(
            (
                key,
                f'{{"transaction_id":"{opening}","type":"account.open","account":"{name}",'
                f'"currency":"{currency}","kind":"{kind}",{common}'.encode(),
            )
        )
        lane.append(
            (
                key,
                f'{{"transaction_id":"{deposit}","type":"deposit","credit_account":"{name}",'
                f'"amount":"{funds}","currency":"{currency}",{common}'.encode(),
            )
        )
    return lanes


class Party(NamedTuple):
    """An account: its name, the same as a key, and the partition that the key leads to."""

    name: str
    key: bytes
    home: int


class Population:
    """Chooses accounts: customers by the skew of the traffic, the others evenly."""

    def __init__(self, accounts: int, partitions: int, traffic: Traffic) -> None:
        self._partitions = partitions
        found: dict[tuple[str, str], list[Party]] = {}
        for name, currency, kind in opened(accounts, traffic):
            found.setdefault((kind, currency), []).append(self.party(name))
        self.customers = found[CUSTOMER, CURRENCY]
        self.merchants = found.get((MERCHANT, CURRENCY), [])
        self._foreign = {one: found.get((CUSTOMER, one), []) for one in FOREIGN}
        # The weight of the n-th account is 1 / n^skew; they are drawn by their running sums.
        weights = ((rank + 1) ** -traffic.skew for rank in range(accounts))
        self._sums = list(accumulate(weights)) if traffic.skew else None

    def party(self, name: str) -> Party:
        """Look at an account as its key does."""
        key = name.encode()
        return Party(name, key, partition_of(key, self._partitions))

    def customer(self, draw: Draw) -> Party:
        """Choose a customer's account."""
        return self.customers[self._place(draw)]

    def other(self, than: Party, draw: Draw) -> Party:
        """Choose a customer's account that is another."""
        place = self._place(draw)
        found = self.customers[place]
        return found if found is not than else self.customers[(place + 1) % len(self.customers)]

    def in_currency(self, currency: str, draw: Draw) -> Party:
        """Choose an account that holds a currency."""
        return (
            self.customer(draw) if currency == CURRENCY else choose(self._foreign[currency], draw)
        )

    def _place(self, draw: Draw) -> int:
        sums = self._sums
        if sums is None:
            return int(draw() * len(self.customers))
        return bisect(sums, draw() * sums[-1], hi=len(sums) - 1)
