"""What the commands for accountants read and write: moments, cursors, sums, formats, trees."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import pytest

from processor.cli.family import tree_of
from processor.cli.moments import cursor_of, date_of, end_of, moment_of, start_of, written
from processor.cli.sums import PageSums, TrialSums
from processor.cli.writers import Column, Writer, writer_of
from processor.errors import ProcessorError

NAMES = ("name", "amount")
COLUMNS = (
    Column("name", 6, lambda row: str(row["name"])),
    Column("amount", 10, lambda row: str(row["amount"]), is_amount=True),
)
ROWS = [{"name": 'a "b", c', "amount": "1.00"}, {"name": "ü", "amount": "1000000000000000"}]


def test_a_date_is_all_of_its_day() -> None:
    """In UTC; a moment is itself, in whatever offset it is written."""
    assert start_of("2026-11-21", "x") == datetime(2026, 11, 21, tzinfo=UTC)
    assert end_of("2026-11-30", "x") == datetime(2026, 12, 1, tzinfo=UTC)
    assert end_of("9999-12-31", "x") is None
    moment = datetime(2026, 11, 21, 9, 30, 0, 123456, tzinfo=UTC)
    for text in ("2026-11-21T10:00:00.123456+00:30", "2026-11-21T09:30:00.123456Z"):
        assert start_of(text, "x") == end_of(text, "x") == moment_of(text, "x") == moment
    assert written(moment) == "2026-11-21T09:30:00.123456Z"
    assert date_of("2026-11-21", "x") == date(2026, 11, 21)


@pytest.mark.parametrize("read", [date_of, moment_of, start_of, end_of])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-02-30",
        "2026-13-01T00:00:00Z",
        "2026-11-21T10:00:00",
        "2026-11-21T24:01:00Z",
        "2026-11-21T10:00:00.1234567Z",
        "20261121",
        "2026-W47-6",
        "\u0662026-11-21",
        "0001-01-01T00:00:00+23:00",
    ],
)
def test_what_is_no_time_is_told_in_one_line(read: Callable[..., object], text: str) -> None:
    """The option is named, and what was given is shown as it is."""
    with pytest.raises(ProcessorError, match=r"^--to: ") as caught:
        read(text, "--to")
    assert repr(text) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_cursor_is_taken_as_it_is() -> None:
    """None stays None; what no page can have ended with is refused."""
    cursor = "20261121T100000.123456Z_184467_1000"
    assert cursor_of(cursor, "--after") == cursor
    assert cursor_of(None, "--after") is None
    wrong = ("", "x", cursor + "0", cursor[:-5], "20261321" + cursor[8:], cursor + "\n", "_1_1")
    for text in wrong:
        with pytest.raises(ProcessorError, match=r"^--after: .* is no cursor"):
            cursor_of(text, "--after")


def entry(direction: str, amount: str, balance_after: str) -> dict[str, str]:
    """Build what is added up of an entry; its balance is its cursor."""
    return {
        "direction": direction,
        "amount": amount,
        "balance_after": balance_after,
        "cursor": balance_after,
    }


def test_a_page_is_added_up_from_its_entries() -> None:
    """What was brought forward follows from the first entry, the sums are exact at any size."""
    sums = PageSums("EUR", "7.00")
    empty = sums.foot()
    for one in (
        entry("debit", "9000000000000.01", "-8999999999990.00"),
        entry("credit", "0.09", "-8999999999989.91"),
        entry("debit", "0.10", "-8999999999990.01"),
    ):
        sums.add(one)
    sums.is_whole = False

    assert empty == {
        "entry_count": 0,
        "brought_forward": "7.00",
        "debits": "0.00",
        "credits": "0.00",
        "carried_forward": "7.00",
        "next": None,
    }
    assert sums.foot() == {
        "entry_count": 3,
        "brought_forward": "10.01",
        "debits": "9000000000000.11",
        "credits": "0.09",
        "carried_forward": "-8999999999990.01",
        "next": "-8999999999990.01",
    }


def trial_row(currency: str, *sides: str) -> dict[str, str]:
    """Build a row of a trial balance."""
    names = ("debits", "credits", "debit_balance", "credit_balance")
    return {"currency": currency, **dict(zip(names, sides, strict=True))}


@pytest.mark.parametrize("wrong", [("1", "2", "0", "0"), ("1", "1", "0", "1")])
def test_sides_that_differ_in_one_currency_are_told(wrong: tuple[str, ...]) -> None:
    """Each currency is judged by itself: movements and balances both."""
    sums = TrialSums()
    sums.add(trial_row("EUR", "1.00", "0.00", "1.00", "0.00"))
    sums.add(trial_row("EUR", "0.00", "1.00", "0.00", "1.00"))
    held_before = sums.hold
    sums.add(trial_row("JPY", *wrong))

    assert (held_before, sums.hold) == (True, False)
    euro, yen = sums.lines()
    assert euro.endswith("1.00: both sides are equal")
    assert yen.endswith(": THE SIDES DIFFER")
    assert [(one["currency"], one["holds"]) for one in sums.foot()["totals"]] == [
        ("EUR", True),
        ("JPY", False),
    ]


def write(writer: Writer, rows: Sequence[Mapping[str, object]]) -> None:
    """Write rows between a head and a foot."""
    writer.begin({"from": "1", "to": None})
    for row in rows:
        writer.row(row)
    writer.end({"entry_count": len(rows)})


@pytest.mark.parametrize("rows", [[], ROWS[:1], ROWS])
def test_json_is_one_document(
    capsys: pytest.CaptureFixture[str], rows: list[dict[str, str]]
) -> None:
    """However many rows there are, and whatever is in them."""
    write(writer_of("json", "entries", NAMES, COLUMNS), rows)

    found = json.loads(capsys.readouterr().out)
    assert found == {"from": "1", "to": None, "entries": rows, "entry_count": len(rows)}


def test_csv_is_that_of_rfc_4180(capsys: pytest.CaptureFixture[str]) -> None:
    """Quotation marks are doubled, lines end with CR and LF, what is absent is empty."""
    write(writer_of("csv", "entries", NAMES, COLUMNS), [*ROWS, {"name": None, "amount": "0"}])

    out = capsys.readouterr().out
    assert out == ('name,amount\r\n"a ""b"", c",1.00\r\nü,1000000000000000\r\n,0\r\n')
    assert len(list(csv.reader(io.StringIO(out, newline="")))) == 4


def test_a_table_is_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    """Amounts end below each other; one that is too wide is shown whole."""
    write(writer_of("table", "entries", NAMES, COLUMNS), [{"name": "x", "amount": "1"}, ROWS[1]])

    assert capsys.readouterr().out.splitlines() == [
        "from             1",
        "name        amount",
        "x                1",
        "ü       1000000000000000",
        "entry count      2",
    ]


def member(number: int, *members: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    """Build a member of a family."""
    return {
        "transaction_id": str(number),
        "type": "reversal" if number > 1 else "journal",
        "amount": "1.00" if number > 1 else None,
        "currency": "EUR" if number > 1 else None,
        "outcome": "rejected" if reason else "posted",
        "reason": reason,
        "decided_at": "then",
        "members": list(members),
    }


def test_a_family_is_drawn_as_a_tree() -> None:
    """Each below what it names, the one that was asked for marked, reasons with refusals."""
    family = member(1, member(2, member(3, reason="not_reversible")), member(4))

    assert list(tree_of(family, "3")) == [
        "journal - posted, then, 1",
        "├─ reversal 1.00 EUR posted, then, 2",
        "│  └─ reversal 1.00 EUR rejected: not_reversible, then, 3  <- this one",
        "└─ reversal 1.00 EUR posted, then, 4",
    ]
