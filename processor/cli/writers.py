"""Writes rows as they come, as a table for people, as CSV or as one JSON document."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import click
import msgspec
import orjson

FORMATS: Final = ("table", "csv", "json")

Row = Mapping[str, Any]


class Column(msgspec.Struct, frozen=True):
    """A column of a table: its heading, how wide it is, what it shows of a row."""

    heading: str
    width: int
    shown: Callable[[Row], str]
    is_amount: bool = False


class Writer(Protocol):
    """Writes a head, rows and a foot, holding none of the rows."""

    def begin(self, head: Row) -> None:
        """Write what is known before the rows."""

    def row(self, row: Row) -> None:
        """Write a row."""

    def end(self, foot: Row) -> None:
        """Write what is known after the rows."""


def text_of(value: object) -> str:
    """Write a value for people; nothing for None."""
    return "" if value is None else str(value)


class TableWriter:
    """Aligned columns; a value that is too wide is written whole and moves its neighbours."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns

    def begin(self, head: Row) -> None:
        """Write the fields of the head and the headings."""
        self._fields(head)
        click.echo(self._line([column.heading for column in self._columns]))

    def row(self, row: Row) -> None:
        """Write a line."""
        click.echo(self._line([column.shown(row) for column in self._columns]))

    def end(self, foot: Row) -> None:
        """Write the fields of the foot."""
        self._fields(foot)

    def _line(self, cells: Sequence[str]) -> str:
        aligned = (
            f"{cell:>{column.width}}" if column.is_amount else f"{cell:<{column.width}}"
            for column, cell in zip(self._columns, cells, strict=True)
        )
        return "  ".join(aligned).rstrip()

    def _fields(self, fields: Row) -> None:
        for name, value in fields.items():
            if value is not None:
                click.echo(f"{name.replace('_', ' '):<16} {value}")


class CsvWriter:
    """RFC 4180: a header line, then a line for each row; heads and feet are left out."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def begin(self, head: Row) -> None:
        """Write the header line."""
        del head
        self._write(self._names)

    def row(self, row: Row) -> None:
        """Write a line; what is not there is empty."""
        self._write([text_of(row[name]) for name in self._names])

    def end(self, foot: Row) -> None:
        """Write nothing."""

    def _write(self, cells: Sequence[str]) -> None:
        line = io.StringIO()
        csv.writer(line, lineterminator="\r\n").writerow(cells)
        click.echo(line.getvalue(), nl=False)


class JsonWriter:
    """One document, written piece by piece: the head's fields, the rows, the foot's fields."""

    def __init__(self, rows_name: str, names: Sequence[str]) -> None:
        self._rows_name = rows_name
        self._names = names
        self._separator = "\n"

    def begin(self, head: Row) -> None:
        """Write the head's fields and open the list."""
        fields = "".join(f"  {_json(name)}: {_json(value)},\n" for name, value in head.items())
        click.echo(f"{{\n{fields}  {_json(self._rows_name)}: [", nl=False)

    def row(self, row: Row) -> None:
        """Write a row on a line of its own."""
        click.echo(
            f"{self._separator}    {_json({name: row[name] for name in self._names})}", nl=False
        )
        self._separator = ",\n"

    def end(self, foot: Row) -> None:
        """Close the list and write the foot's fields."""
        fields = "".join(f",\n  {_json(name)}: {_json(value)}" for name, value in foot.items())
        click.echo(f"\n  ]{fields}\n}}")


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def writer_of(
    chosen: str, rows_name: str, names: Sequence[str], columns: Sequence[Column]
) -> Writer:
    """Give the writer of a format; `names` are the fields of a row that programs get."""
    if chosen == "csv":
        return CsvWriter(names)
    return JsonWriter(rows_name, names) if chosen == "json" else TableWriter(columns)


def exceeded_text(limit: Mapping[str, Any]) -> str:
    """Say which spending limit a command would exceed."""
    unit = "commands" if limit["measure"] == "daily_count" else limit["currency"]
    return (
        f"limit {limit['limit']} of {limit['scope']} {limit['subject']}: {limit['measure']} "
        f"{limit['maximum']}, {limit['left']} {unit} left"
    )
