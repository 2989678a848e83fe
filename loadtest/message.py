"""A record as it stands in a topic."""

from __future__ import annotations

from typing import NamedTuple

from loadtest.lanes import Position
from loadtest.record import Headers


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
