"""What each system is shown after its load: the payments of real life, known beforehand. Pure."""

from __future__ import annotations

from typing import Final, NamedTuple

from loadtest.load.transfers import Pair
from loadtest.peers.orders import UNCOVERED_MINOR, Order, behind_no_json, lanes_of, orders

REPEATS: Final = 100
CONFLICTS: Final = 10
UNCOVERED: Final = 10
BEHIND_NO_JSON: Final = 10
DRAWN_FOR_NO_JSON: Final = 1_000
"""From so many are taken those that lie in one partition."""

STRUCK: Final = 1_000
STRUCK_PRODUCT: Final = 20_000
"""So many are asked for when something is cut or killed: the fast is to be met in the middle."""

CUTS_AT: Final = (0.25, 0.45, 0.65)
"""All connections of the system's database are cut when so much of it has been answered."""

KILLED_AT: Final = (0.25,)
RESTARTS_MAX: Final = 3
"""A system that has ended by itself more often in one demonstration does not get past it."""

NUMBERS: Final = 100_000
"""Each demonstration has ids of its own, so many from the next one's."""


class Demonstration(NamedTuple):
    """
    Orders, for calls, and the records of each partition, for Kafka.

    `should_post` says whether they should be posted by its end, now or before. Blows fall when so
    great a share of them has been answered.
    """

    name: str
    asked: list[Order]
    lanes: list[list[Pair]]
    should_post: bool = True
    blows_at: tuple[float, ...] = ()


def demonstrations(
    payments: int, accounts: int, struck: int = STRUCK, *, is_quick: bool = False
) -> list[Demonstration]:
    """Write all demonstrations for a system that was given so many payments of the load before."""

    def fresh(place: int, count: int) -> list[Order]:
        return orders(count, accounts, first=payments + place * NUMBERS)

    known = orders(min(REPEATS, payments), accounts)
    other = [order.of(order.minor + 1) for order in known[:CONFLICTS]]
    uncovered = [order.of(UNCOVERED_MINOR) for order in fresh(1, UNCOVERED)]
    behind, lanes = behind_no_json(fresh(2, DRAWN_FOR_NO_JSON), BEHIND_NO_JSON)
    found = [
        Demonstration("repeats", known, lanes_of(known)),
        Demonstration("conflicts", other, lanes_of(other)),
        Demonstration("uncovered", uncovered, lanes_of(uncovered), should_post=False),
        Demonstration("no_json", behind, lanes),
    ]
    if not is_quick:
        for name, place, blows_at in (("cut", 3, CUTS_AT), ("killed", 4, KILLED_AT)):
            asked = fresh(place, struck)
            found.append(Demonstration(name, asked, lanes_of(asked), blows_at=blows_at))
    return found
