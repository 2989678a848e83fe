"""Events: their exact bytes, keys, headers and ids."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid

import msgspec
import pytest

from processor.core.answers import Answer, Clock, Conflict, DeadLetter, First, Repeat
from processor.core.books import Account, Source
from processor.core.decode import Invalid, InvalidReason
from processor.core.outcomes import Event, EventIds, EventWriter
from tests.builders import CONTRACT, TOPIC, Bank, Written, deposit, opening, uuid_of

INCARNATIONS = {1: uuid_of(11), 2: uuid_of(12)}
TIMELINES = {1: uuid_of(21), 2: uuid_of(22)}
ID = "01933a5e-7f3b-7c11-9b1a-2f3a4b5c6d7e"
LATER = Clock(1_795_255_201_000_000, "2026-11-21T10:00:01.000000Z")
TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CE = [
    ("ce_specversion", b"1.0"),
    ("ce_source", b"/payments/processor"),
    ("content-type", b"application/json"),
    ("schema_version", b"1"),
]
WRITER = EventWriter(EventIds(INCARNATIONS, TIMELINES), lambda sequence: 1 if sequence < 100 else 2)


def event_id(offset: int, *, source_id: int = 1, timeline_id: int = 1, partition: int = 0) -> str:
    """Work an id out as the contract says it."""
    name = f"{INCARNATIONS[source_id]}/{TOPIC}/{partition}/{offset}"
    return str(uuid.uuid5(TIMELINES[timeline_id], name))


def ids_in(events: list[Event]) -> list[str]:
    """Read the ids of events."""
    return [json.loads(event.value)["event_id"] for event in events]


def answers() -> list[Answer]:
    """Give a first answer, a refused one, an opening, a repeat, a conflict and a dead letter."""
    books = Bank(Account("anna", "EUR", "customer", posted=5_00, overdraft_limit=0))
    paid = deposit("anna", "1.5", transaction_id=ID, reference="Grüße")
    refused = deposit("nobody", "1.00", transaction_id=f"{ID[:-1]}0", debit_account="anna")
    opened = opening("dora", transaction_id=f"{ID[:-1]}1")
    invalid = Invalid(InvalidReason.SCHEMA, "/amount", "not above zero", f"{ID[:-1]}2", "atm")
    found = books.ask(paid, refused, opened)
    return found + books.ask(paid, {**paid, "amount": "2"}, invalid, clock=LATER)


def outcome(answer: Answer) -> Event:
    """Write the outcome of an answer that has one."""
    event = WRITER.outcome(answer)
    assert event is not None
    return event


def test_ids_are_uuids_of_version_5() -> None:
    """Of the source's incarnation, topic, partition and offset in the timeline's namespace."""
    ids = EventIds(INCARNATIONS, TIMELINES)

    for source_id, partition, offset, timeline_id in [
        (1, 0, 0, 1),
        (1, 0, 1, 1),
        (2, 7, 90_210, 1),
        (1, 0, 0, 2),
        (1, 0, 2**62, 2),
    ]:
        made = ids.of(Source(source_id, TOPIC, partition, offset), timeline_id)
        assert made == event_id(
            offset, source_id=source_id, timeline_id=timeline_id, partition=partition
        )
        assert uuid.UUID(made).version == 5


def test_the_bytes_of_a_posted_outcome() -> None:
    """Field by field, in this order, without white space."""
    event = outcome(answers()[0])

    assert (
        event.value
        == (
            b'{"event_id":"%s","transaction_id":"01933a5e-7f3b-7c11-9b1a-2f3a4b5c6d7e",'
            b'"type":"deposit","outcome":"posted","reason":null,"repeat":false,"differences":[],'
            b'"ledger_sequence":1,"decided_at":"2026-11-21T10:00:00.000000Z","amount":"1.50",'
            b'"currency":"EUR","debit_account":"cash-EUR","credit_account":"anna",'
            b'"channel":"mobile",'
            b'"source":{"topic":"payments.commands.v1","partition":0,"offset":0}}'
        )
        % event_id(0).encode()
    )
    assert (event.partition, event.key) == (0, b"k")
    assert event.headers == [
        *CE,
        ("ce_type", b"payments.deposit.posted.v1"),
        ("channel", b"mobile"),
        ("ce_id", event_id(0).encode()),
        ("ce_time", b"2026-11-21T10:00:00.000000Z"),
    ]


def test_the_bytes_of_a_rejected_outcome() -> None:
    """The reason, and what was asked for."""
    event = outcome(answers()[1])

    assert (
        event.value
        == (
            b'{"event_id":"%s","transaction_id":"01933a5e-7f3b-7c11-9b1a-2f3a4b5c6d70",'
            b'"type":"deposit","outcome":"rejected","reason":"account_not_found","repeat":false,'
            b'"differences":[],"ledger_sequence":2,"decided_at":"2026-11-21T10:00:00.000000Z",'
            b'"amount":"1.00","currency":"EUR","debit_account":"anna","credit_account":"nobody",'
            b'"channel":"mobile",'
            b'"source":{"topic":"payments.commands.v1","partition":0,"offset":1}}'
        )
        % event_id(1).encode()
    )
    assert ("ce_type", b"payments.deposit.rejected.v1") in event.headers


def test_the_bytes_of_an_opening() -> None:
    """The account at the end; no amount, no sides."""
    event = outcome(answers()[2])

    assert (
        event.value
        == (
            b'{"event_id":"%s","transaction_id":"01933a5e-7f3b-7c11-9b1a-2f3a4b5c6d71",'
            b'"type":"account.open","outcome":"posted","reason":null,"repeat":false,'
            b'"differences":[],"ledger_sequence":3,"decided_at":"2026-11-21T10:00:00.000000Z",'
            b'"amount":null,"currency":"EUR","debit_account":null,"credit_account":null,'
            b'"channel":"mobile",'
            b'"source":{"topic":"payments.commands.v1","partition":0,"offset":2},'
            b'"account":"dora"}'
        )
        % event_id(2).encode()
    )
    assert ("ce_type", b"payments.account.open.posted.v1") in event.headers


def test_the_bytes_of_a_repeat() -> None:
    """The first answer with its number and moment; its own id and source."""
    first, repeat = outcome(answers()[0]), outcome(answers()[3])

    expected = (
        first.value.replace(event_id(0).encode(), event_id(3).encode())
        .replace(b'"repeat":false', b'"repeat":true')
        .replace(b'"offset":0', b'"offset":3')
    )
    assert repeat.value == expected
    assert ("ce_time", b"2026-11-21T10:00:00.000000Z") in repeat.headers


def test_the_bytes_of_a_conflict() -> None:
    """What differs, and the first outcome as it was told; no number, a moment of its own."""
    event = outcome(answers()[4])

    assert event.value == (
        b'{"event_id":"%s","transaction_id":"01933a5e-7f3b-7c11-9b1a-2f3a4b5c6d7e",'
        b'"type":"deposit","outcome":"conflict","reason":null,"repeat":false,'
        b'"differences":[{"field":"amount","first":"1.50","now":"2.00"}],'
        b'"ledger_sequence":null,"decided_at":"2026-11-21T10:00:01.000000Z","amount":"2.00",'
        b'"currency":"EUR","debit_account":"cash-EUR","credit_account":"anna","channel":"mobile",'
        b'"source":{"topic":"payments.commands.v1","partition":0,"offset":4},'
        b'"first":{"event_id":"%s","outcome":"posted","reason":null,"ledger_sequence":1,'
        b'"decided_at":"2026-11-21T10:00:00.000000Z",'
        b'"source":{"topic":"payments.commands.v1","partition":0,"offset":0}}}'
    ) % (event_id(4).encode(), event_id(0).encode())
    assert ("ce_type", b"payments.deposit.conflict.v1") in event.headers
    assert ("ce_time", LATER.now.encode()) in event.headers


def test_a_conflict_finds_the_first_event_on_its_own_timeline() -> None:
    """The first was told before a restore, the conflict comes after it."""
    first, conflict = answers()[0], answers()[4]
    assert isinstance(first, First)
    assert isinstance(conflict, Conflict)
    decided = msgspec.structs.replace(first.decided, ledger_sequence=100)

    event = outcome(msgspec.structs.replace(conflict, decided=decided))

    assert json.loads(event.value)["first"]["event_id"] == event_id(0, timeline_id=2)


def test_the_bytes_of_an_invalid_outcome() -> None:
    """Its reason and pointer; all else is null, and it has the id of its dead letter."""
    event = outcome(answers()[5])

    assert (
        event.value
        == (
            b'{"event_id":"%s","transaction_id":"01933a5e-7f3b-7c11-9b1a-2f3a4b5c6d72",'
            b'"type":null,"outcome":"invalid","reason":"schema","repeat":false,"differences":[],'
            b'"ledger_sequence":null,"decided_at":null,"amount":null,"currency":null,'
            b'"debit_account":null,"credit_account":null,"channel":"atm",'
            b'"source":{"topic":"payments.commands.v1","partition":0,"offset":5},'
            b'"pointer":"/amount"}'
        )
        % event_id(5).encode()
    )
    assert event.headers == [
        *CE,
        ("ce_type", b"payments.command.invalid.v1"),
        ("channel", b"atm"),
        ("ce_id", event_id(5).encode()),
    ]


@pytest.mark.parametrize("number", range(6))
def test_every_outcome_is_valid(number: int) -> None:
    """By the published schema; and written twice it has the same bytes."""
    event = outcome(answers()[number])
    errors = CONTRACT.validators["payment_outcome"].iter_errors(json.loads(event.value))

    assert [error.message for error in errors] == []
    assert outcome(answers()[number]) == event


def letter(record: Written, invalid: Invalid | None = None) -> DeadLetter:
    """Give the dead letter of a record."""
    found = answers()[5]
    assert isinstance(found, DeadLetter)
    arrival = msgspec.structs.replace(found.arrival, record=record)
    return msgspec.structs.replace(found, arrival=arrival, invalid=invalid or found.invalid)


def test_the_bytes_of_a_dead_letter() -> None:
    """The message as it came, in Base64; null stays null and empty stays empty."""
    headers = [("traceparent", TRACE), ("x", b""), ("x", b"\xff"), ("y", None)]
    event = WRITER.dead_letter(letter(Written(5, b"key", b'{"amount":0}', headers)), 10_000)

    trace = base64.b64encode(TRACE)
    assert event.value == (
        b'{"event_id":"%s","reason":"schema","pointer":"/amount","detail":"not above zero",'
        b'"source":{"topic":"payments.commands.v1","partition":0,"offset":5},'
        b'"transaction_id":"01933a5e-7f3b-7c11-9b1a-2f3a4b5c6d72","key_base64":"a2V5",'
        b'"value_base64":"eyJhbW91bnQiOjB9",'
        b'"headers":[["traceparent","%s"],["x",""],["x","/w=="],["y",null]],'
        b'"received_at":"2026-11-21T10:00:01.000000Z"}'
    ) % (event_id(5).encode(), trace)
    assert (event.partition, event.key) == (0, b"key")
    assert ("ce_id", event_id(5).encode()) in event.headers
    assert CONTRACT.validators["dead_letter"].is_valid(json.loads(event.value))


@pytest.mark.parametrize(("key", "value"), [(None, None), (b"", b""), (None, b"  ")])
def test_a_dead_letter_tells_null_from_empty(key: bytes | None, value: bytes | None) -> None:
    """Of keys and of values; without an id there is no outcome."""
    empty = letter(Written(5, key, value), Invalid(InvalidReason.EMPTY, "", "no content"))
    event = WRITER.dead_letter(empty, 10_000)
    document = json.loads(event.value)

    def decoded(text: str | None) -> bytes | None:
        return None if text is None else base64.b64decode(text)

    assert (decoded(document["key_base64"]), decoded(document["value_base64"])) == (key, value)
    assert (document["transaction_id"], event.key) == (None, key)
    assert CONTRACT.validators["dead_letter"].is_valid(document)
    assert WRITER.outcome(empty) is None


def test_a_dead_letter_above_the_limit_has_the_digest_alone() -> None:
    """Down to the limit it has all its bytes."""
    record = Written(5, b"key", b"x" * 5_000, [("y", b"z" * 100)])
    whole = WRITER.dead_letter(letter(record), 10_000)
    size = len(whole.value) + len(b"key")

    assert WRITER.dead_letter(letter(record), size) == whole
    cut = WRITER.dead_letter(letter(record), size - 1)
    document = json.loads(cut.value)
    assert (document["value_base64"], document["key_base64"], document["headers"]) == (
        None,
        None,
        [],
    )
    assert document["value_sha256"] == hashlib.sha256(b"x" * 5_000).hexdigest()
    assert cut.key is None
    assert ids_in([whole]) == ids_in([cut])
    assert CONTRACT.validators["dead_letter"].is_valid(document)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([("traceparent", TRACE)], TRACE),
        ([("other", b"1"), ("traceparent", TRACE), ("ce_id", b"\xff")], TRACE),
        ([], None),
        ([("traceparent", TRACE), ("traceparent", TRACE)], None),
        ([("traceparent", TRACE.upper())], None),
        ([("traceparent", TRACE + b"\n")], None),
        ([("traceparent", TRACE[:-1])], None),
        ([("traceparent", b"01" + TRACE[2:])], None),
        ([("traceparent", b"00-" + b"0" * 32 + TRACE[35:])], None),
        ([("traceparent", TRACE[:36] + b"0" * 16 + b"-01")], None),
        ([("traceparent", b"")], None),
        ([("traceparent", None)], None),
        ([("Traceparent", TRACE)], None),
    ],
)
def test_a_trace_is_continued_or_none_is_started(
    headers: list[tuple[str, bytes | None]], expected: bytes | None
) -> None:
    """A header that is not exactly a trace context is ignored."""
    answer = answers()[0]
    assert isinstance(answer, First | Repeat)
    record = Written(0, b"k", b"{}", headers)
    arrival = msgspec.structs.replace(answer.arrival, record=record)

    event = outcome(msgspec.structs.replace(answer, arrival=arrival))

    assert dict(event.headers).get("traceparent") == expected
    assert len(event.headers) == len(dict(event.headers))
