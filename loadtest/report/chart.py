"""
A chart as a figure of HTML and SVG. Pure.

The lines are SVG that is stretched to the width at hand; all that is text is HTML beside it, so
that it has the same size on every screen. Places are shares of the plot, in percent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf
from statistics import median
from typing import Final, NamedTuple

from loadtest.report.markup import Html, element, joined
from loadtest.report.scales import Scale, Tick
from loadtest.report.thinning import BUCKETS, Maybe, Point, runs, thinned
from loadtest.report.wording import milliseconds, number

WIDTH: Final = 1000
HEIGHT: Final = 500
"""The plot's own units; the browser stretches them."""

LABEL_PX: Final = 18
"""The height of a line's label, which must not cover another."""

LEVEL_LABEL_SHARE: Final = 0.3
"""The label of a level ends where the level does; one that ends before this begins with it."""

TOP: Final = 1.0


class Line(NamedTuple):
    """
    A line by its points, None where there is no value; `colour` and `look` are drawing.css's.

    It is cut where the next point is more than `gap_steps` usual steps away.
    """

    name: str
    points: Sequence[Maybe]
    colour: str
    look: str = ""
    gap_steps: float = inf


class Span(NamedTuple):
    """A part of the time that is shaded, with a badge where it begins."""

    begin: float
    end: float
    kind: str
    badge: str = ""


class Level(NamedTuple):
    """A value that is drawn across, such as a threshold, from one x to another."""

    value: float
    label: str
    begin: float
    end: float


class Chart(NamedTuple):
    """What is drawn, on which axes; `unit` says what the y values are, for people and readouts."""

    key: str
    title: str
    about: str
    lines: Sequence[Line]
    x: Scale
    x_ticks: Sequence[Tick]
    y: Scale
    y_ticks: Sequence[Tick]
    unit: str
    height_px: int = 200
    buckets: int = BUCKETS
    spans: Sequence[Span] = ()
    levels: Sequence[Level] = ()
    heading: str = "h3"


def figure(chart: Chart) -> Html:
    """Draw a chart with its title, axes and labels."""
    caption = element(
        "figcaption",
        element(chart.heading, chart.title),
        element("p", chart.about) if chart.about else None,
    )
    plot = element(
        "div",
        drawing(chart),
        *(_y_label(tick) for tick in chart.y_ticks),
        *(_x_label(place, tick) for place, tick in enumerate(chart.x_ticks)),
        *(_level_label(chart, level) for level in chart.levels),
        *(_badge(chart, span) for span in chart.spans if span.badge),
        element("div", element("span"), class_="cursor", hidden=""),
        class_="plot",
        data_x=f"{chart.x.kind} {chart.x.low:g} {chart.x.high:g}",
        data_y=f"{chart.y.kind} {chart.y.low:g} {chart.y.high:g}",
        data_unit=chart.unit,
        style=f"--h:{chart.height_px}px",
    )
    frame = element("div", plot, _key(chart), class_="frame")
    return element("figure", caption, frame, class_=f"chart {chart.key}", id=chart.key)


def drawing(chart: Chart, **attributes: str | float) -> Html:
    """Draw all but the texts, stretched to wherever it is put."""
    names = {"title": f"{chart.key}-title", "desc": f"{chart.key}-desc"}
    return element(
        "svg",
        element("title", chart.title, id=names["title"]),
        element("desc", described(chart), id=names["desc"]),
        *(_shade(chart, span) for span in chart.spans),
        *(_rule(tick.at) for tick in chart.y_ticks),
        *(_level(chart, level) for level in chart.levels),
        *(part for line in chart.lines for part in _drawn(chart, line)),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        preserveAspectRatio="none",
        role="img",
        aria_labelledby=f"{names['title']} {names['desc']}",
        **attributes,
    )


def described(chart: Chart) -> str:
    """Say in words what the lines show, for those who can't see them."""
    said = (
        f"{line.name}: least {_say(min(found), chart.unit)}, "
        f"middle {_say(median(found), chart.unit)}, most {_say(max(found), chart.unit)}"
        for line in chart.lines
        if (found := [value for _, value in line.points if value is not None])
    )
    return "; ".join(said) or "no values"


def _say(value: float, unit: str) -> str:
    return milliseconds(value) if unit == "ms" else f"{number(value)} {unit}".strip()


def _drawn(chart: Chart, line: Line) -> Iterable[Html]:
    span = chart.x.high - chart.x.low
    pieces = [
        _placed(chart, thinned(run, span, chart.buckets))
        for run in runs(line.points, line.gap_steps)
    ]
    if "filled" in line.look:
        for piece in pieces:
            yield element("path", d=_area(piece), class_=f"area {line.colour}")
    alone = "".join(_path(piece) for piece in pieces if len(piece) == 1)
    if alone:
        yield element("path", d=alone, class_=f"dots {line.colour}")
    path = "".join(_path(piece) for piece in pieces)
    yield element("path", d=path, class_=f"line {line.colour} {line.look}".strip())


