"""
Answers to events: the bytes, key and headers that go out. The mirror image of `decode.py`; pure and
repeatable.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec.structs import asdict, replace

from processor.core.answers import Answer, Conflict, DeadLetter, First, Repeat, TimelineOf
from processor.core.books import Decided, Ruling, Source
from processor.core.catalogue import CATALOGUE
from processor.core.commands import Command
from processor.core.currencies import DIGITS
from processor.core.fingerprint import Difference
from processor.core.money import to_major
from processor.core.shown import Exceeded, Fee, Line

SCHEMA_VERSION = b"1"
EVENT_SOURCE = b"/payments/processor"
_TRACEPARENT = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")

COMMON_HEADERS_MAX: Final = 1_024
"""How many combinations of type, outcome and channel are kept ready."""

Headers = list[tuple[str, bytes]]


class SourceView(msgspec.Struct, frozen=True, gc=False):
    """Where a command stood, as events show it."""

    topic: str
    partition: int
    offset: int


class FirstView(msgspec.Struct, frozen=True, gc=False):
    """The first outcome of an id, as a conflict shows it."""

    event_id: str
    outcome: str
    reason: str | None
    ledger_sequence: int
    decided_at: str
    source: SourceView


class OutcomeEvent(msgspec.Struct, frozen=True, gc=False):
    """What every outcome shows: all that most of them do."""

    event_id: str
    transaction_id: str
    type: str | None
    outcome: str
    reason: str | None
    repeat: bool
    differences: Sequence[Difference]
    ledger_sequence: int | None
    decided_at: str | None
    amount: str | None
    currency: str | None
    debit_account: str | None
    credit_account: str | None
    channel: str | None
    source: SourceView


class DetailedOutcomeEvent(OutcomeEvent, frozen=True, gc=False):
    """`schemas/messages/payment_outcome.v1.json`, field by field."""

    account: str | msgspec.UnsetType | None = msgspec.UNSET
    status: str | msgspec.UnsetType = msgspec.UNSET
    available: str | msgspec.UnsetType | None = msgspec.UNSET
    lines: Sequence[Line] | msgspec.UnsetType = msgspec.UNSET
    credit_amount: str | msgspec.UnsetType = msgspec.UNSET
    credit_currency: str | msgspec.UnsetType = msgspec.UNSET
    rate: str | msgspec.UnsetType = msgspec.UNSET
    hold_transaction_id: str | msgspec.UnsetType = msgspec.UNSET
    capture_max: str | msgspec.UnsetType = msgspec.UNSET
    expires_at: str | msgspec.UnsetType | None = msgspec.UNSET
    held: str | msgspec.UnsetType = msgspec.UNSET
    captured: str | msgspec.UnsetType = msgspec.UNSET
    fees: Sequence[Fee] | msgspec.UnsetType = msgspec.UNSET
    tariff: str | msgspec.UnsetType = msgspec.UNSET
    limit: str | msgspec.UnsetType = msgspec.UNSET
    exceeded: Exceeded | msgspec.UnsetType = msgspec.UNSET
    value_date: str | msgspec.UnsetType = msgspec.UNSET
    late: bool | msgspec.UnsetType = msgspec.UNSET
    business_date: str | msgspec.UnsetType = msgspec.UNSET
    next_date: str | msgspec.UnsetType = msgspec.UNSET
    pointer: str | msgspec.UnsetType = msgspec.UNSET
    first: FirstView | msgspec.UnsetType = msgspec.UNSET


class DeadLetterEvent(msgspec.Struct, frozen=True, gc=False):
    """`schemas/messages/dead_letter.v1.json`, field by field."""

    event_id: str
    reason: str
    pointer: str
    detail: str
    source: SourceView
    transaction_id: str | None
    key_base64: str | None
    value_base64: str | None
    headers: Sequence[tuple[str, str | None]]
    received_at: str
    value_sha256: str | msgspec.UnsetType = msgspec.UNSET


class Event(msgspec.Struct, frozen=True, gc=False):
    """An event ready to be sent to the partition of its command's number."""

    partition: int
    key: bytes | None
    value: bytes
    headers: Headers


_VARIANT: Final = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
"""How the variant bits of RFC 9562 change a hexadecimal digit."""


