"""Commands for those who run it: worker, migrate, topics, position, config."""

from __future__ import annotations

import asyncio
import getpass
import os
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

import click
import msgspec

from processor import settings as settings_module
from processor.cli.access import reading_access
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
    if settings.event_loop == "uvloop":
        import uvloop  # noqa: PLC0415 - only where it is asked for

        # A policy and no factory: Faust makes another loop, for the thread in which aiokafka lives.
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    sys.exit(asyncio.run(app.run(settings)))


@click.command()
@click.option(
    "--test-ledger", is_flag=True, help="Mark a new ledger as one that may hold invented money."
)
def migrate(*, test_ledger: bool) -> None:
    """Create the ledger in the database, or bring it up to date."""
    from processor.ledger import migrate as migration  # noqa: PLC0415 - as above
    from processor.ledger.reading import explained  # noqa: PLC0415 - as above

    settings = settings_module.read()
    with explained():
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
    """Show how the broker's topics differ from topics/*.toml; exit status 1 where they do."""
    from processor import topics as topics_module  # noqa: PLC0415 - as above

    settings = settings_module.read()
    found = run_async(topics_module.reconcile(settings, load_contract(), apply=apply_))
    for line in (*found.done, *found.left):
        click.echo(line)
    if found.left:
        sys.exit(1)
    if not found.done:
        click.echo("topics are as topics/*.toml say")


@click.command()
@click.argument("topic")
@click.argument("partition", type=click.IntRange(min=0))
@click.option(
    "--accept",
    "offset",
    type=click.IntRange(min=0),
    help="Go on at this offset, as another source, on record.",
)
@click.option("--reason", default="", help="Why; required with --accept.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def position(*, topic: str, partition: int, offset: int | None, reason: str, as_json: bool) -> None:
    """
    Show where the ledger stands in a partition, or decide where a stopped one goes on.

    TOPIC is the name without its prefix.
    """
    from processor.ledger import lookup  # noqa: PLC0415 - as above

    settings = settings_module.read()
    access = reading_access(settings, "position")
    name = settings.topic(topic)
    if offset is not None:
        if not reason.strip():
            raise click.UsageError("--accept needs a --reason: the decision goes on record")
        deciding = lookup.accept_position(
            access, name, partition, offset, decided_by=_operator(), reason=reason.strip()
        )
        run_async(deciding)
    found = run_async(lookup.position(access, name, partition))
    if found is None:
        raise ProcessorError(f"the ledger has no position in {name}/{partition}")
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
        return
    click.echo(f"{name}/{partition}")
    for line in _position_lines(found):
        click.echo(f"  {line}")


def _operator() -> str:
    """Name who decides, as this machine knows them."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"user {os.getuid()}"


def _position_lines(found: dict[str, Any]) -> list[str]:
    source = f"source {found['source_id']} ({found['incarnation']})"
    lines = [
        f"posted up to {found['next_offset']}, answered up to {found['delivered_offset']}",
        f"{source} from {found['first_offset']} on",
        f"opened {found['opened_at']} by {found['opened_by']}: {found['reason']}",
        f"claimed {found['claimed_at']} by {found['claimed_by']}",
    ]
    lines += [
        (
            f"decided {one['decided_at']} by {one['decided_by']}: "
            f"from {one['old_next']} to {one['new_next']}: {one['reason']}"
        )
        for one in found["decisions"]
    ]
    return lines


@click.command()
def config() -> None:
    """Print the effective settings, secrets masked."""
    for name, value in settings_module.read().masked().items():
        click.echo(f"{settings_module.PREFIX}{name.upper()}={value}")
