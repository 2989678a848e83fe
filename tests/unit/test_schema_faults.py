"""Faults that the schema, or a check beside it, refuses, each with the place that is named."""

import json
import time
from typing import Any

import pytest

from processor.contracts import load_contract
from processor.core.decode import Decoder, Invalid, InvalidReason

CONTRACT = load_contract()
DECODER = Decoder(CONTRACT, command_bytes_max=65_536)
EXAMPLES = {kind: schema["examples"][0] for kind, schema in CONTRACT.command_schemas.items()}
OPENING, DEPOSIT = EXAMPLES["account.open"], EXAMPLES["deposit"]
WITHDRAWAL, TRANSFER = EXAMPLES["withdrawal"], EXAMPLES["transfer"]
REVERSAL = EXAMPLES["reversal"]
REQUIRED = CONTRACT.command_schemas["transfer"]["required"]
ID = TRANSFER["transaction_id"]


def without(document: dict[str, Any], name: str) -> dict[str, Any]:
    """Leave a field out."""
    return {other: value for other, value in document.items() if other != name}


BAD_AMOUNTS: list[object] = [
    *("0", "0.00", "1.500", "1.000", "1.00000", "-1", "+1", "1e2", "01", ".5", "5.", "", "1,5"),
    *(" 1", "1 ", "1\n", "\u0661\u0662", "\uff11\uff12", "NaN", "0x1", "1_000"),
    *("1000000000000000", "10000000000000.01", 125.5, 125, 10**400, None, True, ["1"], {}),
]
BAD_CURRENCIES: list[object] = [
    # No metals, funds, test codes, units of account or withdrawn currencies.
    *("eur", "XAU", "XXX", "XTS", "CLF", "XDR", "BGN", "EU", "EURO", "", 978, None),
]
BAD_ACCOUNTS: list[object] = [
    *("", "x" * 65, "a b", "a/b", "\u00e4", "\u0430", "a\n", "a\x00", None, 1),
]
BAD_CHANNELS: list[object] = ["", "Mobile", "x" * 33, "a_b", "mobile\n", None]
BAD_IDS: list[object] = [
    *("", ID[:-1], ID + "0", ID.replace("-", ""), f"{{{ID}}}", f"urn:uuid:{ID}", None, 1),
    *(ID.replace("0", "g"), ID + "\n", ID.replace("0", "\uff10")),
]
BAD_TIMES: list[object] = [
    *("2026-11-21T10:00:00z", "2026-11-21t10:00:00Z", "2026-11-21 10:00:00Z", "2026-11-21"),
    *("2026-11-21T10:00:00", "2026-11-21T10:00Z", "2026-11-21T10:00:00.Z", "", 0, None),
    *("2026-11-21T10:00:00.1234567Z", "2026-11-21T10:00:00+0100", "2026-11-21T24:00:00Z"),
    *("2026-02-29T10:00:00Z", "2026-13-01T10:00:00Z", "2026-11-21T10:60:00Z"),
    *("2026-11-21T10:00:60Z", "2026-11-21T10:00:00+24:00", "\u0662026-11-21T10:00:00Z"),
    *("+2026-11-21T10:00:00Z", "2026-11-21T10:00:00Z\n", "2026-11-21T10:00:00,5Z"),
]
BAD_REFERENCES: list[object] = [
    *("", "x" * 141, "\x00", "a\nb", "a\tb", "\x7f", "\x85", None, 1, ["x"]),
]
BAD_METADATA: list[object] = [
    *(None, [], "x", {"": "x"}, {"a\x00": "x"}, {"\n": "x"}, {"k": "x" * 4096}, {"\x00" * 9: 1}),
    *({"\u00fc": "\u00fc" * 2048}, {str(n): "" for n in range(33)}),
]
BAD_TYPES: list[object] = [None, 1, True, ["transfer"], {}]

