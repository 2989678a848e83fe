"""
The gates of a run, in a program of its own: what else the run does must not slow the network down.

It reads orders from standard input, a JSON object a line, and writes a line for each that is done.
"""

from __future__ import annotations

import asyncio
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from enum import StrEnum

import msgspec

from deploy.local.daemon import launcher
from loadtest.child import tell
from loadtest.errors import LoadTestError
from loadtest.faults.gate import Gate

ORDER_LIMIT_S = 20.0
END_LIMIT_S = 10.0


class Do(StrEnum):
    """What a gate can be told."""

    OPEN = "open"
    DELAY = "delay"
    HOLD = "hold"
    CUT = "cut"


class Way(msgspec.Struct, frozen=True):
    """A port to listen on, and the server's."""

    port: int
    server_port: int


class Order(msgspec.Struct, frozen=True):
    """What a gate has to do from now on."""

    gate: str
    do: Do
    seconds: float = 0.0


class Proxy:
    """The program that passes on between clients and servers; gates are known by name."""

    def __init__(self, ways: Mapping[str, Way]) -> None:
        """Start it, and wait until it listens. Raises LoadTestError."""
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `end`
        self._process = subprocess.Popen(
            [*launcher(None, signal.SIGKILL), sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            start_new_session=True,
        )
        self._order = asyncio.Lock()
        self.ports = {gate: way.port for gate, way in ways.items()}
        try:
            self._say(msgspec.json.encode(ways))
        except BaseException:
            self.end()
            raise

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    async def tell(self, gate: str, do: Do, seconds: float = 0.0) -> None:
        """Have a gate do something, and wait until it does. Raises LoadTestError."""
        order = msgspec.json.encode(Order(gate, do, seconds))
        async with self._order:
            await asyncio.to_thread(self._say, order)

    def end(self) -> None:
        """End it, and with it all connections through it; a second time does nothing."""
        if self._complaints.closed:
            return
        self._process.kill()
        self._process.wait(END_LIMIT_S)
        for pipe in (self._process.stdin, self._process.stdout, self._complaints):
            assert pipe is not None, "asked for at the start"
            pipe.close()

    def _say(self, line: bytes) -> None:
        """Write a line and wait for the answer."""
        into, out = self._process.stdin, self._process.stdout
        assert into is not None, "asked for at the start"
        assert out is not None, "the same"
        try:
            into.write(line + b"\n")
            into.flush()
            answers, _, _ = select.select([out], [], [], ORDER_LIMIT_S)
            done = bool(answers) and out.readline() != b""
        except BrokenPipeError:
            done = False
        if not done:
            self._complaints.seek(0)
            said = self._complaints.read().decode(errors="replace").strip() or "it does not answer"
            raise LoadTestError(f"the proxy failed: {said.splitlines()[-1]}")


async def main() -> None:
    """Serve until standard input ends."""
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(orders), sys.stdin
    )
    ways = msgspec.json.decode(await orders.readline(), type=dict[str, Way])
    gates = {name: Gate(way.port, way.server_port) for name, way in ways.items()}
    for gate in gates.values():
        await gate.open()
    tell({})
    while line := await orders.readline():
        order = msgspec.json.decode(line, type=Order)
        await _obey(gates[order.gate], order)
        tell({})


async def _obey(gate: Gate, order: Order) -> None:
    match order.do:
        case Do.OPEN:
            await gate.open()
        case Do.DELAY:
            gate.delay(order.seconds)
        case Do.HOLD:
            gate.hold()
        case Do.CUT:
            await gate.cut()


if __name__ == "__main__":
    asyncio.run(main())
