"""`make bench`: cases in turn on one stack, round by round; then the medians beside their goals."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from loadtest.bench import cases, open_loop
from loadtest.bench.cases import Bench, Plan
from loadtest.bench.figures import GOALS, missed, summed_up, table
from loadtest.measure.session import CHECKOUT, ground_of, head, screen, write_result

RESULT = CHECKOUT / "build" / "bench.json"
TIMED = (
    "from the worker's first claim of a partition, just before its first fetch, "
    "to the broker's acknowledgement of the last outcome"
)
BUSY_PERCENT_MAX = 10
"""A machine that others use more than this, before anything is started, measures them as well."""


def bench(plan: Plan, result: Path, *, strict: bool) -> int:
    """Run a bench, print the table and write the result; give the exit status."""
    # Millions of small objects and no cycles: collecting would only disturb what is measured.
    gc.disable()
    console = screen()
    with ground_of("bench", console) as (ground, folder), asyncio.Runner() as runner:
        found = runner.run(_measure(Bench(plan, ground, folder, console)))
    return _report(found, plan, result, console, strict=strict)


async def _measure(bench_: Bench) -> dict[str, Any]:
    plan, ground = bench_.plan, bench_.ground
    await ground.refuse_unless_for_tests()
    begun = await head(ground, bench_.folder, outcome_acks="all", outcome_producer="idempotent")
    busy = begun["machine"]["busy_before_percent"]
    if busy > BUSY_PERCENT_MAX:
        bench_.print(f"others keep {busy:.0f} % of this machine busy: no figures to judge by")
    begun["plan"] = msgspec.to_builtins(plan)
    rounds: list[dict[str, Any]] = []
    latency = None
    async with contextlib.AsyncExitStack() as stack:
        template = None
        if plan.needs_accounts():
            template = await stack.enter_async_context(cases.accounts(bench_))
        for number in range(1, plan.rounds + 1):
            bench_.print(f"round {number} of {plan.rounds}")
            rounds.append(await cases.one_round(bench_, number, template))
        if "latency" in plan.only:
            assert template is not None, "the latency case needs accounts"
            latency = await open_loop.latency(bench_, template)
    return begun | {"rounds": rounds, "latency": latency, "faults": bench_.faults}


def _report(
    found: dict[str, Any], plan: Plan, result: Path, console: Console, *, strict: bool
) -> int:
    rounds, latency, faults = found["rounds"], found["latency"], found["faults"]
    figures = summed_up(rounds, latency) | {"fdatasync_ms": found["fdatasync_ms"]}
    unreached = missed(figures)
    written = {
        **figures,
        "goals": {
            goal.figure: {"bound": goal.bound, "aim": goal.aim, "at_most": goal.at_most}
            for goal in GOALS
        },
        "goals_missed": [goal.figure for goal in unreached],
        "timed": TIMED,
        "proof": "failed" if faults else "holds",
        "finished_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        **found,
    }
    write_result(result, written)
    console.print(table(figures, rounds))
    for fault in faults:
        console.print(f"the proof fails: {fault}", markup=False)
    if not faults:
        console.print("The books of every case are proven: each payment once, all sums zero.")
    if plan.is_quick:
        console.print("A quick run: too short to judge by.")
    console.print(f"Written to {result}", markup=False)
    return 1 if faults or (strict and unreached) else 0


def chosen(words: str) -> tuple[str, ...]:
    """Read a list of cases, as --only has it. Raises ValueError naming what is no case."""
    names = [word.strip() for word in words.split(",") if word.strip()]
    unknown = [name for name in names if name not in cases.CASES]
    if unknown or not names:
        raise ValueError(
            f"{unknown[0] if unknown else 'nothing'} is none of {', '.join(cases.CASES)}"
        )
    return tuple(names)
