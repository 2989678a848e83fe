"""
Whether two sets of repeated runs differ by more than they differ among themselves. Pure.

Runs are few, latencies are skewed, and now and then a neighbour spoils one: nothing of that is
normal, so means and standard deviations mislead. Ranks do not care: one spoilt run counts as one,
however bad. The test is Mann and Whitney's, exact, as benchstat uses it. The shift with it is
Hodges and Lehmann's: the median of all ratios of a run of one side to a run of the other; its
interval holds the true ratio unless chance did what it does once in `1 / ALPHA` comparisons.

A comparison looks at some ten figures at once, so chance gets ten tries: therefore one in a hundred
and not one in twenty. Of five runs a side that are all apart chance makes 2 of 252: five are the
fewest that can tell. A median absolute deviation of five values is itself off by half, and an
interval for one run alone needs a distribution that nobody knows; neither is used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from math import comb
from statistics import median
from typing import Final, Literal, NamedTuple

ALPHA: Final = 0.01
RUNS_ENOUGH: Final = 5
"""So many on each side can tell; with more on one, fewer on the other can."""

RUNS_MAX: Final = 12
"""Of more, the newest of a side are taken: an old machine is another machine."""

Judged = Literal["lower", "higher", "noise", "too few runs"]


class Shift(NamedTuple):
    """
    How the runs of B differ from those of A.

    `ratio` is that of B to A, within `low` and `high`; None where a value is zero, or where runs
    are too few. `p` is how often chance alone makes such a difference, None for too few.
    """

    judged: Judged
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None


def can_tell(count: int, other: int) -> bool:
    """Say whether so many runs could differ by more than chance explains."""
    return min(count, other) > 0 and 2 / comb(count + other, count) <= ALPHA


def shift(first: Sequence[float], second: Sequence[float]) -> Shift:
    """Hold the runs of B against those of A."""
    if not can_tell(len(first), len(second)):
        return Shift("too few runs")
    p = rank_sum_p(first, second)
    ratio, low, high = _ratios(first, second)
    if p > ALPHA:
        return Shift("noise", ratio, low, high, p)
    above = sum((b > a) - (b < a) for a in first for b in second)
    return Shift("higher" if above > 0 else "lower", ratio, low, high, p)


def rank_sum_p(first: Sequence[float], second: Sequence[float]) -> float:
    """
    Give the chance of ranks at least so uneven, both sides counted (Mann-Whitney, exact).

    Equal values share the mean of their ranks.
    """
    ranks = _doubled_ranks([*first, *second])
    own = sum(ranks[: len(first)])
    middle = sum(ranks) * len(first) / len(ranks)
    sums = _sums(ranks, len(first))
    extreme = sum(n for total, n in sums.items() if abs(total - middle) >= abs(own - middle))
    return extreme / comb(len(ranks), len(first))


def _doubled_ranks(values: Sequence[float]) -> list[int]:
    """Give each value twice its rank, which is whole also where ranks are shared."""
    order = sorted(range(len(values)), key=lambda place: values[place])
    ranks = [0] * len(values)
    before = 0
    for _, group in groupby(order, key=lambda place: values[place]):
        alike = list(group)
        for place in alike:
            ranks[place] = 2 * before + len(alike) + 1
        before += len(alike)
    return ranks


def _sums(ranks: Sequence[int], chosen: int) -> Mapping[int, int]:
    """Count the ways to choose so many of the ranks, by their sum."""
    ways: list[Counter[int]] = [Counter({0: 1}), *(Counter[int]() for _ in range(chosen))]
    for rank in ranks:
        for taken in range(chosen, 0, -1):
            for total, number in ways[taken - 1].items():
                ways[taken][total + rank] += number
    return ways[chosen]


def _ratios(
    first: Sequence[float], second: Sequence[float]
) -> tuple[float | None, float | None, float | None]:
    """Give the median of all ratios and the ends of its interval; None where one is of zero."""
    if min(*first, *second) <= 0:
        return None, None, None
    found = sorted(b / a for a in first for b in second)
    outside = _outside(len(first), len(second))
    return median(found), found[outside], found[-1 - outside]


def _outside(count: int, other: int) -> int:
    """Count the ratios to leave out at each end: the true one is among the others but for ALPHA."""
    places = count + other
    sums = _sums(range(1, places + 1), count)
    least, whole = count * (count + 1) // 2, comb(places, count)
    left_out = 0
    while 2 * sum(sums[least + below] for below in range(left_out + 1)) <= ALPHA * whole:
        left_out += 1
    return left_out - 1
