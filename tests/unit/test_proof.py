"""The proof finds what is wrong: each way to break a run is reported."""

from collections.abc import Callable
from functools import cache
from typing import Any

import orjson
import pytest

from loadtest.message import Message
from loadtest.proof.verdict import Observed, Proof, prove
from loadtest.reporting import Ledger
from loadtest.sample import Sample, generate
from tests.unit.memory_line import DIGITS, LANES, MemoryLine

Change = Callable[[Observed], Observed]


@cache
def sample() -> Sample:
    """Return a short sample."""
    return generate(7, accounts=1000, scale=0.02)


@cache
def line() -> MemoryLine:
    """Return a line that answered the sample as it should."""
    return MemoryLine(sample(), 1)


def proof_of(observed: Observed) -> Proof:
    """Prove a run."""
    return prove(LANES, DIGITS, line().published, sample().expected, observed)


def faults(observed: Observed) -> dict[str, tuple[str, ...]]:
    """Return the checks that do not hold."""
    return {check.title: check.faults for check in proof_of(observed).checks if check.faults}


def where(messages: list[Message], **fields: Any) -> int:
    """Find the first event whose value has these fields."""
    for number, message in enumerate(messages):
        value = orjson.loads(message.value or b"")
        if all(value.get(name) == wanted for name, wanted in fields.items()):
            return number
    raise AssertionError(f"no event has {fields}")


def changed(messages: list[Message], number: int, **fields: Any) -> list[Message]:
    """Change fields of one event."""
    message = messages[number]
    value = orjson.dumps(orjson.loads(message.value or b"") | fields)
    return [*messages[:number], message._replace(value=value), *messages[number + 1 :]]


def without(rows: list[Any], number: int) -> list[Any]:
    """Leave one row out."""
    return rows[:number] + rows[number + 1 :]


def event(number_of: dict[str, Any], **fields: Any) -> Change:
    """Change fields of the first outcome with these."""

    def change(seen: Observed) -> Observed:
        number = where(seen.outcomes, **number_of)
        return seen._replace(outcomes=changed(seen.outcomes, number, **fields))

    return change


def ledger(**fields: Callable[[Ledger], list[Any]]) -> Change:
    """Change lists of the ledger."""
    return lambda seen: seen._replace(
        ledger=seen.ledger._replace(**{name: make(seen.ledger) for name, make in fields.items()})
    )


def first_row(rows: list[Any], **fields: Any) -> list[Any]:
    """Change fields of the first row."""
    return [rows[0]._replace(**fields), *rows[1:]]


def one_lane(seen: Observed) -> list[int]:
    """Find the outcomes of one partition of the channels' topic."""
    channels = [
        n for n, one in enumerate(seen.outcomes) if b"payments.commands" in (one.value or b"")
    ]
    partition = seen.outcomes[channels[0]].partition
    return [n for n in channels if seen.outcomes[n].partition == partition]


def order_swapped(seen: Observed) -> Observed:
    """Let two outcomes of a partition come in the wrong order."""
    outcomes = list(seen.outcomes)
    one, two = one_lane(seen)[:2]
    outcomes[one], outcomes[two] = outcomes[two], outcomes[one]
    return seen._replace(outcomes=outcomes)


def sequences_swapped(seen: Observed) -> Observed:
    """Exchange the ledger_sequence of two posted commands of one partition."""
    posted = [
        (number, value["ledger_sequence"])
        for number in one_lane(seen)
        for value in [orjson.loads(seen.outcomes[number].value or b"")]
        if value["outcome"] == "posted" and not value["repeat"]
    ]
    (one, first), (two, second) = posted[:2]
    outcomes = changed(seen.outcomes, one, ledger_sequence=second)
    return seen._replace(outcomes=changed(outcomes, two, ledger_sequence=first))


