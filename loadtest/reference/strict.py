"""JSON as the contract wants it, parsed by Python's own parser."""

from __future__ import annotations

import json

DEPTH_MAX = 32


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


NUMBER = object()
"""Any JSON number: no command has a place for one, however large it is."""

DECODE = json.JSONDecoder(
    object_pairs_hook=_once,
    parse_constant=_constant,
    parse_int=lambda _: NUMBER,
    parse_float=lambda _: NUMBER,
).decode


def parse(value: bytes) -> object:
    """Parse strictly, or raise ValueError."""
    text = value.decode()
    try:
        found: object = DECODE(text)
        is_deep = text.count("{") + text.count("[") > DEPTH_MAX and _depth(found) > DEPTH_MAX
    except RecursionError:  # from one or the other: later Pythons parse deeper than they call
        raise ValueError("too deep") from None
    if is_deep:
        raise ValueError("too deep")
    if "\\u" in text:
        json.dumps(found, ensure_ascii=False, default=str).encode()  # refuses lone surrogates
    return found


def _depth(found: object) -> int:
    if not isinstance(found, dict | list):
        return 0
    inner = found.values() if isinstance(found, dict) else found
    return 1 + max(map(_depth, inner), default=0)
