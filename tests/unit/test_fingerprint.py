"""What makes a repeat and what makes a conflict."""

import hashlib
import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.contracts import load_contract
from processor.core.commands import Command, content
from processor.core.currencies import DIGITS
from processor.core.decode import Decoder
from processor.core.fingerprint import Difference, differences, fingerprint

DECODER = Decoder(load_contract(), command_bytes_max=65_536)
ID = "01933a5e-7f3b-7c11-9b1a-2f3a4b5c6d7e"
TRANSFER = {
    "transaction_id": ID,
    "type": "transfer",
    "debit_account": "acc-1",
    "credit_account": "acc-2",
    "amount": "125.50",
    "currency": "EUR",
    "requested_at": "2026-11-21T10:00:00Z",
    "channel": "mobile",
    "reference": "invoice ä",
    "metadata": {"a": "1", "b": "2"},
}
DEPOSIT = {
    "transaction_id": ID,
    "type": "deposit",
    "credit_account": "acc-1",
    "amount": "1",
    "currency": "EUR",
    "requested_at": "2026-11-21T10:00:00Z",
    "channel": "mobile",
}
WITHDRAWAL = {
    **{name: value for name, value in DEPOSIT.items() if name != "credit_account"},
    "type": "withdrawal",
    "debit_account": "acc-1",
}
OPENING = {
    "transaction_id": ID,
    "type": "account.open",
    "account": "acc-1",
    "currency": "EUR",
    "kind": "customer",
    "requested_at": "2026-11-21T10:00:00Z",
    "channel": "mobile",
}
REVERSAL = {
    "transaction_id": ID,
    "type": "reversal",
    "original_transaction_id": ID,
    "requested_at": "2026-11-21T10:00:00Z",
    "channel": "mobile",
}


def command(text: str) -> Command:
    """Decode a text that is a command."""
    decoded = DECODER.decode(text.encode())

    assert isinstance(decoded, Command), decoded
    return decoded


