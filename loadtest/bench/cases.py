"""The cases of a bench: what is published, what is timed, and how it is proven."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from loadtest.child import CHILD_LIMIT_S, Child
from loadtest.ground import OUTCOMES, Ground
from loadtest.lanes import COMMAND_TOPICS, COMMANDS, Lanes
from loadtest.load.accounts import funded
from loadtest.load.filling import fill
from loadtest.load.transfers import load
from loadtest.measure.drain import (
    Drained,
    MeasuredWorker,
    OutcomesEnd,
    answered_so_far,
    drain,
)
from loadtest.proof.books import Faults, prove_load, prove_sample
from loadtest.publish import Publisher
from loadtest.record import Ending, Phase
from loadtest.sample import SEED, Sample, generate
from loadtest.site import Site

CASES = ("ceiling", "e2e", "hot", "mixed", "naive", "latency")
NEED_ACCOUNTS = frozenset({"e2e", "hot", "latency"})
PARTITIONS = 8
PROGRESS_EVERY_S = 2.0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured. `mixed_scale` is the length of the sample's mix, 1 as in `make run`."""

    only: tuple[str, ...] = CASES
    rounds: int = 3
    commands: int = 300_000
    accounts: int = 10_000
    naive_commands: int = 10_000
    mixed_scale: float = 2.4
    mixed_accounts: int = 24_000
    latency_per_second: int = 10_000
    latency_seconds: int = 60
    is_quick: bool = False

    def needs_accounts(self) -> bool:
        """Say whether a case needs a ledger with accounts."""
        return bool(NEED_ACCOUNTS.intersection(self.only))


QUICK = Plan(
    rounds=1,
    commands=20_000,
    naive_commands=500,
    mixed_scale=0.25,
    mixed_accounts=2_500,
    latency_seconds=5,
    is_quick=True,
)


class Bench:
    """What the cases of a bench share."""

    def __init__(self, plan: Plan, ground: Ground, folder: Path, console: Console) -> None:
        self.plan = plan
        self.ground = ground
        self.folder = folder
        self.console = console
        self.faults: list[str] = []
        self._began = time.monotonic()

    def print(self, line: str) -> None:
        """Print a line with the seconds since the beginning."""
        passed_s = time.monotonic() - self._began
        self.console.print(f"[{passed_s:6.1f} s] {line}", markup=False)

    @cached_property
    def sample(self) -> Sample:
        """The sample of the mixed case, written once."""
        return generate(
            SEED,
            accounts=self.plan.mixed_accounts,
            partitions=PARTITIONS,
            scale=self.plan.mixed_scale,
        )

    def worker(self, title: str, case: Site) -> MeasuredWorker:
        """Describe a worker with a folder of its own."""
        return MeasuredWorker(self.folder / title, case.environment)

    def progress(self, title: str) -> Callable[[int, float], None]:
        """Give what prints a line every few seconds while a backlog is worked off."""
        return answered_so_far(title, PROGRESS_EVERY_S, self.print)

    def take(self, title: str, faults: Faults) -> None:
        """Note what a case's proof found."""
        self.faults += [f"{title}: {line}" for line in faults.lines]

    def say(self, title: str, found: dict[str, Any]) -> dict[str, Any]:
        """Print what a case gave."""
        self.print(f"  {title:<8} {found['per_second']:>9,.0f}/s  ({found['seconds']:.2f} s)")
        return found


async def one_round(bench: Bench, number: int, template: str | None) -> dict[str, Any]:
    """Measure each case once, one after another."""
    found: dict[str, Any] = {}
    for name in CASES:
        if name not in bench.plan.only or name == "latency":
            continue
        title = f"{name}{number}"
        found[name] = bench.say(name, await _case(bench, name, title, template))
    return found


def _case(
    bench: Bench, name: str, title: str, template: str | None
) -> Coroutine[Any, Any, dict[str, Any]]:
    if name == "ceiling":
        return _ceiling(bench, title)
    if name == "naive":
        return _naive(bench, title)
    if name == "mixed":
        return _mixed(bench, title)
    assert template is not None, "transfers need accounts"
    return _transfers(bench, title, template, hot=name == "hot")


@asynccontextmanager
async def accounts(bench: Bench) -> AsyncIterator[str]:
    """Have the product open and fund the accounts of all cases once; give the database's name."""
    plan, ground = bench.plan, bench.ground
    bench.print(f"opening {plan.accounts:,} accounts")
    async with funded(ground, plan.accounts, PARTITIONS, bench.folder) as database:
        yield database


