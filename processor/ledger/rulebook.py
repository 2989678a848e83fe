"""What is known of the bank's rules, so that they are read again only when they have changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processor.core.rules import NO_RULES

if TYPE_CHECKING:
    import asyncpg


class Rulebook:
    """The rules as they were when a connection looked last."""

    def __init__(self) -> None:
        self.rules = NO_RULES
        self._connection: asyncpg.Connection | None = None

    def of(self, connection: asyncpg.Connection) -> Rulebook:
        """Know nothing on a new connection: behind it may be a server that was restored."""
        if self._connection is not connection:
            self._connection, self.rules = connection, NO_RULES
        return self
