"""The command line of the load tests, `python -m loadtest`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO, Any

import click
import msgspec
from aiokafka.errors import KafkaError
from rich.console import Console
from rich.table import Table

from deploy.local import StackError
from deploy.local.ports import LOOPBACK
from loadtest.agents.agent import serve
from loadtest.agents.fleet import GENERATORS_MAX, PORT, Address, Fleet
from loadtest.bench.cases import CASES, QUICK, Plan
from loadtest.bench.run import RESULT, bench, chosen
from loadtest.errors import LoadTestError
from loadtest.load.profile import find, known
from loadtest.load.run import run
from loadtest.load.schedule import Schedule
from loadtest.load.verdict import Verdict
from loadtest.peers import run as peers_run
from loadtest.peers import systems as peer_systems
from loadtest.peers.beds import Plan as PeersPlan
from loadtest.report.commands import COMMANDS
from loadtest.run_sample import run_sample
from loadtest.sample import SEED
from loadtest.site import BOOTSTRAP_SERVERS, DATABASE_URL

INTERRUPTED_STATUS = 130
NOT_DONE = (LoadTestError, StackError, KafkaError)
"""What people are told in a line."""


class NotDoneError(click.ClickException):
    """A failure, told in a line."""

    exit_code = 2

    def __init__(self, failure: Exception) -> None:
        is_kafka = isinstance(failure, KafkaError)
        super().__init__(f"Kafka does not do as asked: {failure!r}" if is_kafka else str(failure))

    def show(self, file: IO[Any] | None = None) -> None:
        """Print it."""
        click.echo(f"loadtest: {self.message}", file=file, err=True)


class LoadCommand(click.Command):
    """One whose statuses 1 to 3 are verdicts: what can't be done, or said, ends with 4."""

    def make_context(self, *args: Any, **settings: Any) -> click.Context:
        """Read its words."""
        with _its_own_status():
            return super().make_context(*args, **settings)

    def invoke(self, ctx: click.Context) -> Any:
        """Do it."""
        with _its_own_status():
            return super().invoke(ctx)


