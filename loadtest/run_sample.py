"""The main job, as a stranger sees it: the sample through the whole line, and the proof."""

from __future__ import annotations

import asyncio
import gc
import secrets
import shutil
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from rich.console import Console

from deploy.local import Stack
from deploy.local.progress import jar_progress
from loadtest import site
from loadtest.currencies import active_digits
from loadtest.lanes import COMMAND_TOPICS, Lanes
from loadtest.observe import Watch, read_commands, read_topic
from loadtest.processes import Command, Worker
from loadtest.progress import Traffic
from loadtest.proof.verdict import Check, Observed, Proof, prove
from loadtest.publish import Published, Publisher
from loadtest.reporting import read_ledger
from loadtest.sample import SEED, Sample, generate
from loadtest.site import Site
from loadtest.summary import Summary, render

CHECKOUT = Path(__file__).resolve().parents[1]
RUNS = CHECKOUT / "build" / "run"
OUTCOMES = "payments.outcomes.v1"
DEAD_LETTERS = "payments.dead-letters.v1"
TOPICS = (*COMMAND_TOPICS, OUTCOMES, DEAD_LETTERS)
QUIET_LIMIT_S = 30.0
"""A run fails when no answer comes for so long although some are missing."""

AFTERWARDS = """\
Keep a stack and a worker serving: `make up`, then `make worker`; `make down` ends the stack.
Publish by hand: eval "$(.venv/bin/python -m deploy.local env)" and .venv/bin/processor send FILE, \
or kcat -P -b $PROCESSOR_KAFKA_BOOTSTRAP_SERVERS -t payments.commands.v1 -K '|' \
-X topic.partitioner=murmur2_random (lines are KEY|COMMAND, see topics/README.md)"""


T = TypeVar("T")


class Sent(NamedTuple):
    """What has been published, and how fast the mix was answered, in payments per second."""

    published: Published
    payments_per_second: float
    missing: int


class Clock:
    """Prints what happens now, and how long it took."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = time.monotonic()

    def say(self, what: str) -> None:
        """Print a line with the seconds since the beginning."""
        passed = time.monotonic() - self._started
        self._console.print(f"[{passed:5.1f} s] {what}", markup=False, highlight=False)


class Run(NamedTuple):
    """One run: its name and folder, what it talks through, and what must end when it ends."""

    name: str
    folder: Path
    console: Console
    clock: Clock
    ends: ExitStack
    runner: asyncio.Runner

    def start(self, *words: str, place: Site) -> Command:
        """Start a command of the product that ends with this run at the latest."""
        command = Command(list(words), place.environment)
        self.ends.callback(command.abandon)
        return command

    def wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end; one that an interrupt keeps from starting is closed."""
        try:
            return self.runner.run(work)
        finally:
            work.close()


def run_sample(seed: int = SEED, *, scale: float = 1.0) -> int:
    """Run the sample and print the summary; give the exit status, 0 only where everything holds."""
    # A short program with millions of small objects and no cycles: collecting costs a third of it.
    gc.disable()
    name = f"run-{secrets.token_hex(4)}"
    folder = RUNS / name
    folder.mkdir(parents=True)
    console = Console(soft_wrap=True, highlight=False)
    holds = False
    try:
        with ThreadPoolExecutor(1) as pool, asyncio.Runner() as runner, ExitStack() as ends:
            runner.get_loop()
            sample = pool.submit(generate, seed, scale=scale)
            run = Run(name, folder, console, Clock(console), ends, runner)
            place = _place(run)
            summary = _go(run, place, sample)
            console.print(f"\n{render(summary)}\n", markup=False)
            holds = summary.holds
            if holds and site.given():
                run.wait_for(site.remove_topics(place, TOPICS))
    finally:
        if holds or not any(folder.iterdir()):
            shutil.rmtree(folder, ignore_errors=True)
        else:
            log = folder / "worker" / "worker.log"
            where = f"{folder}, the worker's log in {log}" if log.exists() else folder
            console.print(f"Kept for a look: {where}", markup=False)
    console.print(AFTERWARDS, markup=False)
    return 0 if holds else 1


