"""Repeats and conflicts are held against first answers, which are kept no longer than that."""

import uuid
from collections import Counter

import orjson
import pytest

from loadtest.errors import LoadTestError
from loadtest.message import Message
from loadtest.proof import again
from loadtest.proof.again import asked_again, referred
from loadtest.proof.agreement import Agreement
from loadtest.proof.evidence import Listed, all_of
from tests.unit.broken_runs import line, sample
from tests.unit.memory_line import DIGITS, LANES, MemoryLine


def record(lane: int, offset: int, type_: str, number: int, **fields: str) -> Message:
    """Return a command that stands somewhere."""
    body = {
        "transaction_id": str(uuid.UUID(int=number)),
        "type": type_,
        "requested_at": "2026-11-21T10:00:00Z",
        "channel": "mobile",
    }
    return Message(lane, offset, b"key", orjson.dumps(body | fields), ())


def opening(lane: int, offset: int, number: int) -> Message:
    """Return the opening of an account that is named by its number."""
    return record(
        lane, offset, "account.open", number, account=f"a{number}", currency="EUR", kind="customer"
    )


def agreement_of(line: MemoryLine) -> Agreement:
    """Hold against the model what a line did."""
    seen = line.observed()
    listed = Listed(LANES, seen.command_ends, seen.commands, seen.outcomes, seen.dead_letters)
    agreement = Agreement(DIGITS, [listed])
    agreement.check(all_of(seen.ledger), seen.ledger.balances)
    return agreement


def test_a_repeat_may_be_read_before_its_first() -> None:
    """A partition may hold nothing but repeats of what others decide: they wait for it."""
    line = MemoryLine((), 0)
    for offset in range(3):
        line.take(opening(5, offset, offset))
    for offset in range(3):
        line.take(opening(2, offset, offset))

    agreement = agreement_of(line)

    assert agreement.differences.lines() == ()
    assert agreement.labels == {"posted": 3, "repeat": 3}


def test_a_repeat_of_what_nobody_decided_is_reported() -> None:
    """Whatever waits in the end has no first answer."""
    line = MemoryLine((), 0)
    line.take(opening(5, 0, 1))
    line.take(opening(2, 0, 1))
    line.commands.pop(0)
    line.outcomes.pop(0)

    lines = agreement_of(line).differences.lines()

    assert any("partition 2 offset 0" in line and "was never decided" in line for line in lines)


def test_the_first_of_a_partition_is_the_first() -> None:
    """A later record must not be taken for the first where both stand in one partition."""
    line = MemoryLine((), 0)
    line.take(opening(2, 1, 1))
    line.take(opening(2, 0, 1))
    line.commands.reverse()
    line.outcomes.reverse()

    (found,) = agreement_of(line).differences.lines()

    assert found.endswith("offset 0: a later record of its partition was taken for the first")


def test_only_so_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that can't be proven in bounded memory is told as that, in one line."""
    monkeypatch.setattr(again, "WAITING_MAX", 2)
    line = MemoryLine((), 0)
    for number in range(3):
        line.take(opening(5, number, number))
    for number in range(3):
        line.take(opening(2, number, number))
    with pytest.raises(LoadTestError, match="more than 2 repeats are answered before"):
        agreement_of(line)


def test_first_answers_are_dropped_when_nobody_needs_them() -> None:
    """Of a run with repeats, conflicts and reversals only what was referred to is left."""
    agreement = agreement_of(line())
    seen = line().observed()
    assert agreement.labels["repeat"] > 10
    assert agreement._again._firsts == {}
    named = set(referred(seen.commands))
    assert 0 < len(agreement.books.answers) <= len(named) < sample().visible() / 2
    assert agreement.books.answers.keys() <= named


def outcome(**fields: object) -> Message:
    """Return an outcome."""
    value = {"transaction_id": "x", "outcome": "posted", "repeat": False}
    return Message(0, 0, b"", orjson.dumps(value | fields), ())


def test_answers_that_lean_on_others_are_counted() -> None:
    """Repeats and conflicts count, first answers and broken messages do not."""
    conflict = outcome(transaction_id="b", outcome="conflict", first={"outcome": "posted"})
    spaced = b'{"transaction_id": "c", "outcome": "posted", "repeat": true}'
    found = asked_again(
        [
            outcome(),
            outcome(outcome="rejected"),
            outcome(transaction_id="a", repeat=True),
            outcome(transaction_id="a", repeat=True),
            conflict,
            outcome(transaction_id="d", outcome="invalid"),
            Message(0, 0, b"", spaced, ()),
            Message(0, 0, b"", b"[]", ()),
            Message(0, 0, b"", b"{", ()),
            Message(0, 0, b"", None, ()),
        ]
    )
    assert found == Counter({"a": 2, "b": 1, "c": 1})


def test_ids_that_commands_name_are_found() -> None:
    """However their field is written: JSON may escape any letter."""
    escaped = b'{"\\u006friginal_transaction_id": "B"}'
    commands = [
        record(0, 0, "reversal", 1, original_transaction_id="A"),
        record(0, 0, "hold.release", 2, hold_transaction_id="c"),
        record(0, 0, "transfer", 3),
        Message(0, 0, b"", escaped, ()),
        Message(0, 0, b"", None, ()),
        Message(0, 0, b"", b"original_transaction_id", ()),
    ]
    assert list(referred(commands)) == ["a", "c", "b"]
