"""Commands for accountants: balances, statements, trial balances."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final

import click
import orjson

from processor import settings as settings_module
from processor.cli.access import reading_access
from processor.cli.moments import cursor_of, date_of, end_of, moment_of, start_of, written
from processor.cli.sums import PageSums, TrialSums
from processor.cli.writers import FORMATS, Column, CsvWriter, Writer, text_of, writer_of
from processor.errors import ProcessorError

if TYPE_CHECKING:
    from processor.ledger.connection import ConnectionSettings
    from processor.ledger.reads import Period, Statement

READ_TIMEOUT_MS: Final = 1_800_000
"""How long one statement may take: a trial balance reads every posting."""

ENTRY_FIELDS: Final = (
    "booked_at",
    "booking_date",
    "value_date",
    "type",
    "direction",
    "amount",
    "currency",
    "balance_after",
    "counter_account",
    "reference",
    "transaction_id",
    "line",
    "ledger_sequence",
    "cursor",
)

_SUM_FIELDS: Final = ("debits", "credits", "debit_balance", "credit_balance")
_AMOUNT_COLUMNS: Final = 17
_SUM_COLUMNS: Final = 22


def _field(name: str, width: int, heading: str | None = None, *, is_amount: bool = False) -> Column:
    shown = heading or name.replace("_", " ")
    return Column(shown, width, lambda row: text_of(row[name]), is_amount)


def _amount_of(direction: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda row: row["amount"] if row["direction"] == direction else ""


_ENTRY_COLUMNS: Final = (
    _field("booked_at", 27),
    _field("booking_date", 12),
    _field("value_date", 10),
    _field("type", 11),
    Column("debit", _AMOUNT_COLUMNS, _amount_of("debit"), is_amount=True),
    Column("credit", _AMOUNT_COLUMNS, _amount_of("credit"), is_amount=True),
    _field("balance_after", _SUM_COLUMNS, is_amount=True),
    _field("counter_account", 20),
    _field("transaction_id", 36),
    _field("reference", 0),
)
_SUMS: Final = tuple(_field(name, _SUM_COLUMNS, is_amount=True) for name in _SUM_FIELDS)
_PLACE: Final = (_field("currency", 8), _field("code", 4), _field("kind", 12))
TRIAL_BALANCES: Final[dict[str, tuple[tuple[str, ...], tuple[Column, ...]]]] = {
    "kind": (
        ("currency", "code", "kind", "class", "normal_side", "accounts"),
        (*_PLACE, _field("accounts", 10, is_amount=True)),
    ),
    "account": (("currency", "code", "kind", "account"), (*_PLACE, _field("account", 20))),
}
"""By what: the fields of a row that programs get, and the columns that people see."""

_format = click.option(
    "--format", "chosen", type=click.Choice(FORMATS), default="table", show_default=True
)


def _access(name: str) -> ConnectionSettings:
    return reading_access(settings_module.read(), name, statement_timeout_ms=READ_TIMEOUT_MS)


def _unknown(name: str) -> ProcessorError:
    return ProcessorError(f"there is no account {name}")


@click.command()
@click.argument("name")
@click.option("--at", help="At a moment (RFC 3339), what was booked at that very moment included.")
@click.option("--booking-date", help="At the end of a business date (YYYY-MM-DD).")
@click.option("--value-date", help="At the end of a day (YYYY-MM-DD), by value date.")
@_format
def balance(
    *, name: str, at: str | None, booking_date: str | None, value_date: str | None, chosen: str
) -> None:
    """Show the balance of an account: now, at a moment, by booking date or by value date."""
    if sum(one is not None for one in (at, booking_date, value_date)) > 1:
        raise ProcessorError("--at, --booking-date and --value-date differ: give one of them")
    moment = None if at is None else moment_of(at, "--at")
    booked = None if booking_date is None else date_of(booking_date, "--booking-date")
    counts = None if value_date is None else date_of(value_date, "--value-date")
    _show_balance(asyncio.run(_balance(name, moment, booked, counts)), chosen)


async def _balance(
    name: str, moment: datetime | None, booked: date | None, counts: date | None
) -> dict[str, Any]:
    from processor.ledger import reads  # noqa: PLC0415 - PostgreSQL's client takes its time

    asked = reads.Asked(moment, booked, counts)
    found = await reads.balance(_access("balance"), name, asked)
    if found is None:
        raise _unknown(name)
    owner, held = found
    return {
        "account": owner.account,
        "currency": owner.currency,
        "kind": owner.kind,
        "opened_at": owner.opened_at,
        "at": None if moment is None else written(moment),
        "booking_date": None if booked is None else booked.isoformat(),
        "value_date": None if counts is None else counts.isoformat(),
        "balance": held,
    }


def _show_balance(found: dict[str, Any], chosen: str) -> None:
    if chosen == "json":
        click.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
        return
    if chosen == "csv":
        writer = CsvWriter(tuple(found))
        writer.begin({})
        writer.row(found)
        return
    days = (f"{kind} date {found[f'{kind}_date']}" for kind in ("booking", "value"))
    when = found["at"] or next((day for day in days if not day.endswith("None")), "now")
    click.secho(found["account"], bold=True)
    for name, value in {
        "kind": found["kind"],
        "opened": found["opened_at"],
        "at": when,
        "balance": f"{found['balance']} {found['currency']}",
    }.items():
        click.echo(f"  {name:<12} {value}")


@click.command()
@click.argument("name")
@click.option("--from", "first", required=True, help="First day (UTC), or a moment (RFC 3339).")
@click.option("--to", "last", help="Last day, all of it; or a moment, itself not included. [now]")
@click.option("--limit", type=click.IntRange(1), help="A page of so many entries.")
@click.option("--after", help="The page after this cursor, which the page before ended with.")
@_format
def statement(
    *, name: str, first: str, last: str | None, limit: int | None, after: str | None, chosen: str
) -> None:
    """
    Show the entries of an account in a period, with the balances before and after.

    A page shows its own sums, and the balances that were brought and are carried forward.
    """
    from processor.ledger.reads import Period  # noqa: PLC0415 - as above

    start = start_of(first, "--from")
    end = None if last is None else end_of(last, "--to")
    if end is not None and end <= start:
        raise ProcessorError(f"there is nothing between {first} and {last}: --from comes first")
    cursor = cursor_of(after, "--after")
    writer = writer_of(chosen, "entries", _entry_fields(chosen), _ENTRY_COLUMNS)
    asyncio.run(_statement(name, Period(start, end), limit, cursor, writer))


def _entry_fields(chosen: str) -> tuple[str, ...]:
    """Leave out of a document's entries what its head and its foot say once."""
    if chosen == "csv":
        return ENTRY_FIELDS
    return tuple(name for name in ENTRY_FIELDS if name not in {"currency", "cursor"})


