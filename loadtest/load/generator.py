"""A generator: a sender and a reader of a share of a load, each a process of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from loadtest.child import CHILD_LIMIT_S, Child, Progress
from loadtest.load.schedule import Stage
from loadtest.load.share import Share
from loadtest.traffic.shape import Traffic


class Order(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    All that a generator needs to know of its share of a load.

    The schedule begins `starts_in_s` after the order came. For `patience_s` longer than usual no
    outcome may come.
    """

    bootstrap_servers: str
    commands: str
    outcomes: str
    dead_letters: str
    partitions: int
    accounts: int
    seed: int
    traffic: Traffic
    stages: tuple[Stage, ...]
    share: Share
    starts_in_s: float
    patience_s: float

    @property
    def seconds(self) -> float:
        """What the schedule takes."""
        return sum(stage.seconds for stage in self.stages)


class Hear(Protocol):
    """Takes what a generator tells while it runs."""

    def sender(self, said: dict[str, Any]) -> None:
        """Take what the sender tells."""

    def reader(self, said: dict[str, Any]) -> None:
        """Take what the reader tells."""


class Generator(Protocol):
    """Sends a share of a load and reads the answers to it, here or elsewhere."""

    async def run(self, order: Order, hear: Hear) -> dict[str, Any]:
        """
        Send and read to the end, and give the figures of both. Raises LoadTestError; cancelled, it
        ends at once.
        """

    def stop(self) -> None:
        """Send nothing more; what was sent is waited for."""

    def hurry(self) -> None:
        """Wait no longer than needed for answers: no more are to be expected."""

    def pids(self) -> Mapping[str, int]:
        """Give the process ids of those that run on this machine, by name."""


class LocalGenerator:
    """
    A generator whose processes run on this machine. `name` tells it from others there, and `place`,
    from 0 on, gives it its core.
    """

    def __init__(
        self,
        name: str = "",
        place: int = 0,
        *,
        sender: str = "loadtest.load.sender",
        reader: str = "loadtest.load.receiver",
    ) -> None:
        self._modules = (sender, reader)
        self._place = place
        self._names = (f"sender{name}", f"reader{name}")
        self._children: tuple[Child, Child] | None = None
        self._tell_reader: Progress = _nobody
        self._is_stopped = False

    async def run(self, order: Order, hear: Hear) -> dict[str, Any]:
        """Send and read to the end, and give the figures of both."""
        to_send, to_read = _needs(order, self._place)
        limit_s = CHILD_LIMIT_S + order.starts_in_s + order.seconds
        reader = Child(self._modules[1], to_read, limit_s, hears=True)
        try:
            sender = Child(self._modules[0], to_send, limit_s)
            try:
                self._children = (sender, reader)
                return await self._both(sender, reader, hear)
            finally:
                self._children = None
                sender.abandon()
        finally:
            reader.abandon()

    async def _both(self, sender: Child, reader: Child, hear: Hear) -> dict[str, Any]:
        """Wait for both sides; what the sender tells is for the reader as well."""
        ear = self._tell_reader = await reader.ear()
        if self._is_stopped:
            sender.stop()

        def hand_on(said: dict[str, Any]) -> None:
            hear.sender(said)
            ear(said)

        sending = asyncio.create_task(sender.answer(hand_on))
        reading = asyncio.create_task(reader.answer(hear.reader))
        try:
            await asyncio.gather(sending, reading)
        except BaseException:
            for one in (sending, reading):
                one.cancel()
            await asyncio.gather(sending, reading, return_exceptions=True)
            raise
        return {**sending.result(), **reading.result()}

    def stop(self) -> None:
        """Send nothing more."""
        self._is_stopped = True
        if self._children is not None:
            self._children[0].stop()

    def hurry(self) -> None:
        """Wait no longer than needed for answers."""
        self._tell_reader({"hurry": True})

    def pids(self) -> dict[str, int]:
        """Give the process ids of both sides while they run."""
        both = self._children or ()
        return {name: child.pid for name, child in zip(self._names, both, strict=False)}


def _needs(order: Order, place: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Say what each side has to know. The schedule counts from now."""
    common = {
        "bootstrap_servers": order.bootstrap_servers,
        "topic": order.commands,
        "partitions": order.partitions,
        "starts_at": time.monotonic() + order.starts_in_s,
        "stages": msgspec.to_builtins(order.stages),
        "share": list(order.share),
        "place": place,
    }
    to_send = common | {
        "accounts": order.accounts,
        "seed": order.seed,
        "traffic": msgspec.to_builtins(order.traffic),
    }
    to_read = common | {
        "outcomes": order.outcomes,
        "dead_letters": order.dead_letters,
        "patience_s": order.patience_s,
    }
    return to_send, to_read


def _nobody(_: dict[str, Any]) -> None:
    """Stand for a reader that does not listen yet."""
