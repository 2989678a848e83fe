"""A TCP proxy to one server, that can answer late, cut everybody off, or swallow what it gets."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress

from deploy.local.ports import LOOPBACK

CHUNK_BYTES = 65_536
HELD_CHUNKS_MAX = 64
"""So much of one direction of a connection is held back; then its sender has to wait."""

CONNECT_LIMIT_S = 10.0
CONNECTIONS_MAX = 200
"""Those beyond wait to be accepted, as with a busy server."""

_RESET_AT_ONCE = struct.pack("ii", 1, 0)

Held = tuple[float, bytes]
"""When a chunk is due, and the chunk; an empty one is the end."""


class Gate:
    """
    Passes everything between its port and a server on, until it is told otherwise.

    `delay` makes round trips longer: each answer is handed on so much later. `cut` resets all
    connections and refuses new ones. `hold` is a black hole: connections are taken and stay, and
    nothing passes, not even an end; what was under way arrives when the gate is open again, as it
    would after a network was mended.
    """

    def __init__(self, port: int, server_port: int) -> None:
        self._port = port
        self._server_port = server_port
        self._delay_s = 0.0
        self._passing = asyncio.Event()
        self._room = asyncio.Semaphore(CONNECTIONS_MAX)
        self._listener: asyncio.Server | None = None
        self._served: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}

    async def open(self) -> None:
        """Pass everything on, at once; begin to listen where it does not yet."""
        self._delay_s = 0.0
        self._passing.set()
        if self._listener is None:
            self._listener = await asyncio.start_server(self._accepted, LOOPBACK, self._port)

    def delay(self, seconds: float) -> None:
        """Hand each answer on so much later."""
        self._delay_s = seconds

    def hold(self) -> None:
        """Hand nothing on."""
        self._passing.clear()

    async def cut(self) -> None:
        """Reset all connections, and refuse new ones."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        served = list(self._served)
        for task in served:
            for end in self._served[task]:
                _reset(end)
            task.cancel()
        await asyncio.gather(*served, return_exceptions=True)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = [writer]
        task = asyncio.create_task(self._serve(reader, writer, ends))
        self._served[task] = ends
        task.add_done_callback(self._served.pop)

    async def _serve(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        ends: list[asyncio.StreamWriter],
    ) -> None:
        """Serve a connection to its end; `ends` are its sides, as far as there are some."""
        try:
            async with self._room:
                await self._passing.wait()
                async with asyncio.timeout(CONNECT_LIMIT_S):
                    server = await asyncio.open_connection(LOOPBACK, self._server_port)
                ends.append(server[1])
                await self._pass_both(reader, writer, *server)
        except OSError:  # one side is gone, or the server is not there: TimeoutError is one too
            for end in ends:
                _reset(end)
        finally:
            for end in ends:
                end.close()

    async def _pass_both(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        server_reader: asyncio.StreamReader,
        server_writer: asyncio.StreamWriter,
    ) -> None:
        """Hand on until either side has ended."""
        ways = [
            asyncio.create_task(self._pass(reader, server_writer, is_answer=False)),
            asyncio.create_task(self._pass(server_reader, writer, is_answer=True)),
        ]
        try:
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
        for way in done:
            way.result()

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool
    ) -> None:
        held: asyncio.Queue[Held] = asyncio.Queue(HELD_CHUNKS_MAX)
        taking = asyncio.create_task(self._take(reader, held, is_answer=is_answer))
        loop = asyncio.get_running_loop()
        try:
            while True:
                due, chunk = await held.get()
                if (early_s := due - loop.time()) > 0:
                    await asyncio.sleep(early_s)
                await self._passing.wait()
                if not chunk:
                    return
                writer.write(chunk)
                await writer.drain()
        finally:
            taking.cancel()

    async def _take(
        self, reader: asyncio.StreamReader, held: asyncio.Queue[Held], *, is_answer: bool
    ) -> None:
        """Take what comes, up to what may be held back."""
        loop = asyncio.get_running_loop()
        chunk = b"first"
        while chunk:
            chunk = b""  # a reset is an end like any other
            with suppress(OSError):
                chunk = await reader.read(CHUNK_BYTES)
            await held.put((loop.time() + self._delay_s * is_answer, chunk))


def _reset(end: asyncio.StreamWriter) -> None:
    """Close a connection so that the other side gets a reset instead of an end."""
    with suppress(OSError):
        end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_ONCE)
    end.transport.abort()
