"""The commands for the bank's rules: what holds, and how to make it what a file says."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec
import orjson

from processor import settings as settings_module
from processor.cli.access import reading_access
from processor.cli.writers import FORMATS, Column, Row, text_of, writer_of
from processor.contracts import INTERNAL, load_contract
from processor.errors import ProcessorError

if TYPE_CHECKING:
    from processor.cli.rule_file import RuleKind
    from processor.contracts import Contract
    from processor.ledger.rules import Said
    from processor.settings import Settings

ANSWER_TIMEOUT_S: Final = 30.0
"""Seconds without any outcome after which --apply gives up."""


def _column(name: str, width: int) -> Column:
    return Column(name, width, lambda row: text_of(row[name]))


def _tiers(row: Row) -> str:
    return "; ".join(
        f"from {one['from']}: {one['fixed']} + {one['basis_points']} bp" for one in row["tiers"]
    )


class Page(msgspec.Struct, frozen=True):
    """
    How rules of a kind are listed: the title, what is shown under which name of the command that
    sets one, the columns for people; and what is said where a file agrees.
    """

    title: str
    fields: Mapping[str, str]
    columns: tuple[Column, ...]
    agrees: str


def _named(*names: str) -> dict[str, str]:
    return dict(zip(names, names, strict=True))


PAGES: Final = {
    "tariff": Page(
        "tariffs",
        _named("tariff", "command")
        | {"channel": "for_channel"}
        | _named("product", "currency", "payer", "tiers", "minimum", "maximum"),
        (
            *(_column(*one) for one in (("tariff", 20), ("command", 12), ("channel", 10))),
            *(_column(*one) for one in (("product", 12), ("currency", 8), ("payer", 6))),
            *(_column(*one) for one in (("minimum", 8), ("maximum", 8), ("since", 27))),
            Column("tiers", 30, _tiers),
        ),
        "the ledger charges what {} says",
    ),
    "limit": Page(
        "limits",
        _named("limit", "scope", "subject", "currency")
        | _named("single_amount", "daily_amount", "daily_count"),
        (
            *(_column(*one) for one in (("limit", 20), ("scope", 8), ("subject", 20))),
            *(_column(*one) for one in (("currency", 8), ("single_amount", 14))),
            *(_column(*one) for one in (("daily_amount", 14), ("daily_count", 11))),
            _column("since", 27),
        ),
        "the ledger limits what {} says",
    ),
}


def _with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Take a file, --apply and --format."""
    for option in (
        click.option(
            "--format",
            "chosen",
            type=click.Choice(FORMATS),
            default="table",
            show_default=True,
            help="Of the list; not with a FILE.",
        ),
        click.option(
            "--apply", "apply_", is_flag=True, help="Make the ledger's rules what FILE says."
        ),
        click.argument("file", type=click.Path(path_type=Path), required=False),
    ):
        command = option(command)
    return command


@click.command()
@_with_options
def tariffs(*, file: Path | None, apply_: bool, chosen: str) -> None:
    """
    Show which fees are charged, or how that differs from a FILE (TOML, one table for each tariff).

    Exit status 1 where it differs. With --apply the bank's own commands are published on the
    internal topic, and their outcomes awaited; run twice it changes nothing.
    """
    from processor.cli.rule_file import TARIFFS  # noqa: PLC0415 - validators take their time

    _run(TARIFFS, file, chosen, apply=apply_)


@click.command()
@_with_options
def limits(*, file: Path | None, apply_: bool, chosen: str) -> None:
    """
    Show how spending is limited, or how that differs from a FILE (TOML, one table for each limit).

    Exit status 1 where it differs. With --apply the bank's own commands are published on the
    internal topic, and their outcomes awaited; run twice it changes nothing.
    """
    from processor.cli.rule_file import LIMITS  # noqa: PLC0415 - validators take their time

    _run(LIMITS, file, chosen, apply=apply_)


def _run(kind: RuleKind, file: Path | None, chosen: str, *, apply: bool) -> None:
    if file is None and apply:
        raise click.UsageError("--apply needs a FILE")
    settings = settings_module.read()
    if file is None:
        _show(kind, asyncio.run(_said(settings, kind)), chosen)
        return
    sys.exit(asyncio.run(_reconcile(settings, kind, file, apply=apply)))


async def _said(settings: Settings, kind: RuleKind) -> list[Said]:
    from processor.ledger import rules  # noqa: PLC0415 - PostgreSQL's client takes its time

    access = reading_access(settings, PAGES[kind.noun].title)
    return await rules.said(access, kind.noun)


def _show(kind: RuleKind, said: list[Said], chosen: str) -> None:
    page = PAGES[kind.noun]
    fields = (*page.fields, "since", "ledger_sequence")
    writer = writer_of(chosen, page.title, fields, page.columns)
    writer.begin({})
    for one in said:
        if one.fields is not None:
            writer.row(_row(page, one.fields, one, as_text=chosen == "csv"))
    writer.end({})


def _row(page: Page, fields: Row, one: Said, *, as_text: bool) -> dict[str, Any]:
    """Give a row with the names of the view; lists as JSON where cells are texts."""
    found = {shown: fields.get(name) for shown, name in page.fields.items()}
    found |= {"since": one.since, "ledger_sequence": one.ledger_sequence}
    if as_text:
        found |= {
            name: orjson.dumps(value).decode()
            for name, value in found.items()
            if isinstance(value, list)
        }
    return found


async def _reconcile(settings: Settings, kind: RuleKind, file: Path, *, apply: bool) -> int:
    from processor.cli import rule_file  # noqa: PLC0415 - validators take their time
    from processor.core.decode import Decoder  # noqa: PLC0415 - as above

    contract = load_contract()
    decoder = Decoder(
        contract, contract.types[INTERNAL], command_bytes_max=settings.command_bytes_max
    )
    wanted = rule_file.read(kind, file, decoder)
    said = await _said(settings, kind)
    found = rule_file.changes(kind, wanted, said)
    for change in found:
        for line in change.lines():
            click.echo(line)
    if found and not apply:
        return 1
    if found:
        await _publish(settings, contract, kind, rule_file.commands(found, said))
        left = rule_file.changes(kind, wanted, await _said(settings, kind))
        if left:
            raise ProcessorError(f"{len(left)} {kind.noun}s are not as {file} says; run it again")
    click.echo(PAGES[kind.noun].agrees.format(file))
    return 0


async def _publish(
    settings: Settings, contract: Contract, kind: RuleKind, commands: list[bytes]
) -> None:
    from processor.cli.input import Gate, Prepared  # noqa: PLC0415 - validators take their time
    from processor.cli.talk import Dispatch  # noqa: PLC0415 - as above

    dispatch = Dispatch(
        settings,
        contract,
        Prepared(commands),
        Gate(contract, INTERNAL, command_bytes_max=settings.command_bytes_max),
        topic=settings.topic(contract.topics[INTERNAL].name),
        key=kind.key,
        partition=None,
        validates=True,
    )
    await dispatch.run(ANSWER_TIMEOUT_S)
