"""The fine print of decode: what becomes which command, and what is refused for which reason."""

import json
from typing import Any

import pytest

from processor.contracts import load_contract
from processor.core.commands import (
    AccountOpen,
    Command,
    Deposit,
    Reversal,
    Transfer,
    Withdrawal,
    content,
)
from processor.core.decode import Decoder, Invalid, InvalidReason
from processor.core.fingerprint import fingerprint

BYTES_MAX = 65_536
DECODER = Decoder(load_contract(), command_bytes_max=BYTES_MAX)
ID = "01933a5e-7f3b-7c11-9b1a-2f3a4b5c6d7e"
COMMON = {
    "transaction_id": ID,
    "requested_at": "2026-11-21T10:00:00Z",
    "channel": "mobile",
}
TRANSFER = {
    **COMMON,
    "type": "transfer",
    "debit_account": "acc-1",
    "credit_account": "acc-2",
    "amount": "125.50",
    "currency": "EUR",
}
OPENING = {
    **COMMON,
    "type": "account.open",
    "account": "acc-1",
    "currency": "EUR",
    "kind": "customer",
}
REVERSAL = {**COMMON, "type": "reversal", "original_transaction_id": ID.upper()}
DEPOSIT = {
    **COMMON,
    "type": "deposit",
    "credit_account": "acc-1",
    "amount": "1",
    "currency": "EUR",
}
WITHDRAWAL = {
    **COMMON,
    "type": "withdrawal",
    "debit_account": "acc-1",
    "amount": "1",
    "currency": "EUR",
}


def without(document: dict[str, Any], *names: str) -> dict[str, Any]:
    """Leave fields out."""
    return {name: value for name, value in document.items() if name not in names}


def decode(document: object) -> Command | Invalid:
    """Decode a document as most channels would write it."""
    return DECODER.decode(json.dumps(document).encode())


def accepted(document: object) -> Command:
    """Decode a document that must be accepted."""
    command = decode(document)

    assert isinstance(command, Command), command
    return command


def refused(value: bytes | None) -> Invalid:
    """Decode bytes that must be refused."""
    invalid = DECODER.decode(value)

    assert isinstance(invalid, Invalid), invalid
    return invalid


@pytest.mark.parametrize(
    ("document", "kind", "own"),
    [
        (
            OPENING,
            AccountOpen,
            {"account": "acc-1", "currency": "EUR", "kind": "customer", "overdraft_limit_minor": 0},
        ),
        (
            {**OPENING, "overdraft_limit": "500.5"},
            AccountOpen,
            {"overdraft_limit_minor": 50_050},
        ),
        (
            {**OPENING, "kind": "internal"},
            AccountOpen,
            {"kind": "internal", "overdraft_limit_minor": 0},
        ),
        (
            DEPOSIT,
            Deposit,
            {"debit_account": "cash-EUR", "credit_account": "acc-1", "amount_minor": 100},
        ),
        (
            {**DEPOSIT, "debit_account": "nostro"},
            Deposit,
            {"debit_account": "nostro", "credit_account": "acc-1"},
        ),
        (
            WITHDRAWAL,
            Withdrawal,
            {"debit_account": "acc-1", "credit_account": "cash-EUR", "currency": "EUR"},
        ),
        (
            TRANSFER,
            Transfer,
            {"debit_account": "acc-1", "credit_account": "acc-2", "amount_minor": 12_550},
        ),
        (REVERSAL, Reversal, {"original_transaction_id": ID, "amount": None}),
        ({**REVERSAL, "amount": "125.50"}, Reversal, {"amount": "125.50"}),
        ({**REVERSAL, "amount": "3.0"}, Reversal, {"amount": "3.0"}),
        ({**REVERSAL, "amount": "100"}, Reversal, {"amount": "100"}),
        ({**REVERSAL, "amount": "0.10"}, Reversal, {"amount": "0.10"}),
    ],
)
def test_each_type_becomes_its_command(
    document: dict[str, Any], kind: type[Command], own: dict[str, object]
) -> None:
    """Defaults are filled in and values are typed."""
    command = accepted(document)

    assert kind is type(command)
    assert own == {name: getattr(command, name) for name in own}
    assert (
        command.transaction_id,
        command.channel,
        command.requested_at,
        command.valid_until_us,
        command.reference,
        command.metadata,
    ) == (ID, "mobile", "2026-11-21T10:00:00Z", None, None, None)
    assert fingerprint(content(command)) == command.fingerprint


