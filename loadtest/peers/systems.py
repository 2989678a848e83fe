"""The systems that are held against each other: what each is, and how much of the load it gets."""

from __future__ import annotations

from typing import Final

import msgspec

PRODUCT: Final = "product"
QUIX: Final = "quix"
PAYMENTS: Final = 100_000
"""What the product gets unless told. Slower ones get fewer, so that each takes some seconds."""

NAIVE_PAYMENTS_MAX: Final = 3_000
FAUST_PAYMENTS_MAX: Final = 3_000
QUIX_PAYMENTS_MAX: Final = 30_000
CALLS_MAX: Final = 10_000


class System(msgspec.Struct, frozen=True):
    """
    A system by the name that --only knows. `module` is the program of one that reads Kafka;
    `connections` those of one that is called; `leaves` are topics that it makes by itself, `lacks`
    what its tables have no place for. What it gets at most are `payments_max` payments.
    """

    name: str
    title: str
    what: str
    payments_max: int | None = None
    module: str = ""
    connections: int = 0
    leaves: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()

    @property
    def is_called(self) -> bool:
        """Whether clients call it straight, without Kafka."""
        return self.connections > 0

    def payments(self, wanted: int) -> int:
        """Give how many payments it gets where the product gets `wanted`."""
        return wanted if self.payments_max is None else min(wanted, self.payments_max)


PLAIN_LACKS: Final = (
    "it keeps balances and payments, but no entries and no record of what it refused",
    "nothing in its books says which messages they come from: what is missing can't be found",
)
FUNCTION_LACKS: Final = (
    "it keeps no record of what it refused, and tells nobody but its caller",
    "nothing keeps what was asked for: a call that nobody asks again is gone",
)

SYSTEMS: Final = (
    System(PRODUCT, "the product", "the whole line, as the bench's case e2e"),
    System(
        "naive",
        "naive consumer",
        "aiokafka and asyncpg: one transaction and one awaited send for each message",
        NAIVE_PAYMENTS_MAX,
        "naive_consumer",
        lacks=PLAIN_LACKS,
    ),
    System(
        "faust",
        "plain Faust agent",
        "faust-streaming as in its user guide, with an asyncpg pool",
        FAUST_PAYMENTS_MAX,
        "faust_agent",
        leaves=("faust-__assignor-__leader",),
        lacks=PLAIN_LACKS,
    ),
    System(
        QUIX,
        "Quix Streams sink",
        "a custom BatchingSink with psycopg2: one transaction for a partition's checkpoint",
        QUIX_PAYMENTS_MAX,
        "quix_sink",
        lacks=PLAIN_LACKS,
    ),
    System(
        "sql8",
        "SQL function, 8",
        "one PL/pgSQL call for each transfer over 8 connections, no Kafka",
        CALLS_MAX,
        connections=8,
        lacks=FUNCTION_LACKS,
    ),
    System(
        "sql32",
        "SQL function, 32",
        "the same over 32 connections",
        CALLS_MAX,
        connections=32,
        lacks=FUNCTION_LACKS,
    ),
)
NAMES: Final = tuple(system.name for system in SYSTEMS)


def chosen(words: str) -> tuple[System, ...]:
    """Read a list of systems, as --only has it. Raises ValueError naming what is none."""
    names = [word.strip() for word in words.split(",") if word.strip()]
    unknown = [name for name in names if name not in NAMES]
    if unknown or not names:
        raise ValueError(f"{unknown[0] if unknown else 'nothing'} is none of {', '.join(NAMES)}")
    return tuple(system for system in SYSTEMS if system.name in names)


def in_turn(systems: tuple[System, ...], number: int) -> tuple[System, ...]:
    """Order them for a round: each round begins with another, so that noise hits all alike."""
    start = (number - 1) % len(systems)
    return systems[start:] + systems[:start]
