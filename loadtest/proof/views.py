"""Hold the views that the ledger shows its readers against the reference model, row by row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from loadtest.lanes import Lanes, Position
from loadtest.reference.amounts import major_of
from loadtest.reference.answer import Answer
from loadtest.reference.contract import Command
from loadtest.reference.model import Books
from loadtest.reference.times import time_us
from loadtest.reporting import Ledger


class First(NamedTuple):
    """An id's first and lasting answer."""

    position: Position
    command: Command
    answer: Answer
    event: dict[str, Any]


Firsts = Mapping[str, First]
"""First answers by transaction id."""


def view_differences(
    lanes: Lanes, digits: Mapping[str, int], firsts: Firsts, books: Books, ledger: Ledger
) -> Iterator[str]:
    """Give a line for each row that is missing, too many or other than the model says."""
    yield from _payments(lanes, firsts, ledger)
    yield from _entries(digits, firsts, ledger)
    yield from _balances(digits, books, ledger)


def _payments(lanes: Lanes, firsts: Firsts, ledger: Ledger) -> Iterator[str]:
    seen = {row.transaction_id: row for row in ledger.payments}
    if len(seen) != len(ledger.payments):
        yield "reporting.payments: an id has two rows"
    for id_, first in firsts.items():
        row, answer = seen.pop(id_, None), first.answer
        if row is None:
            yield f"reporting.payments: {id_} is missing"
            continue
        expected = (
            answer.type,
            "rejected" if answer.reason else "posted",
            answer.reason,
            answer.currency,
            answer.debit_account,
            answer.credit_account,
            time_us(first.event["decided_at"]),
            first.event["ledger_sequence"],
            *lanes.source(first.position).values(),
        )
        if (row[1:4] + row[5:] != expected) or not _same_number(row.amount, answer.amount):
            yield f"reporting.payments: {id_} is {row}, expected {expected}"
    for id_ in seen:
        yield f"reporting.payments: {id_} was never answered"


def _entries(digits: Mapping[str, int], firsts: Firsts, ledger: Ledger) -> Iterator[str]:
    seen: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for row in ledger.entries:
        seen[row.transaction_id].append(row[1:])
    for id_, first in firsts.items():
        expected = [
            (
                line,
                entry.account,
                entry.direction,
                major_of(entry.minor, digits.get(entry.currency, 0)),
                entry.currency,
                major_of(entry.balance_after, digits.get(entry.currency, 0)),
                *map(str, first.answer.dates or ()),
            )
            for line, entry in enumerate(first.answer.entries, 1)
        ]
        rows = sorted(seen.pop(id_, []))
        if rows != expected and not _same_lines(rows, expected):
            yield f"reporting.entries: {id_} has {rows}, expected {expected}"
    for id_ in seen:
        yield f"reporting.entries: {id_} was never posted"


def _balances(digits: Mapping[str, int], books: Books, ledger: Ledger) -> Iterator[str]:
    missing = set(books.opened) | {name for name, held in books.posted.items() if held}
    for row in ledger.balances:
        missing.discard(row.account)
        account = books.account(row.account)
        if account is None:
            yield f"reporting.balances: {row.account} was never opened"
            continue
        posted, places = books.posted.get(row.account, 0), digits[account.currency]
        limit = account.limit
        held = books.held.get(row.account, 0)
        available = None if limit is None else major_of(posted - held + limit, places)
        same = (
            (row.currency, row.status) == (account.currency, account.status)
            and _same_number(row.posted, major_of(posted, places))
            and _same_number(row.held, major_of(held, places))
            and _same_number(row.available, available)
        )
        if not same:
            money = f"{major_of(posted, places)} {account.currency}, available {available}"
            yield (
                f"reporting.balances: {row.account} is {row}, expected {money}, {account.status}"
            )
    for name in sorted(missing):
        yield f"reporting.balances: {name} is missing"


def _same_number(one: str | None, other: str | None) -> bool:
    return one == other or (
        one is not None and other is not None and Decimal(one) == Decimal(other)
    )


def _same_lines(rows: list[tuple[Any, ...]], expected: list[tuple[Any, ...]]) -> bool:
    money = {3, 5}
    return len(rows) == len(expected) and all(
        _same_number(got, want) if place in money else got == want
        for row, line in zip(rows, expected, strict=True)
        for place, (got, want) in enumerate(zip(row, line, strict=True))
    )
