"""Histories: steps written as documents, and the reference model that is told of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from typing import Any

import msgspec

from loadtest.reference.answer import Answer
from loadtest.reference.contract import INTERNAL, Command, Fault, read
from loadtest.reference.model import Books
from processor.core.answers import Answer as Told
from processor.core.answers import Conflict, DeadLetter, First, Repeat
from processor.core.books import Ruling
from processor.core.currencies import DIGITS
from processor.core.money import to_major
from tests.builders import Document
from tests.property.steps import FUNDED, OPENED, Step
from tests.property.stories import told_in_order


class Author:
    """Writes the documents of steps; each has an id by its number."""

    def __init__(self) -> None:
        self.documents: list[dict[str, Any]] = []

    def write(self, step: Step) -> Document:
        """Write the next document."""
        earlier = self.documents[-step.back] if 0 < step.back <= len(self.documents) else None
        document = {
            "transaction_id": f"01933a5e-0000-7000-8000-{len(self.documents) + 1:012}",
            "type": step.kind,
            "requested_at": "2026-11-21T10:00:00Z",
            "channel": "mobile",
            **step.fields,
        }
        if step.kind in ("reversal", "refund"):
            own = document["transaction_id"]
            original = own if earlier is None else earlier["transaction_id"]
            document["original_transaction_id"] = original
        elif step.kind in ("hold.capture", "hold.release", "hold.expire"):
            own = document["transaction_id"]
            document["hold_transaction_id"] = earlier["transaction_id"] if earlier else own
        elif step.kind in ("repeat", "conflict"):
            # What was invalid, or changed into what its schema refuses, stays invalid.
            document = {**(earlier or document), **step.fields}
        elif step.kind == "invalid":
            document["type"] = "transfer"
        self.documents.append(document)
        return document


def documents_of(steps: Sequence[Step]) -> list[Document]:
    """Write a history, on top of accounts and a little money."""
    author = Author()
    return [author.write(step) for step in [*OPENED, *FUNDED, *steps]]


HISTORIES = told_in_order(0, 40).map(documents_of)


class Reference:
    """The reference model, told one record after another, with what an id was used for."""

    def __init__(self) -> None:
        self.books = Books(DIGITS)
        self._content: dict[str, Any] = {}

    def answer(self, document: Document, now_us: int = 1_795_255_200_000_000) -> str | Answer:
        """Give what must be answered: the word for what is no first answer."""
        is_internal = document["type"] in INTERNAL
        meaning = read(json.dumps(document).encode(), DIGITS, is_internal=is_internal)
        if isinstance(meaning, Fault):
            return DeadLetter.__name__
        assert isinstance(meaning, Command)
        known = self._content.get(meaning.transaction_id)
        if known is None:
            self._content[meaning.transaction_id] = meaning.content
            return self.books.decide(meaning, now_us)
        return Repeat.__name__ if known == meaning.content else Conflict.__name__


def _changed(ruling: Ruling) -> tuple[str, str | None] | None:
    if ruling.change is None:
        return None
    available = ruling.change.available
    digits = DIGITS[ruling.currency or ""]
    return ruling.change.status, None if available is None else to_major(available, digits)


def _shown_as(ruling: Ruling, expected: Answer) -> bool:
    """Say whether what only some outcomes show is what must be shown."""
    shown = {} if ruling.shown is None else msgspec.to_builtins(ruling.shown)
    if expected.type == "fx.transfer":
        assert shown.pop("credit_account") == expected.credit_account
    found, wanted = (
        {name: value for name, value in one.items() if value is not None}
        for one in (shown, expected.shown)
    )
    return found == wanted


def agrees(answer: Told, expected: str | Answer) -> bool:
    """Say whether an answer is what the reference model says it must be."""
    if not isinstance(answer, First) or isinstance(expected, str):
        return type(answer).__name__ == expected
    ruling = answer.decided.ruling
    shown = (
        answer.decided.type,
        ruling.reason,
        ruling.amount,
        ruling.currency,
        ruling.debit_account,
        ruling.credit_account,
        ruling.account,
        _changed(ruling),
    )
    balances = tuple(
        balance
        for posting in ruling.postings
        for balance in (posting.debit_balance, posting.credit_balance)
    )
    dates = {
        (date.fromisoformat(one.dates.booking_date), date.fromisoformat(one.dates.value_date))
        for one in ruling.postings
    }
    return (
        _shown_as(ruling, expected)
        and shown
        == (
            expected.type,
            expected.reason,
            expected.amount,
            expected.currency,
            expected.debit_account,
            expected.credit_account,
            expected.account,
            expected.changed,
        )
        and dates <= {expected.dates}
        and balances == tuple(entry.balance_after for entry in expected.entries)
    )
