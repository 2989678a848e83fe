"""The side of the run: agents gather at an address, and each takes its share of the load."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec

from loadtest.agents import wire
from loadtest.agents.wire import Hello, Wire, harness
from loadtest.child import CHILD_LIMIT_S, LINE_BYTES_MAX
from loadtest.errors import LoadTestError
from loadtest.load.generator import Hear, Order

GATHER_LIMIT_S: Final = 600.0
"""So long all agents are waited for."""

GATHER_POLL_S: Final = 0.2
HELLO_LIMIT_S: Final = 10.0
ANSWER_LATER_S: Final = 60.0
"""How much later than its own limit an agent may answer."""


class Agent:
    """
    A generator on another machine, by its connection. `place` tells it from others at its address,
    which may be one machine.
    """

    def __init__(self, hello: Hello, line: Wire, place: int) -> None:
        self.name = hello.name
        self.machine = hello.machine
        self.processes: dict[str, Any] = {}
        """What its processes used, known when it has answered."""

        self.host = line.host
        self._wire = line
        self._place = place

    @property
    def is_lost(self) -> bool:
        """Whether it has gone."""
        return self._wire.is_lost

    async def run(self, order: Order, hear: Hear) -> dict[str, Any]:
        """Have it send and read its share, and give its figures."""
        self._wire.say(wire.ORDER, {**msgspec.to_builtins(order), "place": self._place})
        limit_s = CHILD_LIMIT_S + order.starts_in_s + order.seconds + ANSWER_LATER_S
        try:
            async with asyncio.timeout(limit_s):
                return await self._heard(hear)
        except TimeoutError:
            raise LoadTestError(f"agent {self.name} did not answer in {limit_s:.0f} s") from None
        except asyncio.CancelledError:
            await self.close()
            raise

    async def _heard(self, hear: Hear) -> dict[str, Any]:
        while (said := await self._wire.hear()) is not None:
            match said:
                case wire.SENDER, what:
                    hear.sender(what)
                case wire.READER, what:
                    hear.reader(what)
                case wire.FOUND, what:
                    self.processes = what.pop("processes")
                    return dict(what)
                case wire.FAILED, what:
                    raise LoadTestError(f"agent {self.name}: {what}")
                case word, _:
                    raise LoadTestError(f"agent {self.name} says {word!r}, which means nothing")
        raise LoadTestError(f"agent {self.name} was lost")

    def stop(self) -> None:
        """Have it send nothing more."""
        self._wire.say(wire.STOP)

    def hurry(self) -> None:
        """Have it wait no longer than needed for answers."""
        self._wire.say(wire.HURRY)

    def pids(self) -> dict[str, int]:
        """Its processes are not here."""
        return {}

    def over(self, verdict: str) -> None:
        """Tell it how the run has ended."""
        self._wire.say(wire.OVER, verdict)

    async def close(self) -> None:
        """Hang up, which ends what it does."""
        await self._wire.close()


class Lobby:
    """Where agents wait until all are there. `say` gets a line about each."""

    def __init__(self, count: int, say: Callable[[str], None]) -> None:
        self._count = count
        self._say = say
        self.agents: list[Agent] = []

    async def enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take in whoever connects, or say why not."""
        line = Wire(reader, writer)
        refusal, agent = await self._met(line)
        if agent is None:
            line.say(wire.REFUSED, refusal)
            await line.close()
            self._say(f"refused an agent: {refusal}")
            return
        self.agents.append(agent)
        self._say(f"agent {len(self.agents)} of {self._count} is here: {agent.name}")

    async def _met(self, line: Wire) -> tuple[str, Agent | None]:
        try:
            async with asyncio.timeout(HELLO_LIMIT_S):
                said = await line.hear()
            hello = msgspec.convert(said[1] if said else None, Hello)
        except (TimeoutError, msgspec.ValidationError):
            return "it does not speak as agents do", None
        if hello.harness != harness():
            return f"{hello.name} has another version of the load tests", None
        if len(self.agents) >= self._count:
            return f"{hello.name} is one too many", None
        if hello.name in {one.name for one in self.agents}:
            return f"there is an agent of the name {hello.name} already", None
        place = sum(one.host == line.host for one in self.agents)
        return "", Agent(hello, line, place)

    async def full(self) -> None:
        """Wait until all are there; those that go meanwhile are forgotten."""
        ends_at = time.monotonic() + GATHER_LIMIT_S
        while len(self.agents) < self._count:
            if time.monotonic() > ends_at:
                raise LoadTestError(
                    f"{len(self.agents)} of {self._count} agents came in {GATHER_LIMIT_S:.0f} s"
                )
            await asyncio.sleep(GATHER_POLL_S)
            for one in [agent for agent in self.agents if agent.is_lost]:
                self.agents.remove(one)
                await one.close()
                self._say(f"agent {one.name} has gone again")


@asynccontextmanager
async def gathered(
    host: str, port: int, count: int, say: Callable[[str], None]
) -> AsyncIterator[list[Agent]]:
    """
    Listen until so many agents have connected, and give them. Raises LoadTestError.

    In the end they are hung up on, which ends whatever they still do.
    """
    lobby = Lobby(count, say)
    try:
        server = await asyncio.start_server(lobby.enter, host, port, limit=LINE_BYTES_MAX)
    except (OSError, UnicodeError) as error:
        raise LoadTestError(f"agents can't be listened for at {host}:{port}: {error}") from error
    say(f"waiting for {count} agents: loadtest agent {host}:{port}")
    try:
        await lobby.full()
        server.close()
        yield lobby.agents
    finally:
        server.close()
        for agent in lobby.agents:
            await agent.close()
