"""The history and a comparison in the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from rich.table import Table
from rich.text import Text

from loadtest.report.circumstances import said
from loadtest.report.compare import Change, Comparison
from loadtest.report.history import Run
from loadtest.report.noise import RUNS_ENOUGH
from loadtest.report.result import Head
from loadtest.report.wording import NONE, moment, number

BUSY_PERCENT: Final = 10.0
"""A host that others keep so busy gives figures that say little."""

COMMIT_DIGITS: Final = 8
DIFFERENCES_SHOWN_MAX: Final = 40
STYLES: Final = {"better": "green", "worse": "red"}
VERDICT_STYLES: Final = {"passed": "green", "threshold": "red", "proof_failed": "red"}


def history_table(runs: Sequence[Run]) -> Table:
    """Draw runs, one a row."""
    drawn = Table(box=None, pad_edge=False)
    for column in ("#", "finished (UTC)", "profile", "verdict"):
        drawn.add_column(column, justify="right" if column == "#" else "left")
    for column in ("answered/s", "p50 ms", "p99 ms", "worker µs", "host busy", "commit"):
        drawn.add_column(column, justify="left" if column == "commit" else "right")
    for run in runs:
        head = run.head
        drawn.add_row(
            str(run.number),
            _finished(head),
            Text(head.profile),
            Text(head.verdict, VERDICT_STYLES.get(head.verdict, "yellow")),
            *(
                number(head.figures.get(name))
                for name in (
                    "answered_per_second",
                    "latency_p50_ms",
                    "latency_p99_ms",
                    "worker_cpu_us",
                )
            ),
            _busy(head),
            Text(_commit(head)),
        )
    return drawn


def _finished(head: Head) -> str:
    at = moment(head.finished_at)
    return NONE if at is None else f"{at:%Y-%m-%d %H:%M:%S}"


def _busy(head: Head) -> Text:
    """Say how much of the machine others took before the run."""
    busy = head.machine.get("busy_before_percent")
    if not isinstance(busy, int | float):
        return Text(NONE)
    return Text(f"{busy:.0f} %", "yellow" if busy >= BUSY_PERCENT else "")


def _commit(head: Head) -> str:
    """Give the commit, with a `+` where files were changed since."""
    commit = str(head.versions.get("commit") or NONE)[:COMMIT_DIGITS]
    return f"{commit}+" if head.versions.get("changed_since_commit") else commit


def sides_table(a: tuple[str, Head], b: tuple[str, Head]) -> Table:
    """Draw what the two results are."""
    drawn = Table(box=None, pad_edge=False)
    for column in ("", "result", "finished (UTC)", "verdict", "host busy", "commit"):
        drawn.add_column(column)
    for letter, (name, head) in zip("AB", (a, b), strict=True):
        verdict = f"{head.verdict}: its figures are void" if head.is_void else head.verdict
        style = VERDICT_STYLES.get(head.verdict, "yellow")
        row = (Text(name), _finished(head), Text(verdict, style), _busy(head), _commit(head))
        drawn.add_row(letter, *row)
    return drawn


def differences_table(found: Comparison) -> Table:
    """Draw what was not the same in both runs."""
    drawn = Table(box=None, pad_edge=False, title_justify="left")
    for column in ("differs", "in", "A", "B"):
        drawn.add_column(column, overflow="fold")
    for one in found.differences[:DIFFERENCES_SHOWN_MAX]:
        drawn.add_row(one.part, Text(one.what), Text(_said(one.a)), Text(_said(one.b)))
    more = len(found.differences) - DIFFERENCES_SHOWN_MAX
    if more > 0:
        drawn.add_row(f"and {more} more", "", "", "")
    return drawn


def _said(value: object) -> str:
    return NONE if value is None else said(value)


def changes_table(changes: Iterable[Change], title: str) -> Table:
    """Draw figures side by side."""
    drawn = Table(box=None, pad_edge=False)
    drawn.add_column(title)
    for column in ("A", "B", "change", "runs of A", "of B", "their change"):
        drawn.add_column(column, justify="right")
    drawn.add_column("judged")
    for one in changes:
        drawn.add_row(
            one.figure,
            *(number(value) for value in (one.a, one.b)),
            _percent(one.change_percent),
            *(number(value) for value in (one.median_a, one.median_b)),
            _interval(one),
            Text(_judged(one), STYLES.get(one.judged, "")),
        )
    return drawn


def _percent(change: float | None) -> str:
    return NONE if change is None else f"{change:+.1f} %"


def _interval(one: Change) -> str:
    if one.runs_change_percent is None:
        return NONE
    return (
        f"{_percent(one.runs_change_percent)} ({one.low_percent:+.1f} to {one.high_percent:+.1f})"
    )


def _judged(one: Change) -> str:
    return {
        "better": "better, more than noise",
        "worse": "worse, more than noise",
        "noise": "within the noise",
        "too few runs": "too few runs to tell",
        "not measured": "not measured in both",
    }[one.judged]


def closing(found: Comparison) -> str:
    """Say by what was judged."""
    if found.is_rerun:
        return (
            f"Both are runs of the same load, code, machine and settings ({found.runs_a} in all): "
            "what differs is noise."
        )
    runs = f"Judged by {found.runs_a} runs like A and {found.runs_b} like B"
    if any(one.judged == "too few runs" for one in found.figures):
        return f"{runs}; {RUNS_ENOUGH} of each are enough: `loadtest run` again, in turns."
    return f"{runs}, Mann-Whitney at 1 %; in brackets the 99 % interval of their change."
