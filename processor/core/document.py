"""
What all readers of commands share: the fields of every command, amounts within their bounds, and
how a document that its schema accepts can still be refused.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar, final

import msgspec

from processor.core.commands import Command, content
from processor.core.currencies import DIGITS
from processor.core.fingerprint import fingerprint
from processor.core.money import AMOUNT_MINOR_MAX
from processor.core.timestamps import to_epoch_us

METADATA_BYTES_MAX: Final = 4096
"""Bound of all keys and values of a command's metadata together, in UTF-8 bytes."""

_C = TypeVar("_C", bound=Command)

Document = dict[str, Any]
"""A JSON object that the schema of its type accepts."""


Common = tuple[str, str, str, int | None, str | None, dict[str, str] | None]
"""transaction_id, channel, requested_at, valid_until_us, reference, metadata."""


@final
class Misfit(msgspec.Struct, frozen=True):
    """What is wrong (`detail`) and where (`pointer`) with a document that its schema accepts."""

    pointer: str
    detail: str


def amount_of(text: str, currency: str, pointer: str, least_minor: int = 1) -> int | Misfit:
    """Read an amount of a currency, within the bounds that the schema can't state."""
    digits = DIGITS[currency]
    whole, _, fraction = text.partition(".")
    if len(fraction) > digits:
        return Misfit(pointer, f"more than the {digits} decimals of {currency}")
    amount_minor = int(whole + fraction.ljust(digits, "0"))
    if not least_minor <= amount_minor <= AMOUNT_MINOR_MAX:
        return Misfit(pointer, f"not from {least_minor} to {AMOUNT_MINOR_MAX} minor units")
    return amount_minor


def read(kind: type[_C], document: Document, own: tuple[object, ...]) -> _C | Misfit:
    """Read what every command has, add what only this kind has, and sign it."""
    common = read_common(document)
    if type(common) is Misfit:
        return common
    unsigned = kind(common[0], b"", *common[1:], *own)
    return msgspec.structs.replace(unsigned, fingerprint=fingerprint(content(unsigned)))


def read_common(document: Document) -> Common | Misfit:
    """Read what every command has, in the order of `Command` without the fingerprint."""
    valid_until = document.get("valid_until")
    metadata = document.get("metadata") or None
    if metadata is not None and _utf8_bytes(metadata) > METADATA_BYTES_MAX:
        return Misfit("/metadata", f"more than {METADATA_BYTES_MAX} bytes of keys and values")
    return (
        document["transaction_id"].lower(),
        document["channel"],
        document["requested_at"],
        None if valid_until is None else to_epoch_us(valid_until),
        document.get("reference"),
        metadata,
    )


def _utf8_bytes(metadata: dict[str, str]) -> int:
    return sum(len(key.encode()) + len(value.encode()) for key, value in metadata.items())
