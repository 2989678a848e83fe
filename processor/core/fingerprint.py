"""
What tells a repeat of a command from a conflict under the same id: a hash of its typed content.

The hashed text is JSON without white space in UTF-8, keys sorted by code point. A change of that
text is a new version.
"""

import hashlib
from typing import Final

import msgspec
import orjson

FINGERPRINT_VERSION: Final = 1
"""Stored beside each fingerprint; those of different versions can't be compared."""


def fingerprint(content: dict[str, object]) -> bytes:
    """Hash typed content (see `commands.content`) to 32 bytes."""
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).digest()


class Difference(msgspec.Struct, frozen=True):
    """A top-level field that differs: its value at `first` and `now`, None where absent."""

    field: str
    first: object
    now: object


def differences(first: dict[str, object], now: dict[str, object]) -> tuple[Difference, ...]:
    """Name every top-level field whose value differs, in the order of the names."""
    return tuple(
        Difference(field, first.get(field), now.get(field))
        for field in sorted(first.keys() | now.keys())
        if first.get(field) != now.get(field)
    )