POSTED = {"outcome": "posted", "type": "transfer", "repeat": False}
CHANGES: list[tuple[str, Change, str]] = [
    ("an outcome is lost", lambda o: o._replace(outcomes=o.outcomes[1:]), "has no outcome"),
    (
        "a dead letter is lost",
        lambda o: o._replace(dead_letters=o.dead_letters[1:]),
        "but has no dead letter",
    ),
    (
        "an invalid command has no outcome",
        lambda o: o._replace(outcomes=without(o.outcomes, where(o.outcomes, outcome="invalid"))),
        "its outcome should be there",
    ),
    ("a posted one is refused", event(POSTED, outcome="rejected", reason="expired"), "outcome is"),
    (
        "a refused one is posted",
        event({"outcome": "rejected"}, outcome="posted", reason=None),
        "outcome is",
    ),
    (
        "a reason is another",
        event({"reason": "same_account"}, reason="insufficient_funds"),
        "expected 'same_account'",
    ),
    (
        "another limit is shown",
        event({"reason": "limit_exceeded"}, exceeded={"limit": "x"}),
        "exceeded is {'limit': 'x'}",
    ),
    ("an amount is off by one", event(POSTED, amount="0.01"), "amount is '0.01'"),
    ("a time is another's", event(POSTED, decided_at="2100-01-01T00:00:00Z"), "reporting.payments"),
    ("a repeat is taken for a first", event({"repeat": True}, repeat=False), "a second time"),
    ("a repeat was decided anew", event({"repeat": True}, ledger_sequence=1), "ledger_sequence is"),
    ("a conflict names no field", event({"outcome": "conflict"}, differences=[]), "differences is"),
    ("a conflict knows no first", event({"outcome": "conflict"}, first={}), "first is"),
    ("an event id is another's", event(POSTED, event_id="x"), "event_id x is not its own"),
    (
        "an outcome is of nothing",
        event(POSTED, source={"topic": LANES.topics[0], "partition": 0, "offset": 10**6}),
        "no command stands there",
    ),
    ("an answer is of another channel", event(POSTED, channel="nobody"), "channel is 'nobody'"),
    ("outcomes come in another order", order_swapped, "came after a later command's"),
    ("decisions are in another order", sequences_swapped, "against the offsets' order"),
    (
        "a key is lost",
        lambda o: o._replace(outcomes=[o.outcomes[0]._replace(key=b""), *o.outcomes[1:]]),
        "its outcome has key",
    ),
    (
        "a trace is lost",
        lambda o: o._replace(
            outcomes=[one._replace(headers=one.headers[:1]) for one in o.outcomes]
        ),
        "does not continue the command's trace",
    ),
    (
        "an event says two things",
        lambda o: o._replace(outcomes=[*o.outcomes, *changed(o.outcomes[:1], 0, amount="1.00")]),
        "came twice and says two things",
    ),
    (
        "an event is no event",
        lambda o: o._replace(outcomes=[o.outcomes[0]._replace(value=b"[]"), *o.outcomes[1:]]),
        "can't be read",
    ),
    (
        "a balance is off by one",
        ledger(balances=lambda seen: first_row(seen.balances, posted="0.01")),
        "reporting.balances",
    ),
    (
        "money is held",
        ledger(balances=lambda seen: first_row(seen.balances, held="0.01")),
        "reporting.balances",
    ),
    (
        "an account is missing",
        ledger(balances=lambda seen: seen.balances[1:]),
        "is missing",
    ),
    (
        "a payment is missing",
        ledger(payments=lambda seen: seen.payments[1:]),
        "reporting.payments",
    ),
    (
        "a payment stands elsewhere",
        ledger(payments=lambda seen: first_row(seen.payments, offset=10**6)),
        "reporting.payments",
    ),
    (
        "a payment was never asked for",
        ledger(
            payments=lambda seen: [*seen.payments, seen.payments[0]._replace(transaction_id="x")]
        ),
        "x was never answered",
    ),
    (
        "an entry is missing",
        ledger(entries=lambda seen: seen.entries[1:]),
        "reporting.entries",
    ),
    (
        "an entry has another balance",
        ledger(entries=lambda seen: first_row(seen.entries, balance_after="0.01")),
        "reporting.entries",
    ),
    (
        "an entry counts from another day",
        ledger(entries=lambda seen: first_row(seen.entries, value_date="2026-11-01")),
        "reporting.entries",
    ),
    (
        "an entry was posted twice",
        ledger(entries=lambda seen: [*seen.entries, seen.entries[0]]),
        "reporting.entries",
    ),
    (
        "a command is lost",
        lambda o: o._replace(commands=o.commands[1:]),
        "was published, but can't be read",
    ),
    (
        "a command was changed",
        lambda o: o._replace(commands=[o.commands[0]._replace(value=b"{}"), *o.commands[1:]]),
        "is not as it was published",
    ),
    (
        "an offset is not accounted for",
        lambda o: o._replace(command_ends=o.command_ends | {0: o.command_ends[0] + 1}),
        "records and holes are known",
    ),
]


@pytest.mark.parametrize(
    ("change", "words"), [case[1:] for case in CHANGES], ids=[case[0] for case in CHANGES]
)
def test_a_broken_run_is_reported(change: Change, words: str) -> None:
    """One change makes the proof fail, and a line says what is wrong and where."""
    found = faults(change(line().observed()))
    assert found != {}
    assert any(words in fault for lines in found.values() for fault in lines)


def test_a_good_run_has_no_fault() -> None:
    """Nothing is reported of a line that does as it should, redelivered events included."""
    observed = line().observed()
    again = observed._replace(outcomes=[*observed.outcomes, *observed.outcomes[-5:]])
    assert faults(again) == {}
    assert proof_of(again).delivered_again == 5


def test_totals_known_beforehand_are_held_against_the_run() -> None:
    """A run that agrees with itself but not with what was known before fails."""
    expected = sample().expected
    balances = expected.balances | {"acc-000001": -1}
    outcomes = expected.outcomes | {"posted": 1}
    proof = prove(
        LANES,
        DIGITS,
        line().published,
        type(expected)(
            outcomes=outcomes,
            outcome_events=1,
            balances=balances,
            currencies=expected.currencies,
            unknown=expected.unknown,
        ),
        line().observed(),
    )
    [check] = [check for check in proof.checks if check.faults]
    assert check.title == "totals known beforehand agree"
    assert [fault.split(":")[0] for fault in check.faults] == [
        "posted",
        "outcome events",
        "acc-000001",
    ]


def test_debits_and_credits_are_added_up() -> None:
    """A missing line shows in the sums of its currency."""
    observed = line().observed()
    rows = observed.ledger.entries
    proof = proof_of(observed._replace(ledger=observed.ledger._replace(entries=rows[1:])))
    [check] = [check for check in proof.checks if check.title.startswith("debits")]
    assert check.faults[0].startswith(f"{rows[0].currency}: ")
