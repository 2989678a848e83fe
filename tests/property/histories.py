"""Histories: commands that lean on each other, with too little money and every kind of mistake."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec
from hypothesis import strategies as st

from loadtest.reference.contract import Command, Fault, read
from loadtest.reference.model import Answer, Books
from processor.core.answers import Answer as Told
from processor.core.answers import Conflict, DeadLetter, First, Repeat
from processor.core.books import Ruling
from processor.core.currencies import DIGITS
from processor.core.money import to_major
from tests.builders import Document

ACCOUNTS = ["anna", "bert", "carl", "bank", "cash-EUR", "cash-JPY", "cash-USD", "nobody"]
ACCOUNTS += ["anna", "bert"]  # the two that have money meet most often
CURRENCIES = ["EUR", "JPY"]
AMOUNTS = ["1", "2", "5", "10", "40", "0.5", "1.50", "9999999999999"]
PAST, FUTURE = "2001-01-01T00:00:00Z", "2999-01-01T00:00:00Z"


class Step(msgspec.Struct, frozen=True):
    """One record to come: `kind` with own fields; `back` points at an earlier record."""

    kind: str
    fields: dict[str, Any]
    back: int = 0


def _movements(kind: str, *sides: str) -> st.SearchStrategy[Step]:
    fields = {
        "amount": st.sampled_from(AMOUNTS),
        "currency": st.sampled_from([*CURRENCIES, "EUR", "EUR"]),
        **{side: st.sampled_from(ACCOUNTS) for side in sides},
    }
    maybe = {"valid_until": st.sampled_from([PAST, FUTURE]), "reference": st.just("rent")}
    return st.fixed_dictionaries(fields, optional=maybe).map(lambda found: Step(kind, found))


OPENINGS = st.fixed_dictionaries(
    {
        "account": st.sampled_from(ACCOUNTS),
        "currency": st.sampled_from(CURRENCIES),
        "kind": st.sampled_from(["customer", "customer", "internal"]),
    },
    optional={"metadata": st.just({"a": "b"})},
).map(lambda found: Step("account.open", found))

LIMITED = st.sampled_from(["5", "50"]).map(
    lambda limit: Step(
        "account.open",
        {"account": "carl", "currency": "EUR", "kind": "customer", "overdraft_limit": limit},
    )
)

TERMS = st.one_of(
    st.builds(
        lambda kind, account, side: Step(
            kind, {"account": account, "side": side, "reason": "a case"}
        ),
        st.sampled_from(["account.freeze", "account.unfreeze", "account.unfreeze"]),
        st.sampled_from(ACCOUNTS),
        st.sampled_from(["debit", "credit", "both"]),
    ),
    st.builds(
        lambda account, currency, limit: Step(
            "account.limit",
            {"account": account, "currency": currency, "overdraft_limit": limit},
        ),
        st.sampled_from(ACCOUNTS),
        st.sampled_from([*CURRENCIES, "EUR", "EUR"]),
        st.sampled_from(["0", "1", "5", "40", "50"]),
    ),
    st.sampled_from(ACCOUNTS).map(lambda account: Step("account.close", {"account": account})),
)
"""What changes an account without moving money."""

REVERSALS = st.builds(
    Step,
    st.just("reversal"),
    st.fixed_dictionaries({}, optional={"amount": st.sampled_from(AMOUNTS)}),
    st.integers(1, 12),
)
REPEATS = st.builds(Step, st.just("repeat"), st.just({}), st.integers(1, 12))
CONFLICTS = st.builds(
    Step,
    st.just("conflict"),
    st.sampled_from([{"channel": "atm"}, {"reference": "other"}, {"amount": "3"}]),
    st.integers(1, 12),
)
INVALID = st.sampled_from([{"more": "1"}, {"channel": "?"}, {"transaction_id": "x"}]).map(
    lambda found: Step("invalid", found)
)

STEPS = st.one_of(
    OPENINGS,
    OPENINGS,
    LIMITED,
    _movements("deposit", "credit_account"),
    _movements("deposit", "credit_account"),
    _movements("withdrawal", "debit_account"),
    _movements("transfer", "debit_account", "credit_account"),
    _movements("transfer", "debit_account", "credit_account"),
    TERMS,
    TERMS,
    REVERSALS,
    REVERSALS,
    REPEATS,
    CONFLICTS,
    INVALID,
)

OPENED = [
    Step("account.open", {"account": name, "currency": currency, "kind": kind})
    for name, currency, kind in [
        ("anna", "EUR", "customer"),
        ("bert", "EUR", "customer"),
        ("bank", "JPY", "internal"),
    ]
]
FUNDED = Step("deposit", {"credit_account": "anna", "amount": "40", "currency": "EUR"})


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
        if step.kind == "reversal":
            own = document["transaction_id"]
            original = own if earlier is None else earlier["transaction_id"]
            document["original_transaction_id"] = original
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
    return [author.write(step) for step in [*OPENED, FUNDED, *steps]]


HISTORIES = st.lists(STEPS, max_size=60).map(documents_of)


class Reference:
    """The reference model, told one record after another, with what an id was used for."""

    def __init__(self) -> None:
        self.books = Books(DIGITS)
        self._content: dict[str, Any] = {}

    def answer(self, document: Document, now_us: int = 1_795_255_200_000_000) -> str | Answer:
        """Give what must be answered: the word for what is no first answer."""
        meaning = read(json.dumps(document).encode(), DIGITS)
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


def agrees(answer: Told, expected: str | Answer) -> bool:
    """Say whether an answer is what the reference model says it must be."""
    if not isinstance(answer, First) or isinstance(expected, str):
        return type(answer).__name__ == expected
    ruling, posting = answer.decided.ruling, answer.decided.ruling.posting
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
    balances = () if posting is None else (posting.debit_balance, posting.credit_balance)
    return shown == (
        expected.type,
        expected.reason,
        expected.amount,
        expected.currency,
        expected.debit_account,
        expected.credit_account,
        expected.account,
        expected.changed,
    ) and balances == tuple(entry.balance_after for entry in expected.entries)
