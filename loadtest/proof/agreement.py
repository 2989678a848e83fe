"""
Hold what the product said and recorded against the reference model, command by command.

Nothing is sampled: every record, event and row takes part. Each difference becomes one line that
names its place.
"""

from __future__ import annotations

import base64
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from loadtest.lanes import Lanes, Position
from loadtest.message import DECIDED, Message, parsed
from loadtest.proof.views import First, view_differences
from loadtest.reference import days, holds
from loadtest.reference.answer import Answer
from loadtest.reference.contract import Command, Fault, read
from loadtest.reference.model import Books
from loadtest.reference.times import time_us
from loadtest.reporting import Ledger

DIFFERENCES_KEPT_MAX = 1_000
TRACEPARENT = re.compile(rb"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
EVENT_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
ITS_OWN = ("event_id", "decided_at", "ledger_sequence")
"""Fields of a first answer that the model takes from the event, for only the ledger knows them."""

NO_ANSWER: dict[str, Any] = {
    "type": None,
    "repeat": False,
    "differences": [],
    "ledger_sequence": None,
    "decided_at": None,
    "amount": None,
    "currency": None,
    "debit_account": None,
    "credit_account": None,
}


class Event(NamedTuple):
    """An outcome or dead letter with its parsed value."""

    message: Message
    value: dict[str, Any]


class Agreement:
    """
    The comparison of one run. `differences` lists what does not agree.

    `commands` are all records of the command topics as read back, `digits` the active currencies.
    """

    def __init__(
        self, lanes: Lanes, commands: Iterable[Message], digits: Mapping[str, int]
    ) -> None:
        self.lanes = lanes
        self.commands = {one.position: one for one in commands}
        self.meanings = {
            at: read(one.value, digits, is_internal=lanes.is_internal(at[0]))
            for at, one in self.commands.items()
        }
        self.books = Books(digits)
        self.digits = digits
        self.outcomes: dict[Position, Event] = {}
        self.dead_letters: dict[Position, Event] = {}
        self.delivered_again = 0
        self.firsts: dict[str, First] = {}
        self.differences: list[str] = []

    def check(
        self, outcomes: Iterable[Message], dead_letters: Iterable[Message], ledger: Ledger
    ) -> None:
        """Compare everything with everything."""
        self.outcomes = self._by_source("outcome", outcomes)
        self.dead_letters = self._by_source("dead letter", dead_letters)
        self._decide_again()
        for position, meaning in self.meanings.items():
            if isinstance(meaning, Fault):
                self._check_fault(position, meaning)
            else:
                self._check_answer(position, meaning)
        for position in self.outcomes.keys() - self.commands.keys():
            self._differs(position, "has an outcome, but no command stands there")
        for position in self.dead_letters.keys() - self.commands.keys():
            self._differs(position, "has a dead letter, but no command stands there")
        for line in view_differences(self.lanes, self.digits, self.firsts, self.books, ledger):
            self._note(line)

    def _differs(self, position: Position, what: str) -> None:
        self._note(f"{self.lanes.name(position)}: {what}")

    def _note(self, line: str) -> None:
        if len(self.differences) < DIFFERENCES_KEPT_MAX:
            self.differences.append(line)

    # --- events

    def _by_source(self, what: str, messages: Iterable[Message]) -> dict[Position, Event]:
        """Find each command's event. What comes again says the same; first ones keep order."""
        found: dict[Position, Event] = {}
        ids: dict[str, Position] = {}
        latest: dict[int, int] = defaultdict(lambda: -1)
        for message in messages:
            value = parsed(message)
            if value is None:
                place = f"partition {message.partition} offset {message.offset}"
                self._note(f"the {what} at {place} can't be read: {message.value!r}")
                continue
            position = self.lanes.position(value["source"])
            if position is None:
                self._note(f"the {what} of {value['source']} is of no command topic")
                continue
            earlier = found.get(position)
            if earlier is not None:
                self.delivered_again += 1
                if (earlier.message.key, earlier.message.value) != (message.key, message.value):
                    self._differs(position, f"its {what} came twice and says two things")
                continue
            found[position] = Event(message, value)
            if position[1] < latest[position[0]]:
                self._differs(position, f"its {what} came after a later command's")
            latest[position[0]] = position[1]
            if message.partition != self.lanes.partition(position[0]):
                self._differs(position, f"its {what} stands in partition {message.partition}")
            id_ = value["event_id"]
            if ids.setdefault(id_, position) != position or not EVENT_ID.fullmatch(id_):
                self._differs(position, f"its event_id {id_} is not its own")
            self._check_headers(what, position, message, id_)
        return found

    def _check_headers(self, what: str, position: Position, message: Message, id_: str) -> None:
        command = self.commands.get(position)
        if command is None:
            return
        if message.key != command.key:
            self._differs(position, f"its {what} has key {message.key!r}, not {command.key!r}")
        headers = dict(message.headers)
        if headers.get("ce_id") != id_.encode():
            self._differs(position, f"its {what} has ce_id {headers.get('ce_id')!r}")
        trace = TRACEPARENT.fullmatch(dict(command.headers).get("traceparent", b""))
        shown = TRACEPARENT.fullmatch(headers.get("traceparent", b""))
        if what == "outcome" and (trace and trace[1]) != (shown and shown[1]):
            self._differs(position, "its outcome does not continue the command's trace")

    # --- decisions

    def _decide_again(self) -> None:
        """Decide every first answer again in the order in which the ledger says it did."""
        firsts = [
            (event.value["ledger_sequence"], position)
            for position, event in self.outcomes.items()
            if event.value.get("outcome") in DECIDED and not event.value["repeat"]
        ]
        latest: dict[int, int] = defaultdict(lambda: -1)
        sequences: set[int] = set()
        for sequence, position in sorted(firsts):
            if sequence in sequences:
                self._differs(position, f"ledger_sequence {sequence} was given twice")
            sequences.add(sequence)
            if position[1] < latest[position[0]]:
                self._differs(position, f"ledger_sequence {sequence} is against the offsets' order")
            latest[position[0]] = position[1]
            meaning = self.meanings.get(position)
            if not isinstance(meaning, Command):
                continue  # reported where the position is checked
            event = self.outcomes[position].value
            if meaning.transaction_id in self.firsts:
                self._differs(position, f"{meaning.transaction_id} was decided a second time")
                continue
            answer = self.books.decide(meaning, time_us(event["decided_at"]) or 0)
            self.firsts[meaning.transaction_id] = First(position, meaning, answer, event)

    def _check_answer(self, position: Position, command: Command) -> None:
        if position in self.dead_letters:
            self._differs(position, "is a valid command, but has a dead letter")
        event = self.outcomes.get(position)
        if event is None:
            self._differs(position, f"{command.transaction_id} has no outcome")
            return
        first = self.firsts.get(command.transaction_id)
        if first is None:
            self._differs(position, f"{command.transaction_id} was never decided")
            return
        if first.position[0] == position[0] and first.position[1] > position[1]:
            self._differs(position, "a later record of its partition was taken for the first")
        value = event.value
        if first.position == position:
            expected = self._decided(first) | {"repeat": False}
        elif first.command.content == command.content:
            expected = self._decided(first) | {"repeat": True, "event_id": value["event_id"]}
        else:
            expected = self._conflict(first, command, value)
        self._compare(position, expected | {"source": self._source(position)}, value)

    def _decided(self, first: First) -> dict[str, Any]:
        answer = first.answer
        expected = {
            "transaction_id": first.command.transaction_id,
            "outcome": "rejected" if answer.reason else "posted",
            "reason": answer.reason,
            "differences": [],
            "channel": first.command.content["channel"],
        }
        return expected | _shown(answer) | {field: first.event[field] for field in ITS_OWN}

    def _conflict(self, first: First, command: Command, value: dict[str, Any]) -> dict[str, Any]:
        was, now = first.command.content, command.content
        differences = [
            {"field": field, "first": was.get(field), "now": now.get(field)}
            for field in sorted(was.keys() | now.keys())
            if was.get(field) != now.get(field)
        ]
        kept = ("event_id", "outcome", "reason", "ledger_sequence", "decided_at")
        return _shown(_asked(command)) | {
            "event_id": value["event_id"],
            "transaction_id": command.transaction_id,
            "outcome": "conflict",
            "reason": None,
            "repeat": False,
            "differences": differences,
            "ledger_sequence": None,
            "decided_at": value["decided_at"] if _is_time(value.get("decided_at")) else "a time",
            "channel": now["channel"],
            "first": {field: first.event.get(field) for field in kept}
            | {"source": self._source(first.position)},
        }

    def _check_fault(self, position: Position, fault: Fault) -> None:
        letter, event = self.dead_letters.get(position), self.outcomes.get(position)
        if letter is None:
            self._differs(position, f"is {fault.reason}, but has no dead letter")
            return
        value, command = letter.value, self.commands[position]
        expected = {
            "reason": fault.reason,
            "transaction_id": fault.transaction_id,
            "source": self._source(position),
            "key_base64": _base64(command.key),
            "value_base64": _base64(command.value),
            "headers": [[name, _base64(raw)] for name, raw in command.headers],
        }
        self._compare(position, expected, {field: value.get(field) for field in expected})
        if not _points_to(value.get("pointer"), fault.pointers):
            self._differs(
                position, f"points to {value.get('pointer')!r}, not {set(fault.pointers)}"
            )
        if (event is not None) != (fault.transaction_id is not None):
            self._differs(
                position,
                "is invalid, and its outcome should " + ("not be there" if event else "be there"),
            )
        if event is not None:
            answer = NO_ANSWER | {
                "event_id": value["event_id"],
                "transaction_id": fault.transaction_id,
                "outcome": "invalid",
                "reason": fault.reason,
                "channel": fault.channel,
                "pointer": value.get("pointer"),
                "source": self._source(position),
            }
            self._compare(position, answer, event.value)

    def _compare(self, position: Position, expected: dict[str, Any], seen: dict[str, Any]) -> None:
        if expected == seen:
            return
        for field in sorted(expected.keys() | seen.keys()):
            want, got = expected.get(field), seen.get(field)
            if want != got:
                self._differs(position, f"{field} is {got!r}, expected {want!r}")

    def _source(self, position: Position) -> dict[str, Any]:
        return self.lanes.source(position)


def _shown(answer: Answer) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "type": answer.type,
        "amount": answer.amount,
        "currency": answer.currency,
        "debit_account": answer.debit_account,
        "credit_account": answer.credit_account,
    }
    if answer.account is not None:
        shown["account"] = answer.account
    if answer.changed is not None:
        shown["status"], shown["available"] = answer.changed
    return shown | dict(answer.shown)


