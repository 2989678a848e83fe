"""The parts of a report, each a function of the result; one with nothing to show is None. Pure."""

from __future__ import annotations

from typing import Final

from loadtest.report.chart import charts, figure
from loadtest.report.curve import curve, shown_percentiles
from loadtest.report.judgement import figure_rows, judgement
from loadtest.report.marks import faults
from loadtest.report.markup import Child, Html, element, joined, table
from loadtest.report.result import Result
from loadtest.report.staircase import said, staircase
from loadtest.report.timelines import (
    answered_per_second,
    in_flight,
    kind_colour,
    kinds,
    latency,
    processes,
    rate,
)
from loadtest.report.wording import (
    NONE,
    duration,
    milliseconds,
    number,
    when,
    wording,
)

KEY_FIGURES: Final = (
    "answered_per_second",
    "latency_p50_ms",
    "latency_p99_ms",
    "latency_p999_ms",
    "worst_stall_ms",
    "worker_cpu_us",
    "knee_per_second",
    "recovery_worst_s",
    "drain_s",
)
LINES_SHOWN_MAX: Final = 200
"""Of the differences that a proof found; a broken run can have millions."""

INTERVALS: Final = 20
MARKS: Final = {True: ("holds", "good", "✓"), False: ("does not hold", "bad", "✗")}
VOID_MARK: Final = ("void", "void", "!")


def section(key: str, title: str, *content: Html | None) -> Html | None:
    """Put content under a heading; without content there is no heading."""
    if not any(content):
        return None
    return element(
        "section", element("h2", title, id=f"{key}-head"), *content, aria_labelledby=f"{key}-head"
    )


def top(result: Result) -> Html:
    """Write what it was, what it is worth, and the figures that are asked for first."""
    judged = judgement(result)
    return element(
        "header",
        element("p", "Load test", class_="kicker"),
        element("h1", result.profile),
        element("p", result.headline, class_="title") if result.headline else None,
        element("p", facts(result), class_="facts"),
        element(
            "div",
            _sign(judged.look),
            element(
                "div",
                element("p", judged.word, class_="word"),
                *(element("p", reason) for reason in judged.reasons),
            ),
            class_=f"verdict {judged.look}",
            role="status",
        ),
    )


def facts(result: Result) -> str:
    """Say when it was, and how much, in a line."""
    sent = result.counts.get("sent")
    parts = [
        when(result.started_at) if result.started_at else f"ended {when(result.finished_at)}",
        duration(result.lasted_s) if result.series else None,
        f"{sent:,} commands" if isinstance(sent, int) else None,
        f"seed {result.configuration['seed']}" if "seed" in result.configuration else None,
    ]
    return " · ".join(part for part in parts if part and part != NONE)


def _sign(look: str) -> Html:
    """Draw a tick, a cross or an exclamation mark."""
    shape = {"good": "M7 12.5l3.4 3.4L17.2 8.6", "bad": "M8 8l8 8M16 8l-8 8"}.get(
        look, "M12 6.5v7M12 17v.4"
    )
    return element(
        "svg",
        element("circle", cx="12", cy="12", r="11"),
        element("path", d=shape),
        viewBox="0 0 24 24",
        aria_hidden="true",
    )


def key_figures(result: Result) -> Html | None:
    """Write large what is asked for first."""
    shown = [figure for figure in KEY_FIGURES if result.figures.get(figure) is not None]
    if not shown:
        return None
    return element(
        "dl",
        *(_key_figure(result, one) for one in shown),
        class_=f"key-figures {'void' if result.is_void else ''}".strip(),
    )


def _key_figure(result: Result, name: str) -> Html:
    words, value = wording(name), result.figures[name]
    return element(
        "div",
        element("dt", words.name),
        element("dd", number(value), element("small", f" {words.unit}")),
    )


def thresholds(result: Result) -> Html | None:
    """List the thresholds, and whether each holds."""
    rows: list[tuple[Child, ...]] = [
        (row.name, row.value, row.limit, _mark(VOID_MARK if result.is_void else MARKS[row.holds]))
        for row in figure_rows(result)
        if row.holds is not None
    ]
    if not rows:
        return None
    written = table(
        ("Figure", "Measured", "Asked for", ""),
        rows,
        "Thresholds",
        class_="thresholds",
    )
    return section("thresholds", "Thresholds", written)


def _mark(mark: tuple[str, str, str]) -> Html:
    said, look, sign = mark
    return element(
        "span", element("span", sign, aria_hidden="true"), f" {said}", class_=f"mark {look}"
    )


def over_time(result: Result) -> Html | None:
    """Draw all that has a course: faults, rate, latency, lag, outcomes."""
    if not result.series:
        return None
    drawn = charts(rate(result), latency(result), in_flight(result), kinds(result))
    return section("time", "Over time", _note(result), faults(result), drawn, intervals(result))


def _note(result: Result) -> Html | None:
    said = []
    if result.warm_up_s:
        said.append(
            f"The first {duration(result.warm_up_s)}, shaded grey, warm up and are left out of "
            "the figures."
        )
    if result.marks:
        said.append(
            "What was done to the system is shaded and numbered; the lighter part behind it is how "
            "long it was felt."
        )
    return element("p", " ".join(said), class_="note") if said else None


