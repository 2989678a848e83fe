"""A record as it stands in a topic."""

from __future__ import annotations

from typing import NamedTuple

from loadtest.record import Headers

Position = tuple[int, int]
"""Partition and offset of a record in its topic."""


class Message(NamedTuple):
    """A record that was read back."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers

    @property
    def position(self) -> Position:
        """Where it stands."""
        return (self.partition, self.offset)