def _place(run: Run) -> Site:
    """Find or start Kafka and PostgreSQL, and make sure that money may be invented there."""
    if site.given():
        run.clock.say("using the Kafka and PostgreSQL that the environment names")
        place = site.the_users(run.name)
    else:
        run.clock.say("starting Kafka and PostgreSQL for this run")
        stack = Stack(run.folder / "stack")
        run.ends.callback(stack.stop)
        with jar_progress(run.console) as report:
            place = site.start_stack(stack, report)
    run.wait_for(site.refuse_unless_for_tests(place.database_url, may_be_new=True))
    run.clock.say("creating the ledger and the topics")
    commands = (
        run.start("migrate", "--test-ledger", place=place),
        run.start("topics", "--apply", place=place),
    )
    for command in commands:
        command.succeed()
    run.wait_for(site.refuse_unless_for_tests(place.database_url, may_be_new=False))
    return place


def _go(run: Run, place: Site, sample: Future[Sample]) -> Summary:
    """Start a worker, send the sample, stop the worker, and prove what came of it."""
    run.clock.say("starting a worker")
    worker = Worker(run.folder / "worker", place.environment)
    run.ends.callback(worker.stop)
    worker.launch()
    worker.wait()
    known = sample.result()
    run.clock.say(f"publishing {known.visible():,} commands of seed {known.seed}")
    sent = run.wait_for(_send(place, known, worker.check, run.console))
    run.clock.say("stopping the worker")
    status = worker.stop()
    run.clock.say("proving the books")
    verification = run.start("verify", place=place)
    proof = run.wait_for(_prove(place, known, sent.published))
    verified, said = verification.end()
    run.clock.say("done")
    answered = sent.missing == 0
    checks = (
        _check("every command answered in time", f"{sent.missing:,} are not", holds=answered),
        _check("the worker ended in order", f"exit status {status}", holds=status == 0),
        _check("`processor verify` finds nothing", said, holds=verified == 0),
    )
    return Summary(proof, checks, sent.payments_per_second)


async def _send(place: Site, sample: Sample, healthy: Callable[[], None], console: Console) -> Sent:
    """Publish phase by phase; a phase begins when the one before has been answered."""
    rate, missing, lanes = 0.0, 0, _lanes(place, sample)
    topics = [place.topic(name) for name in (OUTCOMES, DEAD_LETTERS)]
    async with (
        Publisher(place.bootstrap_servers, lanes, f"{place.prefix}sample") as publisher,
        Watch(place.bootstrap_servers, lanes, topics) as watch,
        Traffic(console, sample.visible()) as traffic,
    ):
        watch.on_answers = traffic.answered
        published = publisher.published
        largest = max(sample.phases, key=lambda phase: phase.visible())
        for phase in sample.phases:
            traffic.phase(phase.title)
            began = asyncio.get_running_loop().time()
            await publisher.phase(phase, traffic.published)
            if not await watch.until(published.records, QUIET_LIMIT_S, healthy):
                missing = len(published.records.keys() - watch.answered)
                break
            if phase is largest:
                rate = phase.visible() / (watch.last_at - began)
        return Sent(published, rate, missing)


async def _prove(place: Site, sample: Sample, published: Published) -> Proof:
    """Read everything back, and check it."""
    read = partial(read_topic, place.bootstrap_servers, partitions=sample.partitions)
    lanes = _lanes(place, sample)
    reading = asyncio.create_task(read_ledger(place.database_url))
    commands, ends = await read_commands(place.bootstrap_servers, lanes)
    outcomes, _ = await read(place.topic(OUTCOMES))
    dead_letters, _ = await read(place.topic(DEAD_LETTERS))
    observed = Observed(commands, ends, outcomes, dead_letters, await reading)
    return prove(lanes, active_digits(), published, sample.expected, observed)


def _lanes(place: Site, sample: Sample) -> Lanes:
    return Lanes(tuple(map(place.topic, COMMAND_TOPICS)), sample.partitions)


def _check(title: str, fault: str, *, holds: bool) -> Check:
    return Check(title, () if holds else (fault,))
