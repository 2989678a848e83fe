"""Ways to break a run of the sample, each with the words that must tell of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import orjson

from loadtest.message import Message, is_first
from loadtest.proof.verdict import Observed
from loadtest.reporting import Ledger
from loadtest.sample import Sample, generate
from tests.unit.memory_line import LANES, MemoryLine

Change = Callable[[Observed], Observed]


class Broken(NamedTuple):
    """A way to break a run, and words of the line that must say so."""

    title: str
    change: Change
    words: str


@cache
def sample() -> Sample:
    """Return a short sample."""
    return generate(7, accounts=300, scale=0.005)


@cache
def line() -> MemoryLine:
    """Return a line that answered the sample as it should."""
    return MemoryLine(sample().phases, 1)


def value_of(message: Message) -> dict[str, Any]:
    """Parse an event."""
    value: dict[str, Any] = orjson.loads(message.value or b"")
    return value


def where(messages: list[Message], **fields: Any) -> int:
    """Find the first event whose value has these fields."""
    for number, message in enumerate(messages):
        value = value_of(message)
        if all(value.get(name) == wanted for name, wanted in fields.items()):
            return number
    raise AssertionError(f"no event has {fields}")


def changed(messages: list[Message], number: int, **fields: Any) -> list[Message]:
    """Change fields of one event."""
    message = messages[number]
    value = orjson.dumps(value_of(message) | fields)
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


def of_nothing(seen: Observed) -> Observed:
    """Let an outcome be of an offset that no command has."""
    source = value_of(seen.outcomes[where(seen.outcomes, **POSTED)])["source"]
    return event(POSTED, source=source | {"offset": 10**6})(seen)


def in_a_hole(seen: Observed) -> Observed:
    """Let a command be gone behind which others stand."""
    source = value_of(seen.outcomes[where(seen.outcomes, **POSTED)])["source"]
    position = LANES.position(source)
    commands = [one for one in seen.commands if one.position != position]
    return seen._replace(commands=commands)


def at_the_end(seen: Observed) -> Observed:
    """Let the last command of a partition be gone, though its offset is there."""
    lane = seen.commands[-1].partition
    last = max(one.offset for one in seen.commands if one.partition == lane)
    commands = [one for one in seen.commands if one.position != (lane, last)]
    return seen._replace(commands=commands)


def elsewhere(seen: Observed) -> Observed:
    """Let an outcome stand in another partition than its command."""
    number = where(seen.outcomes, **POSTED)
    outcomes = list(seen.outcomes)
    outcomes[number] = outcomes[number]._replace(partition=(outcomes[number].partition + 1) % 8)
    return seen._replace(outcomes=outcomes)


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
        for value in [value_of(seen.outcomes[number])]
        if value["outcome"] == "posted" and not value["repeat"]
    ]
    (one, first), (two, second) = posted[:2]
    outcomes = changed(seen.outcomes, one, ledger_sequence=second)
    return seen._replace(outcomes=changed(outcomes, two, ledger_sequence=first))


def sequence_twice(seen: Observed) -> Observed:
    """Give two first answers of different partitions the same ledger_sequence."""
    firsts = [n for n, one in enumerate(seen.outcomes) if is_first(value_of(one))]
    partition = seen.outcomes[firsts[0]].partition
    number = next(n for n in firsts if seen.outcomes[n].partition != partition)
    sequence = value_of(seen.outcomes[firsts[0]])["ledger_sequence"]
    return seen._replace(outcomes=changed(seen.outcomes, number, ledger_sequence=sequence))


def id_twice(seen: Observed) -> Observed:
    """Give an outcome the event id of another."""
    return event(POSTED, event_id=value_of(seen.outcomes[0])["event_id"])(seen)


def letter_of_a_command(seen: Observed) -> Observed:
    """Let a valid command have a dead letter as well."""
    number = where(seen.outcomes, type="account.open")
    source = value_of(seen.outcomes[number])["source"]
    letters = changed(seen.dead_letters[:1], 0, source=source, event_id=SOME_ID)
    letter = letters[0]._replace(partition=seen.outcomes[number].partition)
    return seen._replace(dead_letters=[letter, *seen.dead_letters])


def letter_of_nothing(seen: Observed) -> Observed:
    """Let a dead letter be of an offset that no command has."""
    source = value_of(seen.dead_letters[0])["source"] | {"offset": 10**6}
    return seen._replace(dead_letters=changed(seen.dead_letters, 0, source=source))


SOME_ID = "00000000-0000-5000-8000-000000000000"
POSTED = {"outcome": "posted", "type": "transfer", "repeat": False}
CHANGES = (
    Broken("an outcome is lost", lambda o: o._replace(outcomes=o.outcomes[1:]), "has no outcome"),
    Broken(
        "a dead letter is lost",
        lambda o: o._replace(dead_letters=o.dead_letters[1:]),
        "but has no dead letter",
    ),
    Broken("a dead letter is of nothing", letter_of_nothing, "no command stands there"),
    Broken(
        "a dead letter has the event id of another",
        lambda o: o._replace(
            dead_letters=changed(
                o.dead_letters, 0, event_id=value_of(o.dead_letters[1])["event_id"]
            )
        ),
        "the event_id of its dead letter is not its own",
    ),
    Broken("a command has a dead letter", letter_of_a_command, "is a valid command, but has a"),
    Broken(
        "a dead letter says two things",
        lambda o: o._replace(
            dead_letters=[*o.dead_letters, *changed(o.dead_letters[:1], 0, reason="another")]
        ),
        "its dead letter came twice and says two things",
    ),
    Broken(
        "an invalid command has no outcome",
        lambda o: o._replace(outcomes=without(o.outcomes, where(o.outcomes, outcome="invalid"))),
        "its outcome should be there",
    ),
    Broken(
        "a posted one is refused", event(POSTED, outcome="rejected", reason="expired"), "outcome is"
    ),
    Broken(
        "a refused one is posted",
        event({"outcome": "rejected"}, outcome="posted", reason=None),
        "outcome is",
    ),
    Broken(
        "a reason is another",
        event({"reason": "same_account"}, reason="insufficient_funds"),
        "expected 'same_account'",
    ),
    Broken(
        "another limit is shown",
        event({"reason": "limit_exceeded"}, exceeded={"limit": "x"}),
        "exceeded is {'limit': 'x'}",
    ),
    Broken("an amount is off by one", event(POSTED, amount="0.01"), "amount is '0.01'"),
    Broken(
        "a time is another's",
        event(POSTED, decided_at="2100-01-01T00:00:00Z"),
        "reporting.payments",
    ),
    Broken("a repeat is taken for a first", event({"repeat": True}, repeat=False), "a second time"),
    Broken(
        "a repeat was decided anew",
        event({"repeat": True}, ledger_sequence=1),
        "ledger_sequence is",
    ),
    Broken(
        "a repeat says something else",
        event({"repeat": True}, channel="nobody"),
        "channel is 'nobody'",
    ),
    Broken("a first is taken for a repeat", event(POSTED, repeat=True), "was never decided"),
    Broken(
        "a conflict names no field",
        event({"outcome": "conflict"}, differences=[]),
        "differences is",
    ),
    Broken("a conflict knows no first", event({"outcome": "conflict"}, first={}), "first is"),
    Broken(
        "an event id is none", event(POSTED, event_id="x"), "has event_id x, which is not its own"
    ),
    Broken("an event id is given twice", id_twice, "the event_id of its outcome is not its own"),
    Broken("an outcome is of nothing", of_nothing, "no command stands there"),
    Broken("an outcome is of a lost command", in_a_hole, "no command stands there"),
    Broken("an outcome is of a command lost at the end", at_the_end, "no command stands there"),
    Broken("an outcome stands in another partition", elsewhere, "its outcome stands in partition"),
    Broken(
        "an answer is of another channel", event(POSTED, channel="nobody"), "channel is 'nobody'"
    ),
    Broken("outcomes come in another order", order_swapped, "came after a later command's"),
    Broken("decisions are in another order", sequences_swapped, "against the offsets' order"),
    Broken("a number is given twice", sequence_twice, "was given twice"),
    Broken(
        "a key is lost",
        lambda o: o._replace(outcomes=[o.outcomes[0]._replace(key=b""), *o.outcomes[1:]]),
        "its outcome has key",
    ),
    Broken(
        "a trace is lost",
        lambda o: o._replace(
            outcomes=[one._replace(headers=one.headers[:1]) for one in o.outcomes]
        ),
        "does not continue the command's trace",
    ),
    Broken(
        "an event says two things",
        lambda o: o._replace(outcomes=[*o.outcomes, *changed(o.outcomes[:1], 0, amount="1.00")]),
        "came twice and says two things",
    ),
    Broken(
        "an event is no event",
        lambda o: o._replace(outcomes=[o.outcomes[0]._replace(value=b"[]"), *o.outcomes[1:]]),
        "can't be read",
    ),
    Broken(
        "a balance is off by one",
        ledger(balances=lambda seen: first_row(seen.balances, posted="0.01")),
        "reporting.balances",
    ),
    Broken(
        "money is held",
        ledger(balances=lambda seen: first_row(seen.balances, held="0.01")),
        "reporting.balances",
    ),
    Broken("an account is missing", ledger(balances=lambda seen: seen.balances[1:]), "is missing"),
    Broken(
        "an account was never opened",
        ledger(balances=lambda seen: [*seen.balances, seen.balances[0]._replace(account="nobody")]),
        "nobody was never opened",
    ),
    Broken("a payment is missing", ledger(payments=lambda seen: seen.payments[1:]), "is missing"),
    Broken(
        "a payment stands elsewhere",
        ledger(payments=lambda seen: first_row(seen.payments, offset=10**6)),
        "reporting.payments",
    ),
    Broken(
        "a payment has another number",
        ledger(payments=lambda seen: first_row(seen.payments, ledger_sequence=5_000)),
        "was never answered",
    ),
    Broken(
        "a payment was never asked for",
        ledger(
            payments=lambda seen: [*seen.payments, seen.payments[0]._replace(transaction_id="x")]
        ),
        "x was never answered",
    ),
    Broken(
        "a payment has two rows",
        ledger(payments=lambda seen: [*seen.payments, seen.payments[0]]),
        "has two rows",
    ),
    Broken(
        "an entry is missing",
        ledger(entries=lambda seen: seen.entries[1:]),
        "reporting.entries",
    ),
    Broken(
        "an entry has another balance",
        ledger(entries=lambda seen: first_row(seen.entries, balance_after="0.01")),
        "reporting.entries",
    ),
    Broken(
        "an entry counts from another day",
        ledger(entries=lambda seen: first_row(seen.entries, value_date="2026-11-01")),
        "reporting.entries",
    ),
    Broken(
        "an entry was posted twice",
        ledger(entries=lambda seen: [*seen.entries, seen.entries[0]]),
        "reporting.entries",
    ),
    Broken(
        "an entry was never posted",
        ledger(entries=lambda seen: [*seen.entries, seen.entries[0]._replace(transaction_id="x")]),
        "x was never posted",
    ),
    Broken(
        "an entry has a number that no command has",
        ledger(entries=lambda seen: first_row(seen.entries, ledger_sequence=5_000)),
        "was never posted",
    ),
    Broken(
        "debits and credits differ",
        ledger(entries=lambda seen: first_row(seen.entries, amount="0.01")),
        "debited",
    ),
)
"""What is found by whoever holds topics and ledger against the model."""

UNPUBLISHED = (
    Broken(
        "a command is lost",
        lambda o: o._replace(commands=o.commands[1:]),
        "was published, but can't be read",
    ),
    Broken(
        "a command was changed",
        lambda o: o._replace(commands=[o.commands[0]._replace(value=b"{}"), *o.commands[1:]]),
        "is not as it was published",
    ),
    Broken(
        "an offset is not accounted for",
        lambda o: o._replace(command_ends=o.command_ends | {0: o.command_ends[0] + 1}),
        "records and holes are known",
    ),
)
"""What is found by whoever knows, too, what was published."""
