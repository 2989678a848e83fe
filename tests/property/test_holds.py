"""What holds of money set aside, in every history of commands."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given

from processor.core.answers import First
from processor.core.hold_commands import HoldCapture, HoldPlace
from tests.builders import Document
from tests.property.histories import HISTORIES
from tests.property.test_books import limits_when_decided, overdrawing, run

pytestmark = pytest.mark.timeout(3_600)  # the long profile takes minutes


@given(HISTORIES)
def test_captures_and_releases_stay_within_their_hold(history: list[Document]) -> None:
    """
    All captures of a hold together take no more than it allows; what it holds is what was placed
    less what was taken and freed, and what an account has held is what its holds hold.
    """
    outcome = run(history)
    placed: dict[str, HoldPlace] = {}
    held, captured, released = Counter[str](), Counter[str](), Counter[str]()
    of_account: Counter[str] = Counter()
    for answer in outcome.answers:
        if not isinstance(answer, First) or answer.decided.ruling.holding is None:
            continue
        command, ruling = answer.decided.command, answer.decided.ruling
        holding, amount = ruling.holding, ruling.amount_minor or 0
        assert holding is not None, "looked at above"
        id_ = holding.hold_transaction_id
        if isinstance(command, HoldPlace):
            placed[id_] = command
        assert (holding.held > 0) == isinstance(command, HoldPlace)
        taken = amount if isinstance(command, HoldCapture) else 0
        held[id_] += holding.held
        captured[id_] += taken
        released[id_] += holding.released
        of_account[ruling.debit_account or ""] += holding.held
        assert 0 <= held[id_] <= placed[id_].amount_minor
        assert captured[id_] + released[id_] <= placed[id_].capture_max_minor
        assert held[id_] <= placed[id_].capture_max_minor - captured[id_] - released[id_]
        assert [one.amount for one in ruling.postings[:1]] == ([taken] if taken else [])
    holds = outcome.ledger.holds()
    assert {id_: hold.remaining for id_, hold in holds.items()} == {
        id_: held[id_] for id_ in placed
    }
    accounts = outcome.ledger.balances()
    assert {name: row.held for name, row in accounts.items() if row.held} == +of_account


@given(HISTORIES)
def test_nothing_takes_what_is_set_aside(history: list[Document]) -> None:
    """
    A hold or a debit leaves at least nothing available; only a capture, which takes what was set
    aside, and what says that it overdraws may leave less, and a capture no less than there was.
    """
    outcome = run(history)
    limits, overdraws = limits_when_decided(outcome.answers), overdrawing(outcome.answers)
    names = [(row.account_id, name) for name, row in outcome.ledger.balances().items()]
    by_id = dict(names)
    assert len(by_id) == len(names)
    available: Counter[str] = Counter()
    for answer in outcome.answers:
        if not isinstance(answer, First):
            continue
        decided, ruling = answer.decided, answer.decided.ruling
        before = dict(available)
        for posting in ruling.postings:
            available[posting.debit.name] -= posting.amount
            available[posting.credit.name] += posting.amount
        if ruling.holding is not None:
            available[ruling.debit_account or ""] -= ruling.holding.held
        for name, minor in available.items():
            limit = limits[decided.transaction_id].get(name)
            was = before.get(name, 0)
            if limit is None or minor >= was or decided.transaction_id in overdraws:
                continue
            assert minor + limit >= 0, (decided.type, name)
