"""`processor day-end` beside a live worker: it closes a day once, however often it is run."""

from __future__ import annotations

import asyncio
import csv
import io
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg

from tests.integration.bank import Bank
from tests.integration.command_line import CHECKOUT, Ran, command, only_line

DAY = "2001-01-01"
LATER = "2999-01-01"


def closings(bank: Bank) -> list[tuple[Any, ...]]:
    """Give the days that were closed."""
    return [
        tuple(row)
        for row in read(
            bank,
            "SELECT business_date::text, next_date::text"
            " FROM reporting.closed_days ORDER BY ledger_sequence",
        )
    ]


def read(bank: Bank, sql: str) -> list[asyncpg.Record]:
    """Read rows of the ledger."""

    async def _read() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(bank.line.settings["database_url"])
        try:
            return list(await connection.fetch(sql))
        finally:
            await connection.close()

    return asyncio.run(_read())


def day_end(bank: Bank, *words: str) -> Ran:
    """Run it."""
    return bank.line.run("day-end", *words)


def without_waiting(ran: Ran) -> list[str]:
    """Give what it said beside its waiting for an answer, which a busy machine makes it do."""
    return [line for line in ran.err.splitlines() if ": no answer yet, " not in line]


def nobody_answers(bank: Bank) -> None:
    """Nothing is closed, then or later; nor is a day that has not begun."""
    begun = only_line(day_end(bank, "--date", LATER))
    assert begun.startswith(f"processor: {LATER} has not begun: it is 20")

    bank.worker.send(signal.SIGSTOP)
    try:
        silent = day_end(bank, "--date", DAY, "--timeout", "1.5")
    finally:
        bank.worker.send(signal.SIGCONT)
    assert silent.status == 1
    assert silent.err.splitlines()[-1] == (
        f"processor: {DAY} is not closed: no answer for 1.5 s; does a worker run?"
    )
    assert silent.err.splitlines()[0].startswith(f"closing {DAY}: no answer yet, 1 s")


def a_day_is_closed_once(bank: Bank) -> None:
    """The attempt that timed out is refused, and the next has another id."""
    first = day_end(bank, "--date", DAY)
    assert (first.status, without_waiting(first)) == (0, [])
    said, *table, sums = first.out.splitlines()
    assert said == f"{DAY} is closed; 2001-01-02 follows"
    assert sums.endswith("both sides are equal")
    assert closings(bank) == [(DAY, "2001-01-02")]
    reasons = read(
        bank, "SELECT outcome, reason FROM reporting.payments WHERE type = 'day.close' ORDER BY 1"
    )
    assert [tuple(row) for row in reasons] == [("posted", None), ("rejected", "expired")]

    again = day_end(bank, "--date", DAY)
    assert again.status == 0
    assert again.out.splitlines()[0].startswith(f"{DAY} was closed already, at 20")
    assert again.out.splitlines()[1:] == [*table, sums]
    assert closings(bank) == [(DAY, "2001-01-02")]


def the_next_day_has_its_own_sums(bank: Bank) -> None:
    """What is paid in after a closing belongs to it, in each format."""
    paid = command("deposit", credit_account="anna", amount="7.00", currency="EUR", value_date=DAY)
    outcome = bank.send(paid).out
    assert outcome.endswith("late, counts from 2001-01-02\n")
    shown = bank.line.run("outcomes", "--no-follow").out
    assert f"{DAY} closed, 2001-01-02 open\n" in shown
    third = day_end(bank, "--next", "2001-01-08", "--format", "json")
    assert third.status == 0
    assert without_waiting(third) == ["2001-01-02 is closed; 2001-01-08 follows"]
    document = third.document
    assert (document["business_date"], document["next_date"]) == ("2001-01-02", "2001-01-08")
    assert document["holds"] is True
    (eur,) = [one for one in document["totals"] if one["currency"] == "EUR"]
    assert eur["debits"] == eur["credits"]
    old = day_end(bank, "--date", DAY, "--format", "json").document
    assert old["rows"] != document["rows"]

    rows = list(csv.DictReader(io.StringIO(day_end(bank, "--date", DAY, "--format", "csv").out)))
    assert [row["kind"] for row in rows] == [row["kind"] for row in old["rows"]]

    by_account = day_end(bank, "--date", DAY, "--by", "account", "--format", "json").document
    sums = {"debits": Decimal(0), "credits": Decimal(0)}
    for row in by_account["rows"]:
        assert row["account"]
        sums = {name: total + Decimal(row[name]) for name, total in sums.items()}
    assert sums == {
        name: sum(Decimal(row[name]) for row in old["rows"]) for name in ("debits", "credits")
    }


def what_can_not_be_is_told(bank: Bank) -> None:
    """In a line, and nothing is sent."""
    before = len(read(bank, "SELECT 1 FROM ledger.transaction"))
    for words, line in (
        (("--date", "2001-01-05"), "2001-01-05 is not the open day: that is 2001-01-08"),
        (("--date", LATER), f"{LATER} is not the open day: that is 2001-01-08"),
        (("--next", "2001-01-08"), "--next: 2001-01-08 is not later than 2001-01-08"),
        (
            ("--date", DAY, "--next", LATER),
            f"{DAY} is closed already, and 2001-01-02 follows it, not {LATER}",
        ),
        (("--date", "yesterday"), "--date: 'yesterday' is no date like 2026-11-21"),
    ):
        assert only_line(day_end(bank, *words)) == f"processor: {line}"
    assert len(read(bank, "SELECT 1 FROM ledger.transaction")) == before


def killed_and_run_again(bank: Bank) -> None:
    """The day is closed all the same, once."""
    half = subprocess.Popen(
        [sys.executable, "-m", "processor", "day-end", "--date", "2001-01-08"],
        cwd=CHECKOUT,
        env=bank.line.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        half.wait(0.9)
    except subprocess.TimeoutExpired:
        half.kill()
        half.wait()
    assert day_end(bank, "--date", "2001-01-08").status == 0
    assert closings(bank)[-1] == ("2001-01-08", "2001-01-09")


def a_second_run_closes_nothing_more(bank: Bank) -> None:
    """Where the open day has not begun, the last one is shown."""
    today = datetime.now(UTC).date()
    assert day_end(bank, "--next", today.isoformat()).status == 0
    evening = day_end(bank)
    assert evening.out.splitlines()[0] == (
        f"{today} is closed; {today + timedelta(days=1)} follows"
    )
    twice = day_end(bank)
    assert twice.out.splitlines()[0].startswith(f"{today} was closed already, at ")
    assert twice.out.splitlines()[1:] == evening.out.splitlines()[1:]
    assert [one[0] for one in closings(bank)] == [
        DAY,
        "2001-01-02",
        "2001-01-08",
        "2001-01-09",
        today.isoformat(),
    ]
    assert bank.faults() == {}


def test_the_story_of_a_few_days(bank: Bank) -> None:
    """Each part goes on where the one before has left the ledger."""
    nobody_answers(bank)
    a_day_is_closed_once(bank)
    the_next_day_has_its_own_sums(bank)
    what_can_not_be_is_told(bank)
    killed_and_run_again(bank)
    a_second_run_closes_nothing_more(bank)
