"""Charts as a picture by itself, for documents: an SVG file that needs nothing else. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from loadtest.report.chart import TOP, Chart, drawing, ends
from loadtest.report.markup import Html, element, joined

STYLES: Final = ("colours.css", "drawing.css", "picture.css")
"""What it looks like."""

WIDTH_PX: Final = 860
PADDING_PX: Final = 24
LEFT_PX: Final = 84
RIGHT_PX: Final = 116
"""Where the plots begin and end: labels stand beside them."""

PLOT_PX: Final = WIDTH_PX - LEFT_PX - RIGHT_PX
TITLE_PX: Final = 52
"""Of a chart's title and what it is about."""

AXIS_PX: Final = 54
"""Of the labels below a plot, and the gap to the next one."""

LABEL_DOWN_PX: Final = 4
"""How far below its middle a line of text stands."""


def picture(charts: Sequence[Chart], said: str, facts: str, style: str) -> str:
    """Draw charts one below the other, under what they say and where that was seen."""
    top_px = PADDING_PX + TITLE_PX
    parts = [
        _text(PADDING_PX, PADDING_PX + 14, said, "head"),
        _text(PADDING_PX, PADDING_PX + 35, facts, "soft"),
    ]
    for chart in charts:
        parts += _chart(chart, top_px)
        top_px += TITLE_PX + chart.height_px + AXIS_PX
    height_px = top_px - AXIS_PX + PADDING_PX * 2
    ground = element("rect", width="100%", height="100%", rx="8", class_="ground")
    drawn = element(
        "svg",
        element("title", said),
        element("style", Html(style)),
        ground,
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH_PX} {height_px}",
        width=WIDTH_PX,
        height=height_px,
    )
    return joined(drawn, "\n").text


def _chart(chart: Chart, top_px: int) -> Iterable[Html]:
    plot_px, bottom_px = top_px + TITLE_PX, top_px + TITLE_PX + chart.height_px

    def down(share: float) -> float:
        return plot_px + share * chart.height_px

    def along(share: float) -> float:
        return LEFT_PX + share * PLOT_PX

    yield _text(PADDING_PX, top_px + 16, chart.title, "title")
    yield _text(PADDING_PX, top_px + 35, chart.about, "soft")
    where = {"x": LEFT_PX, "y": plot_px, "width": PLOT_PX, "height": chart.height_px}
    yield drawing(chart, class_="plot", **where)
    yield element("path", d=f"M{LEFT_PX} {bottom_px}h{PLOT_PX}", class_="edge")
    for tick in chart.y_ticks:
        yield _text(LEFT_PX - 8, down(TOP - tick.at) + LABEL_DOWN_PX, tick.label, "soft end")
    for tick in chart.x_ticks:
        yield _text(along(tick.at), bottom_px + 20, tick.label, "soft middle")
    for level in chart.levels:
        y = down(TOP - chart.y.at(level.value)) - LABEL_DOWN_PX
        yield _text(along(chart.x.at(level.end)) - 3, y, level.label, "limit end")
    for line, place in zip(chart.lines, ends(chart), strict=True):
        y = down(place)
        kind = f"{line.colour} line {line.look}".strip()
        yield element("path", d=f"M{LEFT_PX + PLOT_PX + 10} {y:.1f}h12", class_=kind)
        yield _text(LEFT_PX + PLOT_PX + 28, y + LABEL_DOWN_PX, line.name, "name")


def _text(x: float, y: float, said: str, kind: str) -> Html:
    return element("text", said, x=f"{x:.1f}", y=f"{y:.1f}", class_=kind)
