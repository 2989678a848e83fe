"""The two paths of decode against each other, on records near valid commands."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from processor.contracts import load_contract
from processor.core.decode import Decoder

CONTRACT = load_contract()
DECODER = Decoder(CONTRACT, command_bytes_max=65_536)
VALID = [schema["examples"][0] for schema in CONTRACT.command_schemas.values()]

FIELDS = sorted({"x", *(name for schema in VALID for name in schema)})
NO_TEXTS: list[object] = [None, True, 0, 1.5, 10**30, [], ["a"], {}]
TEXTS: list[object] = ["", "x", "\x00", "0", "1.5", "1e5", "EUR", "JPY", "\u00fc", '"', "\\"]
TYPED: list[object] = ["2026-02-30T00:00:00Z", "2026-02-28T00:00:00Z", "cash-EUR", "reversal"]
OBJECTS: list[object] = [{"a": "b"}, {"a": 1}, {"": ""}, {"a": "\x00"}, {"a": {"b": "c"}}]
ODD_VALUES = st.sampled_from([*NO_TEXTS, *TEXTS, *TYPED, *OBJECTS])


@st.composite
def records(draw: st.DrawFn) -> bytes:
    """Draw a valid command with fields changed, added or doubled, and bytes cut or swapped."""
    changes = st.lists(st.tuples(st.sampled_from(FIELDS), ODD_VALUES), max_size=3)
    pairs = [*draw(st.sampled_from(VALID)).items(), *draw(changes)]
    if draw(st.booleans()):
        pairs = list(dict(pairs).items())
    ensure_ascii = draw(st.booleans())
    members = ",".join(
        f"{json.dumps(name)}:{json.dumps(value, ensure_ascii=ensure_ascii)}"
        for name, value in pairs
    )
    text = f"{{{members}}}".encode()
    if draw(st.integers(0, 4)) == 0:
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.binary(max_size=2)) + text[at + draw(st.integers(0, 2)) :]
    return text


@given(records())
@settings(max_examples=500)
def test_the_fast_path_changes_no_result(value: bytes) -> None:
    """Whatever the fast path accepts, the strict path reads as the very same command."""
    assert DECODER._decode_strictly(value) == DECODER.decode(value)
