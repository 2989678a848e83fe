"""Commands for those who run it: worker, migrate, topics, position, config."""

from __future__ import annotations

import asyncio
import getpass
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

import click

from processor import settings as settings_module
from processor.contracts import contract_folders, load_contract
from processor.errors import ProcessorError

_T = TypeVar("_T")


def run_async(work: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine of a short command on a plain event loop."""
    return asyncio.run(work)


@click.command()
def worker() -> None:
    """Run a worker until SIGTERM."""
    from processor import app  # noqa: PLC0415 - Faust takes a second to import; other commands go without
    from processor.telemetry import configure_logs  # noqa: PLC0415 - as above

    settings = settings_module.read()
    configure_logs(settings.log_level)
    factory = None
    if settings.event_loop == "uvloop":
        import uvloop  # noqa: PLC0415 - only where it is asked for

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        status = runner.run(app.run(settings))
    sys.exit(status)


@click.command()
@click.option(
    "--test-ledger", is_flag=True, help="Mark a new ledger as one that may hold invented money."
)
def migrate(*, test_ledger: bool) -> None:
    """Create the ledger in the database, or bring it up to date."""
    from processor.ledger import migrate as migration  # noqa: PLC0415 - as above

    settings = settings_module.read()
    done = run_async(
        migration.migrate(
            _owner(settings), contract_folders()[0] / "ledger", test_ledger=test_ledger
        )
    )
    kind = "test ledger" if done.is_test else "ledger"
    if done.applied:
        click.echo(f"{kind}: applied {', '.join(done.applied)}")
    else:
        click.echo(f"{kind}: up to date ({done.total} migrations)")


def _owner(settings: settings_module.Settings) -> Any:
    from processor.ledger.connection import ConnectionSettings  # noqa: PLC0415 - as above

    return ConnectionSettings(
        settings.database_url,
        role=None,
        application_name="processor migrate",
        connect_timeout_s=settings.connect_timeout_s,
        statement_timeout_ms=settings.statement_timeout_ms,
        lock_timeout_ms=settings.lock_timeout_ms,
    )


@click.command()
@click.option("--apply", "apply_", is_flag=True, help="Create and change topics to match.")
def topics(*, apply_: bool) -> None:
    """Show how the broker's topics differ from topics/*.toml; exit status 1 when they do."""
    from processor import topics as topics_module  # noqa: PLC0415 - as above

    settings = settings_module.read()
    differences = run_async(
        topics_module.reconcile(settings, load_contract(), apply=apply_)
    )
    for line in differences:
        click.echo(line)
    if not differences:
        click.echo("topics are as topics/*.toml say")
    elif not apply_:
        sys.exit(1)


@click.command()
@click.argument("topic")
@click.argument("partition", type=int)
@click.option("--accept", "offset", type=int, help="Start a new source at this offset, on record.")
@click.option("--reason", default="", help="Why; required with --accept.")
def position(topic: str, partition: int, offset: int | None, reason: str) -> None:
    """Show where the ledger stands in a partition, or decide where a stopped one goes on."""
    from processor.ledger import lookup  # noqa: PLC0415 - as above

    settings = settings_module.read()
    if offset is not None:
        if not reason:
            raise ProcessorError("--accept needs a --reason: the decision goes on record")
        run_async(
            lookup.accept_position(
                settings, settings.topic(topic), partition, offset, getpass.getuser(), reason
            )
        )
    for line in run_async(lookup.position(settings, settings.topic(topic), partition)):
        click.echo(line)


@click.command()
def config() -> None:
    """Print the effective settings, secrets masked."""
    for name, value in settings_module.read().masked().items():
        click.echo(f"{settings_module.PREFIX}{name.upper()}={value}")
