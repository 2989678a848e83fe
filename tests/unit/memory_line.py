"""The line in memory: takes the sample in a random order of partitions and answers as it should."""

from __future__ import annotations

import base64
import uuid
from collections import defaultdict
from collections.abc import Sequence
from random import Random
from typing import Any

import orjson

from loadtest.lanes import COMMAND_TOPICS, Lanes, Position
from loadtest.message import Message
from loadtest.proof.verdict import Observed
from loadtest.publish import Published
from loadtest.record import Ending, Phase, Record, Step
from loadtest.reference import days, holds
from loadtest.reference.amounts import major_of
from loadtest.reference.answer import Answer
from loadtest.reference.contract import Command, Fault, read
from loadtest.reference.model import Books
from loadtest.reporting import Balance, Entry, Ledger, Payment
from loadtest.sample import PARTITIONS

LANES = Lanes(COMMAND_TOPICS, PARTITIONS)
DIGITS = {"EUR": 2, "USD": 2, "GBP": 2, "CHF": 2, "JPY": 0, "KWD": 3, "NOK": 2}
DECIDED_AT = "2026-11-21T10:00:01.000000Z"
DECIDED_AT_US = 1_795_255_201_000_000


class MemoryLine:
    """
    Publishes phases into lists and answers them; partitions interleave as `seed` says.

    `published` and `observed()` are what a run on real servers would see.
    """

    def __init__(self, phases: Sequence[Phase], seed: int) -> None:
        self.published = Published()
        self.commands: list[Message] = []
        self.outcomes: list[Message] = []
        self.dead_letters: list[Message] = []
        self.payments: list[Payment] = []
        self.entries: list[Entry] = []
        self.books = Books(DIGITS)
        self._events: dict[Position, dict[str, Any]] = {}
        self._firsts: dict[str, tuple[Position, Command]] = {}
        self._ends: defaultdict[int, int] = defaultdict(int)
        self._rng = Random(seed)
        self._sequence = 0
        for phase in phases:
            standing = [
                (step.ending, record) for step in phase.steps for record in self._publish(step)
            ]
            self._answer([message for ending, message in standing if ending is not Ending.ABORTED])

    def observed(self) -> Observed:
        """Give what stands in the topics and in the ledger now."""
        opened = {
            **{name: account.currency for name, account in self.books.opened.items()},
            **{name: name[-3:] for name in self.books.posted if self.books.is_own(name)},
        }
        balances = [self._balance(name, currency) for name, currency in opened.items()]
        ledger = Ledger(balances, self.payments, self.entries)
        ends = dict(self._ends)
        return Observed(self.commands, ends, self.outcomes, self.dead_letters, ledger)

    def _publish(self, step: Step) -> list[Message]:
        messages = []
        for batch in step.batches:
            base = self._ends[batch.partition]
            self.published.add(batch, base, step.ending)
            for offset, record in enumerate(batch.records, base):
                messages.append(_message(offset, record))
            self._ends[batch.partition] += len(batch.records)
        if step.ending is not None:
            for partition in {batch.partition for batch in step.batches}:
                self.published.markers[partition] += 1
                self._ends[partition] += 1
        return messages

    def _answer(self, messages: list[Message]) -> None:
        lanes = defaultdict(list)
        for message in messages:
            lanes[message.partition].append(message)
        waiting = [lane[::-1] for lane in lanes.values()]
        while waiting:
            lane = self._rng.choice(waiting)
            for _ in range(min(len(lane), self._rng.randint(1, 50))):
                self.take(lane.pop())
            waiting = [lane for lane in waiting if lane]

    def take(self, message: Message) -> None:
        """Read a record that stands in its lane, and answer it."""
        self.commands.append(message)
        self._ends[message.partition] = max(self._ends[message.partition], message.offset + 1)
        is_internal = LANES.is_internal(message.partition)
        meaning = read(message.value, DIGITS, is_internal=is_internal)
        base = {"event_id": str(uuid.uuid5(uuid.NAMESPACE_URL, str(message.position)))}
        source = LANES.source(message.position)
        if isinstance(meaning, Fault):
            self._refuse(message, meaning, base, source)
            return
        id_ = meaning.transaction_id
        first = self._firsts.get(id_)
        if first is None:
            event = base | self._decide(message, meaning) | {"source": source}
        elif first[1].content == meaning.content:
            event = self._events[first[0]] | base | {"repeat": True, "source": source}
        else:
            event = base | self._conflict(meaning, *first) | {"source": source}
        self._emit(self.outcomes, message, event)

    def _decide(self, message: Message, command: Command) -> dict[str, Any]:
        self._sequence += 1
        answer = self.books.decide(command, DECIDED_AT_US)
        self._firsts[command.transaction_id] = (message.position, command)
        self._record(message, command, answer)
        shown: dict[str, Any] = {} if answer.account is None else {"account": answer.account}
        if answer.changed is not None:
            shown["status"], shown["available"] = answer.changed
        return (
            shown
            | dict(answer.shown)
            | {
                "transaction_id": command.transaction_id,
                "type": answer.type,
                "outcome": "rejected" if answer.reason else "posted",
                "reason": answer.reason,
                "repeat": False,
                "differences": [],
                "ledger_sequence": self._sequence,
                "decided_at": DECIDED_AT,
                "amount": answer.amount,
                "currency": answer.currency,
                "debit_account": answer.debit_account,
                "credit_account": answer.credit_account,
                "channel": command.content["channel"],
            }
        )

    def _conflict(self, command: Command, position: Position, first: Command) -> dict[str, Any]:
        was, now, event = first.content, command.content, self._events[position]
        cash = f"cash-{now.get('currency')}"
        default = cash if now["type"] in ("deposit", "withdrawal") else None
        kept = ("event_id", "outcome", "reason", "ledger_sequence", "decided_at", "source")
        own = ["account", "lines", "credit_amount", "credit_currency", "rate"]
        own += ["hold_transaction_id", "tariff", "limit"]
        shown = {name: now[name] for name in own if name in now}
        if now["type"] == "hold.place":
            shown = holds.shown_of(now)
        if now["type"] == "day.close":
            shown = days.shown_of(now)
        return shown | {
            "transaction_id": command.transaction_id,
            "type": now["type"],
            "outcome": "conflict",
            "reason": None,
            "repeat": False,
            "differences": [
                {"field": name, "first": was.get(name), "now": now.get(name)}
                for name in sorted({*was, *now})
                if was.get(name) != now.get(name)
            ],
            "ledger_sequence": None,
            "decided_at": DECIDED_AT,
            "amount": command.amount_written or now.get("amount"),
            "currency": now.get("currency"),
            "debit_account": now.get("debit_account", default),
            "credit_account": now.get("credit_account", default),
            "channel": now["channel"],
            "first": {field: event[field] for field in kept},
        }

    def _refuse(
        self, message: Message, fault: Fault, base: dict[str, str], source: dict[str, Any]
    ) -> None:
        pointer = min(fault.pointers)
        letter = {
            "reason": fault.reason,
            "pointer": pointer,
            "detail": "refused",
            "source": source,
            "transaction_id": fault.transaction_id,
            "key_base64": _base64(message.key),
            "value_base64": _base64(message.value),
            "headers": [[name, _base64(raw)] for name, raw in message.headers],
            "received_at": DECIDED_AT,
        }
        self._emit(self.dead_letters, message, base | letter)
        if fault.transaction_id is None:
            return
        empty = ("type", "ledger_sequence", "decided_at", "amount", "currency")
        event = dict.fromkeys((*empty, "debit_account", "credit_account")) | {
            "transaction_id": fault.transaction_id,
            "outcome": "invalid",
            "reason": fault.reason,
            "repeat": False,
            "differences": [],
            "channel": fault.channel,
            "pointer": pointer,
            "source": source,
        }
        self._emit(self.outcomes, message, base | event)

    def _emit(self, topic: list[Message], command: Message, event: dict[str, Any]) -> None:
        if topic is self.outcomes:
            self._events[command.position] = event
        trace = tuple(
            (name, raw)
            for name, raw in command.headers
            if name == "traceparent" and b"zz" not in raw
        )
        partition = LANES.partition(command.partition)
        headers = (("ce_id", event["event_id"].encode()), *trace)
        topic.append(Message(partition, len(topic), command.key, orjson.dumps(event), headers))

    def _record(self, message: Message, command: Command, answer: Answer) -> None:
        self.payments.append(
            Payment(
                command.transaction_id,
                answer.type,
                "rejected" if answer.reason else "posted",
                answer.reason,
                answer.amount,
                answer.currency,
                answer.debit_account,
                answer.credit_account,
                DECIDED_AT_US,
                self._sequence,
                *LANES.source(message.position).values(),
            )
        )
        for line, entry in enumerate(answer.entries, 1):
            digits = DIGITS[entry.currency]
            amount = major_of(entry.minor, digits)
            after = major_of(entry.balance_after, digits)
            row = (command.transaction_id, line, entry.account, entry.direction, amount)
            booked, valued = map(str, answer.dates or ())
            self.entries.append(Entry(*row, entry.currency, after, booked, valued, self._sequence))

    def _balance(self, name: str, currency: str) -> Balance:
        account, posted = self.books.account(name), self.books.posted.get(name, 0)
        limit = None if account is None else account.limit
        digits = DIGITS[currency]
        held = self.books.held.get(name, 0)
        available = None if limit is None else major_of(posted - held + limit, digits)
        status = "open" if account is None else account.status
        held_shown = major_of(held, digits)
        return Balance(name, currency, major_of(posted, digits), held_shown, available, status)


def _message(offset: int, record: Record) -> Message:
    return Message(record.partition, offset, record.key, record.value, record.headers)


def _base64(raw: bytes | None) -> str | None:
    return None if raw is None else base64.b64encode(raw).decode()
