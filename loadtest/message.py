"""A record as it stands in a topic, and what an event says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from loadtest.lanes import Position
from loadtest.record import Headers

DECIDED = ("posted", "rejected")
"""Outcomes of first answers."""


class Message(NamedTuple):
    """A record that was read back; the `partition` of a command is its lane."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers

    @property
    def position(self) -> Position:
        """Where it stands."""
        return (self.partition, self.offset)


def is_first(value: Mapping[str, Any]) -> bool:
    """Say whether an outcome is the first and lasting answer to its id."""
    return value.get("outcome") in DECIDED and not value["repeat"]


def parsed(message: Message) -> dict[str, Any] | None:
    """Parse an event; None where it lacks what is needed to find its command and its place."""
    try:
        value: dict[str, Any] = orjson.loads(message.value or b"")
        source = value["source"]
        fits = (
            isinstance(source["topic"], str)
            and isinstance(source["partition"], int)
            and isinstance(source["offset"], int)
            and isinstance(value["event_id"], str)
            and isinstance(value.get("pointer", ""), str)
        )
        if is_first(value):
            fits &= isinstance(value["ledger_sequence"], int)
            fits &= isinstance(value["decided_at"], str)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return value if fits else None
