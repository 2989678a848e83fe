"""
Commands in blocks: each block is written from the seed and its number alone. Pure.

So any part of a load can be written again, by any process; fewer commands are the first of more.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator
from itertools import accumulate, chain, islice
from random import Random
from typing import Final, NamedTuple

import orjson

from loadtest.load.share import BLOCK, WHOLE, Share
from loadtest.load.transfers import transaction_id
from loadtest.stories.pen import CHANNELS, REQUESTED_AT
from loadtest.traffic.kinds import KINDS, Desk, insufficient
from loadtest.traffic.poison import spoilt
from loadtest.traffic.population import Population, choose
from loadtest.traffic.shape import NEEDS, Traffic

FIRST: Final = "first"
REPEAT: Final = "repeat"
CONFLICT: Final = "conflict"
INVALID: Final = "invalid"

OTHER_AMOUNTS: Final = frozenset({"deposit", "withdrawal", "transfer", "payment", "hold.place"})
"""A conflict of these asks for another amount; that of others has another reference."""


class Command(NamedTuple):
    """
    A record, and what it is meant to be: `first` of its id, a `repeat`, a `conflict`, `invalid`.

    What is meant to be a first may be refused; the others are told as what they are meant to be.
    """

    partition: int
    key: bytes
    value: bytes
    meant: str


class Blocks:
    """The blocks of a load of so many customers' accounts."""

    def __init__(self, accounts: int, partitions: int, seed: int, traffic: Traffic) -> None:
        self._people = Population(accounts, partitions, traffic)
        self._seed = seed
        self._hot = traffic.hot_percent / 100
        self._shares = tuple(
            accumulate(
                (
                    traffic.repeats_percent / 100,
                    traffic.conflicts_percent / 100,
                    traffic.poison_percent / 100,
                    traffic.insufficient_percent / 100,
                )
            )
        )
        self._kinds = traffic.sent_kinds
        self._weights = tuple(accumulate(traffic.kinds[kind] for kind in self._kinds))
        self._instead = {
            kind: next(need for need in NEEDS[kind] if need in self._kinds)
            for kind in self._kinds
            if NEEDS[kind]
        }

    def commands(self, number: int, first: int = 0, share: Share = WHOLE) -> Iterator[Command]:
        """Write so many commands of a share, its own from one on."""
        block, skipped = divmod(first, BLOCK)
        written = chain.from_iterable(map(self.block, share.blocks(block)))
        return islice(written, skipped, skipped + number)

    def block(self, block: int) -> Iterator[Command]:
        """Write a block, command after command."""
        draw = Random(f"{self._seed}/{block}").random
        desk = Desk(draw, self._people, self._hot)
        repeats, conflicts, poison, _ = self._shares
        firsts: list[Command] = []
        for number in range(block * BLOCK, (block + 1) * BLOCK):
            dice = draw()
            if dice >= poison or not firsts:
                one = self._first(desk, number, dice)
                firsts.append(one)
            elif dice < repeats:
                one = choose(firsts, draw)._replace(meant=REPEAT)
            elif dice < conflicts:
                original = choose(firsts, draw)
                one = original._replace(value=_contradicted(original.value), meant=CONFLICT)
            else:
                party, fields = insufficient(desk)
                value = spoilt(_written(number, "transfer", fields), draw)
                one = Command(party.home, party.key, value, INVALID)
            yield one

    def _first(self, desk: Desk, number: int, dice: float) -> Command:
        if self._shares[-2] <= dice < self._shares[-1]:
            kind = "transfer"
            made = insufficient(desk)
        else:
            drawn = desk.draw() * self._weights[-1]
            kind = self._kinds[bisect(self._weights, drawn, hi=len(self._kinds) - 1)]
            found = KINDS[kind](desk, number)
            while found is None:
                kind = self._instead[kind]
                found = KINDS[kind](desk, number)
            made = found
        party, fields = made
        return Command(party.home, party.key, _written(number, kind, fields), FIRST)


def _written(number: int, kind: str, fields: str) -> bytes:
    return (
        f'{{"transaction_id":"{transaction_id(number)}","type":"{kind}",{fields},'
        f'"requested_at":"{REQUESTED_AT}","channel":"{CHANNELS[number % len(CHANNELS)]}"}}'
    ).encode()


def _contradicted(value: bytes) -> bytes:
    """Write the same id with another amount or another reference."""
    body = orjson.loads(value)
    if body["type"] in OTHER_AMOUNTS:
        body["amount"] = "1" + body["amount"]
    else:
        body["reference"] = "another one"
    return orjson.dumps(body)
