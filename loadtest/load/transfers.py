"""Valid transfers between funded accounts, the same bytes from the same seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from random import Random
from typing import NamedTuple

from loadtest.load.share import BLOCK, WHOLE, Share
from loadtest.record import partition_of
from loadtest.reference.amounts import major_of
from loadtest.stories.pen import CHANNELS, REQUESTED_AT

CURRENCY = "EUR"
DIGITS = 2
FUNDS_MINOR = 100_000_000_00
AMOUNT_MINOR_MAX = 500_00
FIRST_ID_MS = 1_795_255_200_000
IDS_PER_MS = 20
CHUNK = 1_000
"""So many transfers are drawn at once: one by one costs more, a block at once stops its sender."""

Pair = tuple[bytes, bytes]
"""Key and value of a record."""


class Transfer(NamedTuple):
    """One transfer and the record that asks for it; accounts are numbers."""

    debit: int
    credit: int
    amount_minor: int
    partition: int
    key: bytes
    value: bytes


def account_name(number: int) -> str:
    """Name an account."""
    return f"acc-{number:06d}"


def transaction_id(number: int) -> str:
    """Write a UUID of version 7 whose last twelve digits are `number`: see `number_of`."""
    at = f"{FIRST_ID_MS + number // IDS_PER_MS:012x}"
    spread = number * 2_654_435_761
    return f"{at[:8]}-{at[8:]}-7{spread >> 8 & 0xFFF:03x}-8{spread >> 20 & 0xFFF:03x}-{number:012x}"


def number_of(identity: str) -> int:
    """Read back the number that `transaction_id` was made from."""
    return int(identity[24:], 16)


def transfers(
    count: int,
    accounts: int,
    partitions: int,
    *,
    seed: int,
    hot: bool = False,
    first: int = 0,
    share: Share = WHOLE,
) -> Iterator[Transfer]:
    """
    Write `count` transfers of a share, its own from `first` on; with `hot` all credit account 0.

    Every account has funds for all that it could be asked to pay, so the order does not matter.
    """
    written = Writer(accounts, partitions, seed=seed, hot=hot)
    block, skipped = divmod(first, BLOCK)
    blocks = map(written.block, share.blocks(block))
    return islice(chain.from_iterable(blocks), skipped, skipped + count)


class Writer:
    """Writes transfers between so many accounts, a block at a time."""

    def __init__(self, accounts: int, partitions: int, *, seed: int, hot: bool) -> None:
        self._accounts = range(accounts)
        self._names = [account_name(number) for number in self._accounts]
        self._keys = [name.encode() for name in self._names]
        self._homes = [partition_of(key, partitions) for key in self._keys]
        self._amounts = [major_of(minor, DIGITS) for minor in range(AMOUNT_MINOR_MAX + 1)]
        self._seed = seed
        self._is_hot = hot

    def block(self, block: int) -> Iterator[Transfer]:
        """Write a block of transfers, one after another."""
        rng = Random(f"{self._seed}/{block}")
        for start in range(block * BLOCK, (block + 1) * BLOCK, CHUNK):
            debits = rng.choices(self._accounts, k=CHUNK)
            credits_ = [0] * CHUNK if self._is_hot else rng.choices(self._accounts, k=CHUNK)
            sums = rng.choices(range(1, AMOUNT_MINOR_MAX + 1), k=CHUNK)
            yield from map(self._one, range(start, start + CHUNK), debits, credits_, sums)

    def _one(self, number: int, payer: int, payee: int, minor: int) -> Transfer:
        if payer == payee and self._is_hot:
            payer = (payer + 1) % len(self._accounts)
        elif payer == payee:
            payee = (payee + 1) % len(self._accounts)
        names = self._names
        value = (
            f'{{"transaction_id":"{transaction_id(number)}","type":"transfer",'
            f'"debit_account":"{names[payer]}","credit_account":"{names[payee]}",'
            f'"amount":"{self._amounts[minor]}","currency":"{CURRENCY}",'
            f'"requested_at":"{REQUESTED_AT}","channel":"{CHANNELS[number % len(CHANNELS)]}",'
            f'"reference":"invoice {number}"}}'
        ).encode()
        return Transfer(payer, payee, minor, self._homes[payer], self._keys[payer], value)


class Load(NamedTuple):
    """
    Records for each partition, and what must come of them.

    `balances` are the final ones in minor units; `ids_sum` is the sum of the numbers in the ids.
    """

    lanes: list[list[Pair]]
    balances: dict[str, int]
    payments: int
    amount_minor: int
    ids_sum: int


def load(
    count: int,
    accounts: int,
    partitions: int,
    *,
    seed: int,
    hot: bool = False,
    keep_records: bool = True,
) -> Load:
    """Write a load of transfers; without `keep_records` only what must come of them."""
    return load_of([count], accounts, partitions, seed=seed, hot=hot, keep_records=keep_records)


def load_of(
    counts: Sequence[int],
    accounts: int,
    partitions: int,
    *,
    seed: int,
    hot: bool = False,
    keep_records: bool = False,
) -> Load:
    """Write the load of several generators; `counts` says how many each of them has sent."""
    lanes: list[list[Pair]] = [[] for _ in range(partitions)]
    balances = [FUNDS_MINOR] * accounts
    total = ids_sum = 0
    for number, count in enumerate(counts):
        share = Share(number, len(counts))
        ids_sum += sum(sum(identities) for identities in share.identities(count))
        for one in transfers(count, accounts, partitions, seed=seed, hot=hot, share=share):
            if keep_records:
                lanes[one.partition].append((one.key, one.value))
            balances[one.debit] -= one.amount_minor
            balances[one.credit] += one.amount_minor
            total += one.amount_minor
    named = {account_name(number): minor for number, minor in enumerate(balances)}
    return Load(lanes, named, sum(counts), total, ids_sum)


def with_cash(balances: dict[str, int], accounts: int) -> dict[str, int]:
    """Add the cash account that every first deposit came from."""
    return balances | {f"cash-{CURRENCY}": -FUNDS_MINOR * accounts}