class EventIds:
    """
    Deterministic event ids: UUIDv5 of (source incarnation, topic, partition, offset) in the
    timeline's namespace.

    The same position gets the same id for ever on one timeline; a database restored to the past
    gives others.
    """

    def __init__(self, incarnations: Mapping[int, UUID], timelines: Mapping[int, UUID]) -> None:
        self._incarnations = incarnations
        self._timelines = timelines
        self._prefixes: dict[tuple[int, int], bytes] = {}

    def of(self, source: Source, timeline_id: int) -> str:
        """Give the id as 8-4-4-4-12 lower case."""
        prefix = self._prefixes.get((source.source_id, timeline_id))
        if prefix is None:
            prefix = self._prefix(source, timeline_id)
        # RFC 9562 builds version 5 on SHA-1; it names events here and protects nothing.
        h = hashlib.sha1(prefix + b"%d" % source.offset, usedforsecurity=False).hexdigest()
        return f"{h[:8]}-{h[8:12]}-5{h[13:16]}-{_VARIANT[h[16]]}{h[17:20]}-{h[20:32]}"

    def _prefix(self, source: Source, timeline_id: int) -> bytes:
        name = f"{self._incarnations[source.source_id]}/{source.topic}/{source.partition}/"
        prefix = self._timelines[timeline_id].bytes + name.encode()
        self._prefixes[source.source_id, timeline_id] = prefix
        return prefix


class EventWriter:
    """Writes the events of answers."""

    def __init__(self, ids: EventIds, timeline_of: TimelineOf) -> None:
        self._ids = ids
        self._timeline_of = timeline_of
        self._encode = msgspec.json.Encoder().encode

    def outcome(self, answer: Answer) -> Event | None:
        """
        Write the outcome event of an answer; None for a dead letter whose transaction id could not
        be read.
        """
        if type(answer) is Conflict:
            event = self._conflict(answer)
        elif type(answer) is DeadLetter:
            if answer.invalid.transaction_id is None:
                return None
            event = self._invalid(answer)
        else:
            event = self._decided(answer)
        record = answer.arrival.record
        headers = _headers(event, record.headers)
        return Event(answer.arrival.source.partition, record.key, self._encode(event), headers)

    def dead_letter(self, answer: DeadLetter, value_bytes_max: int) -> Event:
        """
        Write the dead letter. Where the event would exceed `value_bytes_max`, the command's bytes
        are replaced by their SHA-256; they stay in the database.
        """
        record, invalid = answer.arrival.record, answer.invalid
        event = DeadLetterEvent(
            self._ids.of(answer.arrival.source, answer.timeline_id),
            invalid.reason,
            invalid.pointer,
            invalid.detail,
            _view(answer.arrival.source),
            invalid.transaction_id,
            _base64(record.key),
            _base64(record.value),
            [(name, _base64(value)) for name, value in record.headers],
            answer.received_at,
        )
        value = self._encode(event)
        key = record.key
        if len(value) + len(key or b"") > value_bytes_max:
            digest = hashlib.sha256(record.value or b"").hexdigest()
            event = replace(
                event, value_base64=None, key_base64=None, headers=[], value_sha256=digest
            )
            value, key = self._encode(event), None
        headers: Headers = [
            ("ce_specversion", b"1.0"),
            ("ce_id", event.event_id.encode()),
            ("ce_source", EVENT_SOURCE),
            ("ce_type", b"payments.command.dead-letter.v1"),
            ("ce_time", event.received_at.encode()),
            ("content-type", b"application/json"),
            ("schema_version", SCHEMA_VERSION),
        ]
        return Event(answer.arrival.source.partition, key, value, headers)

    def _decided(self, answer: First | Repeat) -> OutcomeEvent:
        decided = answer.decided
        ruling = decided.ruling
        event = OutcomeEvent(
            self._ids.of(answer.arrival.source, answer.timeline_id),
            decided.transaction_id,
            decided.type,
            _outcome(ruling),
            ruling.reason,
            type(answer) is Repeat,
            (),
            decided.ledger_sequence,
            decided.decided_at,
            ruling.amount,
            ruling.currency,
            ruling.debit_account,
            ruling.credit_account,
            decided.channel,
            _view(answer.arrival.source),
        )
        # Most payments show nothing but what every outcome does.
        if ruling.account is None and ruling.shown is None:
            return event
        return _detailed(event, ruling)

    def _conflict(self, answer: Conflict) -> OutcomeEvent:
        asked = answer.arrival.asked
        assert isinstance(asked, Command), "a conflict is about a command that could be read"
        shown = CATALOGUE[type(asked)].as_asked(asked)
        event = OutcomeEvent(
            self._ids.of(answer.arrival.source, answer.timeline_id),
            asked.transaction_id,
            asked.TYPE,
            "conflict",
            None,
            repeat=False,
            differences=answer.differing,
            ledger_sequence=None,
            decided_at=answer.decided_at,
            amount=shown.amount,
            currency=shown.currency,
            debit_account=shown.debit_account,
            credit_account=shown.credit_account,
            channel=asked.channel,
            source=_view(answer.arrival.source),
        )
        return _detailed(event, shown, first=self._first(answer.decided))

    def _first(self, decided: Decided) -> FirstView:
        timeline_id = self._timeline_of(decided.ledger_sequence)
        return FirstView(
            self._ids.of(decided.source, timeline_id),
            _outcome(decided.ruling),
            decided.ruling.reason,
            decided.ledger_sequence,
            decided.decided_at,
            _view(decided.source),
        )

    def _invalid(self, answer: DeadLetter) -> OutcomeEvent:
        invalid = answer.invalid
        assert invalid.transaction_id is not None, "only an id that could be read is answered"
        return DetailedOutcomeEvent(
            self._ids.of(answer.arrival.source, answer.timeline_id),
            invalid.transaction_id,
            None,
            "invalid",
            invalid.reason,
            repeat=False,
            differences=(),
            ledger_sequence=None,
            decided_at=None,
            amount=None,
            currency=None,
            debit_account=None,
            credit_account=None,
            channel=invalid.channel,
            source=_view(answer.arrival.source),
            pointer=invalid.pointer,
        )


