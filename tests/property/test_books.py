"""What holds for every history of commands, decided in memory."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Sequence
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.core.answers import Answer, First
from processor.core.books import BALANCE_MINOR_MAX
from processor.core.commands import AccountOpen, FxTransfer, Journal, Reversal
from processor.core.day_commands import DayClose
from processor.core.kinds import KINDS
from processor.core.outcomes import Event
from processor.ledger.memory import MemoryLedger
from tests.builders import Desk, Document, told, uuid_of
from tests.property.histories import HISTORIES, Reference, agrees

NOW_US = 1_795_255_200_000_000
PAID = {"payment", "hold.capture"}
PLAIN = {"deposit", "withdrawal", "transfer", *PAID}
"""What the bank may turn around."""

pytestmark = pytest.mark.timeout(3_600)  # the long profile takes minutes


class Outcome:
    """What a history led to."""

    def __init__(self, ledger: MemoryLedger, answers: list[Answer], events: list[Event]) -> None:
        self.ledger = ledger
        self.answers = answers
        self.events = events
        self.posted = {name: row.posted for name, row in ledger.balances().items()}
        self.spent = ledger._tables.spent

    def told(self) -> list[object]:
        """Give the events as read, decisions numbered without the gaps of attempts that failed."""
        documents = [json.loads(event.value) for event in self.events]
        drawn = {document.get("ledger_sequence") for document in documents} - {None}
        numbers = {number: place for place, number in enumerate(sorted(drawn))}
        for document in documents:
            for part in (document, document.get("first", {})):
                number = part.get("ledger_sequence")
                part["ledger_sequence"] = numbers.get(number)
        return documents


async def _run(batches: Sequence[Sequence[Document]]) -> Outcome:
    ledger = MemoryLedger(now_us=lambda: NOW_US)
    desk = Desk(ledger)
    partition = await desk.claim()
    answers: list[Answer] = []
    for batch in batches:
        if batch:
            answers += await desk.post(partition.add(*batch))
    # Only the identities that are drawn at random differ between two runs.
    desk.timelines.tokens = {number: uuid_of(number) for number in desk.timelines.tokens}
    desk.timelines.incarnations = {1: uuid_of(9)}
    return Outcome(ledger, answers, desk.events(answers))


def limits_when_decided(answers: Sequence[Answer]) -> dict[str, dict[str, int]]:
    """Give the customers' limits as they were when each transaction was decided, by account."""
    limits: dict[str, int] = {}
    found: dict[str, dict[str, int]] = {}
    for answer in answers:
        if not isinstance(answer, First):
            continue
        decided, ruling = answer.decided, answer.decided.ruling
        found[decided.transaction_id] = limits
        name, limit = ruling.account, None
        command = decided.command
        if isinstance(command, AccountOpen) and KINDS[command.kind].limited:
            limit = command.overdraft_limit_minor
        elif ruling.change is not None:
            limit = ruling.change.overdraft_limit
        if ruling.reason is None and name is not None and limit is not None:
            limits = {**limits, name: limit}
    return found


def overdrawing(answers: Sequence[Answer]) -> set[str]:
    """Name the transactions that may take what an account lacks."""
    commands = [answer.decided.command for answer in answers if isinstance(answer, First)]
    return {
        command.transaction_id
        for command in commands
        if isinstance(command, Journal | Reversal) and command.overdraws
    }


def run(*batches: Sequence[Document]) -> Outcome:
    """Post a history to an empty ledger, batch by batch."""
    return asyncio.run(_run(batches))


@given(HISTORIES)
def test_every_answer_is_the_reference_models(history: list[Document]) -> None:
    """Two implementations of the rules that share no code agree on each answer and balance."""
    outcome = run(history)
    reference = Reference()

    for document, answer in zip(history, outcome.answers, strict=True):
        expected = reference.answer(document)
        assert agrees(answer, expected), (document, answer, expected)
    opened = {name: reference.books.posted.get(name, 0) for name in outcome.posted}
    assert outcome.posted == opened


