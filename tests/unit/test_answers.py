"""Answers: first, repeat, conflict, dead letter; and the same once more for redelivered records."""

from __future__ import annotations

import msgspec
import pytest

from processor.core.answers import (
    Answer,
    Clock,
    Conflict,
    DeadLetter,
    First,
    RecordedAnswer,
    Repeat,
    answer_again,
)
from processor.core.books import Account
from processor.core.decode import Invalid, InvalidReason
from processor.core.fingerprint import Difference
from tests.builders import Bank, arrival_of, command_of, deposit, opening, told, transfer

INVALID = Invalid(InvalidReason.SCHEMA, "/amount", "not above zero")
CLOCK = Clock(1_795_255_200_000_001, "2026-11-21T10:00:00.000001Z")
LATER = Clock(1_795_258_800_000_000, "2026-11-21T11:00:00.000000Z")


def bank() -> Bank:
    """Give books with a little money."""
    return Bank(Account("anna", "EUR", "customer", posted=5_00, overdraft_limit=0))


def test_a_first_answer_is_kept_with_everything_that_identifies_it() -> None:
    """Its place, its number, its moment, its content."""
    books, document = bank(), deposit("anna", "1.00")
    (answer,) = books.ask(document, clock=CLOCK)
    command = command_of(document)

    assert isinstance(answer, First)
    decided = answer.decided
    assert books.books.decided == {command.transaction_id: decided}
    assert (decided.transaction_id, decided.type) == (command.transaction_id, "deposit")
    assert (decided.fingerprint, decided.channel) == (command.fingerprint, "mobile")
    assert (decided.ledger_sequence, decided.decided_at) == (1, CLOCK.now)
    assert (decided.source, answer.timeline_id) == (answer.arrival.source, 1)
    assert decided.content()["amount"] == "1.00"


def test_a_repeat_carries_the_first_answer() -> None:
    """In the same batch as in a later one; a refused id stays refused though the money has come."""
    books = bank()
    refused, paid = transfer("anna", "cash-EUR", "9.00"), deposit("anna", "9.00")

    assert books.tell(refused, refused, paid, refused) == [
        "insufficient_funds",
        "Repeat",
        "posted",
        "Repeat",
    ]
    (answer,) = books.ask(refused, clock=LATER)
    assert isinstance(answer, Repeat)
    assert answer.decided is books.books.decided[refused["transaction_id"]]
    assert books.posted() == {"anna": 14_00, "cash-EUR": -9_00}


def test_what_is_no_content_makes_no_conflict() -> None:
    """The times, white space, the case of an id, zeros of an amount, defaults written out."""
    books, document = bank(), deposit("anna", "2.50")
    written_otherwise = {
        **document,
        "transaction_id": str(document["transaction_id"]).upper(),
        "amount": "2.5",
        "debit_account": "cash-EUR",
        "metadata": {},
        "requested_at": "2030-01-01T00:00:00+01:00",
        "valid_until": "2000-01-01T00:00:00Z",
    }

    assert books.tell(document, written_otherwise) == ["posted", "Repeat"]


def test_a_conflict_names_each_differing_field() -> None:
    """Nothing moves, the first answer stays, and the conflict has a moment of its own."""
    books, document = bank(), deposit("anna", "2.50", reference="a")
    books.ask(document, clock=CLOCK)
    changed = {**document, "amount": "2.51", "channel": "branch", "metadata": {"k": "v"}}
    del changed["reference"]

    (answer,) = books.ask(changed, clock=LATER)

    assert isinstance(answer, Conflict)
    assert answer.differing == (
        Difference("amount", "2.50", "2.51"),
        Difference("channel", "mobile", "branch"),
        Difference("metadata", None, {"k": "v"}),
        Difference("reference", "a", None),
    )
    assert (answer.decided_at, answer.decided.decided_at) == (LATER.now, CLOCK.now)
    assert books.tell(document) == ["Repeat"]
    assert books.posted() == {"anna": 7_50, "cash-EUR": -2_50}