@pytest.mark.parametrize(
    ("field", "written", "attribute", "value"),
    [
        ("transaction_id", ID.upper(), "transaction_id", ID),
        ("transaction_id", "0" * 8 + "-0000-0000-0000-" + "0" * 12, None, None),
        ("valid_until", "1970-01-01T00:00:01.5+00:00", "valid_until_us", 1_500_000),
        ("valid_until", "2026-11-21T23:59:59.123456-11:30", None, None),
        ("requested_at", "2024-02-29T23:59:59Z", "requested_at", "2024-02-29T23:59:59Z"),
        ("requested_at", "2016-12-31T23:59:60Z", None, None),
        ("reference", "x" * 140, "reference", "x" * 140),
        ("reference", "\U0001f600" * 140, "reference", "\U0001f600" * 140),
        ("reference", 'a"b\\c/d', "reference", 'a"b\\c/d'),
        ("reference", "e\u0301", "reference", "e\u0301"),
        ("metadata", {}, "metadata", None),
        ("metadata", {"a": "", " ": "ü"}, "metadata", {"a": "", " ": "ü"}),
        ("metadata", {str(n): "" for n in range(32)}, None, None),
        ("metadata", {"k": "x" * 4095}, None, None),
        ("metadata", {"ü": "ü" * 2047}, None, None),
        ("channel", "a" * 32, "channel", "a" * 32),
        ("channel", "-", None, None),
        ("amount", "125.5", "amount_minor", 12_550),
        ("amount", "0.01", "amount_minor", 1),
        ("amount", "10000000000000", "amount_minor", 10**15),
        ("amount", "10000000000000.00", "amount_minor", 10**15),
        ("debit_account", "A.b_c:-" + "0" * 57, None, None),
    ],
)
def test_accepts_at_the_edge(
    field: str, written: object, attribute: str | None, value: object
) -> None:
    """The last value that the contract allows is allowed."""
    command = accepted({**TRANSFER, field: written})

    if attribute is not None:
        assert value == getattr(command, attribute)
    assert fingerprint(content(command)) == command.fingerprint


@pytest.mark.parametrize(
    ("currency", "amount", "amount_minor"),
    [
        ("JPY", "7", 7),
        ("JPY", "999999999999999", 999_999_999_999_999),
        ("KWD", "0.001", 1),
        ("KWD", "1000000000000", 10**15),
        ("UYW", "0.0001", 1),
    ],
)
def test_amounts_have_the_digits_of_their_currency(
    currency: str, amount: str, amount_minor: int
) -> None:
    """Minor units differ by currency, from none to four decimals."""
    command = accepted({**TRANSFER, "currency": currency, "amount": amount})

    assert isinstance(command, Transfer)
    assert amount_minor == command.amount_minor


@pytest.mark.parametrize(
    ("value", "reason", "pointer"),
    [
        (None, "empty", ""),
        (b"", "empty", ""),
        (b" \t\r\n", "empty", ""),
        (b" " * (BYTES_MAX + 1), "too_large", ""),
        (b"x" * (BYTES_MAX + 1), "too_large", ""),
        (b"x" * BYTES_MAX, "not_json", ""),
        (b"{", "not_json", ""),
        (b"\xff\xfe{}", "not_json", ""),
        (b"\xef\xbb\xbf{}", "not_json", ""),
        (b"NaN", "not_json", ""),
        (b'{"a": NaN}', "not_json", ""),
        (b'{"type": "transfer"} {}', "not_json", ""),
        (b'{"type": "\\ud800"}', "not_json", ""),
        (b'{"type": "x", "type": "x"}', "not_json", ""),
        (b"[" * 33 + b"]" * 33, "not_json", ""),
        (b"[" * 32 + b"]" * 32, "schema", ""),
        (b'{"type": "x", "a": ' + b"[" * 31 + b"]" * 31 + b"}", "unknown_type", "/type"),
        (b'{"type": "x", "a": ' + b"[" * 32 + b"]" * 32 + b"}", "not_json", ""),
        (b"null", "schema", ""),
        (b'"transfer"', "schema", ""),
        (b"[]", "schema", ""),
        (b"1e999", "schema", ""),
        (b"true", "schema", ""),
        (b"{}", "schema", ""),
        (b'{"type": "gift"}', "unknown_type", "/type"),
        (b'{"type": ""}', "unknown_type", "/type"),
        (b'{"type": "Transfer"}', "unknown_type", "/type"),
        (b'{"type": "transfer\\u0000"}', "unknown_type", "/type"),
        (b'{"type": "transfer "}', "unknown_type", "/type"),
        (b'{"type": 1e999}', "schema", "/type"),
        (b'{"type": {"type": "transfer"}}', "schema", "/type"),
    ],
)
def test_classifies_what_is_no_command(value: bytes | None, reason: str, pointer: str) -> None:
    """Too large comes before empty, empty before not JSON, that before type and schema."""
    invalid = refused(value)

    assert (reason, pointer) == (invalid.reason, invalid.pointer)