SCHEMA_FAULTS: list[tuple[dict[str, Any], str]] = [
    *(({**TRANSFER, "amount": bad}, "/amount") for bad in BAD_AMOUNTS),
    ({**TRANSFER, "currency": "JPY", "amount": "1.0"}, "/amount"),
    ({**TRANSFER, "currency": "KWD", "amount": "1.0001"}, "/amount"),
    ({**TRANSFER, "currency": "KWD", "amount": "1000000000000.001"}, "/amount"),
    ({**REVERSAL, "amount": "0.0000"}, "/amount"),
    ({**REVERSAL, "amount": "1.00001"}, "/amount"),
    ({**OPENING, "overdraft_limit": "0.001"}, "/overdraft_limit"),
    ({**OPENING, "overdraft_limit": "10000000000000.01"}, "/overdraft_limit"),
    ({**OPENING, "overdraft_limit": "-1"}, "/overdraft_limit"),
    ({**OPENING, "kind": "internal", "overdraft_limit": "0"}, "/overdraft_limit"),
    *(({**TRANSFER, "currency": bad}, "/currency") for bad in BAD_CURRENCIES),
    *(({**TRANSFER, "debit_account": bad}, "/debit_account") for bad in BAD_ACCOUNTS),
    *(({**TRANSFER, "channel": bad}, "/channel") for bad in BAD_CHANNELS),
    *(({**TRANSFER, "transaction_id": bad}, "/transaction_id") for bad in BAD_IDS),
    ({**REVERSAL, "original_transaction_id": "x"}, "/original_transaction_id"),
    *(({**TRANSFER, "requested_at": bad}, "/requested_at") for bad in BAD_TIMES),
    *(({**TRANSFER, "valid_until": bad}, "/valid_until") for bad in BAD_TIMES),
    *(({**TRANSFER, "reference": bad}, "/reference") for bad in BAD_REFERENCES),
    *(({**TRANSFER, "metadata": bad}, "/metadata") for bad in BAD_METADATA),
    ({**TRANSFER, "metadata": {"a": 1}}, "/metadata/a"),
    ({**TRANSFER, "metadata": {"a": None}}, "/metadata/a"),
    ({**TRANSFER, "metadata": {"a": {"b": "c"}}}, "/metadata/a"),
    ({**TRANSFER, "metadata": {"a/b~c": "\x00"}}, "/metadata/a~1b~0c"),
    ({**TRANSFER, "metadata": {"x" * 300: 1}}, "/metadata"),
    # Fields that are missing or unknown name the object around them.
    *((without(TRANSFER, name), "") for name in REQUIRED),
    *((without(OPENING, name), "") for name in ("account", "currency", "kind")),
    (without(DEPOSIT, "credit_account"), ""),
    (without(WITHDRAWAL, "debit_account"), ""),
    (without(REVERSAL, "original_transaction_id"), ""),
    ({**TRANSFER, "memo": "x"}, ""),
    ({**TRANSFER, "Amount": "1"}, ""),
    ({**TRANSFER, "": "x"}, ""),
    ({**TRANSFER, "\x00": "x"}, ""),
    ({**REVERSAL, "currency": "EUR"}, ""),
    ({**TRANSFER, "overdraft_limit": "1"}, ""),
    # Types.
    ({**OPENING, "kind": "pirate"}, "/kind"),
    ({**OPENING, "kind": "savings"}, "/overdraft_limit"),
    *(({**TRANSFER, "type": bad}, "/type") for bad in BAD_TYPES),
]


@pytest.mark.parametrize(("document", "pointer"), SCHEMA_FAULTS)
def test_names_the_place_of_what_the_schema_refuses(document: dict[str, Any], pointer: str) -> None:
    """Reason `schema` and an RFC 6901 pointer, whichever way the JSON is written."""
    for value in (json.dumps(document), json.dumps(document, ensure_ascii=False, indent=1)):
        invalid = DECODER.decode(value.encode())

        assert isinstance(invalid, Invalid), invalid
        assert (InvalidReason.SCHEMA, pointer) == (invalid.reason, invalid.pointer)


@pytest.mark.parametrize(
    "document",
    [
        {**TRANSFER, "metadata": {f"\x00{n}": "x" for n in range(3000)}},
        {**TRANSFER, "metadata": {f"k{n}": 7 for n in range(5400)}},
        {**TRANSFER, **{f"k{n}": 7 for n in range(5400)}},
        {**TRANSFER, "metadata": [[7] * 16_000]},
        {**TRANSFER, "reference": "x\x00" * 8_000},
    ],
)
def test_a_record_made_of_faults_costs_little(document: dict[str, Any]) -> None:
    """One stranger's record never holds up the payments behind it."""
    value = json.dumps(document).encode()
    started = time.perf_counter()

    invalid = DECODER.decode(value)

    assert time.perf_counter() - started < 0.5
    assert isinstance(invalid, Invalid)
    assert (invalid.reason, len(value) <= 65_536) == (InvalidReason.SCHEMA, True)


def test_of_many_faults_the_same_is_named_whatever_their_order() -> None:
    """Sent again with its keys in another order, a record is refused with the same pointer."""
    document = {**TRANSFER, "amount": 1, "channel": "X", "currency": "X", "zz": 1}
    written = [document, dict(reversed(document.items()))]

    invalid = [DECODER.decode(json.dumps(each).encode()) for each in written]

    assert invalid[0] == invalid[1]