def _detailed(event: OutcomeEvent, ruling: Ruling, **more: Any) -> DetailedOutcomeEvent:
    """Show what only some outcomes do; where it is a field of all, it wins."""
    if ruling.account is not None:
        more["account"] = ruling.account
    change = ruling.change
    if change is not None:
        assert event.currency is not None, "an account that was changed has a currency"
        available, digits = change.available, DIGITS[event.currency]
        more["status"] = change.status
        more["available"] = None if available is None else to_major(available, digits)
    if ruling.shown is not None:
        more |= ruling.shown.fields()
    return DetailedOutcomeEvent(**{**asdict(event), **more})


def _outcome(ruling: Ruling) -> str:
    return "posted" if ruling.reason is None else "rejected"


def _view(source: Source) -> SourceView:
    return SourceView(source.topic, source.partition, source.offset)


def _base64(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


_FIXED_HEADERS: Headers = [
    ("ce_specversion", b"1.0"),
    ("ce_source", EVENT_SOURCE),
    ("content-type", b"application/json"),
    ("schema_version", SCHEMA_VERSION),
]


def _headers(event: OutcomeEvent, command_headers: Sequence[tuple[str, bytes | None]]) -> Headers:
    """
    Write CloudEvents attributes (binary mode), and continue the command's trace where it has one.
    """
    headers = [
        *_common_headers(event.type, event.outcome, event.channel),
        ("ce_id", event.event_id.encode()),
    ]
    if event.decided_at is not None:
        headers.append(("ce_time", event.decided_at.encode()))
    if command_headers:
        traceparent = _traceparent(command_headers)
        if traceparent is not None:
            headers.append(("traceparent", traceparent))
    return headers


@lru_cache(maxsize=COMMON_HEADERS_MAX)
def _common_headers(kind: str | None, outcome: str, channel: str | None) -> Headers:
    """Write what the events of a type, outcome and channel have in common."""
    name = f"{kind}.{outcome}" if kind is not None else "command.invalid"
    headers = [*_FIXED_HEADERS, ("ce_type", f"payments.{name}.v1".encode())]
    if channel is not None:
        headers.append(("channel", channel.encode()))
    return headers


def _traceparent(headers: Sequence[tuple[str, bytes | None]]) -> bytes | None:
    found = [value for name, value in headers if name == "traceparent"]
    if len(found) == 1 and found[0] is not None and _TRACEPARENT.fullmatch(found[0]):
        return found[0]
    return None