@pytest.mark.parametrize("key", [*TRANSFER, "metadata", "reference"])
@pytest.mark.parametrize("escaped", [False, True])
@pytest.mark.parametrize("twin", ["same", 1, {}, None])
def test_a_key_that_appears_twice_is_not_json(key: str, twin: object, *, escaped: bool) -> None:
    """Readers differ on which of the two counts; so neither does, however the second is written."""
    document = {**TRANSFER, "metadata": {"a": "b"}, "reference": "r"}
    value = document[key] if twin == "same" else twin
    name = f"\\u{ord(key[0]):04x}{key[1:]}" if escaped else key
    text = json.dumps(document)[:-1] + f', "{name}": {json.dumps(value)}}}'

    for written in (text, "{" + f'"{name}": {json.dumps(value)}, ' + json.dumps(document)[1:]):
        assert refused(written.encode()).reason == InvalidReason.NOT_JSON


def test_a_key_that_appears_twice_in_metadata_is_not_json() -> None:
    """The rule holds inside too."""
    text = json.dumps({**TRANSFER, "metadata": {"a": "1", "b": "1"}}).replace('"b"', '"a"')

    assert refused(text.encode()).reason == InvalidReason.NOT_JSON


@pytest.mark.parametrize(
    ("document", "transaction_id", "channel"),
    [
        ({**TRANSFER, "x": 1}, ID, "mobile"),
        ({**TRANSFER, "transaction_id": ID.upper(), "amount": 1}, ID, "mobile"),
        ({**TRANSFER, "type": "nothing"}, ID, "mobile"),
        (without(TRANSFER, "type"), ID, "mobile"),
        ({"transaction_id": ID}, ID, None),
        ({**TRANSFER, "channel": "Mobile"}, ID, None),
        ({**TRANSFER, "channel": 5, "x": 1}, ID, None),
        ({**TRANSFER, "transaction_id": ID + "0"}, None, "mobile"),
        ({**TRANSFER, "transaction_id": [ID]}, None, "mobile"),
        ([TRANSFER], None, None),
    ],
)
def test_reads_id_and_channel_of_an_invalid_object(
    document: object, transaction_id: str | None, channel: str | None
) -> None:
    """Whoever sent it can be answered, as long as the id is a proper one."""
    invalid = decode(document)

    assert isinstance(invalid, Invalid)
    assert (transaction_id, channel) == (invalid.transaction_id, invalid.channel)


@pytest.mark.parametrize(
    "value",
    [
        b" " * 10 + json.dumps(TRANSFER).encode() + b"x",
        json.dumps({**TRANSFER, "reference": "x" * BYTES_MAX}).encode(),
        json.dumps(TRANSFER).encode()[:-1] + b', "amount": "1"}',
    ],
)
def test_reads_no_id_where_the_bytes_are_no_object(value: bytes) -> None:
    """An id out of bytes that readers understand differently would be a guess."""
    invalid = refused(value)

    assert (invalid.transaction_id, invalid.channel) == (None, None)


@pytest.mark.parametrize(
    "document",
    [
        {**TRANSFER, "x" * 5000: "y"},
        {**TRANSFER, "type": "t" * 5000},
        {**TRANSFER, "type": "t\n\x1b[31m\u202e"},
        {**TRANSFER, "amount": "9" * 5000},
        {**TRANSFER, "metadata": {"x" * 5000: 1}},
    ],
)
def test_details_are_short_single_lines_of_ascii(document: dict[str, Any]) -> None:
    """A detail goes to logs and screens, so it never carries what a stranger wrote at length."""
    invalid = decode(document)

    assert isinstance(invalid, Invalid)
    assert len(invalid.detail) <= 100
    assert invalid.detail.isascii()
    assert invalid.detail.isprintable()
    assert len(invalid.pointer) <= 256


@pytest.mark.parametrize(("size", "is_too_large"), [(BYTES_MAX, False), (BYTES_MAX + 1, True)])
def test_the_limit_of_bytes_is_inclusive(size: int, *, is_too_large: bool) -> None:
    """A command of exactly the limit is read; white space counts."""
    result = DECODER.decode(json.dumps(TRANSFER).encode().ljust(size))

    assert is_too_large == isinstance(result, Invalid)


@pytest.mark.parametrize("number", [b"9" * 20, b"9" * 6000, b"-" + b"9" * 65_000, b"1e999999999"])
def test_a_number_of_any_length_is_refused_by_the_schema(number: bytes) -> None:
    """Amounts are strings; a number in their place is refused at its pointer, however long."""
    value = json.dumps({**TRANSFER, "amount": "@"}).encode().replace(b'"@"', number)
    invalid = Decoder(load_contract(), command_bytes_max=2 * BYTES_MAX).decode(value)

    assert isinstance(invalid, Invalid)
    assert (invalid.reason, invalid.pointer) == ("schema", "/amount")
