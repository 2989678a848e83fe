"""The commands for accountants: balance, statement, trial-balance."""

from __future__ import annotations

import csv
import io
from typing import Any

import asyncpg
import pytest

from tests.integration.command_line import CommandLine, only_line
from tests.integration.history import BUSY, CALM, LARGE, SMALL, months_on

FIRST = f"{months_on(0):%Y-%m-%d}"
LAST = f"{months_on(4):%Y-%m-%d}"


@pytest.fixture
def line(history_url: str) -> CommandLine:
    """Return the command line beside a ledger with long histories."""
    return CommandLine(database_url=history_url)


def minor(text: str) -> int:
    """Read an amount of cents."""
    return int(text.replace(".", ""))


def test_a_balance_is_shown_now_in_the_past_and_by_either_date(line: CommandLine) -> None:
    """As one document with what was asked for, as CSV, or for people."""
    now = line.run("balance", "anna", "--format", "json").document
    past = line.run("balance", "anna", "--at", "2020-01-01T00:00:00+01:00", "--format", "json")
    by_day = line.run("balance", "anna", "--value-date", LAST, "--format", "csv")
    text = line.run("balance", "anna").out
    booked = line.run("balance", "anna", "--booking-date", "2000-12-31")
    both = line.run("balance", "anna", "--booking-date", LAST, "--value-date", LAST)

    assert booked.out.splitlines()[-2:] == [
        "  at           booking date 2000-12-31",
        "  balance      0.00 EUR",
    ]
    assert only_line(both) == (
        "processor: --at, --booking-date and --value-date differ: give one of them"
    )
    assert (now["balance"], now["currency"], now["at"], now["value_date"]) == (
        "80.00",
        "EUR",
        None,
        None,
    )
    assert past.document == now | {"at": "2019-12-31T23:00:00.000000Z", "balance": "0.00"}
    header, row = csv.reader(io.StringIO(by_day.out))
    assert dict(zip(header, row, strict=True))["balance"] == "80.00"
    assert text.splitlines()[-2:] == ["  at           now", "  balance      80.00 EUR"]


def pages_of(line: CommandLine, *words: str) -> list[dict[str, Any]]:
    """Follow the cursors of a statement to its end."""
    pages = [line.run("statement", *words).document]
    while pages[-1]["next"] is not None and len(pages) < SMALL:
        pages.append(line.run("statement", *words, "--after", pages[-1]["next"]).document)
    return pages


def test_pages_put_together_are_the_statement(line: CommandLine) -> None:
    """Each page carries its balance to the next, and the sums of all are those of the whole."""
    words = (CALM, "--from", FIRST, "--to", LAST, "--format", "json")
    whole = line.run("statement", *words).document
    pages = pages_of(line, *words, "--limit", "250")

    assert [one["entry_count"] for one in pages] == [250, 250, SMALL - 500]
    assert [one for page in pages for one in page["entries"]] == whole["entries"]
    assert [one["brought_forward"] for one in pages] == [
        "0.00",
        *(one["carried_forward"] for one in pages[:-1]),
    ]
    assert pages[-1]["carried_forward"] == whole["closing_balance"]
    for side in ("debits", "credits"):
        assert sum(minor(one[side]) for one in pages) == minor(whole[side])


def test_a_period_begins_where_the_one_before_it_ended(line: CommandLine) -> None:
    """Opening plus credits minus debits is closing, which is the next month's opening."""
    months = [f"{months_on(months):%Y-%m}" for months in (0, 1)]
    ends = [f"{months_on(1):%Y-%m-%dT%H:%M:%SZ}", f"{months_on(2):%Y-%m-%dT%H:%M:%SZ}"]
    first, second = (
        line.run("statement", CALM, "--from", f"{month}-01", "--to", end, "--format", "json")
        for month, end in zip(months, ends, strict=True)
    )

    assert first.document["closing_balance"] == second.document["opening_balance"] != "0.00"
    for found in (first.document, second.document):
        moved = minor(found["credits"]) - minor(found["debits"])
        assert minor(found["opening_balance"]) + moved == minor(found["closing_balance"])
        assert found["entries"][0]["booked_at"] >= found["from"]
        assert found["entries"][-1]["booked_at"] < found["to"]


