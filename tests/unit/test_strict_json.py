"""JSON that every reader understands alike, or none."""

import contextlib
import json
import time
from decimal import Decimal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.core import strict_json


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'{"a": [1, -2, "x", true, false, null]}', {"a": [1, -2, "x", True, False, None]}),
        (b" \t\r\n{} \n", {}),
        (b'"\\u0000\\n\\ud83d\\ude00"', "\x00\n\U0001f600"),
        ('"zażółć \x7f"'.encode(), "zażółć \x7f"),
        (b'{"a": {"a": 1}, "b": {"a": 2}}', {"a": {"a": 1}, "b": {"a": 2}}),
        (b"-0", 0),
        (b"12.50", Decimal("12.50")),
        (b"1e999", Decimal("1e999")),
        (b"1e99999999999999999999999", Decimal("Infinity")),
        (b"-1e99999999999999999999999", Decimal("-Infinity")),
        (b"123456789012345678901234567890", Decimal(123456789012345678901234567890)),
        (b"[" * 32 + b"]" * 32, [[]]),
        (b'"' + b"[" * 100 + b'"', "[" * 100),
        (b'"\\"' + b"[{" * 100 + b'"', '"' + "[{" * 100),
    ],
)
def test_reads_json(text: bytes, value: object) -> None:
    """Everything of RFC 8259, 32 levels and numbers of any size included."""
    parsed = strict_json.parse(text)
    if text.startswith(b"[[["):
        for _ in range(30):
            assert isinstance(parsed, list)
            (parsed,) = parsed

    assert value == parsed


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"{}x",
        b"{} {}",
        b"[1,]",
        b'{"a":1,}',
        b"{'a':1}",
        b"{a:1}",
        b"NaN",
        b"[Infinity]",
        b"[-Infinity]",
        b"\xef\xbb\xbf{}",
        b'"\\ud800"',
        b'"\\udc00x"',
        b'"\\ud800\\ud800\\udc00"',
        b'{"\\ud800": 1}',
        b'["\\ud800"]',
        b'{"a": {"b": "\\uDFFF"}}',
        b'"\xed\xa0\x80"',
        b'"\xff"',
        b'"\xc0\xaf"',
        b'"\x00"',
        b'"\n"',
        b'"\x1f"',
        b'{"a":1,"a":1}',
        b'{"a":1,"\\u0061":2}',
        b'{"x":[{"a":1,"b":2,"a":3}]}',
        b"01",
        b"1.",
        b".5",
        b"+1",
        b"0x1",
        b'"\\x41"',
        b'"\\u12g4"',
        b"\x0b{}",
        b"\xc2\xa0{}",
        b"// {}",
        b"tru",
        b"[" * 33 + b"]" * 33,
        b'{"a":' * 33 + b"1" + b"}" * 33,
        b"[" * 60_000,
        "\uff11\uff12".encode(),
        '{"a": 1}'.encode("utf-16"),
    ],
)
def test_refuses_what_readers_may_read_differently(text: bytes) -> None:
    """The reason is one short line that does not repeat the text."""
    with pytest.raises(strict_json.NotJsonError) as caught:
        strict_json.parse(text)

    message = str(caught.value)
    assert len(message) < 80
    assert "\n" not in message


@pytest.mark.parametrize(
    "text",
    [
        b'"' + b'\\"' * 32_000,
        b"[" * 40 + b'"' + b"\\" * 65_000,
        b"9" * 65_000,
        b"[" + b'"",' * 20_000,
        b'{"a":"' * 10_000,
    ],
)
def test_hostile_texts_cost_no_more_than_their_length(text: bytes) -> None:
    """64 KiB that were made to be slow are read in well under a second."""
    started = time.perf_counter()
    with contextlib.suppress(strict_json.NotJsonError):
        strict_json.parse(text)
    took = time.perf_counter() - started

    assert took < 0.5


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=4), inner)
    ),
    max_leaves=12,
)


@given(JSON_VALUES)
def test_agrees_with_orjson_on_what_orjson_writes(value: object) -> None:
    """What is written is read back, by both."""
    text = orjson.dumps(value)

    assert value == strict_json.parse(text)


FRAGMENTS = st.lists(
    st.sampled_from(
        [
            *(character.encode() for character in "{}[],:a10-.eE+\n\t"),
            *(b'"', b"\\"),
            *(b"true", b"null", b"nul", b'"a"', b'"b"', b'"a":', b'"b":', b"\\u0061", b"\\ud800"),
            *(b"\\udc00", b"1e400", b"NaN", b"\xef\xbb\xbf", b"\xff", b"\x00", b" ", b"\\n"),
            *("ü".encode(), b"18446744073709551616", b"0.1", b'""', b"{}", b"[]", b'{"a":1}'),
        ]
    ),
    max_size=12,
).map(b"".join)


@given(
    FRAGMENTS
    | st.binary(max_size=20)
    | st.tuples(JSON_VALUES, FRAGMENTS).map(lambda pair: orjson.dumps(pair[0]) + pair[1])
)
def test_never_disagrees_with_orjson(text: bytes) -> None:
    """Both refuse, or both read the same, but for what the strict reader alone refuses or reads."""
    try:
        theirs = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if "infinity" not in str(error):
            with pytest.raises(strict_json.NotJsonError):
                strict_json.parse(text)
        return
    if _has_twin_keys(text):
        with pytest.raises(strict_json.NotJsonError, match="a key appears twice"):
            strict_json.parse(text)
        return

    assert _as_orjson_reads(strict_json.parse(text)) == theirs


def _has_twin_keys(text: bytes) -> bool:
    found = False

    def note(pairs: list[tuple[str, object]]) -> dict[str, object]:
        nonlocal found
        found = found or len(dict(pairs)) != len(pairs)
        return dict(pairs)

    json.loads(text, object_pairs_hook=note)
    return found


def _as_orjson_reads(value: object) -> object:
    if isinstance(value, Decimal):
        exact = int(value) if value == value.to_integral_value() else None
        return exact if exact is not None and -(2**63) <= exact < 2**64 else float(value)
    if isinstance(value, list):
        return [_as_orjson_reads(part) for part in value]
    if isinstance(value, dict):
        return {key: _as_orjson_reads(part) for key, part in value.items()}
    return value
