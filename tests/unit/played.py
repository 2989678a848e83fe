"""Generators that play, and ears that hear nothing, for tests of those who have them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from loadtest.load.generator import Hear, Order


class Played:
    """A generator that does what a test says, and takes note of what it is told."""

    def __init__(self, play: Callable[[Played, Hear], Awaitable[dict[str, Any]]]) -> None:
        self._play = play
        self.orders: list[Order] = []
        self.begun = asyncio.Event()
        self.stopped = asyncio.Event()
        self.hurried = asyncio.Event()
        self.ended = asyncio.Event()

    async def run(self, given: Order, hear: Hear) -> dict[str, Any]:
        """Play."""
        self.orders.append(given)
        self.begun.set()
        try:
            return await self._play(self, hear)
        finally:
            self.ended.set()

    def stop(self) -> None:
        """Take note."""
        self.stopped.set()

    def hurry(self) -> None:
        """Take note."""
        self.hurried.set()

    def pids(self) -> dict[str, int]:
        """Nothing runs."""
        return {}


class Deaf:
    """Nobody listens."""

    def sender(self, said: dict[str, Any]) -> None:
        """Forget it."""

    def reader(self, said: dict[str, Any]) -> None:
        """Forget it."""
