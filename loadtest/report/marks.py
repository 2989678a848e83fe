"""What was done to the system while it was under load, and how long that was felt. Pure."""

from __future__ import annotations

from typing import Final

import msgspec

from loadtest.report.chart import Span
from loadtest.report.markup import Html, element
from loadtest.report.result import Mark, Result
from loadtest.report.scales import Linear
from loadtest.report.wording import duration

LABEL_LEFT_FROM: Final = 0.55
"""What is done later than this part of the time has its label before it, not behind."""


def time_axis(result: Result) -> Linear:
    """Give the axis that all charts over time share, in seconds."""
    return Linear(0.0, max(result.lasted_s, 1.0))


def spans_of(result: Result) -> list[Span]:
    """Shade the warm-up, what was done to the system, and how long that was felt afterwards."""
    spans = [Span(0.0, result.warm_up_s, "warm-up")] if result.warm_up_s else []
    for place, mark in enumerate(result.marks, start=1):
        end = ended(mark, result.lasted_s)
        spans.append(Span(mark.at_s, end, "fault", str(place)))
        if felt_for := recovered(mark):
            spans.append(Span(end, end + felt_for, "recovery"))
    return spans


def ended(mark: Mark, last_s: float) -> float:
    """Give the end of what was done; what did not end lasted until the last second."""
    match mark.until_s:
        case None:
            return max(mark.at_s, last_s)
        case msgspec.UNSET:
            return mark.at_s
        case until_s:
            return max(mark.at_s, until_s)


def recovered(mark: Mark) -> float:
    """Give for how long it was felt after its end, 0 where that is not known."""
    return mark.recovered_s if isinstance(mark.recovered_s, int | float) else 0.0


def faults(result: Result) -> Html | None:
    """List what was done to the system, each with a bar on the time axis of the charts."""
    if not result.marks:
        return None
    axis = time_axis(result)
    rows = [
        _fault(number, mark, ended(mark, result.lasted_s), axis)
        for number, mark in enumerate(result.marks, start=1)
    ]
    are_faults = any(mark.recovered_s is not msgspec.UNSET for mark in result.marks)
    return element(
        "div",
        element("h3", "Faults" if are_faults else "Events"),
        element("ol", *rows, class_="faults"),
        class_="chart",
    )


def _fault(number: int, mark: Mark, until_s: float, axis: Linear) -> Html:
    said = [mark.what, f"at {duration(mark.at_s)}"]
    if until_s > mark.at_s:
        said.append(f"for {duration(until_s - mark.at_s)}")
    begin, end, felt = (100 * axis.at(at) for at in (mark.at_s, until_s, until_s + recovered(mark)))
    return element(
        "li",
        element("i", style=f"left:{begin:.2f}%;width:{end - begin:.2f}%"),
        element("i", class_="felt", style=f"left:{end:.2f}%;width:{felt - end:.2f}%")
        if felt > end
        else None,
        element(
            "span",
            element("b", f"{number}", class_="badge"),
            element("b", said[0]),
            f" {', '.join(said[1:])}",
            element("em", f" · {recovery(mark)}") if recovery(mark) else None,
            style=f"--begin:{begin:.2f}%;--end:{felt:.2f}%",
            class_="before" if axis.at(mark.at_s) > LABEL_LEFT_FROM else "behind",
            title=", ".join(said),
        ),
    )


def recovery(mark: Mark) -> str:
    """Say how long after its end latencies were good again."""
    match mark.recovered_s:
        case msgspec.UNSET:
            return ""
        case None:
            return "no recovery seen"
        case 0:
            return "recovered when it ended"
        case seconds:
            return f"recovered {duration(seconds)} later"
