"""A record as it stands in a topic, and what an event says."""

from __future__ import annotations

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


def parsed(message: Message) -> dict[str, Any] | None:
    """Parse an event; None where it lacks what is needed to find its command and its place."""
    try:
        value = orjson.loads(message.value or b"")
        kinds: list[tuple[object, type]] = [
            (value["source"]["topic"], str),
            (value["source"]["partition"], int),
            (value["source"]["offset"], int),
            (value["event_id"], str),
            (value.get("pointer", ""), str),
        ]
        if value.get("outcome") in DECIDED and not value["repeat"]:
            kinds += [(value["ledger_sequence"], int), (value["decided_at"], str)]
    except (ValueError, KeyError, TypeError):
        return None
    return value if all(isinstance(one, kind) for one, kind in kinds) else None
