"""The local stack's command line, `python -m deploy.local`: up, down, status, env, logs, exec."""

import os
import shlex
import shutil
import sys
import time
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from deploy.local import jars, ports
from deploy.local.errors import StackError
from deploy.local.kafka import KAFKA_VERSION
from deploy.local.progress import jar_progress
from deploy.local.stack import DATABASE, VARIABLES, Stack

CHECKOUT: Final = Path(__file__).resolve().parents[2]
DATA: Final = CHECKOUT / "build" / "local"
# Taken at the first start if they are free, so that examples can name them.
KAFKA_PORT: Final = 19092
POSTGRES_PORT: Final = 15432

data_option = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default=DATA,
    help="Folder of the stack's data [default: build/local of the checkout].",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Run a real Kafka and a real PostgreSQL on this machine, from packages alone."""


@cli.command()
@data_option
@click.option("--fresh", is_flag=True, help="Throw the old data away first.")
@click.option("--kafka-version", default=KAFKA_VERSION, show_default=True)
@click.option("--kafka-port", type=int, help="Port for Kafka's clients.")
@click.option("--postgres-port", type=int, help="Port for PostgreSQL's clients.")
def up(
    data: Path,
    *,
    fresh: bool,
    kafka_version: str,
    kafka_port: int | None,
    postgres_port: int | None,
) -> None:
    """Start the stack and leave it running; does nothing where it runs."""
    if _given_by_user() is not None:
        click.echo("Kafka and PostgreSQL are given by the environment; nothing local starts.")
        return
    if fresh:
        Stack(data).stop()
        shutil.rmtree(data, ignore_errors=True)
    first = not data.exists()
    stack = Stack(
        data,
        kafka_version=kafka_version,
        kafka_port=kafka_port or _preferred(KAFKA_PORT, first=first),
        postgres_port=postgres_port or _preferred(POSTGRES_PORT, first=first),
        die_with_parent=False,
    )
    if stack.running:
        click.echo("The stack runs already.")
    else:
        started = time.monotonic()
        with jar_progress(Console(stderr=True)) as report:
            stack.start(report)
        click.echo(f"The stack is up ({time.monotonic() - started:.1f} s).")
    _show(stack)
    click.echo("Next: `make worker` serves payments, `make down` stops the stack.")


@cli.command()
@data_option
def down(data: Path) -> None:
    """Stop the stack; its data stay."""
    stack = Stack(data)
    ran = stack.broker.running or stack.postgres.running
    stack.stop()
    click.echo("The stack is down; its data stay." if ran else "The stack is not running.")


@cli.command()
@data_option
def status(data: Path) -> None:
    """Show what runs; exit status 1 where something does not."""
    stack = Stack(data)
    if not _show(stack):
        sys.exit(1)


@cli.command()
@data_option
def env(data: Path) -> None:
    """Print the environment by which the processor finds the stack, for `eval`."""
    for name, value in _addresses(data).items():
        click.echo(f"export {name}={shlex.quote(value)}")


@cli.command()
@data_option
@click.option("-n", "--lines", default=20, show_default=True, help="Lines of each log.")
def logs(data: Path, lines: int) -> None:
    """Show the end of both servers' logs."""
    stack = Stack(data)
    for log in (stack.broker.log, stack.postgres.log):
        click.secho(str(log), bold=True)
        if log.exists():
            click.echo("\n".join(log.read_text(errors="replace").splitlines()[-lines:]))


@cli.command(name="exec", context_settings={"ignore_unknown_options": True})
@data_option
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def execute(data: Path, command: tuple[str, ...]) -> None:
    """Run COMMAND with the stack's addresses, or with those that the environment gives."""
    environment = {**os.environ, **_addresses(data)}
    try:
        os.execvpe(command[0], list(command), environment)
    except OSError as error:
        raise StackError(f"can't run {command[0]}: {error.strerror}") from None


@cli.command()
@click.argument("version")
def lock(version: str) -> None:
    """Write the lock file of a Kafka VERSION's jars anew."""
    click.echo(jars.write_lock(version).relative_to(CHECKOUT))


def _given_by_user() -> dict[str, str] | None:
    given = {name: os.environ[name] for name in VARIABLES if os.environ.get(name)}
    if len(given) == 1:
        missing = next(name for name in VARIABLES if name not in given)
        raise StackError(f"{next(iter(given))} is set but {missing} is not: set both or none")
    return given or None


def _addresses(data: Path) -> dict[str, str]:
    given = _given_by_user()
    if given is not None:
        return given
    stack = Stack(data)
    if not stack.running:
        raise StackError("the stack is not running: start it with `make up`")
    return stack.env()


def _preferred(port: int, *, first: bool) -> int | None:
    return port if first and ports.is_free(port) else None


def _show(stack: Stack) -> bool:
    """Print one line for each server and say whether both run."""
    broker, postgres = stack.broker.pid, stack.postgres.pid
    if broker:
        click.echo(f"  Kafka       {stack.broker.bootstrap_servers}  (process {broker})")
    else:
        click.echo("  Kafka       not running")
    if postgres:
        url = stack.postgres.url(DATABASE)
        click.echo(f"  PostgreSQL  {url}  (process {postgres})")
    else:
        click.echo("  PostgreSQL  not running")
    return bool(broker and postgres)


def main() -> None:
    """Run the command line; what people can mend is one line, not a traceback."""
    try:
        cli(prog_name="python -m deploy.local")
    except (StackError, OSError) as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
