"""`loadtest run`: a profile's load through the whole line, its figures, its proof, its verdict."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from enum import IntEnum
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from loadtest.ground import Ground
from loadtest.load.accounts import funded
from loadtest.load.drive import Load, drive
from loadtest.load.profile import FIGURES, Profile, Threshold
from loadtest.load.prove import prove
from loadtest.load.track import Track, View
from loadtest.measure.drain import MeasuredWorker
from loadtest.measure.session import CHECKOUT, ground_of, head, screen, write_result
from loadtest.measure.usage import cpu_seconds, peak_memory_bytes
from loadtest.report.publish import publish
from loadtest.site import Site

RESULTS = CHECKOUT / "build" / "loadtest"
PARTITIONS = 8
MEBIBYTE = 1024 * 1024
MICROSECONDS = 1_000_000

OWN_PLACE = ("outcomes", "series", "histogram")
"""What a result has beside its figures and counts."""

LATE_PERCENT_MAX = 1.0
"""A run in which more sends were late has measured its own sender: it says nothing."""


class Verdict(IntEnum):
    """What a run was worth: the exit status of the program."""

    PASSED = 0
    THRESHOLD = 1
    PROOF_FAILED = 2
    INVALID = 3
    NOT_RUN = 4

    @property
    def said(self) -> str:
        """Say it to people."""
        return {
            Verdict.PASSED: "passed: the books prove, and every threshold holds",
            Verdict.THRESHOLD: "failed: a threshold does not hold",
            Verdict.PROOF_FAILED: "failed: the books do not prove, so the figures are void",
            Verdict.INVALID: "invalid: interrupted or sent too late, so the figures are void",
            Verdict.NOT_RUN: "not run",
        }[self]


def verdict_of(
    figures: Mapping[str, float | None],
    bounds: Sequence[Threshold],
    faults: Sequence[str],
    *,
    is_interrupted: bool = False,
) -> Verdict:
    """Judge a run: money first, then whether it was one, then what it was to reach."""
    if faults:
        return Verdict.PROOF_FAILED
    if is_interrupted or (figures["late_sends_percent"] or 0.0) > LATE_PERCENT_MAX:
        return Verdict.INVALID
    holds = all(bound.holds(figures) for bound in bounds)
    return Verdict.PASSED if holds else Verdict.THRESHOLD


def run(name: str, profile: Profile, result: Path | None) -> int:
    """Run a profile, print its figures and write the result; give the exit status."""
    gc.disable()  # millions of small objects and no cycles
    console = screen()
    console.print(f"{name}: {profile.title}", markup=False)
    with ground_of("load", console) as (ground, folder), asyncio.Runner() as runner:
        found = runner.run(_measure(profile, ground, folder, console))
    return _report(name, profile, found, result or RESULTS / f"{name}.json", console)


async def _measure(
    profile: Profile, ground: Ground, folder: Path, console: Console
) -> dict[str, Any]:
    await ground.refuse_unless_for_tests()
    begun = await head(ground, folder, command_acks="all", command_producer="idempotent")
    load = Load(profile.stages, profile.accounts, PARTITIONS, profile.seed, profile.traffic)
    async with AsyncExitStack() as stack:
        console.print(f"opening {profile.accounts:,} accounts")
        accounts = funded(ground, profile.accounts, PARTITIONS, folder, profile.traffic)
        template = await stack.enter_async_context(accounts)
        case = await stack.enter_async_context(ground.case("load", template))
        found = await _driven(profile, load, case, folder, console)
        console.print("proving the books")
        faults = await prove(case, load, found)
    return begun | {"found": found, "faults": list(faults.lines)}


async def _driven(
    profile: Profile, load: Load, case: Site, folder: Path, console: Console
) -> dict[str, Any]:
    """Start the workers, send and read, stop the workers; give all figures."""
    workers = [
        MeasuredWorker(folder / f"worker-{number}", case.environment)
        for number in range(profile.workers)
    ]

    view = View(console)
    track = Track(view.show)
    try:
        for worker in workers:
            worker.launch()
        for worker in workers:
            await asyncio.to_thread(worker.wait)
        before = [cpu_seconds(worker.pid) for worker in workers]
        with view:
            found = await drive(case, load, track)
        for worker in workers:
            worker.check()
        used_s = sum(cpu_seconds(worker.pid) for worker in workers) - sum(before)
        memory = max(peak_memory_bytes(worker.pid) for worker in workers)
    finally:
        for worker in workers:
            worker.stop()
    measured = max(1, found["sent"] - found["warm_up_commands"])
    return found | {
        "series": [row._asdict() for row in track.series],
        "late_sends_percent": round(100 * found["late_sends"] / measured, 3),
        "worker_cpu_us": round(used_s / max(1, found["sent"]) * MICROSECONDS, 2),
        "worker_memory_mib": round(memory / MEBIBYTE, 1),
    }


def _report(
    name: str, profile: Profile, measured: dict[str, Any], result: Path, console: Console
) -> int:
    found, faults = measured.pop("found"), measured["faults"]
    bounds = profile.bounds()
    verdict = verdict_of(found, bounds, faults, is_interrupted=found["is_interrupted"])
    written = {
        "profile": name,
        "verdict": verdict.name.lower(),
        "figures": {figure: found.get(figure) for figure in FIGURES},
        "thresholds": [
            {"threshold": bound.written(), "holds": bound.holds(found)} for bound in bounds
        ],
        "finished_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "configuration": msgspec.to_builtins(profile),
        "counts": {key: value for key, value in found.items() if key not in (*FIGURES, *OWN_PLACE)},
        **{key: found[key] for key in OWN_PLACE},
        **measured,
    }
    write_result(result, written)
    console.print(_table(name, found, bounds))
    for fault in faults:
        console.print(f"the proof fails: {fault}", markup=False)
    console.print(f"Written to {result}", markup=False)
    publish(result, console)
    console.print(verdict.said, markup=False)
    return verdict


def _table(name: str, found: Mapping[str, Any], bounds: Sequence[Threshold]) -> Table:
    drawn = Table(title=f"{name}: {found['sent']:,} commands", title_justify="left")
    drawn.add_column("figure")
    drawn.add_column("value", justify="right")
    drawn.add_column("threshold")
    for figure in FIGURES:
        value = found.get(figure)
        own = [bound for bound in bounds if bound.figure == figure]
        marks = [
            f"{bound.sign} {bound.bound:,g}  "
            + ("[green]holds[/]" if bound.holds(found) else "[red]does not hold[/]")
            for bound in own
        ]
        drawn.add_row(figure, "-" if value is None else f"{value:,}", ", ".join(marks))
    return drawn