def _placed(chart: Chart, points: Iterable[Point]) -> list[Point]:
    return [(chart.x.at(at) * WIDTH, (TOP - chart.y.at(value)) * HEIGHT) for at, value in points]


def _path(points: Sequence[Point]) -> str:
    first, *others = (f"{round(x, 1):g} {round(y, 1):g}" for x, y in points)
    # A point alone is a line to itself, which round caps show as a dot.
    return f"M{first}L{' '.join(others or [first])}"


def _area(points: Sequence[Point]) -> str:
    return f"{_path(points)}L{points[-1][0]:.1f} {HEIGHT} {points[0][0]:.1f} {HEIGHT}Z"


def _rule(share: float) -> Html:
    y = f"{(TOP - share) * HEIGHT:.1f}"
    return element("path", d=f"M0 {y}H{WIDTH}", class_="rule")


def _level(chart: Chart, level: Level) -> Html:
    y = (TOP - chart.y.at(level.value)) * HEIGHT
    begin, end = chart.x.at(level.begin) * WIDTH, chart.x.at(level.end) * WIDTH
    return element("path", d=f"M{begin:.1f} {y:.1f}H{end:.1f}", class_="level")


def _shade(chart: Chart, span: Span) -> Html:
    begin, end = chart.x.at(span.begin) * WIDTH, chart.x.at(span.end) * WIDTH
    width = f"{max(end - begin, 1.0):.1f}"
    return element(
        "rect", x=f"{begin:.1f}", y="0", width=width, height=f"{HEIGHT}", class_=f"span {span.kind}"
    )


def _y_label(tick: Tick) -> Html:
    return element("span", tick.label, class_="y", style=f"top:{_percent(TOP - tick.at)}")


def _x_label(place: int, tick: Tick) -> Html:
    kind = "x odd" if place % 2 else "x"
    return element("span", tick.label, class_=kind, style=f"left:{_percent(tick.at)}")


def _level_label(chart: Chart, level: Level) -> Html:
    top, end = TOP - chart.y.at(level.value), chart.x.at(level.end)
    beside = (
        f"left:{_percent(chart.x.at(level.begin))}"
        if end < LEVEL_LABEL_SHARE
        else f"right:{_percent(TOP - end)}"
    )
    place = f"top:{_percent(top)};{beside}"
    is_high = top < LABEL_PX / chart.height_px
    return element("span", level.label, class_="limit under" if is_high else "limit", style=place)


def _badge(chart: Chart, span: Span) -> Html:
    return element(
        "span", span.badge, class_="badge", style=f"left:{_percent(chart.x.at(span.begin))}"
    )


def _key(chart: Chart) -> Html | None:
    """
    Name the lines: beside their ends where there is room, above the plot where there is none.

    page.js adds the value at the pointer to each.
    """
    return element(
        "ul",
        *(
            element(
                "li",
                element("i", class_=f"{line.colour} {line.look}".strip()),
                element("b", line.name),
                element("span", class_="now"),
                style=f"--y:{_percent(place)}",
            )
            for line, place in zip(chart.lines, ends(chart), strict=True)
        ),
        class_="key",
    )


def ends(chart: Chart) -> list[float]:
    """Say how far below the top the names of the lines stand: at their ends, none over another."""
    return spread([_end(chart, line) for line in chart.lines], LABEL_PX / chart.height_px)


def _end(chart: Chart, line: Line) -> float:
    last = next((value for _, value in reversed(line.points) if value is not None), chart.y.low)
    return TOP - chart.y.at(last)


def spread(places: Sequence[float], gap: float) -> list[float]:
    """Move places in 0 to 1 apart, until neighbours are at least `gap` from each other."""
    order = sorted(range(len(places)), key=lambda which: places[which])
    moved = [places[which] for which in order]
    for at in range(1, len(moved)):
        moved[at] = max(moved[at], moved[at - 1] + gap)
    lowest = TOP
    for at in reversed(range(len(moved))):
        moved[at] = min(moved[at], lowest)
        lowest = moved[at] - gap
    found = dict(zip(order, moved, strict=True))
    return [found[which] for which in range(len(places))]


def _percent(share: float) -> str:
    return f"{100 * share:.2f}%"


def charts(*drawn: Chart | None) -> Html:
    """Draw several charts one below the other; those that have nothing to show are left out."""
    return joined(*(figure(one) for one in drawn if one is not None))