async def _answered(
    case: Site,
    worker: MeasuredWorker,
    ground: Ground,
    events: int,
    progress: Callable[[int, float], None],
    payments: int | None = None,
) -> tuple[Drained, int]:
    """Start a worker and wait until it has answered; give the timing and the number of events."""
    async with OutcomesEnd(case.bootstrap_servers, case.topic(OUTCOMES), PARTITIONS) as outcomes:
        drained = await drain(
            outcomes,
            worker,
            ground.beside,
            events if payments is None else payments,
            events,
            progress,
        )
        return drained, await outcomes.end()


async def _transfers(bench: Bench, title: str, template: str, *, hot: bool) -> dict[str, Any]:
    plan, ground = bench.plan, bench.ground
    async with ground.case(title, template) as case:
        # The same seed in every round: rounds differ by noise alone.
        wanted = load(plan.commands, plan.accounts, PARTITIONS, seed=SEED, hot=hot)
        publishing = await fill(case.bootstrap_servers, case.topic(COMMANDS), wanted.lanes)
        wanted.lanes.clear()
        worker = bench.worker(title, case)
        try:
            drained, events = await _answered(
                case, worker, ground, plan.commands, bench.progress(title)
            )
        finally:
            worker.stop()
        bench.take(title, await prove_load(case.database_url, wanted, plan.accounts, events))
    return drained.shown() | {"published_per_second": round(plan.commands / publishing)}


async def _mixed(bench: Bench, title: str) -> dict[str, Any]:
    ground, sample = bench.ground, bench.sample
    first_day, opening, mix, *behind = sample.phases
    async with ground.seed(title) as case:
        lanes = Lanes(tuple(map(case.topic, COMMAND_TOPICS)), PARTITIONS)
        async with Publisher(case.bootstrap_servers, lanes, f"{case.prefix}mixed") as publisher:
            await publisher.phase(first_day, lambda _: None)
            worker = bench.worker(f"{title}-opening", case)
            try:
                _, events = await _answered(
                    case, worker, ground, _events(first_day), lambda _, __: None
                )
                await _told(case, publisher, worker, (opening,), events)
            finally:
                worker.stop()
            await publisher.phase(mix, lambda _: None)
            worker = bench.worker(title, case)
            try:
                drained, events = await _answered(
                    case, worker, ground, _events(mix), bench.progress(title), mix.visible()
                )
                events = await _told(case, publisher, worker, behind, events)
            finally:
                worker.stop()
        bench.take(title, await prove_sample(case.database_url, sample, events))
    return drained.shown()


async def _told(
    case: Site, publisher: Publisher, worker: MeasuredWorker, phases: Iterable[Phase], events: int
) -> int:
    """Publish each phase once the one before is answered; give the number of events then."""
    async with OutcomesEnd(case.bootstrap_servers, case.topic(OUTCOMES), PARTITIONS) as end:
        for phase in phases:
            await publisher.phase(phase, lambda _: None)
            events += _events(phase)
            await end.reach(events, worker.check, lambda _: None)
        return await end.end()


def _events(phase: Phase) -> int:
    """Count the outcome events of a phase: dead letters without a readable id have none."""
    steps = (step for step in phase.steps if step.ending is not Ending.ABORTED)
    return sum(record.answered for step in steps for record in step.records())


async def _ceiling(bench: Bench, title: str) -> dict[str, Any]:
    plan = bench.plan
    async with bench.ground.database_alone(title) as url:
        needs = {"database_url": url, "payments": plan.commands, "accounts": plan.accounts}
        found = await Child("loadtest.reference.ceiling", needs, CHILD_LIMIT_S).answer()
    return found | {"per_second": round(found["payments"] / found["seconds"], 1)}


async def _naive(bench: Bench, title: str) -> dict[str, Any]:
    plan = bench.plan
    async with bench.ground.case(title) as case:
        wanted = load(plan.naive_commands, plan.accounts, PARTITIONS, seed=SEED)
        await fill(case.bootstrap_servers, case.topic(COMMANDS), wanted.lanes)
        needs = {
            "database_url": case.database_url,
            "bootstrap_servers": case.bootstrap_servers,
            "commands": case.topic(COMMANDS),
            "outcomes": case.topic(OUTCOMES),
            "payments": plan.naive_commands,
            "accounts": plan.accounts,
        }
        found = await Child("loadtest.reference.naive", needs, CHILD_LIMIT_S).answer()
    return found | {"per_second": round(found["payments"] / found["seconds"], 1)}
