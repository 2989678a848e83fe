"""
JSON as RFC 8259 defines it, and stricter: what two readers may read differently is refused.

Refused beside broken JSON: duplicate keys, a byte-order mark, NaN and Infinity, lone surrogates,
and nesting deeper than `DEPTH_MAX`. Slower than orjson, so it reads only what the fast path can't
vouch for.
"""

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Final, Never

DEPTH_MAX: Final = 32
"""Arrays and objects that may lie inside each other, the outermost included."""

_INTEGER_CHARACTERS_MAX: Final = 19
"""Longer integers are read as decimals, which takes no time that grows with their square."""

_STRING_OR_BRACKET: Final = re.compile(r'"(?:[^"\\]+|\\.)*+"?|[\[\]{}]', re.DOTALL)
"""Never backtracks: a broken string runs to the end of the text, which is no JSON then anyway."""

_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class NotJsonError(ValueError):
    """The text is no JSON that every reader understands alike; the message is one short line."""


def parse(text: bytes) -> object:
    """
    Read a JSON text: strings, dicts, lists, bool, None, and int or Decimal for numbers.

    Raises NotJsonError.
    """
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError:
        raise NotJsonError("not UTF-8") from None
    if _is_deeper_than(DEPTH_MAX, decoded):
        raise NotJsonError(f"nested deeper than {DEPTH_MAX} levels")
    try:
        value: object = _DECODER.decode(decoded)
    except json.JSONDecodeError as error:
        raise NotJsonError(f"not JSON from character {error.pos} on") from None
    if "\\u" in decoded and _has_surrogate(value):
        raise NotJsonError("half of a surrogate pair")
    return value


def _is_deeper_than(levels: int, text: str) -> bool:
    if text.count("[") + text.count("{") <= levels:
        return False
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        token = match[0]
        if token in {"[", "{"}:
            depth += 1
            if depth > levels:
                return True
        elif token in {"]", "}"}:
            depth -= 1
    return False


def _has_surrogate(value: object) -> bool:
    if isinstance(value, str):
        return _SURROGATE.search(value) is not None
    if isinstance(value, dict):
        return any(_has_surrogate(part) for pair in value.items() for part in pair)
    return isinstance(value, list) and any(_has_surrogate(part) for part in value)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotJsonError("a key appears twice in one object")
    return members


def _integer(text: str) -> int | Decimal:
    if len(text) <= _INTEGER_CHARACTERS_MAX:
        return int(text)
    # Its ".0" makes it no integer to the validator, which fails on those beyond 4300 digits.
    return Decimal(text + ".0")


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal("-Infinity" if text.startswith("-") else "Infinity")


def _constant(_name: str) -> Never:
    raise NotJsonError("NaN and Infinity are no JSON")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_float=_decimal,
    parse_int=_integer,
    parse_constant=_constant,
)