@given(HISTORIES)
def test_books_balance_and_limits_hold(history: list[Document]) -> None:
    """
    Each currency sums to zero; no transaction takes an account below its limit unless it says so;
    clearing accounts hold nothing between transactions.
    """
    outcome = run(history)
    ledger, limits = outcome.ledger, limits_when_decided(outcome.answers)
    accounts, may_overdraw = ledger.balances(), overdrawing(outcome.answers)
    names = {account.account_id: name for name, account in accounts.items()}

    for currency in {account.currency for account in accounts.values()}:
        assert sum(a.posted for a in accounts.values() if a.currency == currency) == 0
    running = dict.fromkeys(accounts, 0)
    for transaction_id, lines in groupby(ledger.entries(), key=lambda one: one.transaction_id):
        before = dict(running)
        for number, entry in enumerate(lines, start=1):
            debit, credit = names[entry.debit_account_id], names[entry.credit_account_id]
            assert accounts[debit].currency == accounts[credit].currency == entry.currency
            assert (entry.amount > 0, debit != credit, entry.line) == (True, True, number)
            running[debit] -= entry.amount
            running[credit] += entry.amount
            assert (running[debit], running[credit]) == (entry.debit_balance, entry.credit_balance)
            assert max(abs(running[debit]), abs(running[credit])) <= BALANCE_MINOR_MAX
        for name, posted in running.items():
            limit = limits[transaction_id].get(name)
            if posted < before[name] and limit is not None and transaction_id not in may_overdraw:
                assert posted >= -limit
            assert accounts[name].kind != "clearing" or posted == 0
    assert running == {name: account.posted for name, account in accounts.items()}


@given(HISTORIES)
def test_no_more_is_given_back_than_was_paid(history: list[Document]) -> None:
    """By refunds and reversals together, of one movement between two accounts; never a fee."""
    outcome = run(history)
    entries = outcome.ledger.entries()
    types = {
        one.decided.transaction_id: one.decided.type
        for one in outcome.answers
        if isinstance(one, First)
    }

    back = [one for one in entries if one.original_transaction_id is not None]
    totals: Counter[str] = Counter()
    for one in back:
        original = one.original_transaction_id or ""
        paid, *_fees = [entry for entry in entries if entry.transaction_id == original]
        totals[original] += one.amount
        assert totals[original] <= paid.amount
        sides = (paid.credit_account_id, paid.debit_account_id)
        assert (one.debit_account_id, one.credit_account_id) == sides
        allowed = PAID if types[one.transaction_id] == "refund" else PLAIN
        assert types[original] in allowed
    assert totals == outcome.ledger._tables.reversed_minor
    given = {one.transaction_id for one in back}
    moving = {one.transaction_id for one in entries}
    assert given == {id_ for id_ in moving if types[id_] in ("reversal", "refund")}


@given(HISTORIES)
def test_closed_days_stay_closed(history: list[Document]) -> None:
    """
    What is booked behind a closing is booked on the day that is open, and counts from it on or from
    later; `late` is said exactly where a day before it was asked for, and of nothing else.
    """
    outcome = run(history)
    entries = {
        id_: list(found)
        for id_, found in groupby(outcome.ledger.entries(), key=lambda one: one.transaction_id)
    }
    asked = {one["transaction_id"]: one.get("value_date") for one in reversed(history)}

    open_date, closed = "2026-11-21", set[str]()
    for answer in outcome.answers:
        if not isinstance(answer, First):
            continue
        decided = answer.decided
        shown = None if decided.ruling.shown is None else decided.ruling.shown.fields()
        wanted = asked[decided.transaction_id]
        assert (shown or {}).get("late") == (None if wanted is None else wanted < open_date)
        for entry in entries.get(decided.transaction_id, []):
            assert entry.booking_date == open_date
            assert entry.booking_date not in closed
            assert entry.value_date == max(wanted or open_date, open_date)
        if isinstance(decided.command, DayClose) and decided.ruling.reason is None:
            day, open_date = decided.command.business_date, decided.command.next_date
            assert day < open_date
            assert day not in closed
            closed.add(day)