def test_a_record_that_is_no_command_is_a_dead_letter() -> None:
    """It stops nothing and uses no id up."""
    books, document = bank(), deposit("anna", "1.00")
    about = msgspec.structs.replace(INVALID, transaction_id=document["transaction_id"])

    answers = books.ask(INVALID, about, document, about, clock=CLOCK)

    assert [told(answer) for answer in answers] == [
        "DeadLetter",
        "DeadLetter",
        "posted",
        "DeadLetter",
    ]
    assert answers[0] == DeadLetter(answers[0].arrival, 1, INVALID, CLOCK.now)


def test_numbers_are_drawn_for_first_answers_alone() -> None:
    """In the order of the commands, refused ones included."""
    books = bank()
    one, two = deposit("anna", "1.00"), deposit("nobody", "1.00")

    answers = books.ask(one, INVALID, one, two, {**one, "channel": "atm"}, opening("bert"))

    firsts = [answer for answer in answers if isinstance(answer, First)]
    assert [answer.decided.ledger_sequence for answer in firsts] == [1, 2, 3]


@pytest.mark.parametrize(
    ("valid_until", "expected"),
    [
        ("2026-11-21T10:00:00.000001Z", "posted"),
        ("2026-11-21T10:00:00Z", "expired"),
        ("2026-11-21T11:00:00.000001+01:00", "posted"),
        ("2026-11-21T10:59:59.999999+01:00", "expired"),
    ],
)
def test_a_command_is_late_by_the_microsecond(valid_until: str, expected: str) -> None:
    """By the clock that was read after the locks, whatever the offset it is written with."""
    assert bank().tell(deposit("anna", "1.00", valid_until=valid_until), clock=CLOCK) == [expected]


def test_a_recorded_answer_wins_over_expiry() -> None:
    """A repeat that comes too late gets what was answered in time."""
    books, document = bank(), deposit("anna", "1.00", valid_until=CLOCK.now)

    assert books.tell(document, clock=CLOCK) == ["posted"]
    assert books.tell(document, clock=LATER) == ["Repeat"]


def answered() -> tuple[Bank, list[Answer]]:
    """Give one answer of each kind, on timeline 1."""
    document = deposit("anna", "1.00")
    books = bank()
    conflict = {**document, "amount": "2.00"}
    return books, books.ask(document, document, conflict, INVALID, clock=CLOCK)


def recorded(answers: list[Answer]) -> dict[tuple[int, int], RecordedAnswer]:
    """Give what the ledger records of answers besides first ones."""
    found: dict[tuple[int, int], RecordedAnswer] = {}
    for answer in answers:
        source = answer.arrival.source
        place = (source.source_id, source.offset)
        if isinstance(answer, Repeat):
            found[place] = RecordedAnswer(Repeat, 1, "")
        elif isinstance(answer, Conflict):
            found[place] = RecordedAnswer(Conflict, 1, answer.decided_at)
        elif isinstance(answer, DeadLetter):
            found[place] = RecordedAnswer(DeadLetter, 1, answer.received_at, answer.invalid)
    return found


def test_redelivered_records_get_their_answers_again() -> None:
    """Each by its place, in order, all the same."""
    books, answers = answered()
    arrivals = [answer.arrival for answer in answers]

    again = answer_again(arrivals, books.books.decided, recorded(answers), lambda _: 1)

    assert again == answers


def test_a_command_that_the_ledger_recorded_as_a_dead_letter_stays_one() -> None:
    """What PostgreSQL refused once is not tried a second time."""
    arrival = arrival_of(command_of(deposit("anna", "1.00")), 3)
    unpostable = Invalid(InvalidReason.UNPOSTABLE, "", "refused", "id", "mobile")
    found = {(1, 3): RecordedAnswer(DeadLetter, 4, CLOCK.now, unpostable)}

    assert answer_again([arrival], {}, found, lambda _: 9) == [
        DeadLetter(arrival, 4, unpostable, CLOCK.now)
    ]


def test_a_place_without_a_record_is_a_bug() -> None:
    """Positions, ids and records are written in one commit: one without the other can't be."""
    books, answers = answered()
    first, repeat, conflict, letter = [answer.arrival for answer in answers]
    decided = books.books.decided

    for arrival, known in [(first, {}), (repeat, decided), (conflict, decided), (letter, decided)]:
        with pytest.raises(AssertionError, match=r"recorded"):
            answer_again([arrival], known, {}, lambda _: 1)
