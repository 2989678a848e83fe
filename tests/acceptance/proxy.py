"""A TCP proxy in front of PostgreSQL that cuts connections in the middle of a COMMIT."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from enum import Enum
from typing import Self
from urllib.parse import urlsplit, urlunsplit

COMMIT = b"COMMIT\x00"
CHUNK_BYTES = 65_536


class Cut(Enum):
    """Where the connection breaks: before the server has the COMMIT, or before its answer."""

    BEFORE = "before"
    AFTER = "after"


class CuttingProxy:
    """Passes everything on, and cuts every `every`-th COMMIT in each of the two ways in turn."""

    def __init__(self, url: str, *, every: int) -> None:
        self._target = urlsplit(url)
        self._every = every
        self._commits = 0
        self._server: asyncio.Server | None = None
        self._busy: set[asyncio.Task[None]] = set()
        self.cuts = dict.fromkeys(Cut, 0)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None, "entered before"
        self._server.close()
        for task in list(self._busy):
            task.cancel()
        await asyncio.gather(*self._busy, return_exceptions=True)

    @property
    def url(self) -> str:
        """The database's URL by way of this proxy."""
        assert self._server is not None, "entered before"
        port = self._server.sockets[0].getsockname()[1]
        login, _, _ = self._target.netloc.rpartition("@")
        return urlunsplit(self._target._replace(netloc=f"{login}@127.0.0.1:{port}"))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "a callback of the server is a task"
        self._busy.add(task)
        task.add_done_callback(self._busy.discard)
        with suppress(OSError, asyncio.CancelledError):
            behind = await asyncio.open_connection(self._target.hostname, self._target.port)
            back = asyncio.create_task(_pass_on(behind[0], writer))
            try:
                await self._forward(reader, behind[1])
            finally:
                back.cancel()
                for end in (writer, behind[1]):
                    end.close()

    async def _forward(self, reader: asyncio.StreamReader, behind: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK_BYTES):
            cut = self._cut_of(data)
            if cut is not Cut.BEFORE:
                behind.write(data)
                await behind.drain()
            if cut is not None:
                self.cuts[cut] += 1
                return

    def _cut_of(self, data: bytes) -> Cut | None:
        self._commits += COMMIT in data
        if COMMIT not in data or self._commits % self._every:
            return None
        return Cut.BEFORE if self._commits // self._every % 2 else Cut.AFTER


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
