"""Whether repeated runs differ by more than noise: known samples, tables, and brute force."""

from __future__ import annotations

from itertools import combinations
from random import Random

import pytest

from loadtest.report import noise
from loadtest.report.noise import RUNS_ENOUGH, can_tell, rank_sum_p, shift

CALM = [100.0, 101.0, 99.0, 102.0, 98.0]


def by_brute_force(first: list[float], second: list[float]) -> float:
    """Try all ways to deal the values to both sides."""
    every = [*first, *second]
    ranks = [sum(b < a for b in every) + (sum(b == a for b in every) + 1) / 2 for a in every]
    middle = sum(ranks) * len(first) / len(ranks)
    own = abs(sum(ranks[: len(first)]) - middle)
    dealt = [abs(sum(hand) - middle) for hand in combinations(ranks, len(first))]
    return sum(one >= own - 1e-9 for one in dealt) / len(dealt)


@pytest.mark.parametrize("seed", range(20))
def test_the_chance_is_that_of_all_ways_to_deal_the_runs(seed: int) -> None:
    """Exact for few runs, of any number on a side, and where values are the same."""
    rng = Random(seed)
    first = [float(rng.randrange(12)) for _ in range(rng.randrange(1, 6))]
    second = [float(rng.randrange(3, 15)) for _ in range(rng.randrange(1, 6))]
    assert rank_sum_p(first, second) == pytest.approx(by_brute_force(first, second))


def test_five_runs_that_are_all_apart_are_more_than_noise() -> None:
    """The fewest that can be: chance does it twice in 252."""
    found = shift(CALM, [value * 0.9 for value in CALM])
    assert found.judged == "lower"
    assert found.p == pytest.approx(2 / 252)
    assert found.ratio == pytest.approx(0.9, abs=0.01)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.9 < found.high < 1
    assert shift(CALM, [value * 1.1 for value in CALM]).judged == "higher"


def test_runs_that_mingle_are_noise() -> None:
    """Also where the two medians differ by much; the interval has 1 in it."""
    found = shift([100, 140, 90, 120, 95], [98, 150, 160, 99, 135])
    assert found.judged == "noise"
    assert found.low is not None
    assert found.high is not None
    assert found.low < 1 < found.high


def test_one_spoilt_run_changes_little() -> None:
    """However bad: a mean would be carried away by it."""
    before = [100.0 + number for number in range(10)]
    after = [80.0 + number for number in range(9)]
    assert shift(before, [*after, 40_000.0]).judged == "lower"


def test_too_few_runs_tell_nothing() -> None:
    """However far they are apart."""
    assert shift(CALM[:4], [1.0, 2.0, 3.0, 4.0]).judged == "too few runs"
    assert shift([], CALM).judged == "too few runs"
    assert can_tell(RUNS_ENOUGH, RUNS_ENOUGH)
    assert not can_tell(RUNS_ENOUGH - 1, RUNS_ENOUGH)
    assert can_tell(3, 10)
    assert not can_tell(1, 12)


def test_figures_that_are_all_the_same_are_noise() -> None:
    """Zero late sends in every run; a ratio of zeros is none."""
    zeros = [0.0] * RUNS_ENOUGH
    found = shift(zeros, zeros)
    assert (found.judged, found.ratio, found.p) == ("noise", None, 1.0)
    assert shift(zeros, CALM).judged == "higher"
    assert shift(zeros, CALM).ratio is None


@pytest.mark.parametrize(("count", "other", "least"), [(5, 5, 2), (4, 4, 0), (8, 7, 10)])
def test_intervals_leave_out_what_the_tables_say(
    monkeypatch: pytest.MonkeyPatch, count: int, other: int, least: int
) -> None:
    """Of Mann and Whitney's critical values at 5 %, as they stand in textbooks."""
    monkeypatch.setattr(noise, "ALPHA", 0.05)
    first = [1000.0 + number for number in range(count)]
    second = [2000.0 + 17 * number for number in range(other)]
    ratios = sorted(b / a for a in first for b in second)
    found = shift(first, second)
    assert (found.low, found.high) == (ratios[least], ratios[-1 - least])
