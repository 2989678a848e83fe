"""What holds of spending and its limits, in every history of commands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.core.answers import Answer, First
from processor.core.books import Decided, Spent, Subject
from processor.core.commands import AccountOpen, Journal
from processor.core.day_commands import DayClose
from processor.core.hold_commands import HoldCapture, HoldPlace
from processor.core.rule_commands import LimitEnd, LimitSet
from processor.core.rules import SpendingLimit
from tests.builders import Document
from tests.property.histories import HISTORIES, Reference, agrees, documents_of
from tests.property.spending import limited
from tests.property.test_books import run

OWN = ("cash-", "clearing-", "position-", "fees-")
SPENDING = {"deposit", "withdrawal", "transfer", "payment", "fx.transfer"}
"""What spends the amount of its first posting."""

SPENT = st.one_of(
    HISTORIES,
    st.lists(limited(), min_size=1, max_size=5).map(
        lambda found: documents_of([step for story in found for step in story])
    ),
)
"""Any history, or one that is all about limits."""

pytestmark = pytest.mark.timeout(3_600)  # the long profile takes minutes


class Watched:
    """What a history of answers says of limits and customers, up to where it is read."""

    def __init__(self) -> None:
        self.limits: dict[str, SpendingLimit] = {}
        self.customers: dict[str, str | None] = {}
        self.day = "2026-11-21"
        self.spent: dict[tuple[str, Subject], Spent] = {}

    def learn(self, decided: Decided) -> None:
        """Note what a command that was carried out has changed."""
        command = decided.command
        if isinstance(command, AccountOpen):
            self.customers[command.account] = command.customer
        elif isinstance(command, LimitSet):
            self.limits[command.limit.name] = command.limit
        elif isinstance(command, LimitEnd):
            del self.limits[command.limit]
        elif isinstance(command, DayClose):
            self.day = command.next_date

    def limit(self, subject: Subject) -> SpendingLimit | None:
        """Find the limit in force for a subject."""
        scope, _, currency = subject
        for wanted in (subject, (scope, None, currency)):
            found = [one for one in self.limits.values() if one.bounded == wanted]
            assert len(found) <= 1, "no two limits are for the same"
            if found:
                return found[0]
        return None

    def subjects(self, decided: Decided) -> dict[Subject, int]:
        """Sum up what a command that was carried out took, by whose limit it was under."""
        sums: dict[Subject, int] = {}
        for name, currency, amount in taken_by(decided):
            if amount <= 0 or name.startswith(OWN):
                continue
            owners = (
                ("account", name),
                ("customer", self.customers[name]),
                ("channel", decided.channel),
            )
            for scope, owner in owners:
                subject = (scope, owner or "", currency)
                if owner is not None and self.limit(subject) is not None:
                    sums[subject] = sums.get(subject, 0) + amount
        return sums


def taken_by(decided: Decided) -> Iterator[tuple[str, str, int]]:
    """Give what a command has taken: accounts with their currency and the amount."""
    ruling, command = decided.ruling, decided.command
    if isinstance(command, HoldPlace):
        yield command.debit_account, command.currency, ruling.amount_minor or 0
    elif isinstance(command, HoldCapture):
        assert ruling.holding is not None, "a capture changes its hold"
        beyond = (ruling.amount_minor or 0) + ruling.holding.held
        yield ruling.debit_account or "", ruling.currency or "", beyond
    elif isinstance(command, Journal) and not command.overdraws:
        for name, currency in dict.fromkeys((one.account, one.currency) for one in command.lines):
            lines = [one for one in command.lines if one.account == name]
            signed = [(1 if one.direction == "debit" else -1) * one.amount_minor for one in lines]
            yield name, currency, sum(signed)
    elif decided.type in SPENDING:
        first = ruling.postings[0]
        yield first.debit.name, first.debit.currency, first.amount


def carried_out(answers: Sequence[Answer]) -> Iterator[Decided]:
    """Give what was carried out, in its order."""
    for answer in answers:
        if isinstance(answer, First) and answer.decided.ruling.reason is None:
            yield answer.decided


@given(SPENT)
def test_nothing_is_spent_beyond_a_limit_in_force(history: list[Document]) -> None:
    """
    By a single command or on a date; what is counted is what was carried out while a limit was in
    force, and nothing else.
    """
    watched = Watched()
    for decided in carried_out(run(history).answers):
        counted = {one.subject: one for one in decided.ruling.spendings}
        assert {of: one.amount for of, one in counted.items()} == watched.subjects(decided)
        for subject, one in counted.items():
            limit = watched.limit(subject)
            assert limit is not None, "what is counted is limited"
            before = watched.spent.get((watched.day, subject), Spent(watched.day))
            after = Spent(watched.day, before.amount + one.amount, before.count + 1)
            assert (one.limit, one.after) == (limit.name, after)
            assert limit.single_minor is None or one.amount <= limit.single_minor
            assert limit.daily_minor is None or after.amount <= limit.daily_minor
            assert limit.daily_count is None or after.count <= limit.daily_count
            watched.spent[watched.day, subject] = after
        watched.learn(decided)


@given(SPENT)
def test_what_is_counted_is_the_reference_models(history: list[Document]) -> None:
    """Of every subject and date, whatever became of the limits since, and so is each answer."""
    reference, answers = Reference(), run(history).answers
    for document, answer in zip(history, answers, strict=True):
        expected = reference.answer(document)
        assert agrees(answer, expected), (document, answer, expected)

    counted = {
        (date.fromisoformat(one.after.booking_date), one.subject): (
            one.after.amount,
            one.after.count,
        )
        for decided in carried_out(answers)
        for one in decided.ruling.spendings
    }
    assert counted == reference.books.spent
