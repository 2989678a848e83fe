"""Fewer points that draw the same picture. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import inf
from statistics import median
from typing import Final

BUCKETS: Final = 240
"""A line has at most four points for each: more than a screen has room for."""

GAP_STEPS: Final = 3.0
"""A process was away where its next sample comes later than so many usual steps."""

SHORT_STEPS: Final = 0.5

Point = tuple[float, float]
Maybe = tuple[float, float | None]


def runs(points: Sequence[Maybe], gap_steps: float = inf) -> list[list[Point]]:
    """Cut a line where values are missing, or points are for more than so many usual steps."""
    limit = gap_steps * _usual_step(points) if points else inf
    found: list[list[Point]] = [[]]
    before = None
    for at, value in points:
        is_gap = before is not None and at - before > limit
        if (value is None or is_gap) and found[-1]:
            found.append([])
        if value is not None:
            found[-1].append((at, value))
            before = at
    return [run for run in found if run]


def evened(rates: Sequence[Maybe]) -> list[Maybe]:
    """
    Put rates over a very short time together with those before, each by how long it was.

    What a clock says late makes the next step short, and its rate a spike that never was. The
    first rate counts from 0.
    """
    shortest = SHORT_STEPS * _usual_step(rates)
    found: list[Maybe] = []
    begins = [0.0]
    for at, rate in rates:
        length = at - begins[-1]
        before = found[-1][1] if found else None
        if length < shortest and before is not None and rate is not None:
            earlier = begins[-1] - begins[-2]
            found[-1] = (at, (before * earlier + rate * length) / (earlier + length))
            begins[-1] = at
        else:
            found.append((at, rate))
            begins.append(at)
    return found


def _usual_step(points: Sequence[Maybe]) -> float:
    steps = [later[0] - earlier[0] for earlier, later in pairwise(points)]
    return median(steps) if steps else 0.0


def thinned(points: Sequence[Point], span: float, buckets: int = BUCKETS) -> list[Point]:
    """
    Keep of each bucket of time the first, the least, the greatest and the last point.

    So no extreme is lost, and a line enters and leaves each bucket where it did. `span` is the
    length of the whole axis, so that a short run of points is not kept finer than a long one.
    """
    if len(points) <= buckets or span <= 0:
        return list(points)
    return [point for bucket in _bucketed(points, span / buckets) for point in _kept(bucket)]


def _bucketed(points: Sequence[Point], width: float) -> Iterator[list[Point]]:
    bucket: list[Point] = []
    number = None
    for point in points:
        own = int(point[0] / width)
        if bucket and own != number:
            yield bucket
            bucket = []
        number = own
        bucket.append(point)
    yield bucket


def _kept(bucket: list[Point]) -> list[Point]:
    places = range(len(bucket))
    least = min(places, key=lambda place: bucket[place][1])
    greatest = max(places, key=lambda place: bucket[place][1])
    return [bucket[place] for place in sorted({0, least, greatest, len(bucket) - 1})]