@pytest.mark.parametrize(
    ("first", "other"),
    [
        (TRANSFER, dict(reversed(TRANSFER.items()))),
        (TRANSFER, {**TRANSFER, "amount": "125.5"}),
        (TRANSFER, {**TRANSFER, "transaction_id": ID.upper()}),
        (TRANSFER, {**TRANSFER, "requested_at": "2027-01-01T00:00:00+01:00"}),
        (TRANSFER, {**TRANSFER, "valid_until": "2027-01-01T00:00:00Z"}),
        (TRANSFER, {**TRANSFER, "metadata": {"b": "2", "a": "1"}}),
        (DEPOSIT, {**DEPOSIT, "debit_account": "cash-EUR"}),
        (DEPOSIT, {**DEPOSIT, "metadata": {}}),
        (DEPOSIT, {**DEPOSIT, "amount": "1.00"}),
        (WITHDRAWAL, {**WITHDRAWAL, "credit_account": "cash-EUR"}),
        (OPENING, {**OPENING, "overdraft_limit": "0.00"}),
        (
            {**OPENING, "overdraft_limit": "7"},
            {**OPENING, "overdraft_limit": "7.0"},
        ),
        ({**REVERSAL, "amount": "3"}, {**REVERSAL, "amount": "3.00"}),
        (REVERSAL, {**REVERSAL, "original_transaction_id": ID.upper()}),
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("ensure_ascii", [True, False])
def test_the_same_content_written_differently_is_the_same(
    first: dict[str, Any], other: dict[str, Any], indent: int | None, *, ensure_ascii: bool
) -> None:
    """Key order, white space, escapes, letter case of ids, zeros and written-out defaults."""
    one = command(json.dumps(first))
    two = command(json.dumps(other, indent=indent, ensure_ascii=ensure_ascii))

    assert one.fingerprint == two.fingerprint
    assert content(one) == content(two)


@pytest.mark.parametrize(
    ("first", "other", "expected"),
    [
        (TRANSFER, {**TRANSFER, "amount": "125.51"}, [("amount", "125.50", "125.51")]),
        (TRANSFER, {**TRANSFER, "channel": "cards"}, [("channel", "mobile", "cards")]),
        (TRANSFER, {**TRANSFER, "currency": "USD"}, [("currency", "EUR", "USD")]),
        (
            TRANSFER,
            {**TRANSFER, "currency": "JPY", "amount": "125"},
            [("amount", "125.50", "125"), ("currency", "EUR", "JPY")],
        ),
        (
            TRANSFER,
            {**TRANSFER, "reference": "invoice a\u0308"},
            [("reference", "invoice ä", "invoice a\u0308")],
        ),
        (
            TRANSFER,
            {**TRANSFER, "metadata": {"a": "1"}},
            [("metadata", {"a": "1", "b": "2"}, {"a": "1"})],
        ),
        (
            TRANSFER,
            {**TRANSFER, "metadata": {}},
            [("metadata", {"a": "1", "b": "2"}, None)],
        ),
        (
            TRANSFER,
            {**TRANSFER, "debit_account": "acc-2", "credit_account": "acc-1"},
            [("credit_account", "acc-2", "acc-1"), ("debit_account", "acc-1", "acc-2")],
        ),
        (DEPOSIT, {**DEPOSIT, "debit_account": "x"}, [("debit_account", None, "x")]),
        (
            DEPOSIT,
            {**DEPOSIT, "type": "transfer", "debit_account": "cash-EUR"},
            [("debit_account", None, "cash-EUR"), ("type", "deposit", "transfer")],
        ),
        (OPENING, {**OPENING, "overdraft_limit": "1"}, [("overdraft_limit", None, "1.00")]),
        (OPENING, {**OPENING, "kind": "internal"}, [("kind", "customer", "internal")]),
        (REVERSAL, {**REVERSAL, "amount": "1.50"}, [("amount", None, "1.5")]),
    ],
)
def test_other_content_differs_by_name(
    first: dict[str, Any], other: dict[str, Any], expected: list[tuple[str, object, object]]
) -> None:
    """Every differing field in the order of the names, with canonical values, None where absent."""
    one, two = command(json.dumps(first)), command(json.dumps(other))

    assert one.fingerprint != two.fingerprint
    assert tuple(Difference(*row) for row in expected) == differences(content(one), content(two))


def test_the_hashed_text_is_fixed() -> None:
    """A change of these bytes would make every repeat a conflict; it needs a new version."""
    hashed = (
        '{"amount":"125.50","channel":"mobile","credit_account":"acc-2","currency":"EUR",'
        '"debit_account":"acc-1","metadata":{"a":"1","b":"2"},"reference":"invoice ä",'
        f'"transaction_id":"{ID}","type":"transfer"}}'
    )

    assert hashlib.sha256(hashed.encode()).digest() == command(json.dumps(TRANSFER)).fingerprint


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
ACCOUNTS = st.from_regex(r"[A-Za-z0-9._:-]{1,64}", fullmatch=True) | st.just("cash-EUR")


@st.composite
def movements(draw: st.DrawFn) -> dict[str, Any]:
    """Draw any valid movement."""
    kind = draw(st.sampled_from(["deposit", "withdrawal", "transfer"]))
    currency = draw(st.sampled_from(["EUR", "JPY", "KWD", "UYW"]))
    digits = draw(st.integers(0, DIGITS[currency]))
    whole, fraction = draw(st.integers(0, 10**10)), draw(st.integers(1, 10**digits))
    cents = f".{fraction % 10**digits:0{digits}d}" if digits else ""
    document: dict[str, Any] = {
        "transaction_id": str(draw(st.uuids())),
        "type": kind,
        "amount": f"{whole + 1}{cents}",
        "currency": currency,
        "requested_at": "2026-11-21T10:00:00Z",
        "channel": draw(st.from_regex(r"[a-z0-9-]{1,32}", fullmatch=True)),
    }
    for side, optional in (("debit_account", "deposit"), ("credit_account", "withdrawal")):
        if kind != optional or draw(st.booleans()):
            document[side] = draw(ACCOUNTS)
    if draw(st.booleans()):
        document["reference"] = draw(TEXTS)
    if draw(st.booleans()):
        document["metadata"] = draw(st.dictionaries(TEXTS, TEXTS | st.just(""), max_size=5))
    if draw(st.booleans()):
        document["value_date"] = draw(st.dates(date(1970, 1, 1))).isoformat()
    return document


@given(document=movements(), ensure_ascii=st.booleans())
def test_the_fast_hash_is_the_hash_of_the_content(
    document: dict[str, Any], *, ensure_ascii: bool
) -> None:
    """Putting the hashed text together by hand gives the bytes that the definition gives."""
    decoded = command(json.dumps(document, ensure_ascii=ensure_ascii))

    assert fingerprint(content(decoded)) == decoded.fingerprint
