"""The proxy of load runs, between real clients and a real server that echoes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Self

import psutil
import pytest

from deploy.local.ports import LOOPBACK, free_port
from loadtest.errors import LoadTestError
from loadtest.faults.gate import HELD_CHUNKS_MAX, Gate
from loadtest.faults.proxy import Do, Proxy, Way

LIMIT_S = 5.0
SHORTLY_S = 0.2
DELAY_S = 0.3
"""Both are longer than an echo takes, by far."""


class Client:
    """A connection that is closed in the end."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def __aenter__(self) -> Self:
        self.reader, self.writer = await asyncio.open_connection(LOOPBACK, self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()

    async def echo(self, data: bytes = b"payment", limit_s: float = LIMIT_S) -> float:
        """Send something and get it back; give the seconds that it took."""
        began = time.monotonic()
        self.writer.write(data)
        async with asyncio.timeout(limit_s):
            assert await self.reader.readexactly(len(data)) == data
        return time.monotonic() - began


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@pytest.fixture
async def server_port() -> AsyncIterator[int]:
    """Return the port of a server that sends everything back."""
    server = await asyncio.start_server(_echo, LOOPBACK, 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


@asynccontextmanager
async def gate_to(server_port: int) -> AsyncIterator[tuple[Gate, int]]:
    """Give an open gate and its port."""
    port = free_port()
    gate = Gate(port, server_port)
    await gate.open()
    yield gate, port
    await gate.cut()


async def test_everything_passes_in_order_until_either_side_ends(server_port: int) -> None:
    """More than is ever held back at once, and then the end."""
    async with gate_to(server_port) as (_, port), Client(port) as client:
        data = bytes(range(256)) * 256 * (HELD_CHUNKS_MAX + 10)
        await client.echo(data)
        client.writer.write_eof()
        assert await client.reader.read() == b""


async def test_an_answer_comes_later_by_the_delay_until_that_is_over(server_port: int) -> None:
    """Answers that are under way together wait together: it is not a queue that grows."""
    async with gate_to(server_port) as (gate, port), Client(port) as client:
        assert await client.echo() < DELAY_S
        gate.delay(DELAY_S)
        assert await client.echo() >= DELAY_S
        began = time.monotonic()
        for _ in range(20):
            client.writer.write(b"payment")
            await client.writer.drain()
            await asyncio.sleep(0.005)
        await client.reader.readexactly(20 * len(b"payment"))
        assert DELAY_S <= time.monotonic() - began < 10 * DELAY_S
        await gate.open()
        assert await client.echo() < DELAY_S


async def test_a_cut_connection_is_refused_until_it_is_mended(server_port: int) -> None:
    """Those that are open get a reset, not an end."""
    async with gate_to(server_port) as (gate, port), Client(port) as client:
        await client.echo()
        await gate.cut()
        with pytest.raises(ConnectionResetError):
            await client.reader.read()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(LOOPBACK, port)
        await gate.open()
        async with Client(port) as another:
            await another.echo()


async def test_a_black_hole_swallows_until_it_is_mended(server_port: int) -> None:
    """Connections stay, new ones are taken, nothing comes; then everything does."""
    async with gate_to(server_port) as (gate, port), Client(port) as old:
        await old.echo()
        gate.hold()
        async with Client(port) as new:
            for client in (old, new):
                with pytest.raises(TimeoutError):
                    await client.echo(limit_s=SHORTLY_S)
            await gate.open()
            for client in (old, new):
                async with asyncio.timeout(LIMIT_S):
                    assert await client.reader.readexactly(7) == b"payment"
                await client.echo()


async def test_a_server_that_is_not_there_is_a_reset(server_port: int) -> None:
    """And the gate serves again when the server does."""
    away = free_port()
    async with gate_to(away) as (_, port), Client(port) as client:
        with pytest.raises(ConnectionResetError):
            await client.reader.read()
    async with gate_to(server_port) as (_, port), Client(port) as client:
        await client.echo()


async def test_the_program_does_as_it_is_told_and_ends(server_port: int) -> None:
    """Each order holds once it is answered; afterwards nothing is left."""
    port = free_port()
    proxy = Proxy({"kafka": Way(port, server_port)})
    try:
        async with Client(port) as client:
            await client.echo()
            await proxy.tell("kafka", Do.DELAY, DELAY_S)
            assert await client.echo() >= DELAY_S
            await proxy.tell("kafka", Do.HOLD)
            with pytest.raises(TimeoutError):
                await client.echo(limit_s=SHORTLY_S)
            await proxy.tell("kafka", Do.CUT)
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(LOOPBACK, port)
            await proxy.tell("kafka", Do.OPEN)
        async with Client(port) as client:
            assert await client.echo() < DELAY_S
    finally:
        proxy.end()
    proxy.end()
    assert not psutil.pid_exists(proxy.pid)


async def test_a_program_that_can_not_serve_is_told() -> None:
    """One line, and nothing is left running."""
    server = await asyncio.start_server(_echo, LOOPBACK, 0)
    taken = server.sockets[0].getsockname()[1]
    with pytest.raises(LoadTestError, match=r"the proxy failed: .*address already in use"):
        Proxy({"kafka": Way(taken, 1)})
    server.close()
