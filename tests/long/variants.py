"""What a worker can run on, combined so that each two choices meet at least once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, product
from typing import NamedTuple, TypeVar

T = TypeVar("T")

LOOPS = ("uvloop", "asyncio")
FAUST = ("compiled", "optimized", "plain")
"""Faust's compiled parts as they are by default, with their fast paths, and Python alone."""

FAUST_ENVIRONMENT = {
    "compiled": {},
    "optimized": {"CYTHON_OPTIMIZATIONS": "1"},
    "plain": {"NO_CYTHON": "1"},
}
"""Both variables are Faust's own: it reads them when it is imported and when an app is made."""

PROBE = """
import faust
from faust.transport.conductor import ConductorHandler
from faust.utils.optin import cython_optimizations_enabled
optimized = cython_optimizations_enabled(faust.App("probe").conf)
print("plain" if ConductorHandler is None else "optimized" if optimized else "compiled")
"""
"""Prints which of FAUST runs."""


class Variant(NamedTuple):
    """One combination; `python` has two numbers."""

    python: str
    kafka: str
    loop: str
    faust: str

    def __str__(self) -> str:
        return f"Python {self.python}, Kafka {self.kafka}, {self.loop}, Faust {self.faust}"

    @property
    def settings(self) -> dict[str, str]:
        """The environment variables that make it so."""
        return {"PROCESSOR_EVENT_LOOP": self.loop, **FAUST_ENVIRONMENT[self.faust]}


def variants(pythons: Sequence[str], kafkas: Sequence[str]) -> list[Variant]:
    """Combine everything so that each two choices meet; in the order of the Kafka versions."""
    rows = (Variant(*row) for row in pairwise((pythons, kafkas, LOOPS, FAUST)))
    return sorted(rows, key=lambda row: kafkas.index(row.kafka))


def pairwise(factors: Sequence[Sequence[T]]) -> Iterator[tuple[T, ...]]:
    """Give few rows, one value of each factor in each, in which any two values meet."""
    rows = list(product(*factors))
    open_pairs = {pair for row in rows for pair in pairs(row)}
    while open_pairs:
        best = max(rows, key=lambda row: len(open_pairs & pairs(row)))
        open_pairs -= pairs(best)
        yield best


def pairs(row: Sequence[T]) -> set[tuple[tuple[int, T], tuple[int, T]]]:
    """Give each two values of a row, with their places."""
    return set(combinations(enumerate(row), 2))