@given(HISTORIES)
def test_the_same_history_gives_the_same_events(history: list[Document]) -> None:
    """To the byte: nothing depends on anything but the commands and the clock."""
    assert run(history).events == run(history).events


@given(HISTORIES, st.data())
def test_a_batch_equals_its_commands_one_by_one(
    history: list[Document], data: st.DataObject
) -> None:
    """And any cut into batches in between."""
    cuts = sorted(data.draw(st.sets(st.integers(0, len(history)), max_size=4)))
    parts = [history[a:b] for a, b in zip([0, *cuts], [*cuts, len(history)], strict=True)]

    at_once, singly, cut = run(history), run(*[[one] for one in history]), run(*parts)

    assert at_once.told() == singly.told() == cut.told()
    assert at_once.posted == singly.posted == cut.posted
    assert at_once.spent == singly.spent == cut.spent


@given(HISTORIES, st.integers(0, 2**32))
def test_repeats_anywhere_give_the_same_books(history: list[Document], seed: int) -> None:
    """Whatever is sent again and however often, behind its first time: nothing moves."""
    rng = random.Random(seed)
    mixed: list[Document] = []
    firsts: list[int] = []
    for document in history:
        firsts.append(len(mixed))
        mixed.append(document)
        mixed += [rng.choice(mixed) for _ in range(rng.randint(0, 3))]

    plain, repeated = run(history), run(mixed)

    assert [told(repeated.answers[at]) for at in firsts] == [told(one) for one in plain.answers]
    assert repeated.posted == plain.posted
    assert repeated.spent == plain.spent
    assert len(repeated.ledger.entries()) == len(plain.ledger.entries())
    others = [one for at, one in enumerate(repeated.answers) if at not in set(firsts)]
    assert not any(isinstance(one, First) for one in others)


@given(HISTORIES)
def test_money_is_only_moved(history: list[Document]) -> None:
    """
    What is in accounts that were opened came in through cash or by exchange and did not leave; what
    exchanges moved is in the positions, but for what journals moved there.
    """
    outcome = run(history)
    ledger = outcome.ledger
    accounts, entries = ledger.balances(), ledger.entries()
    names = {account.account_id: name for name, account in accounts.items()}

    def came_from(name: str, of: set[str] | None = None) -> int:
        return sum(
            ((names[one.debit_account_id] == name) - (names[one.credit_account_id] == name))
            * one.amount
            for one in entries
            if of is None or one.transaction_id in of
        )

    exchanges = {one["transaction_id"] for one in history if one["type"] == "fx.transfer"}
    for currency in ("EUR", "JPY"):
        cash, position = f"cash-{currency}", f"position-{currency}"
        held = sum(
            account.posted
            for name, account in accounts.items()
            if account.currency == currency and name not in (cash, position)
        )
        assert held == came_from(cash) + came_from(position)
        exchanged = [
            (one.amount_minor, one.currency, one.credit_amount_minor, one.credit_currency)
            for one in posted_exchanges(outcome.answers)
        ]
        bought = sum(minor for minor, code, *_ in exchanged if code == currency)
        sold = sum(minor for *_, minor, code in exchanged if code == currency)
        assert came_from(position, exchanges) == sold - bought


def posted_exchanges(answers: Sequence[Answer]) -> list[FxTransfer]:
    """Give the exchanges that were carried out."""
    return [
        answer.decided.command
        for answer in answers
        if isinstance(answer, First)
        and isinstance(answer.decided.command, FxTransfer)
        and answer.decided.ruling.reason is None
    ]
