"""
A file of tariffs against what the ledger charges: what differs, and the commands that mend it.

An id is made of the command and of what was said last about its tariff. So a run that was broken
off can be run again: what was published already is a repeat.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid5

import msgspec
import orjson

from processor.core.commands import Command
from processor.core.rule_commands import TariffEnd, TariffSet
from processor.errors import ProcessorError

if TYPE_CHECKING:
    from processor.core.decode import Decoder
    from processor.ledger.tariffs import Said

CHANNEL: Final = "internal"
KEY: Final = b"tariffs"
"""One key for all, so that they keep their order."""

NAMESPACE: Final = UUID("5b1d2f5e-6f0c-5a57-9c1e-2f6a3c1d7e90")
SCOPE: Final = ("command", "for_channel", "product", "currency", "payer")
FIELDS: Final = frozenset({*SCOPE, "tiers", "minimum", "maximum"})

Fields = dict[str, Any]
"""The own fields of a `tariff.set` in canonical form, what equals its default left out."""


def read(path: Path, decoder: Decoder) -> dict[str, Fields]:
    """Read the tariffs of a file by name. Raises ProcessorError, which names file and tariff."""
    try:
        found = tomllib.loads(path.read_text())
    except OSError as error:
        raise ProcessorError(f"{path}: {error.strerror}") from error
    except ValueError as error:  # of TOML and of UTF-8
        raise ProcessorError(f"{path}: not TOML: {error}") from error
    tariffs = {name: _fields(path, name, table, decoder) for name, table in found.items()}
    scopes: dict[tuple[Any, ...], str] = {}
    for name, fields in tariffs.items():
        other = scopes.setdefault(_scope(fields), name)
        if other != name:
            raise ProcessorError(f"{path}: tariffs {other} and {name} are for the same")
    return tariffs


def _fields(path: Path, name: str, table: object, decoder: Decoder) -> Fields:
    if not isinstance(table, dict):
        raise ProcessorError(f"{path}: {name} is no table; each tariff is one: [{name}]")
    if unknown := sorted(table.keys() - FIELDS):
        raise ProcessorError(f"{path}: tariff {name}: {unknown[0]} is no field of a tariff")
    try:
        value = orjson.dumps({**table, **_frame(TariffSet.TYPE, name, str(NAMESPACE))})
    except TypeError as error:  # a number that no JSON has
        raise ProcessorError(f"{path}: tariff {name}: {error}") from error
    asked = decoder.decode(value)
    if isinstance(asked, TariffSet):
        return _own(asked)
    assert not isinstance(asked, Command), "its type was written above"
    raise ProcessorError(f"{path}: tariff {name}{asked.pointer}: {asked.detail}")


def _own(command: TariffSet) -> Fields:
    return {name: value for name, value in command.own_content().items() if value is not None}


def _frame(kind: str, name: str, transaction_id: str) -> Fields:
    return {
        "transaction_id": transaction_id,
        "type": kind,
        "tariff": name,
        "requested_at": "1970-01-01T00:00:00Z",
        "channel": CHANNEL,
    }


def _scope(fields: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(fields.get(name) for name in SCOPE)


class Change(msgspec.Struct, frozen=True):
    """A tariff that differs: `before` and `after` are its fields, None where it is not there."""

    name: str
    before: Fields | None
    after: Fields | None

    def lines(self) -> list[str]:
        """Say what differs."""
        if self.before is None or self.after is None:
            sign, fields = ("+", self.after) if self.before is None else ("-", self.before)
            shown = {name: value for name, value in (fields or {}).items() if name != "tariff"}
            return [f"{sign} {self.name}: {orjson.dumps(shown).decode()}"]
        names = sorted(self.before.keys() | self.after.keys())
        return [
            f"~ {self.name}: {name}: {_text(self.before.get(name))} becomes "
            f"{_text(self.after.get(name))}"
            for name in names
            if self.before.get(name) != self.after.get(name)
        ]


def _text(value: object) -> str:
    return "none" if value is None else orjson.dumps(value).decode()


def changes(wanted: Mapping[str, Fields], known: Sequence[Said]) -> list[Change]:
    """Say by name what differs between a file and the ledger."""
    charged = {one.name: one.fields for one in known if one.fields is not None}
    return [
        Change(name, charged.get(name), wanted.get(name))
        for name in sorted(wanted.keys() | charged.keys())
        if charged.get(name) != wanted.get(name)
    ]


def commands(found: Sequence[Change], known: Sequence[Said]) -> list[bytes]:
    """
    Write the commands that make the ledger charge what the file says, in their order.

    First what is charged no more is ended, and what is to be for something else, so that no two are
    for the same on the way.
    """
    said_at = {one.name: one.ledger_sequence for one in known}
    written: list[bytes] = []
    for change in found:
        moves = change.after is None or _scope(change.after) != _scope(change.before or {})
        if change.before is not None and moves:
            written.append(_command(TariffEnd.TYPE, change.name, {}, said_at))
    return written + [
        _command(TariffSet.TYPE, change.name, change.after, said_at)
        for change in found
        if change.after is not None
    ]


def _command(kind: str, name: str, fields: Fields, said_at: Mapping[str, int]) -> bytes:
    own = orjson.dumps([kind, name, said_at.get(name, 0), fields], option=orjson.OPT_SORT_KEYS)
    return orjson.dumps({**fields, **_frame(kind, name, str(uuid5(NAMESPACE, own.decode())))})
