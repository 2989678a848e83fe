"""Commands as people hand them over: files, one JSON text; their faults and their keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from processor.cli.input import LINE_BYTES_MAX, Gate, Input, Line
from processor.contracts import COMMANDS, load_contract
from processor.errors import ProcessorError

CONTRACT = load_contract()
GATE = Gate(CONTRACT, COMMANDS, command_bytes_max=65_536)
EVERY = {
    "transaction_id": "0193a1b2-0000-7000-8000-000000000001",
    "requested_at": "2026-11-21T10:00:00Z",
    "channel": "mobile",
}
TRANSFER = EVERY | {
    "type": "transfer",
    "debit_account": "anna",
    "credit_account": "bert",
    "amount": "1.00",
    "currency": "EUR",
}


def encoded(document: dict[str, Any]) -> bytes:
    """Write a command."""
    return json.dumps(document).encode()


def test_a_file_is_read_line_by_line_and_can_be_read_twice(tmp_path: Path) -> None:
    """Blank lines are skipped and still counted, so that errors name the file's own lines."""
    file = tmp_path / "x.jsonl"
    file.write_bytes(b'{"a":1}\n\n  {"b":2}\r\n{"c":3}')
    source = Input(str(file))
    expected = [Line(1, b'{"a":1}'), Line(3, b'{"b":2}'), Line(4, b'{"c":3}')]

    assert list(source.lines()) == expected
    assert list(source.lines()) == expected
    assert source.bytes_total == 27
    assert source.name(expected[1]) == "line 3"


def test_a_json_text_is_one_command() -> None:
    """What begins with a brace is the command itself, however it is laid out."""
    source = Input('\n {"type":\n "transfer"}')

    assert list(source.lines()) == [Line(1, b'{"type":\n "transfer"}')]
    assert source.name(Line(1, b"")) == "the command"


def test_a_line_without_end_is_refused(tmp_path: Path) -> None:
    """A file that is not made of lines is not read into memory."""
    file = tmp_path / "x"
    file.write_bytes(b"x" * (LINE_BYTES_MAX + 2))

    with pytest.raises(ProcessorError, match=r"line 1: longer than 1,048,576 bytes"):
        list(Input(str(file)).lines())


@pytest.mark.parametrize(("given", "said"), [("no/file", "not there"), ("/", "a folder")])
def test_what_is_no_file_is_said(given: str, said: str) -> None:
    """A path that leads nowhere is told before anything else is done."""
    with pytest.raises(ProcessorError, match=said):
        Input(given)


def test_the_gate_lets_through_what_the_worker_would_take() -> None:
    """A valid command has no fault."""
    assert GATE.fault(encoded(TRANSFER)) is None


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (b"nonsense", "not_json: not JSON from character 0 on"),
        (b"[]", "schema: not an object"),
        (encoded(TRANSFER | {"type": "gift"}), "unknown_type at /type: no command has the type"),
        (
            encoded(TRANSFER | {"amount": "1.001"}),
            "schema at /amount: more than the 2 decimals of EUR",
        ),
        (encoded(TRANSFER | {"memo": "x"}), "schema: no field is named 'memo'"),
        (encoded(TRANSFER | {"reference": "x" * 70_000}), "too_large: more than 65536 bytes"),
    ],
)
def test_the_gate_says_what_the_worker_would_say(value: bytes, fault: str) -> None:
    """A fault is told by reason, pointer and detail, before it becomes a dead letter."""
    assert (GATE.fault(value) or "").startswith(fault)


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"type": "account.open", "account": "anna"}, b"anna"),
        ({"type": "deposit", "credit_account": "bert"}, b"bert"),
        ({"type": "withdrawal", "debit_account": "carl"}, b"carl"),
        ({"type": "transfer", "debit_account": "dora", "credit_account": "emil"}, b"dora"),
        ({"type": "reversal", "original_transaction_id": "x"}, None),
        ({"type": "gift", "account": "anna"}, None),
        ({"type": "account.open", "account": 7}, None),
        ({"account": "anna"}, None),
        ({"type": ["transfer"]}, None),
    ],
)
def test_the_key_is_the_contracts_field(fields: dict[str, Any], key: bytes | None) -> None:
    """Commands of an account follow each other because they have its name as their key."""
    assert GATE.key(encoded(EVERY | fields)) == key


def test_what_is_no_json_has_no_key() -> None:
    """Sent as it is, it goes to any partition."""
    assert GATE.key(b"\xff") is None
