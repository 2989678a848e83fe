"""
The answer to each record of a batch: decides the commands in order, each seeing what earlier ones
left.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol, final

import msgspec
from msgspec.structs import replace

from processor.core.books import Books, Decided, Ruling, Source
from processor.core.catalogue import CATALOGUE
from processor.core.commands import Command, content
from processor.core.dates import Dates
from processor.core.decode import Invalid
from processor.core.fingerprint import Difference, differences
from processor.core.reasons import Reason
from processor.core.rules import NO_RULES, Rules
from processor.core.shown import Shown


class Record(Protocol):
    """What the line reads of a consumed record."""

    @property
    def offset(self) -> int:
        """Its place in the log."""

    @property
    def key(self) -> bytes | None:
        """Its key."""

    @property
    def value(self) -> bytes | None:
        """Its value; None is not the same as empty."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]:
        """Its headers; names may repeat."""


class Arrival(msgspec.Struct, gc=False):
    """A record at its source, decoded."""

    record: Record
    source: Source
    asked: Command | Invalid


def ids_of(arrivals: Iterable[Arrival]) -> list[str]:
    """Name the transaction ids of the records that are commands."""
    return [one.asked.transaction_id for one in arrivals if type(one.asked) is not Invalid]


@final
class First(msgspec.Struct, frozen=True, gc=False):
    """A command decided for the first time."""

    arrival: Arrival
    timeline_id: int
    decided: Decided


@final
class Repeat(msgspec.Struct, frozen=True, gc=False):
    """The same id with the same content at another position: the recorded answer once more."""

    arrival: Arrival
    timeline_id: int
    decided: Decided


@final
class Conflict(msgspec.Struct, frozen=True, gc=False):
    """The same id with other content: nothing moves, every differing field is named."""

    arrival: Arrival
    timeline_id: int
    decided: Decided
    differing: tuple[Difference, ...]
    decided_at: str


@final
class DeadLetter(msgspec.Struct, frozen=True, gc=False):
    """A record that can't be decided, kept with the bytes as they came."""

    arrival: Arrival
    timeline_id: int
    invalid: Invalid
    received_at: str


Answer = First | Repeat | Conflict | DeadLetter


class Clock(msgspec.Struct, frozen=True, gc=False):
    """
    The database's clock, read once after the locks: microseconds since the epoch, and the same as
    RFC 3339; and the rules as they are then.
    """

    now_us: int
    now: str
    rules: Rules = NO_RULES


def decide_all(
    arrivals: Iterable[Arrival],
    books: Books,
    *,
    clock: Clock,
    timeline_id: int,
    sequences: Iterator[int],
) -> list[Answer]:
    """
    Answer records in their order; later ones see what earlier ones left in the books.

    `sequences` must hold one ledger_sequence for each transaction id that the books do not know
    yet.
    """
    answers: list[Answer] = []
    decided = books.decided
    books.now_us, books.rules, books.today = clock.now_us, clock.rules, clock.now[:10]
    books.rule_from_here()
    for arrival in arrivals:
        asked = arrival.asked
        if type(asked) is Invalid:
            answers.append(DeadLetter(arrival, timeline_id, asked, clock.now))
            continue
        first = decided.get(asked.transaction_id)
        if first is None:
            first = _decide(asked, arrival.source, books, clock, next(sequences))
            decided[asked.transaction_id] = first
            answers.append(First(arrival, timeline_id, first))
        elif first.fingerprint == asked.fingerprint:
            answers.append(Repeat(arrival, timeline_id, first))
        else:
            differing = differences(first.content(), content(asked))
            answers.append(Conflict(arrival, timeline_id, first, differing, clock.now))
    return answers


def _decide(
    command: Command, source: Source, books: Books, clock: Clock, ledger_sequence: int
) -> Decided:
    valid_until_us = command.valid_until_us
    expired = valid_until_us is not None and clock.now_us > valid_until_us
    refused = Reason.EXPIRED if expired else None
    value_date = getattr(command, "value_date", None)
    if value_date is not None:
        ruling = _decide_dated(command, books, refused, value_date)
    else:
        ruling = CATALOGUE[type(command)].decide(command, books, refused)
        if ruling.changes_rules:
            books.rule_from_here()
    return Decided(
        command.transaction_id,
        command.TYPE,
        command.fingerprint,
        ledger_sequence,
        clock.now,
        command.channel,
        source,
        ruling,
        command,
    )


def _decide_dated(
    command: Command, books: Books, refused: Reason | None, value_date: str
) -> Ruling:
    """
    Decide a command that asks for a value date. A day that is closed stays as it is: what asks for
    one counts from the open day on, and its outcome says that it is late.
    """
    ordinary = books.dates
    open_date = ordinary.booking_date
    books.dates = Dates(open_date, max(value_date, open_date))
    ruling = CATALOGUE[type(command)].decide(command, books, refused)
    dated, books.dates = books.dates.value_date, ordinary
    shown = replace(ruling.shown or Shown(), value_date=dated, late=value_date < open_date)
    return replace(ruling, shown=shown)


class RecordedAnswer(msgspec.Struct, frozen=True, gc=False):
    """
    What the ledger recorded at a position besides first answers: a repeat, a conflict or a dead
    letter.
    """

    kind: type[Repeat | Conflict | DeadLetter]
    timeline_id: int
    at: str
    invalid: Invalid | None = None


def answer_again(
    arrivals: Sequence[Arrival],
    decided: Mapping[str, Decided],
    recorded: Mapping[tuple[int, int], RecordedAnswer],
    timeline_of: TimelineOf,
) -> list[Answer]:
    """
    Answer redelivered records from what was recorded at their positions: the same answers, nothing
    new.

    An id's first answer recorded at this very position is what was answered here; everything else
    is found by position.
    """
    answers: list[Answer] = []
    for arrival in arrivals:
        source, asked = arrival.source, arrival.asked
        found = recorded.get((source.source_id, source.offset))
        if found is not None and found.kind is DeadLetter:
            invalid = found.invalid
            assert invalid is not None, "a dead letter has its reason"
            answers.append(DeadLetter(arrival, found.timeline_id, invalid, found.at))
            continue
        assert type(asked) is not Invalid, f"no dead letter is recorded for {source}"
        first = decided.get(asked.transaction_id)
        assert first is not None, f"no answer is recorded for {source}"
        if found is None:
            assert first.source == source, f"the answer recorded for {source} is another's"
            answers.append(First(arrival, timeline_of(first.ledger_sequence), first))
        elif found.kind is Repeat:
            answers.append(Repeat(arrival, found.timeline_id, first))
        else:
            differing = differences(first.content(), content(asked))
            answers.append(Conflict(arrival, found.timeline_id, first, differing, found.at))
    return answers


class TimelineOf(Protocol):
    """Finds the timeline on which a ledger_sequence was decided."""

    def __call__(self, ledger_sequence: int) -> int:
        """Give the timeline_id."""
