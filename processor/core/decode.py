"""
The first step of the line: a record's bytes become a typed command, or the reason why they can't.

A plain valid command takes the fast path: orjson, the published schema, a count of quotes that
proves no key appears twice, and its reader. Whatever falls off it is read again, strictly, and
classified exactly. Both paths share the schema and the readers, and the fast one accepts nothing
that the strict one would refuse.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, final

import msgspec
import orjson
from jsonschema_rs import ValidationError
from jsonschema_rs import ValidationErrorKind as Kind

from processor.core import strict_json
from processor.core.commands import Command
from processor.core.document import Misfit
from processor.core.reading import READERS

if TYPE_CHECKING:
    from jsonschema_rs import Validator

    from processor.contracts import Contract

_TRANSACTION_ID: Final = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")
_CHANNEL: Final = re.compile(r"[a-z0-9-]{1,32}")
_NAME_CHARACTERS_MAX: Final = 40
"""As much of a name that a client chose is shown in a detail."""

POINTER_CHARACTERS_MAX: Final = 256
"""A longer pointer gives way to that of the object around it."""


class InvalidReason(StrEnum):
    """Why a record is no command."""

    EMPTY = "empty"
    NOT_JSON = "not_json"
    UNKNOWN_TYPE = "unknown_type"
    SCHEMA = "schema"
    TOO_LARGE = "too_large"
    UNPOSTABLE = "unpostable"
    """Given by the ledger, never by decode: PostgreSQL itself refused the data."""


@final
class Invalid(msgspec.Struct, frozen=True):
    """
    A record that is no command.

    `pointer` is RFC 6901, "" for the whole; `detail` is one short line. `transaction_id` (lower
    case) and `channel` are there where they could be read.
    """

    reason: InvalidReason
    pointer: str
    detail: str
    transaction_id: str | None = None
    channel: str | None = None


class Decoder:
    """
    Turns the values of records into commands, by the schemas of a contract.

    `types` are those that the records' topic takes; any other is unknown there. None takes all.
    """

    def __init__(
        self, contract: Contract, types: frozenset[str] | None = None, *, command_bytes_max: int
    ) -> None:
        assert contract.commands.keys() == READERS.keys(), "each command has a schema and a reader"
        self._bytes_max = command_bytes_max
        self._validators = contract.commands
        self._by_type = {
            kind: (validator.is_valid, READERS[kind])
            for kind, validator in contract.commands.items()
            if types is None or kind in types
        }

    def decode(self, value: bytes | None) -> Command | Invalid:
        """Read one record's value."""
        if value is None or len(value) > self._bytes_max or b"\\" in value:
            return self._decode_strictly(value)
        try:
            document = orjson.loads(value)
            is_valid, read = self._by_type[document["type"]]
        except (ValueError, TypeError, KeyError):
            return self._decode_strictly(value)
        if is_valid(document) and value.count(b'"') == _quotes(document):
            command = read(document)
            if type(command) is not Misfit:
                return command
        return self._decode_strictly(value)

    def _decode_strictly(self, value: bytes | None) -> Command | Invalid:
        if value is not None and len(value) > self._bytes_max:
            return Invalid(InvalidReason.TOO_LARGE, "", f"more than {self._bytes_max} bytes")
        if value is None or not value.strip():
            return Invalid(InvalidReason.EMPTY, "", "no value" if value is None else "no content")
        try:
            document = strict_json.parse(value)
        except strict_json.NotJsonError as error:
            return Invalid(InvalidReason.NOT_JSON, "", str(error))
        if not isinstance(document, dict):
            return Invalid(InvalidReason.SCHEMA, "", "not an object")
        return self._decode_object(document)

    def _decode_object(self, document: dict[str, Any]) -> Command | Invalid:
        kind = document.get("type")
        if isinstance(kind, str) and kind in self._by_type:
            fault = _schema_fault(self._validators[kind], document)
            result = fault or self._by_type[kind][1](document)
            if isinstance(result, Command):
                return result
            reason, fault = InvalidReason.SCHEMA, result
        elif isinstance(kind, str):
            reason = InvalidReason.UNKNOWN_TYPE
            fault = Misfit("/type", f"no command has the type {_shown(kind)}")
        else:
            missing = "type" not in document
            reason = InvalidReason.SCHEMA
            fault = Misfit("", "'type' is missing") if missing else Misfit("/type", "not a string")
        transaction_id = _matching(_TRANSACTION_ID, document.get("transaction_id"))
        channel = _matching(_CHANNEL, document.get("channel"))
        lower = None if transaction_id is None else transaction_id.lower()
        return Invalid(reason, fault.pointer, fault.detail, lower, channel)


def _quotes(document: dict[str, Any]) -> int:
    """
    Count the quotation marks of a command written without backslashes and without any key twice.

    All keys and values are strings, but the value of `metadata`, which is an object of strings, and
    that of `lines`, which is an array of such objects.
    """
    metadata, lines = document.get("metadata"), document.get("lines")
    quotes = 4 * len(document)
    if metadata is not None:
        quotes += 4 * len(metadata) - 2
    if lines is not None:
        quotes += sum(4 * len(line) for line in lines) - 2
    return quotes


def _schema_fault(validator: Validator, document: dict[str, Any]) -> Misfit | None:
    """
    Name the first fault of possibly many, in the order of the fields' names.

    Never all: each carries a copy of what it is about, so a record made of faults would take
    seconds.
    """
    try:
        validator.validate(dict(sorted(document.items())))
    except ValidationError as error:
        return Misfit(_pointer(error.instance_path), _detail(error))
    return None


def _pointer(path: list[str | int]) -> str:
    """Write a path as RFC 6901 does; of a key that is long or unprintable, name the object."""
    pointer = "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
    plain = len(pointer) <= POINTER_CHARACTERS_MAX and not _CONTROL.search(pointer)
    return pointer if plain else _pointer(path[:-1])


def _detail(error: ValidationError) -> str:
    """Say in one short line what is wrong, without the value."""
    match error.kind:
        case Kind.Required(property=name):
            detail = f"{_shown(name)} is missing"
        case Kind.AdditionalProperties(unexpected=names):
            detail = f"no field is named {_shown(names[0])}"
        case Kind.Type(types=types):
            detail = f"not of type {' or '.join(types)}"
        case Kind.Format(format=name):
            detail = f"not a real {name}"
        case Kind.MaxLength(limit=limit) | Kind.MaxProperties(limit=limit):
            detail = f"longer than {limit}"
        case Kind.PropertyNames():
            detail = "a key is empty or has control characters"
        case Kind.FalseSchema():
            detail = "not allowed here"
        case kind:
            detail = f"refused by the schema's {kind.name!r}"
    return detail


def _shown(name: str) -> str:
    """Quote a name that a client chose: ASCII, one line, short."""
    return ascii(name if len(name) <= _NAME_CHARACTERS_MAX else name[:_NAME_CHARACTERS_MAX] + "...")


def _matching(pattern: re.Pattern[str], value: object) -> str | None:
    return value if isinstance(value, str) and pattern.fullmatch(value) else None