async def _statement(
    name: str, period: Period, limit: int | None, after: str | None, writer: Writer
) -> None:
    from processor.ledger import reads  # noqa: PLC0415 - as above

    async with reads.statement(_access("statement"), name, period) as found:
        if found is None:
            raise _unknown(name)
        await _write_statement(found, limit, after, writer)


async def _write_statement(
    found: Statement, limit: int | None, after: str | None, writer: Writer
) -> None:
    opening, closing = await found.opening_balance(), await found.closing_balance()
    owner, period = found.owner, found.period
    writer.begin(
        {
            "account": owner.account,
            "currency": owner.currency,
            "kind": owner.kind,
            "from": written(period.start),
            "to": None if period.end is None else written(period.end),
            "opening_balance": opening,
            "closing_balance": closing,
        }
    )
    sums = PageSums(owner.currency, closing if after else opening)
    # One more than is shown tells whether there is another page.
    async for entry in found.entries(after, None if limit is None else limit + 1):
        if sums.entries == limit:
            sums.is_whole = False
            break
        writer.row(entry)
        sums.add(entry)
    writer.end(sums.foot())


@click.command("trial-balance")
@click.option("--at", help="At a moment (RFC 3339), what was booked at that very moment included.")
@click.option("--by", type=click.Choice(tuple(TRIAL_BALANCES)), default="kind", show_default=True)
@_format
def trial_balance(*, at: str | None, by: str, chosen: str) -> None:
    """
    Show debits, credits and balances of all accounts, which add up to the same on both sides.

    Reads every posting. Exit status 1 where the sides differ.
    """
    moment = None if at is None else moment_of(at, "--at")
    sys.exit(0 if asyncio.run(_trial_balance(moment, by, chosen)) else 1)


async def _trial_balance(moment: datetime | None, by: str, chosen: str) -> bool:
    from processor.ledger import reads  # noqa: PLC0415 - as above

    rows = reads.trial_balance(_access("trial-balance"), moment, by=by)
    head = {"at": None if moment is None else written(moment)}
    return await show_trial_balance(rows, head, by, chosen)


async def show_trial_balance(
    opening: AbstractAsyncContextManager[AsyncIterator[Mapping[str, Any]]],
    head: Mapping[str, Any],
    by: str,
    chosen: str,
) -> bool:
    """Print a trial balance, and whether both sides are equal in each currency; give that."""
    fields, columns = TRIAL_BALANCES[by]
    writer = writer_of(chosen, "rows", (*fields, *_SUM_FIELDS), (*columns, *_SUMS))
    sums = TrialSums()
    async with opening as rows:
        writer.begin(head)
        async for row in rows:
            writer.row(row)
            sums.add(row)
    writer.end(sums.foot() if chosen == "json" else {})
    if chosen == "table" or not sums.hold:
        for line in sums.lines():
            click.echo(line, err=chosen != "table")
    return sums.hold
