"""
Hold what the product said and recorded against the reference model, command by command.

Nothing is sampled: every record, event and row takes part, and none is kept longer than needed. So
a run of any length can be checked; memory grows by some 50 bytes a command, and by what the model
must know of accounts and of ids that are referred to. Each difference becomes one line that names
its place.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from heapq import merge
from typing import Any, NamedTuple

from loadtest.message import Message, is_first
from loadtest.proof import expected
from loadtest.proof.again import Again, asked_again, referred
from loadtest.proof.differences import Differences, Kind
from loadtest.proof.evidence import Lane, Streams, Topics, Window, place_of
from loadtest.proof.once import Once
from loadtest.proof.told import Event, Told
from loadtest.proof.turnover import Sums
from loadtest.proof.views import First, Rows, balance_differences
from loadtest.reference.contract import Command, Fault, read
from loadtest.reference.model import Books
from loadtest.reference.times import time_us
from loadtest.reporting import Balance

TRACEPARENT = re.compile(rb"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


class Asked(NamedTuple):
    """A command and the first answer that it was told."""

    lane: Lane
    offset: int
    command: Command
    event: Event


Label = Callable[[Lane, int, str], None]
"""Is told what came of each command of a lane by offset, in the words of `Record.expect`."""


class Agreement:
    """
    The comparison of one ledger with the topics of the sites that fed it, one after another.

    `digits` are the active currencies. What is counted grows while `check` runs.
    """

    def __init__(
        self, digits: Mapping[str, int], sites: Sequence[Topics], label: Label | None = None
    ) -> None:
        self.commands = 0
        self.outcomes = 0
        self.payments = 0
        self.entries = 0
        self.accounts = 0
        self.delivered_again = 0
        self.labels: Counter[str] = Counter()
        self.dead_letters: Counter[str] = Counter()
        self.differences = Differences()
        self.sums = Sums()
        self.books = Books(digits)
        self._digits = digits
        self._sites = sites
        self._label = label
        self._latest_sequence = -1
        self._again = Again(Counter(), self.differences)
        self._ids, self._outcome_ids, self._letter_ids = Once(), Once(), Once()

    def check(self, windows: Iterable[Window], balances: Iterable[Balance]) -> None:
        """Compare everything with everything; `windows` and `balances` are read once."""
        self._look_ahead()
        rows = Rows(windows, self._digits, self.sums, self.differences)
        for number, site in enumerate(self._sites):
            self._check_site(number, site, rows)
        self._again.rest()
        rows.rest()
        self.payments, self.entries = rows.payments, rows.entries
        self._check_balances(balances)
        self._check_ids()

    def _look_ahead(self) -> None:
        """Find out which answers others will lean on, so that no more than those are kept."""
        kept: set[str] = set()
        counts: Counter[str] = Counter()
        for site in self._sites:
            commands = [site.commands(lane) for lane, end in site.ends.items() if end]
            outcomes = [site.outcomes(partition) for partition in range(site.lanes.partitions)]
            for stream in commands:
                kept.update(referred(stream))
            for stream in outcomes:
                counts.update(asked_again(stream))
        self.books = Books(self._digits, kept)
        self._again = Again(counts, self.differences)

    def _check_site(self, number: int, site: Topics, rows: Rows) -> None:
        lanes = [Lane(number, site.lanes, lane, end) for lane, end in sorted(site.ends.items())]
        elsewhere = frozenset(lane.number for lane in lanes if lane.end)
        # The first lane of each partition looks at all events, also where it has no command.
        read_by = [lane for lane in lanes if lane.end or not lane.is_internal]
        begun = [(lane, Streams.of(site, lane.number)) for lane in read_by]
        for sequence, _, asked in merge(*(self._answered(*one, elsewhere) for one in begun)):
            self._decide_again(sequence, asked, rows)

    def _answered(
        self, lane: Lane, streams: Streams, elsewhere: frozenset[int]
    ) -> Iterator[tuple[int, int, Asked]]:
        """Give the first answers of a lane in order; the others are checked at once."""
        found = self.differences
        outcomes = Told("outcome", lane, streams.outcomes, elsewhere, self._outcome_ids, found)
        letters = Told(
            "dead letter", lane, streams.dead_letters, elsewhere, self._letter_ids, found
        )
        for message in streams.commands:
            self.commands += 1
            offset = message.offset
            event, letter = outcomes.at(offset), letters.at(offset)
            meaning = read(message.value, self._digits, is_internal=lane.is_internal)
            if event is not None:
                self._check_envelope(lane, message, "outcome", event)
            if letter is not None:
                self._check_envelope(lane, message, "dead letter", letter)
            self._say(lane, offset, event, letter)
            if isinstance(meaning, Fault):
                self._check_fault(lane, message, meaning, event, letter)
                continue
            if letter is not None:
                self._differs(lane, offset, "is a valid command, but has a dead letter")
            if event is None:
                self._differs(lane, offset, f"{meaning.transaction_id} has no outcome")
            elif is_first(event.value):
                sequence = event.value["ledger_sequence"]
                yield sequence, lane.number, Asked(lane, offset, meaning, event)
            else:
                self._again.later(lane, offset, meaning, event.value)
        for told in (outcomes, letters):
            told.rest()
            self.delivered_again += told.again
        self.outcomes += outcomes.count

    def _check_envelope(self, lane: Lane, command: Message, what: str, event: Event) -> None:
        """Hold key and headers of an event against those of the command."""
        key, headers = event.message.key, dict(event.message.headers)
        faults: list[str] = []
        if key != command.key:
            faults.append(f"its {what} has key {key!r}, not {command.key!r}")
        if headers.get("ce_id") != event.value["event_id"].encode():
            faults.append(f"its {what} has ce_id {headers.get('ce_id')!r}")
        if what == "outcome" and _trace(headers) != _trace(dict(command.headers)):
            faults.append("its outcome does not continue the command's trace")
        for fault in faults:
            self._differs(lane, command.offset, fault, Kind.EVENT)

    def _say(self, lane: Lane, offset: int, event: Event | None, letter: Event | None) -> None:
        """Say in one word what came of a command, in the words of `Record.expect`."""
        label = None
        if letter is not None:
            reason = str(letter.value.get("reason"))
            self.dead_letters[reason] += 1
            label = f"invalid:{reason}"
        if event is not None and event.value.get("outcome") != "invalid":
            label = _label(event.value)
        if label is not None:
            self.labels[label] += 1
            if self._label is not None:
                self._label(lane, offset, label)

    def _decide_again(self, sequence: int, asked: Asked, rows: Rows) -> None:
        """Decide a first answer again, in the order in which the ledger says it did."""
        lane, offset, command, event = asked
        if sequence == self._latest_sequence:
            self._differs(lane, offset, f"ledger_sequence {sequence} was given twice", Kind.ORDER)
        elif sequence < self._latest_sequence:
            line = f"ledger_sequence {sequence} is against the offsets' order"
            self._differs(lane, offset, line, Kind.ORDER)
        self._latest_sequence = max(sequence, self._latest_sequence)
        self._ids.add(hash(command.transaction_id), lane.first_place + offset)
        answer = self.books.decide(command, time_us(event.value["decided_at"]) or 0)
        source = lane.lanes.source((lane.number, offset))
        wanted = expected.decided(command, answer, event.value, source)
        for line in expected.differences(wanted, event.value):
            self._differs(lane, offset, line)
        rows.check(First(lane, offset, command.transaction_id, answer, event.value))
        self._again.first(lane, command, event.message, offset)

    def _check_fault(
        self,
        lane: Lane,
        message: Message,
        fault: Fault,
        event: Event | None,
        letter: Event | None,
    ) -> None:
        offset = message.offset
        if letter is None:
            self._differs(lane, offset, f"is {fault.reason}, but has no dead letter")
            return
        source = lane.lanes.source((lane.number, offset))
        wanted = expected.letter(fault, message, source)
        told = letter.value
        for line in expected.differences(wanted, {field: told.get(field) for field in wanted}):
            self._differs(lane, offset, line)
        pointer = told.get("pointer")
        if not expected.points_to(pointer, fault.pointers):
            self._differs(lane, offset, f"points to {pointer!r}, not {set(fault.pointers)}")
        if (event is not None) != (fault.transaction_id is not None):
            should = "not be there" if event else "be there"
            self._differs(lane, offset, f"is invalid, and its outcome should {should}")
        if event is not None:
            wanted = expected.invalid(fault, told, source)
            for line in expected.differences(wanted, event.value):
                self._differs(lane, offset, line)

    def _check_balances(self, balances: Iterable[Balance]) -> None:
        def counted() -> Iterator[Balance]:
            for row in balances:
                self.accounts += 1
                self.sums.balance(row)
                yield row

        for line in balance_differences(self._digits, self.books, counted()):
            self.differences.note(Kind.BALANCE, line)

    def _check_ids(self) -> None:
        given = (
            (self._ids, "its transaction id was decided a second time"),
            (self._outcome_ids, "the event_id of its outcome is not its own"),
            (self._letter_ids, "the event_id of its dead letter is not its own"),
        )
        for once, what in given:
            for place in once.twice():
                site, position = place_of(place)
                name = self._sites[site].lanes.name(position)
                self.differences.note(Kind.ID, f"{name}: {what}")

    def _differs(self, lane: Lane, offset: int, what: str, kind: Kind = Kind.ANSWER) -> None:
        self.differences.note(kind, f"{lane.name(offset)}: {what}")


def _trace(headers: Mapping[str, bytes]) -> bytes | None:
    raw = headers.get("traceparent")
    found = None if raw is None else TRACEPARENT.fullmatch(raw)
    return None if found is None else found[1]


def _label(value: Mapping[str, Any]) -> str:
    if value.get("repeat"):
        return "repeat"
    if value.get("outcome") == "rejected":
        return f"rejected:{value.get('reason')}"
    return str(value.get("outcome"))
