"""
A file of the bank's rules, tariffs or spending limits, against those of the ledger: what differs,
and the commands that mend it.

An id is made of the command and of what was said last about its rule. So a run that was broken off
can be run again: what was published already is a repeat.
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
from processor.core.rule_commands import LimitEnd, LimitSet, TariffEnd, TariffSet
from processor.errors import ProcessorError

if TYPE_CHECKING:
    from processor.core.decode import Decoder
    from processor.ledger.rules import Said

CHANNEL: Final = "internal"
NAMESPACE: Final = UUID("5b1d2f5e-6f0c-5a57-9c1e-2f6a3c1d7e90")

Fields = dict[str, Any]
"""The own fields of a command that sets a rule, canonical, what equals its default left out."""


class RuleKind(msgspec.Struct, frozen=True):
    """
    A kind of rules that files hold: how one is called, also as a field; the commands that set and
    end one; the fields that say what it is for, and all others. All commands have one `key`, so
    that they keep their order.
    """

    noun: str
    set_by: type[TariffSet | LimitSet]
    ended_by: type[TariffEnd | LimitEnd]
    scope: tuple[str, ...]
    others: tuple[str, ...]
    key: bytes

    def scope_of(self, fields: Mapping[str, Any]) -> tuple[Any, ...]:
        """Say what a rule is for; no two are for the same."""
        return tuple(fields.get(name) for name in self.scope)


TARIFFS: Final = RuleKind(
    "tariff",
    TariffSet,
    TariffEnd,
    ("command", "for_channel", "product", "currency", "payer"),
    ("tiers", "minimum", "maximum"),
    b"tariffs",
)
LIMITS: Final = RuleKind(
    "limit",
    LimitSet,
    LimitEnd,
    ("scope", "subject", "currency"),
    ("single_amount", "daily_amount", "daily_count"),
    b"limits",
)


def read(kind: RuleKind, path: Path, decoder: Decoder) -> dict[str, Fields]:
    """Read the rules of a file by name. Raises ProcessorError, which names file and rule."""
    try:
        found = tomllib.loads(path.read_text())
    except OSError as error:
        raise ProcessorError(f"{path}: {error.strerror}") from error
    except ValueError as error:  # of TOML and of UTF-8
        raise ProcessorError(f"{path}: not TOML: {error}") from error
    rules = {name: _fields(kind, path, name, table, decoder) for name, table in found.items()}
    scopes: dict[tuple[Any, ...], str] = {}
    for name, fields in rules.items():
        other = scopes.setdefault(kind.scope_of(fields), name)
        if other != name:
            raise ProcessorError(f"{path}: {kind.noun}s {other} and {name} are for the same")
    return rules


def _fields(kind: RuleKind, path: Path, name: str, table: object, decoder: Decoder) -> Fields:
    noun = kind.noun
    if not isinstance(table, dict):
        raise ProcessorError(f"{path}: {name} is no table; each {noun} is one: [{name}]")
    if unknown := sorted(table.keys() - {*kind.scope, *kind.others}):
        raise ProcessorError(f"{path}: {noun} {name}: {unknown[0]} is no field of a {noun}")
    try:
        value = orjson.dumps({**table, **_frame(kind, kind.set_by.TYPE, name, str(NAMESPACE))})
    except TypeError as error:  # a number that no JSON has
        raise ProcessorError(f"{path}: {noun} {name}: {error}") from error
    asked = decoder.decode(value)
    if isinstance(asked, Command):
        own = asked.own_content().items()
        return {field: value for field, value in own if value is not None}
    raise ProcessorError(f"{path}: {noun} {name}{asked.pointer}: {asked.detail}")


def _frame(kind: RuleKind, command: str, name: str, transaction_id: str) -> Fields:
    return {
        "transaction_id": transaction_id,
        "type": command,
        kind.noun: name,
        "requested_at": "1970-01-01T00:00:00Z",
        "channel": CHANNEL,
    }


class Change(msgspec.Struct, frozen=True):
    """A rule that differs: `before` and `after` are its fields, None where it is not there."""

    kind: RuleKind
    name: str
    before: Fields | None
    after: Fields | None

    def lines(self) -> list[str]:
        """Say what differs."""
        if self.before is None or self.after is None:
            sign, fields = ("+", self.after) if self.before is None else ("-", self.before)
            shown = {
                name: value for name, value in (fields or {}).items() if name != self.kind.noun
            }
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


def changes(kind: RuleKind, wanted: Mapping[str, Fields], known: Sequence[Said]) -> list[Change]:
    """Say by name what differs between a file and the ledger."""
    there = {one.name: one.fields for one in known if one.fields is not None}
    return [
        Change(kind, name, there.get(name), wanted.get(name))
        for name in sorted(wanted.keys() | there.keys())
        if there.get(name) != wanted.get(name)
    ]


def commands(found: Sequence[Change], known: Sequence[Said]) -> list[bytes]:
    """
    Write the commands that make the ledger's rules those of the file, in their order.

    First what is to be no more is ended, and what is to be for something else, so that no two are
    for the same on the way.
    """
    said_at = {one.name: one.ledger_sequence for one in known}
    written: list[bytes] = []
    for change in found:
        if change.before is None:
            continue
        scope_of = change.kind.scope_of
        if change.after is None or scope_of(change.after) != scope_of(change.before):
            written.append(_command(change, change.kind.ended_by.TYPE, {}, said_at))
    return written + [
        _command(change, change.kind.set_by.TYPE, change.after, said_at)
        for change in found
        if change.after is not None
    ]


def _command(change: Change, command: str, fields: Fields, said_at: Mapping[str, int]) -> bytes:
    name = change.name
    own = orjson.dumps([command, name, said_at.get(name, 0), fields], option=orjson.OPT_SORT_KEYS)
    transaction_id = str(uuid5(NAMESPACE, own.decode()))
    return orjson.dumps({**fields, **_frame(change.kind, command, name, transaction_id)})
