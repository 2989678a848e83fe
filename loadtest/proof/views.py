"""Hold the views that the ledger shows its readers against the reference model, row by row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from loadtest.proof.differences import Differences, Kind
from loadtest.proof.evidence import Lane, Window
from loadtest.proof.turnover import Sums
from loadtest.reference.amounts import major_of
from loadtest.reference.answer import Answer
from loadtest.reference.model import Books
from loadtest.reference.times import time_us
from loadtest.reporting import Balance, Entry, Payment

MONEY = {3, 5}
"""Places of money in a line of `Rows._entries`."""


class First(NamedTuple):
    """An id's first and lasting answer, and where its command stands."""

    lane: Lane
    offset: int
    transaction_id: str
    answer: Answer
    event: Mapping[str, Any]


class Rows:
    """
    The rows of `reporting.payments` and `reporting.entries`, asked for in `ledger_sequence` order.

    It has one window of them at a time. `payments` and `entries` count what was read.
    """

    def __init__(
        self,
        windows: Iterable[Window],
        digits: Mapping[str, int],
        sums: Sums,
        differences: Differences,
    ) -> None:
        self.payments = 0
        self.entries = 0
        self._windows = iter(windows)
        self._digits = digits
        self._sums = sums
        self._differences = differences
        self._end = 0
        self._payments: dict[int, list[Payment]] = {}
        self._entries: dict[int, list[Entry]] = {}

    def check(self, first: First) -> None:
        """Hold the rows of an answer against it."""
        sequence = first.event["ledger_sequence"]
        while sequence >= self._end and self._open_next():
            pass
        self._check_payment(first, self._payments.pop(sequence, []))
        self._check_entries(first, self._entries.pop(sequence, []))

    def rest(self) -> None:
        """Report what is left: nobody was told of it."""
        while self._open_next():
            pass

    def _open_next(self) -> bool:
        for payments in self._payments.values():
            for payment in payments:
                self._note(Kind.PAYMENT, f"{payment.transaction_id} was never answered")
        for entries in self._entries.values():
            self._note(Kind.ENTRY, f"{entries[0].transaction_id} was never posted")
        self._payments, self._entries = {}, {}
        window = next(self._windows, None)
        if window is None:
            return False
        self._end = window.end
        self.payments += len(window.payments)
        self.entries += len(window.entries)
        for payment in window.payments:
            self._payments.setdefault(payment.ledger_sequence, []).append(payment)
        for entry in window.entries:
            self._sums.entry(entry)
            self._entries.setdefault(entry.ledger_sequence, []).append(entry)
        return True

    def _check_payment(self, first: First, rows: list[Payment]) -> None:
        answer, event, lanes = first.answer, first.event, first.lane.lanes
        expected = Payment(
            first.transaction_id,
            answer.type,
            "rejected" if answer.reason else "posted",
            answer.reason,
            answer.amount,
            answer.currency,
            answer.debit_account,
            answer.credit_account,
            time_us(event["decided_at"]) or 0,
            event["ledger_sequence"],
            lanes.topic(first.lane.number),
            lanes.partition(first.lane.number),
            first.offset,
        )
        is_there = False
        for row in rows:
            if row.transaction_id != first.transaction_id:
                self._note(Kind.PAYMENT, f"{row.transaction_id} was never answered")
            elif is_there:
                self._note(Kind.PAYMENT, f"{row.transaction_id} has two rows")
            else:
                is_there = True
                if row != expected and not _same_payment(row, expected):
                    self._note(Kind.PAYMENT, f"{row.transaction_id} is {row}, expected {expected}")
        if not is_there:
            self._note(Kind.PAYMENT, f"{first.transaction_id} is missing")

    def _check_entries(self, first: First, rows: list[Entry]) -> None:
        dates = tuple(map(str, first.answer.dates or ()))
        expected = [
            (
                line,
                entry.account,
                entry.direction,
                major_of(entry.minor, self._digits.get(entry.currency, 0)),
                entry.currency,
                major_of(entry.balance_after, self._digits.get(entry.currency, 0)),
                *dates,
            )
            for line, entry in enumerate(first.answer.entries, 1)
        ]
        id_ = first.transaction_id
        own = sorted(row[1:-1] for row in rows if row.transaction_id == id_)
        if own != expected and not _same_lines(own, expected):
            self._note(Kind.ENTRY, f"{id_} has {own}, expected {expected}")
        for other in {row.transaction_id for row in rows} - {id_}:
            self._note(Kind.ENTRY, f"{other} was never posted")

    def _note(self, kind: Kind, line: str) -> None:
        view = "payments" if kind is Kind.PAYMENT else "entries"
        self._differences.note(kind, f"reporting.{view}: {line}")


def balance_differences(
    digits: Mapping[str, int], books: Books, balances: Iterable[Balance]
) -> Iterator[str]:
    """Give a line for each balance that is missing, too many or other than the model says."""
    missing = set(books.opened) | {name for name, held in books.posted.items() if held}
    for row in balances:
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


def _same_payment(row: Payment, expected: Payment) -> bool:
    return row._replace(amount=expected.amount) == expected and _same_number(
        row.amount, expected.amount
    )


def _same_lines(rows: list[tuple[Any, ...]], expected: list[tuple[Any, ...]]) -> bool:
    return len(rows) == len(expected) and all(
        _same_number(got, want) if place in MONEY else got == want
        for row, line in zip(rows, expected, strict=True)
        for place, (got, want) in enumerate(zip(row, line, strict=True))
    )
