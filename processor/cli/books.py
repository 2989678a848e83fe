"""Commands that look something up in the books: an account, a payment."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

import click
import orjson

from processor import settings as settings_module
from processor.cli.access import reading_access
from processor.cli.family import tree_of
from processor.cli.writers import exceeded_text
from processor.errors import ProcessorError

ENTRIES_SHOWN: Final = 10
ENTRIES_MAX: Final = 10_000


@click.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option(
    "--entries",
    type=click.IntRange(0, ENTRIES_MAX),
    default=ENTRIES_SHOWN,
    show_default=True,
    help="How many of the newest entries.",
)
def account(*, name: str, as_json: bool, entries: int) -> None:
    """Show an account: its balance, what is available, its newest entries."""
    from processor.ledger import lookup  # noqa: PLC0415 - PostgreSQL's client takes its time

    access = reading_access(settings_module.read(), "account")
    found = asyncio.run(lookup.account(access, name, entries))
    if found is None:
        raise ProcessorError(f"there is no account {name}")
    if as_json:
        _print_json(found)
        return
    click.secho(f"{found['account']}", bold=True)
    _fields(
        {
            "currency": found["currency"],
            "kind": found["kind"],
            "status": f"{found['status']}, opened {found['opened_at']}",
            "balance": found["balance"],
            "held": found["held"],
            "limit": found["overdraft_limit"] or "none",
            "available": found["available"] or "without limit",
            **({"customer": found["customer"]} if found["customer"] else {}),
        }
    )
    for limit in found["limits"]:
        click.echo(f"  {'spending':<12} {_limit(limit)}")
    if found["entries"]:
        click.echo("newest entries, change and balance after it")
    for entry in found["entries"]:
        sign = "-" if entry["direction"] == "debit" else "+"
        towards = "to" if sign == "-" else "from"
        click.echo(
            f"  {entry['booked_at']}  {sign + entry['amount']:>18} {entry['balance_after']:>20}  "
            f"{entry['type']:<10} {entry['transaction_id']}  {towards} {entry['other_account']}"
        )


def _limit(limit: Mapping[str, Any]) -> str:
    """Say what a spending limit bounds and what is left of it today."""
    bounds = [
        f"{limit['single_amount']} at once" if limit["single_amount"] else "",
        f"{limit['daily_amount']} a day, {limit['left_amount']} left"
        if limit["daily_amount"]
        else "",
        f"{limit['daily_count']} times a day, {limit['left_count']} left"
        if limit["daily_count"]
        else "",
    ]
    whose = f"limit {limit['limit']} of {limit['scope']} {limit['subject']}"
    return f"{whose}: {'; '.join(bound for bound in bounds if bound)}"


@click.command()
@click.argument("transaction_id", type=click.UUID)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def payment(*, transaction_id: UUID, as_json: bool) -> None:
    """Show a payment: what was asked, what was decided, what moved, what came after."""
    from processor.ledger import lookup  # noqa: PLC0415 - as above

    access = reading_access(settings_module.read(), "payment")
    found = asyncio.run(lookup.payment(access, str(transaction_id)))
    if found is None:
        raise ProcessorError(f"nothing is recorded under the transaction id {transaction_id}")
    if as_json:
        _print_json(found)
        return
    click.secho(f"{transaction_id}", bold=True)
    if found["outcome"] is None:
        click.echo("  nothing was decided: no command under this id was valid")
    else:
        _show_decision(found)
    for one in found["repeats"]:
        click.echo(f"  repeat       {_place(one)}, {one['recorded_at']}")
    for one in found["conflicts"]:
        fields = ", ".join(difference["field"] for difference in one["differences"])
        click.echo(f"  conflict     {_place(one)}, {one['decided_at']}: {fields}")
    for one in found["dead_letters"]:
        where = f" at {one['pointer']}" if one["pointer"] else ""
        click.echo(f"  dead letter  {_place(one)}: {one['reason']}{where}: {one['detail']}")


def _show_decision(found: Mapping[str, Any]) -> None:
    sides = f"{found['debit_account'] or '-'} -> {found['credit_account'] or '-'}"
    outcome = found["outcome"] + (f": {found['reason']}" if found["reason"] else "")
    asked = {name: value for name, value in found["asked"].items() if name != "transaction_id"}
    _fields(
        {
            "outcome": outcome,
            "type": found["type"],
            "amount": f"{found['amount'] or '-'} {found['currency'] or ''}".rstrip(),
            "accounts": found["account"] or sides,
            "decided": f"{found['decided_at']}, ledger_sequence {found['ledger_sequence']}",
            "source": _place(found["source"]),
            "asked": orjson.dumps(asked).decode(),
        }
    )
    if "exceeded" in found:
        click.echo(f"  exceeded     {exceeded_text(found['exceeded'])}")
    for entry in found.get("entries", ()):
        click.echo(
            f"  {entry['direction']:<12} {entry['account']}: {entry['amount']}, "
            f"balance after it {entry['balance_after']} {entry['currency']}, "
            f"value date {entry['value_date']}"
        )
    family = found["family"]
    if family["members"]:
        click.echo("  family")
        for line in tree_of(family, found["transaction_id"]):
            click.echo(f"    {line}")
        if not family["is_whole"]:
            click.echo("    and more: reporting.payment_family has them all")
        if family["left_to_reverse"] is not None:
            click.echo(f"  left         {family['left_to_reverse']}")
    if family["hold"] is not None:
        click.echo(f"  hold         {_hold(family['hold'])}")


def _hold(hold: Mapping[str, Any]) -> str:
    until = f", until {hold['expires_at']}" if hold["expires_at"] else ""
    parts = (f"{name} {hold[name]}" for name in ("held", "captured", "released"))
    return f"{hold['status']}: {', '.join(parts)}{until}"


def _fields(fields: Mapping[str, str]) -> None:
    for name, value in fields.items():
        click.echo(f"  {name:<12} {value}")


def _place(source: Mapping[str, Any]) -> str:
    return f"{source['topic']}/{source['partition']}@{source['offset']}"


def _print_json(document: Mapping[str, Any]) -> None:
    click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
