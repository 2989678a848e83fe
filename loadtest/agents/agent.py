"""The side of an agent: it connects to a run, sends a share of the load, and tells what came."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from loadtest.agents import wire
from loadtest.agents.wire import Hello, Wire, harness
from loadtest.child import LINE_BYTES_MAX
from loadtest.errors import LoadTestError
from loadtest.load.generator import LocalGenerator, Order
from loadtest.measure.machine import machine
from loadtest.measure.samples import Samples

CONNECT_POLL_S: Final = 0.5
CONNECT_LIMIT_S: Final = 10.0
SAMPLE_EVERY_S: Final = 1.0
NOT_FOR_THE_RUN: Final = frozenset({"homes", "runs"})
"""What a sender tells its own reader alone: where each command stands."""


async def serve(
    host: str, port: int, *, name: str, wait_s: float, say: Callable[[str], None]
) -> None:
    """
    Take part in one run: send a share of its load, until the run is over.

    Raises LoadTestError where nobody listens for so long, or the run refuses or is lost.
    """
    line = await _connected(host, port, wait_s)
    try:
        told = name or f"{socket.gethostname()}:{os.getpid()}"
        hello = Hello(name=told, harness=harness(), machine=machine())
        line.say(wire.HELLO, msgspec.to_builtins(hello))
        say(f"connected to {host}:{port} as {told}; waiting for the others")
        order, place = await _ordered(line)
        say(f"share {order.share.number + 1} of {order.share.of}, {order.seconds:,.0f} s")
        await _work(line, order, place)
        say(f"the run is over: {await _over(line)}")
    finally:
        await line.close()


async def _connected(host: str, port: int, wait_s: float) -> Wire:
    ends_at = time.monotonic() + wait_s
    while True:
        try:
            async with asyncio.timeout(CONNECT_LIMIT_S):
                return Wire(*await asyncio.open_connection(host, port, limit=LINE_BYTES_MAX))
        except (OSError, UnicodeError) as error:
            if time.monotonic() > ends_at or isinstance(error, UnicodeError):
                why = str(error) or f"no answer in {CONNECT_LIMIT_S:.0f} s"
                raise LoadTestError(f"no run listens at {host}:{port}: {why}") from error
        await asyncio.sleep(CONNECT_POLL_S)


async def _over(line: Wire) -> str:
    """Wait for the end of the run; what it says to all meanwhile has been done here."""
    while (said := await line.hear()) is not None:
        match said:
            case wire.OVER, verdict:
                return str(verdict)
            case _:
                pass
    raise LoadTestError("the run was lost before it was over")


async def _ordered(line: Wire) -> tuple[Order, int]:
    """Wait for the order, and for the place on this machine."""
    match await line.hear():
        case wire.ORDER, what:
            place = what.pop("place")
            return msgspec.convert(what, Order), place
        case wire.REFUSED, why:
            raise LoadTestError(f"the run refuses: {why}")
        case _:
            raise LoadTestError("the run was lost before it began")


class _Mouth:
    """Hands on to the run what the two sides tell."""

    def __init__(self, line: Wire) -> None:
        self._wire = line

    def sender(self, said: dict[str, Any]) -> None:
        kept = {name: one for name, one in said.items() if name not in NOT_FOR_THE_RUN}
        self._wire.say(wire.SENDER, kept)

    def reader(self, said: dict[str, Any]) -> None:
        self._wire.say(wire.READER, said)


async def _work(line: Wire, order: Order, place: int) -> None:
    """Send and read a share, as the run says, and tell it what was found."""
    generator, samples = LocalGenerator(place=place), Samples()
    working = asyncio.create_task(generator.run(order, _Mouth(line)))
    heeding = asyncio.create_task(_heed(line, generator))
    looking = asyncio.create_task(_look(generator, samples, order.starts_in_s))
    try:
        await asyncio.wait({working, heeding}, return_when=asyncio.FIRST_COMPLETED)
        found = await working if working.done() else _lost()
        line.say(wire.FOUND, found | {"processes": samples.shown()})
    except Exception as error:
        line.say(wire.FAILED, str(error) or repr(error))
        raise
    finally:
        for task in (working, heeding, looking):
            task.cancel()
        await asyncio.gather(working, heeding, looking, return_exceptions=True)


def _lost() -> dict[str, Any]:
    raise LoadTestError("the run was lost, or has given up")


async def _heed(line: Wire, generator: LocalGenerator) -> None:
    """Do as the run says while the load runs; ends when it says no more."""
    while (said := await line.hear()) is not None:
        match said:
            case wire.STOP, _:
                generator.stop()
            case wire.HURRY, _:
                generator.hurry()
            case _:
                pass  # of a run that knows more words


async def _look(generator: LocalGenerator, samples: Samples, starts_in_s: float) -> None:
    """Look at what both sides use, second by second."""
    starts_at = time.monotonic() + starts_in_s
    while True:
        samples.take(time.monotonic() - starts_at, generator.pids())
        await asyncio.sleep(SAMPLE_EVERY_S)