def _asked(command: Command) -> Answer:
    """
    Show what a command asks for, with defaults; a reversal's accounts are its original's, and its
    amount is shown as it was given.
    """
    content = command.content
    currency = content.get("currency")
    own = ["lines", "credit_amount", "credit_currency", "rate"]
    own += ["hold_transaction_id", "tariff", "limit"]
    shown = {name: content[name] for name in own if name in content}
    if content["type"] == "hold.place":
        shown = holds.shown_of(content)
    if content["type"] == "day.close":
        shown = days.shown_of(content)
    cash = f"cash-{currency}" if content["type"] in ("deposit", "withdrawal") else None
    return Answer(
        type=content["type"],
        reason=None,
        amount=command.amount_written or content.get("amount"),
        minor=None,
        currency=currency,
        debit_account=content.get("debit_account", cash),
        credit_account=content.get("credit_account", cash),
        account=content.get("account"),
        shown=shown,
    )


def _points_to(pointer: str | None, faulty: frozenset[str]) -> bool:
    return pointer is not None and (
        pointer in faulty or any(one and pointer.startswith(f"{one}/") for one in faulty)
    )


def _is_time(text: object) -> bool:
    return isinstance(text, str) and time_us(text) is not None


def _base64(raw: bytes | None) -> str | None:
    return None if raw is None else base64.b64encode(raw).decode()
