"""Axes of charts: round numbers, and places that keep to what they stand for."""

from __future__ import annotations

import pytest

from loadtest.report.chart import spread
from loadtest.report.scales import (
    Linear,
    beyond,
    linear_from_zero,
    log_around,
    tail_ticks,
    tail_to,
    time_ticks,
)
from loadtest.report.thinning import BUCKETS, GAP_STEPS, evened, runs, thinned

LINEAR = [
    ([0.0], [0, 1]),
    ([], [0, 1]),
    ([3.0], [0, 1, 2, 3]),
    ([1.0], [0, 0.25, 0.5, 0.75, 1]),
    ([10_012.0], [0, 5_000, 10_000, 15_000]),
    ([9_998.0, 12.0], [0, 2_500, 5_000, 7_500, 10_000]),
    ([0.021], [0, 0.01, 0.02, 0.03]),
]


@pytest.mark.parametrize(("values", "written"), LINEAR)
def test_a_linear_axis_goes_to_a_round_number_above_all(
    values: list[float], written: list[float]
) -> None:
    """It begins at zero, so that heights compare."""
    axis, ticks = linear_from_zero(values)
    assert ticks == pytest.approx(written)
    assert [axis.low, axis.high] == pytest.approx([0, written[-1]])
    assert all(0 <= axis.at(value) <= 1 for value in values)


LOG = [
    ([], [1, 10]),
    ([0.0], [1, 10]),
    ([12.0, 80.0], [10, 20, 50, 100]),
    ([3.0, 12_000.0], [1, 10, 100, 1_000, 10_000, 100_000]),
    ([100.0], [100, 200, 500, 1_000]),
    ([0.5, 5.0], [0.1, 0.2, 0.5, 1, 2, 5, 10]),
]


@pytest.mark.parametrize(("values", "written"), LOG)
def test_a_logarithmic_axis_goes_from_power_to_power(
    values: list[float], written: list[float]
) -> None:
    """Where there are few powers, 2 and 5 are written as well."""
    axis, ticks = log_around(values)
    assert ticks == pytest.approx(written)
    assert [axis.low, axis.high] == pytest.approx([written[0], written[-1]])


def test_equal_ratios_are_as_long_on_a_logarithmic_axis() -> None:
    """Zero is at its beginning, which has no logarithm."""
    axis, _ = log_around([1.0, 10_000.0])
    assert [axis.at(value) for value in (0, 1, 10, 100, 10_000)] == pytest.approx(
        [0, 0, 0.25, 0.5, 1]
    )


TIMES = [
    (15.1, ["0 s", "2 s", "4 s", "6 s", "8 s", "10 s", "12 s", "14 s"]),
    (180.0, [*("0 s", "20 s", "40 s", "1 min", "1:20", "1:40", "2 min", "2:20", "2:40"), "3 min"]),
    (
        *(3_620.0,),
        ["0 s", "10 min", "20 min", "30 min", "40 min", "50 min", "1 h"],
    ),
    (86_400.0, ["0 s", "3 h", "6 h", "9 h", "12 h", "15 h", "18 h", "21 h", "24 h"]),
]


@pytest.mark.parametrize(("seconds", "labels"), TIMES)
def test_times_are_round_and_few(seconds: float, labels: list[str]) -> None:
    """From a smoke test to a day."""
    assert [tick.label for tick in time_ticks(Linear(0.0, seconds))] == labels


def test_each_further_nine_is_as_wide_as_the_one_before() -> None:
    """The slowest of ten thousand is seen as well as the slowest of ten; 100 is at the end."""
    axis = tail_to(99.99)
    places = [axis.at(percent) for percent in (0, 90, 99, 99.9, 99.99)]
    assert places == pytest.approx([number / 4.5 for number in range(5)])
    assert axis.at(100.0) == 1.0
    assert beyond(90.0, 1) == pytest.approx(99.0)
    assert beyond(50.0, -1) == 0.0
    labels = [tick.label for tick in tail_ticks(axis)]
    assert labels == ["50 %", "90 %", "99 %", "99.9 %", "all"]


def test_fewer_points_keep_every_extreme_and_both_ends() -> None:
    """A spike of one second in an hour is in the picture, and a dip too."""
    course = [(float(at), 10.0 + at % 7) for at in range(3600)]
    course[1234] = (1234.0, 900.0)
    course[2345] = (2345.0, 0.5)

    kept = thinned(course, 3600.0)

    assert len(kept) <= 4 * BUCKETS
    assert {course[0], course[1234], course[2345], course[-1]} <= set(kept)
    assert kept == sorted(kept)
    width = 3600.0 / BUCKETS
    for bucket in range(BUCKETS):
        own = [y for x, y in course if int(x / width) == bucket]
        left = [y for x, y in kept if int(x / width) == bucket]
        assert (min(own), max(own)) == (min(left), max(left))


def test_few_points_are_kept_as_they_are() -> None:
    """Nothing is lost where nothing has to be."""
    course = [(float(at), float(at % 3)) for at in range(BUCKETS)]
    assert thinned(course, float(BUCKETS)) == course
    assert thinned([], 0.0) == []


def test_a_line_is_cut_where_there_is_nothing() -> None:
    """A second without outcomes, or a process that was away, is no straight line to the next."""
    course = [(1.0, 5.0), (2.0, None), (3.0, None), (4.0, 6.0), (5.0, 7.0)]
    assert runs(course) == [[(1.0, 5.0)], [(4.0, 6.0), (5.0, 7.0)]]
    away = [(float(at), 1.0) for at in (1, 2, 3, 9, 10)]
    assert [len(run) for run in runs(away, GAP_STEPS)] == [3, 2]
    assert [len(run) for run in runs(away)] == [5]
    assert runs([]) == []
    assert runs([(1.0, None)]) == []


def test_a_rate_over_a_moment_is_no_spike() -> None:
    """What was told a tenth of a second later counts with the second before."""
    told = [(1.0, 500.0), (2.0, 400.0), (3.0, 450.0), (3.1, 6000.0)]
    assert evened(told) == [
        (1.0, 500.0),
        (2.0, 400.0),
        (3.1, pytest.approx((450 * 1.0 + 6000 * 0.1) / 1.1)),
    ]
    even = [(1.0, 500.0), (2.0, None), (3.0, 450.0)]
    assert evened(even) == even


def test_labels_of_lines_are_moved_apart() -> None:
    """As little as can be, in their order, and never out of the plot."""
    assert spread([0.1, 0.5], 0.1) == [0.1, 0.5]
    assert spread([0.5, 0.5, 0.2], 0.1) == pytest.approx([0.5, 0.6, 0.2])
    assert spread([1.0, 0.98, 0.97], 0.1) == pytest.approx([1.0, 0.9, 0.8])
    assert spread([], 0.1) == []
