"""The command for the bank's fees: what is charged, and how to make it what a file says."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import orjson

from processor import settings as settings_module
from processor.cli.access import reading_access
from processor.cli.writers import FORMATS, Column, Row, text_of, writer_of
from processor.contracts import INTERNAL, load_contract
from processor.errors import ProcessorError

if TYPE_CHECKING:
    from processor.contracts import Contract
    from processor.ledger.tariffs import Said
    from processor.settings import Settings

ANSWER_TIMEOUT_S: Final = 30.0
"""Seconds without any outcome after which --apply gives up."""

FIELDS: Final = (
    "tariff",
    "command",
    "channel",
    "product",
    "currency",
    "payer",
    "tiers",
    "minimum",
    "maximum",
    "since",
    "ledger_sequence",
)


def _column(name: str, width: int) -> Column:
    return Column(name, width, lambda row: text_of(row[name]))


def _tiers(row: Row) -> str:
    return "; ".join(
        f"from {one['from']}: {one['fixed']} + {one['basis_points']} bp" for one in row["tiers"]
    )


COLUMNS: Final = (
    *(_column(*one) for one in (("tariff", 20), ("command", 12), ("channel", 10))),
    *(_column(*one) for one in (("product", 12), ("currency", 8), ("payer", 6))),
    *(_column(*one) for one in (("minimum", 8), ("maximum", 8), ("since", 27))),
    Column("tiers", 30, _tiers),
)


@click.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--apply", "apply_", is_flag=True, help="Make the ledger charge what FILE says.")
@click.option(
    "--format",
    "chosen",
    type=click.Choice(FORMATS),
    default="table",
    show_default=True,
    help="Of the list; not with a FILE.",
)
def tariffs(*, file: Path | None, apply_: bool, chosen: str) -> None:
    """
    Show which fees are charged, or how that differs from a FILE (TOML, one table for each tariff).

    Exit status 1 where it differs. With --apply the bank's own commands are published on the
    internal topic, and their outcomes awaited; run twice it changes nothing.
    """
    if file is None and apply_:
        raise click.UsageError("--apply needs a FILE")
    settings = settings_module.read()
    if file is None:
        _show(asyncio.run(_said(settings)), chosen)
        return
    sys.exit(asyncio.run(_reconcile(settings, file, apply=apply_)))


async def _said(settings: Settings) -> list[Said]:
    from processor.ledger import tariffs as reading  # noqa: PLC0415 - PostgreSQL's client takes its time

    return await reading.said(reading_access(settings, "tariffs"))


def _show(said: list[Said], chosen: str) -> None:
    writer = writer_of(chosen, "tariffs", FIELDS, COLUMNS)
    writer.begin({})
    for one in said:
        if one.fields is not None:
            writer.row(_row(one.fields, one, as_text=chosen == "csv"))
    writer.end({})


def _row(fields: Row, one: Said, *, as_text: bool) -> dict[str, Any]:
    """Give a row with the names of `reporting.tariffs`; tiers as JSON where cells are texts."""
    found = {name: fields.get(name) for name in FIELDS}
    found |= {"channel": fields.get("for_channel")}
    found |= {"since": one.since, "ledger_sequence": one.ledger_sequence}
    if as_text:
        found["tiers"] = orjson.dumps(fields["tiers"]).decode()
    return found


async def _reconcile(settings: Settings, file: Path, *, apply: bool) -> int:
    from processor.cli import tariff_file  # noqa: PLC0415 - validators take their time
    from processor.core.decode import Decoder  # noqa: PLC0415 - as above

    contract = load_contract()
    decoder = Decoder(
        contract, contract.types[INTERNAL], command_bytes_max=settings.command_bytes_max
    )
    wanted = tariff_file.read(file, decoder)
    said = await _said(settings)
    found = tariff_file.changes(wanted, said)
    for change in found:
        for line in change.lines():
            click.echo(line)
    if not found:
        click.echo(f"the ledger charges what {file} says")
        return 0
    if not apply:
        return 1
    await _publish(settings, contract, tariff_file.commands(found, said))
    left = tariff_file.changes(wanted, await _said(settings))
    if left:
        raise ProcessorError(f"{len(left)} tariffs are not as {file} says; run it again")
    click.echo(f"the ledger charges what {file} says")
    return 0


async def _publish(settings: Settings, contract: Contract, commands: list[bytes]) -> None:
    from processor.cli.input import Gate, Prepared  # noqa: PLC0415 - validators take their time
    from processor.cli.talk import Dispatch  # noqa: PLC0415 - as above
    from processor.cli.tariff_file import KEY  # noqa: PLC0415 - as above

    dispatch = Dispatch(
        settings,
        contract,
        Prepared(commands),
        Gate(contract, INTERNAL, command_bytes_max=settings.command_bytes_max),
        topic=settings.topic(contract.topics[INTERNAL].name),
        key=KEY,
        partition=None,
        validates=True,
    )
    await dispatch.run(ANSWER_TIMEOUT_S)
