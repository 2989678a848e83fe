"""Where one system works: a database and topics of its own, its tables, and its process."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import msgspec
from aiokafka.errors import KafkaError
from rich.console import Console

from loadtest import site
from loadtest.ground import DEAD_LETTERS, OUTCOMES, Ground
from loadtest.lanes import COMMANDS
from loadtest.measure.drain import FIRST_READ_MARK, Drainer, MeasuredWorker, answered_so_far
from loadtest.peers import environment
from loadtest.peers.books import LEDGER, PLAIN, Books, make_plain
from loadtest.peers.seen import Seen, line_of
from loadtest.peers.service import FIRST_MESSAGE, Service
from loadtest.peers.systems import PAYMENTS, PRODUCT, QUIX, SYSTEMS, System
from loadtest.reference.naive import group_of
from loadtest.site import Site

SESSION_TIMEOUT_S: Final = 6
"""The shortest that brokers allow unless told: a killed process's partitions wait that long."""

ACCOUNTS_MAX: Final = 10_000
PROGRESS_EVERY_S: Final = 5.0
SERVICES: Final = Path(__file__).parent


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How much is done. `is_quick` leaves out what kills and cuts, and the broker's warming up."""

    systems: tuple[System, ...] = SYSTEMS
    rounds: int = 1
    payments: int = PAYMENTS
    is_quick: bool = False

    @property
    def accounts(self) -> int:
        """Accounts that money moves between: as many as payments, at most so many."""
        return min(ACCOUNTS_MAX, self.payments)


class Runner(Drainer, Protocol):
    """A process that can be ended in order, too."""

    def stop(self) -> int | None:
        """Ask it to end; give its exit status, None if it never ran."""


class Bed(NamedTuple):
    """A system that reads Kafka, where it works. `mark` is in its log once it reads."""

    system: System
    site: Site
    runner: Runner
    books: Books
    group: str
    mark: bytes

    @property
    def commands(self) -> str:
        """The topic that it reads."""
        return self.site.topic(COMMANDS)

    @property
    def outcomes(self) -> str:
        """The topic of its answers."""
        return self.site.topic(OUTCOMES)

    @property
    def dead_letters(self) -> str:
        """The topic for what it can't read."""
        return self.site.topic(DEAD_LETTERS)


class Tour(NamedTuple):
    """What all systems of a run share. `template` is a ledger with funded accounts."""

    plan: Plan
    ground: Ground
    folder: Path
    console: Console
    began: float
    template: str | None

    def print(self, line: str) -> None:
        """Print a line with the seconds since the beginning."""
        self.console.print(f"[{time.monotonic() - self.began:6.1f} s] {line}", markup=False)

    def progress(self, system: System) -> Callable[[int, float], None]:
        """Give what prints a line every few seconds while a backlog is worked off."""
        return answered_so_far(system.name, PROGRESS_EVERY_S, self.print)

    def told(self, system: System, name: str, seen: Seen) -> None:
        """Print what came of a demonstration."""
        self.print(f"    {system.name:<8} {name:<10} {line_of(seen)}")


@asynccontextmanager
async def bed_for(tour: Tour, system: System, title: str) -> AsyncIterator[Bed]:
    """Make all that a system needs; end it and remove what was made when it is over."""
    accounts, folder = tour.plan.accounts, tour.folder / title
    template = tour.template if system.name == PRODUCT else None
    async with tour.ground.case(title, template) as case:
        if system.name == PRODUCT:
            bed = _product(system, case, folder)
        else:
            await make_plain(case.database_url, accounts)
            bed = _service(system, case, folder)
        try:
            yield bed
        finally:
            bed.runner.stop()
            if system.leaves:
                with suppress(KafkaError):
                    await site.remove_topics(case, system.leaves)


def _product(system: System, case: Site, folder: Path) -> Bed:
    environment_ = {**case.environment, "PROCESSOR_SESSION_TIMEOUT_S": str(SESSION_TIMEOUT_S)}
    worker = MeasuredWorker(folder, environment_)
    group = case.environment[site.CONSUMER_GROUP]
    return Bed(system, case, worker, LEDGER, group, FIRST_READ_MARK)


def _service(system: System, case: Site, folder: Path) -> Bed:
    commands = case.topic(COMMANDS)
    group = group_of(commands) if system.name == "naive" else f"{case.prefix}{system.name}"
    needs = {
        "database_url": case.database_url,
        "bootstrap_servers": case.bootstrap_servers,
        "commands": commands,
        "outcomes": case.topic(OUTCOMES),
        "group": group,
        "session_timeout_s": SESSION_TIMEOUT_S,
    }
    service = Service(_program(system), folder, needs)
    return Bed(system, case, service, PLAIN, group, FIRST_MESSAGE.encode())


def _program(system: System) -> list[str]:
    """Give the words that start a system's program."""
    if system.name == QUIX:
        python = str(environment.FOLDER / "bin" / "python")
        # Without -P the folder of the program would be searched for modules first.
        return [python, "-P", str(SERVICES / f"{system.module}.py")]
    return [sys.executable, "-m", f"loadtest.peers.{system.module}"]
