"""From the values of each round to medians, ratios and the tables that people read. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.table import Table

from loadtest.peers.systems import PRODUCT, System
from loadtest.peers.verdicts import DEMONSTRATED

MEBIBYTE: Final = 1024 * 1024
TENTHS_BELOW: Final = 100

Round = Mapping[str, Mapping[str, Any]]
"""What the timed part of each system gave in a round, by the system's name."""


def summed_up(systems: Sequence[System], rounds: Sequence[Round]) -> dict[str, dict[str, Any]]:
    """
    Take medians over the rounds, by the system's name; None where nothing was measured.

    A round in which a system's books did not prove has no figures of it. `product_times` is how
    many times as fast the product was, taken round by round first.
    """
    found = {}
    for system in systems:
        proven = [one for one in rounds if _is_proven(one, system.name)]
        values = [one[system.name] for one in proven]
        found[system.name] = {
            "payments": system_payments(rounds, system.name),
            "per_second": median([one["per_second"] for one in values], 1),
            "product_times": median(
                [
                    one[PRODUCT]["per_second"] / one[system.name]["per_second"]
                    for one in proven
                    if _is_proven(one, PRODUCT)
                ]
            ),
            "own_cpu_us": _cpu(values, "worker"),
            "postgres_cpu_us": _cpu(values, "postgres"),
            "broker_cpu_us": None if system.is_called else _cpu(values, "broker"),
            "memory_mib": median([one["peak_memory_bytes"] / MEBIBYTE for one in values], 1),
        }
    return found


def _is_proven(one: Round, name: str) -> bool:
    return name in one and not one[name]["faults"]


def system_payments(rounds: Sequence[Round], name: str) -> int | None:
    """Give how many payments a system was given in a round."""
    return next((one[name]["payments"] for one in rounds if name in one), None)


def _cpu(values: Sequence[Mapping[str, Any]], process: str) -> float | None:
    used = [one["cpu_us_per_payment"][process] for one in values]
    return median([one for one in used if one is not None], 1)


def median(values: Sequence[float], digits: int = 2) -> float | None:
    """Give the median of the rounds, None where there is none."""
    return round(statistics.median(values), digits) if values else None


def speeds(systems: Sequence[System], figures: Mapping[str, Mapping[str, Any]]) -> Table:
    """Draw how fast each was, and what it took."""
    drawn = Table(title="The same payments through each system", title_justify="left")
    drawn.add_column("system")
    for column in (
        "payments/s",
        "product is\ntimes as fast",
        "its CPU\nµs/payment",
        "PostgreSQL\nµs/payment",
        "broker\nµs/payment",
        "memory\nMiB",
        "payments\na round",
    ):
        drawn.add_column(column, justify="right")
    for system in systems:
        found = figures[system.name]
        times = found["product_times"]
        drawn.add_row(
            system.title,
            "void" if found["per_second"] is None else f"{found['per_second']:,.0f}",
            "-" if times is None or system.name == PRODUCT else f"{times:,.1f}",
            *(_shown(found[f"{name}_cpu_us"]) for name in ("own", "postgres", "broker")),
            _shown(found["memory_mib"]),
            _shown(found["payments"]),
        )
    return drawn


def habits(systems: Sequence[System], words: Mapping[str, Mapping[str, str]]) -> Table:
    """Draw what each did with what payments meet in real life."""
    drawn = Table(title="What was seen of each", title_justify="left")
    drawn.add_column("shown")
    for system in systems:
        drawn.add_column(system.title)
    for name, title in DEMONSTRATED.items():
        drawn.add_row(title, *(words[system.name][name] for system in systems))
    return drawn


def _shown(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if isinstance(value, int) or value >= TENTHS_BELOW else f"{value:,.1f}"