@contextmanager
def _its_own_status() -> Iterator[None]:
    try:
        yield
    except NOT_DONE as error:
        failed: click.ClickException = NotDoneError(error)
    except click.ClickException as error:
        failed = error
    else:
        return
    failed.exit_code = Verdict.NOT_RUN
    raise failed


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Send payments through the whole line, and prove what came of them."""


@cli.command("run-sample")
@click.option("--seed", default=SEED, show_default=True, help="The same seed sends the same bytes.")
@click.option(
    "--scale",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0.001, 10.0),
    help="Length of the mix; 1 is the whole sample.",
)
def run_sample_command(seed: int, scale: float) -> int:
    """Send the sample payments through the whole line, and prove the books."""
    try:
        return run_sample(seed, scale=scale)
    except KeyboardInterrupt:
        click.echo("loadtest: interrupted", err=True)
        return INTERRUPTED_STATUS


@cli.command("bench")
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1, 99))
@click.option("--only", default=",".join(CASES), show_default=True, help="Cases to measure.")
@click.option(
    "--commands",
    default=300_000,
    show_default=True,
    type=click.IntRange(1_000, 10_000_000),
    help="Transfers of the cases e2e, hot and ceiling.",
)
@click.option("--latency-seconds", default=60, show_default=True, type=click.IntRange(1, 86_400))
@click.option("--quick", is_flag=True, help="One short round, to see that it works.")
@click.option("--strict", is_flag=True, help="Fail where a goal is missed.")
@click.option(
    "--result",
    default=RESULT,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Written here.",
)
def bench_command(
    rounds: int,
    only: str,
    commands: int,
    latency_seconds: int,
    result: Path,
    *,
    quick: bool,
    strict: bool,
) -> int:
    """Measure the whole line against its limits, and prove the books of every case."""
    try:
        cases = chosen(only)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--only") from error
    plan = (
        QUICK if quick else Plan(rounds=rounds, commands=commands, latency_seconds=latency_seconds)
    )
    return bench(msgspec.structs.replace(plan, only=cases), result, strict=strict)


@cli.command("run", cls=LoadCommand)
@click.argument("profile")
@click.option("--seed", type=int, help="Other bytes than the profile's own seed gives.")
@click.option(
    "--bootstrap-servers", envvar=BOOTSTRAP_SERVERS, help="Kafka; none starts one for this run."
)
@click.option(
    "--database-url", envvar=DATABASE_URL, help="PostgreSQL; none starts one for this run."
)
@click.option(
    "--result",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Written here; build/loadtest/PROFILE.json unless told.",
)
@click.option(
    "--generators",
    default=1,
    show_default=True,
    type=click.IntRange(1, GENERATORS_MAX),
    help="Pairs of a sender and a reader on this machine, each with its share of the load.",
)
@click.option(
    "--agents",
    default=0,
    type=click.IntRange(0, GENERATORS_MAX),
    help="Wait for so many agents, which send the load instead of this machine.",
)
@click.option(
    "--listen",
    default=f"{LOOPBACK}:{PORT}",
    show_default=True,
    metavar="HOST:PORT",
    help="Where agents reach this machine.",
)
def run_command(
    profile: str,
    seed: int | None,
    bootstrap_servers: str | None,
    database_url: str | None,
    result: Path | None,
    generators: int,
    agents: int,
    listen: str,
) -> int:
    """
    Send the load of PROFILE on its schedule, and prove the books.

    PROFILE is a name (see `profiles`) or a file. Exit status: 0 passed, 1 a threshold does not
    hold, 2 the proof failed, 3 the sender was late and the run is void, 4 it could not be done.
    """
    found = find(profile)
    if seed is not None:
        found = msgspec.structs.replace(found, seed=seed)
    named = {BOOTSTRAP_SERVERS: bootstrap_servers, DATABASE_URL: database_url}
    os.environ.update({name: value for name, value in named.items() if value})
    fleet = Fleet(generators, agents, _address(listen, "--listen"))
    if why := fleet.wrong():
        raise click.UsageError(why)
    return run(Path(profile).stem, found, result, fleet)


@cli.command("agent", cls=LoadCommand)
@click.argument("run", metavar="HOST[:PORT]")
@click.option("--name", default="", help="How results call it; host and process id unless told.")
@click.option(
    "--wait-s",
    default=60.0,
    show_default=True,
    type=click.FloatRange(0.0, 86_400.0),
    help="How long to wait until a run listens.",
)
def agent_command(run: str, name: str, wait_s: float) -> int:
    """
    Send a share of the load of the run that listens at HOST (`run --agents N --listen HOST:PORT`).

    It takes part in one run, and needs Kafka and nothing else. Exit status: 0 the run is over,
    4 it could not be done.
    """
    host, port = _address(run, "HOST[:PORT]")
    asyncio.run(serve(host, port, name=name, wait_s=wait_s, say=click.echo))
    return 0


def _address(text: str, hint: str) -> Address:
    try:
        return Address.read(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=hint) from error


@cli.command("profiles")
def profiles_command() -> int:
    """List the profiles that come with the harness, and what each sends."""
    drawn = Table(box=None)
    for column in ("profile", "commands", "seconds", "what"):
        drawn.add_column(column, justify="left" if column in ("profile", "what") else "right")
    for name, one in known().items():
        schedule = Schedule(0.0, one.sent_stages)
        drawn.add_row(name, f"{schedule.count:,}", f"{schedule.seconds:,.0f}", one.title)
    Console(highlight=False).print(drawn)
    return 0


@cli.command("peers")
@click.option(
    "--only", default=",".join(peer_systems.NAMES), show_default=True, help="Systems to measure."
)
@click.option(
    "--payments",
    default=peer_systems.PAYMENTS,
    show_default=True,
    type=click.IntRange(100, 10_000_000),
    help="What the product gets; slower systems get at most what their row says.",
)
@click.option("--rounds", default=1, show_default=True, type=click.IntRange(1, 99))
@click.option("--quick", is_flag=True, help="Cut and kill nothing, to see that it works.")
@click.option(
    "--result",
    default=peers_run.RESULT,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Written here.",
)
def peers_command(only: str, payments: int, rounds: int, result: Path, *, quick: bool) -> int:
    """
    Put the same payments through systems that a user would pick instead, and compare.

    Exit status: 0 done, 1 the product's own books do not prove, 2 it could not be done.
    """
    try:
        systems = peer_systems.chosen(only)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--only") from error
    plan = PeersPlan(systems=systems, rounds=rounds, payments=payments, is_quick=quick)
    return peers_run.peers(plan, result)


@cli.command("steps")
def steps_command() -> int:
    """Time each step of the worker that needs no server, in µs of CPU per transfer."""
    from loadtest.bench.steps import (  # noqa: PLC0415 - Faust takes a second to import
        collect_as_the_worker,
        steps,
    )

    collect_as_the_worker()
    steps(Console())
    return 0


for _command in COMMANDS:
    cli.add_command(_command)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Run the command line; what people see of an error is one line."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return int(cli.main(standalone_mode=False) or 0)
    except click.ClickException as error:
        failed = error
    except NOT_DONE as error:
        failed = NotDoneError(error)
    except (KeyboardInterrupt, click.Abort):
        click.echo("loadtest: interrupted", err=True)
        return INTERRUPTED_STATUS
    failed.show()
    return failed.exit_code


if __name__ == "__main__":
    sys.exit(main())
