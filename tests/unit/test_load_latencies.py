"""The histogram of latencies against the exact figures."""

from __future__ import annotations

from random import Random

import pytest

from loadtest.load.latencies import HIGHEST_US, Latencies

PERCENTS = (1, 25, 50, 90, 99, 99.9, 100)


def exact_ms(values_us: list[int], percent: float) -> float:
    """Return the smallest value that so many percent of all do not exceed."""
    rank = -(-len(values_us) * percent // 100)
    return sorted(values_us)[max(0, int(rank) - 1)] / 1000


def counted(values_us: list[int]) -> Latencies:
    """Return the histogram of some latencies."""
    found = Latencies()
    for one in values_us:
        found.record(one)
    return found


@pytest.mark.parametrize("mean_us", [300, 40_000, 90_000_000])
def test_percentiles_are_within_a_thousandth_of_the_exact_ones(mean_us: int) -> None:
    """And never below them: a threshold is not met by rounding."""
    rng = Random(mean_us)
    values = [1 + round(rng.expovariate(1 / mean_us)) for _ in range(5_000)]
    for percent, found in zip(PERCENTS, counted(values).percentiles_ms(PERCENTS), strict=True):
        exact = exact_ms(values, percent)
        assert found is not None
        assert exact <= found <= exact * 1.001


def test_of_nothing_there_is_no_percentile() -> None:
    """None is not zero, which would meet any threshold."""
    assert Latencies().percentiles_ms((50, 100)) == [None, None]
    assert Latencies().written()["percentiles"] == []


def test_histograms_of_processes_add_up() -> None:
    """What two have recorded, written and read again, is what one would have."""
    rng = Random(1)
    values = [rng.randrange(1, 2_000_000) for _ in range(4_000)]
    both = Latencies()
    for part in (values[:1_000], values[1_000:]):
        both.add(Latencies.decoded(counted(part).written()["encoded"]))

    assert len(both) == 4_000
    assert both.written() == counted(values).written()
    both.clear()
    assert len(both) == 0
    assert both.percentiles_ms((50,)) == [None]


def test_the_curve_rises_to_the_last_value() -> None:
    """Pairs of a percentile and milliseconds, closer and closer towards the end."""
    curve = counted(list(range(1_000, 200_000, 10))).written()["percentiles"]
    assert curve == sorted(curve)
    assert [50, pytest.approx(100.5, rel=0.001)] in curve
    assert curve[-1] == [100, pytest.approx(200.0, rel=0.001)]


def test_what_is_out_of_bounds_is_counted_at_the_bound() -> None:
    """Nothing is lost: an outage of hours is an hour, an answer in no time a microsecond."""
    found = counted([-5, 0, 5 * HIGHEST_US])
    assert len(found) == 3
    assert found.percentiles_ms((1, 100)) == [0.001, pytest.approx(3_600_000, rel=0.001)]