def intervals(result: Result) -> Html | None:
    """Write the course as a table: so many parts of the time, the worst of each."""
    span = result.lasted_s / INTERVALS
    rows: list[tuple[Child, ...]] = []
    rates = answered_per_second(result.series)
    for part in range(INTERVALS):
        begin, end = part * span, (part + 1) * span
        own = [row for row in result.series if begin < row.at_s <= end]
        if not own:
            continue
        answered = [rate for at, rate in rates if begin < at <= end and rate is not None]
        p50 = [row.p50_ms for row in own if row.p50_ms is not None]
        p99 = [row.p99_ms for row in own if row.p99_ms is not None]
        lag = [row.in_flight for row in own if row.in_flight is not None]
        rows.append(
            (
                duration(end),
                number(min(answered, default=None)),
                number(round(sum(answered) / len(answered))) if answered else NONE,
                NONE if not p50 else milliseconds(max(p50)),
                NONE if not p99 else milliseconds(max(p99)),
                number(max(lag, default=None)),
            )
        )
    head = ("Until", "Least /s", "Mean /s", "Worst p50", "Worst p99", "Most in flight")
    written = table(head, rows, "The course in figures, the worst second of each part")
    return element(
        "details",
        element("summary", "The same in figures"),
        _scrolled(written, "The course in figures"),
    )


def _scrolled(content: Html, label: str) -> Html:
    """Let a wide table scroll by itself, by keys too, so that the page does not."""
    return element("div", content, class_="scrolled", role="region", tabindex="0", aria_label=label)


def knee(result: Result) -> Html | None:
    """Draw what became of the system as a ramp was climbed."""
    drawn = [figure(chart) for chart in staircase(result)]
    if not drawn:
        return None
    return section("knee", "Knee", element("p", said(result), class_="note"), *drawn)


def percentiles(result: Result) -> Html | None:
    """Draw the percentile curve, and write out its best known points."""
    drawn = curve(result)
    rows: list[tuple[Child, ...]] = [
        ("all" if percent == 100 else f"{percent:g} %", milliseconds(ms))  # noqa: PLR2004 - percent
        for percent, ms in shown_percentiles(result)
    ]
    if drawn is None:
        return None
    written = table(("Of the commands", "answered within"), rows, "Percentiles of latency")
    return section(
        "latency-by-percentile",
        "Percentiles",
        element("div", figure(drawn), written, class_="beside"),
    )


def outcomes(result: Result) -> Html | None:
    """Write how many outcomes there were of each kind."""
    total = sum(result.outcomes.values())
    if not total:
        return None
    rows: list[tuple[Child, ...]] = [
        (kind, f"{count:,}", _share(count / total), _bar(kind, count / total))
        for kind, count in sorted(result.outcomes.items(), key=lambda pair: -pair[1])
    ]
    written = table(("Outcome", "Count", "Share", ""), rows, "Outcomes by kind", class_="bars")
    return section("outcomes", "Outcomes", written)


def _share(share: float) -> str:
    percent = 100 * share
    return f"{percent:.1f} %" if percent >= 0.1 else "< 0.1 %"  # noqa: PLR2004 - as it is written


def _bar(kind: str, share: float) -> Html:
    width = f"width:{max(100 * share, 0.4):.2f}%"
    return element("i", class_=kind_colour(kind), style=width, aria_hidden="true")


def usage(result: Result) -> Html | None:
    """Draw CPU and memory of each process."""
    panels = processes(result)
    drawn = [
        element("div", *(figure(one) for one in pair if one is not None), class_="pair")
        for pair in panels
        if any(pair)
    ]
    if not drawn:
        return None
    note = element(
        "p",
        "CPU in percent of one core, all on the same scale; memory each on its own.",
        class_="note",
    )
    return section("processes", "Processes", note, *drawn)


def proof(result: Result) -> Html | None:
    """Say what was checked after the run, and each difference that was found."""
    proven = result.proven
    if proven is None:
        return None
    said = (
        "The books prove: what was sent, answered and booked agrees."
        if proven.holds
        else "The books do not prove."
    )
    look, sign = ("good", "✓") if proven.holds else ("bad", "✗")
    lines = [element("li", line) for line in proven.lines[:LINES_SHOWN_MAX]]
    more = len(proven.lines) - LINES_SHOWN_MAX
    checked = [
        element("div", element("dt", wording(name).name), element("dd", f"{count:,}"))
        for name, count in proven.checked.items()
    ]
    return section(
        "proof",
        "Proof",
        element("p", element("span", f"{sign} ", aria_hidden="true"), said, class_=f"mark {look}"),
        element("dl", *checked, class_="key-figures checked") if checked else None,
        element("ul", *lines, class_="differences") if lines else None,
        element("p", f"and {more:,} more, in the result's file", class_="note")
        if more > 0
        else None,
    )


def all_figures(result: Result) -> Html | None:
    """Write every figure, also those without a threshold."""
    rows: list[tuple[Child, ...]] = [(row.name, row.value) for row in figure_rows(result)]
    if not rows:
        return None
    return section("figures", "Figures", table(("Figure", "Value"), rows, "All figures"))


def page_body(result: Result, *more: Html | None) -> Html:
    """Put the parts of a report in their order; `more` are those about how it was run."""
    return joined(
        top(result),
        element(
            "main",
            key_figures(result),
            thresholds(result),
            knee(result),
            over_time(result),
            percentiles(result),
            outcomes(result),
            usage(result),
            proof(result),
            all_figures(result),
            *more,
        ),
    )
