"""What a run leaves behind: its result as JSON, and what people see of it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from loadtest.faults.recovery import Mark, Recovery
from loadtest.load.profile import FIGURES, Profile
from loadtest.load.verdict import Verdict, verdict_of

FORMAT = 1
"""Of the result. Those who read results ask for it."""


def result_of(name: str, profile: Profile, measured: Mapping[str, Any]) -> dict[str, Any]:
    """
    Put a result together from what was measured: `found` and `proof` of the load, `started_at` in
    seconds since 1970, and whatever else the result has as it is.
    """
    left = dict(measured)
    found, proof, started_at = left.pop("found"), left["proof"], left.pop("started_at")
    bounds = profile.bounds()
    verdict = verdict_of(found, bounds, proof["lines"], is_interrupted=found["is_interrupted"])
    return {
        "format": FORMAT,
        "profile": name,
        "title": profile.title,
        "verdict": verdict.name.lower(),
        "figures": {figure: found.get(figure) for figure in FIGURES},
        "thresholds": [
            {"threshold": bound.written(), "holds": bound.holds(found)} for bound in bounds
        ],
        "started_at": _written(started_at),
        "finished_at": _written(time.time()),
        "configuration": msgspec.to_builtins(profile),
        "counts": {key: value for key, value in found.items() if key not in FIGURES},
        **left,
    }


def show(name: str, profile: Profile, result: Mapping[str, Any], console: Console) -> Verdict:
    """Print the figures and what is wrong; give the verdict."""
    console.print(_table(name, profile, result))
    for line in result["proof"]["lines"]:
        console.print(f"the proof fails: {line}", markup=False)
    verdict = Verdict[result["verdict"].upper()]
    console.print(verdict.said, markup=False)
    return verdict


def _table(name: str, profile: Profile, result: Mapping[str, Any]) -> Table:
    figures = result["figures"]
    title = f"{name}: {result['counts']['sent']:,} commands"
    drawn = Table(title=title, title_justify="left")
    drawn.add_column("figure")
    drawn.add_column("value", justify="right")
    drawn.add_column("threshold")
    for figure, value in figures.items():
        own = [bound for bound in profile.bounds() if bound.figure == figure]
        if value is None and not own:
            continue
        marks = [
            f"{bound.sign} {bound.bound:,g}  "
            + ("[green]holds[/]" if bound.holds(figures) else "[red]does not hold[/]")
            for bound in own
        ]
        drawn.add_row(figure, "-" if value is None else f"{value:,}", ", ".join(marks))
    return drawn


def recoveries_table(found: Iterable[tuple[Mark, Recovery | None]], bound_ms: float) -> Table:
    """Draw how soon a run recovered from each fault."""
    drawn = Table(title=f"seconds until p99 was under {bound_ms:g} ms again", title_justify="left")
    drawn.add_column("fault")
    for column in ("from", "until", "after its end", "after its beginning"):
        drawn.add_column(column, justify="right")
    for mark, one in found:
        until = "-" if mark.until_s is None else f"{mark.until_s:,.1f}"
        seconds = ["not seen"] * 2
        if one is not None:
            seconds = [f"{one.from_end_s:,.1f}", f"{one.from_beginning_s:,.1f}"]
        drawn.add_row(mark.what, f"{mark.at_s:,.1f}", until, *seconds)
    return drawn


def _written(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