def test_a_statement_as_csv_has_a_line_for_each_entry(line: CommandLine) -> None:
    """A header line, then every entry with its cursor; the lines end as RFC 4180 says."""
    ran = line.run("statement", BUSY, "--from", FIRST, "--format", "csv")
    header, *rows = csv.reader(io.StringIO(ran.out, newline=""))
    entries = [dict(zip(header, row, strict=True)) for row in rows]

    assert (ran.status, ran.err, len(entries)) == (0, "", LARGE)
    assert header[0] == "booked_at"
    assert header[-1] == "cursor"
    held = 0
    for one in entries:
        held += minor(one["amount"]) * (1 if one["direction"] == "credit" else -1)
        assert held == minor(one["balance_after"])


def test_a_statement_for_people_shows_both_columns(line: CommandLine) -> None:
    """Debits and credits side by side, the balance after each, and the sums below them."""
    ran = line.run("statement", "anna", "--from", FIRST, "--limit", "2")
    lines = ran.out.splitlines()
    heading = next(one for one in lines if one.startswith("booked at"))
    deposit, transfer = lines[lines.index(heading) + 1 :][:2]

    assert deposit[: heading.index("credit") + 6].endswith("100.00")
    assert transfer[: heading.index("debit") + 5].endswith("30.00")
    for one, balance in ((deposit, "100.00"), (transfer, "70.00")):
        assert one[: heading.index("balance after") + 13].endswith(f" {balance}")
    assert transfer.split()[-2] == "bert"
    assert lines[-5:-1] == [
        "brought forward  0.00",
        "debits           30.00",
        "credits          100.00",
        "carried forward  70.00",
    ]
    assert lines[-1].startswith("next             2")


def test_a_trial_balance_says_that_both_sides_are_equal(line: CommandLine) -> None:
    """For each currency, by kind and by account, now and at a moment; status 0."""
    by_kind = line.run("trial-balance")
    by_account = line.run("trial-balance", "--by", "account", "--format", "json")
    past = line.run(
        "trial-balance", "--at", f"{months_on(1):%Y-%m-%dT%H:%M:%SZ}", "--format", "csv"
    )
    anna = next(one for one in by_account.document["rows"] if one["account"] == "anna")

    assert (by_kind.status, by_account.status, past.status) == (0, 0, 0)
    assert by_kind.out.splitlines()[-1] == (
        "USD: debits 0.00, credits 0.00; debit balances 0.00, credit balances 0.00: "
        "both sides are equal"
    )
    assert (anna["debits"], anna["credits"], anna["credit_balance"]) == ("30.00", "110.00", "80.00")
    assert by_account.document["holds"]
    assert past.out.startswith("currency,code,kind,class,normal_side,accounts,debits,credits,")


async def test_a_trial_balance_that_does_not_add_up_ends_with_1(ledger_url: str) -> None:
    """A balance that no posting moved is on one side alone, and that is said."""
    connection = await asyncpg.connect(ledger_url)
    try:
        await connection.execute(
            "SET session_replication_role = replica; INSERT INTO ledger.account"
            " (name, currency, kind, overdraft_limit, posted, opened_at)"
            " VALUES ('x', 'EUR', 'customer', 0, 100, now())"
        )
    finally:
        await connection.close()
    line = CommandLine(database_url=ledger_url)
    text, document = line.run("trial-balance"), line.run("trial-balance", "--format", "json")

    assert (text.status, document.status) == (1, 1)
    assert text.out.endswith("debit balances 0.00, credit balances 1.00: THE SIDES DIFFER\n")
    assert not document.document["holds"]
    assert only_line(document).endswith("THE SIDES DIFFER")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("balance", "zoe"), "there is no account zoe"),
        (("statement", "zoe", "--from", FIRST), "there is no account zoe"),
        (
            ("balance", "anna", "--at", "2026-13-01T00:00:00Z"),
            "--at: '2026-13-01T00:00:00Z' is no moment like 2026-11-21T10:00:00Z",
        ),
        (
            ("balance", "anna", "--value-date", "2026-02-30"),
            "--value-date: '2026-02-30' is no date like 2026-11-21",
        ),
        (
            ("statement", "anna", "--from", "2026-11-02", "--to", "2026-11-01"),
            "there is nothing between 2026-11-02 and 2026-11-01: --from comes first",
        ),
        (
            ("statement", "anna", "--from", FIRST, "--after", "x"),
            "--after: 'x' is no cursor that a page ended with",
        ),
    ],
)
def test_what_can_not_be_is_one_line(line: CommandLine, words: tuple[str, ...], said: str) -> None:
    """An unknown account, a wrong date, period or cursor: one line, status 1, nothing shown."""
    ran = line.run(*words)

    assert only_line(ran) == f"processor: {said}"
    assert (ran.status, ran.out) == (1, "")
