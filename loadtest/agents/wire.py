"""What a run and its agents say to each other: JSON objects over TCP, a line each."""

from __future__ import annotations

import asyncio
import hashlib
import socket
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec
import orjson

HARNESS: Final = Path(__file__).resolve().parents[1]
DIGEST_DIGITS: Final = 16

ORDER, STOP, HURRY, OVER, REFUSED = "order", "stop", "hurry", "over", "refused"
"""What a run says."""

HELLO, SENDER, READER, FOUND, FAILED = "hello", "sender", "reader", "found", "failed"
"""What an agent says."""

KEEPALIVE: Final = {
    socket.TCP_KEEPIDLE: 5,
    socket.TCP_KEEPINTVL: 5,
    socket.TCP_KEEPCNT: 4,
    socket.TCP_USER_TIMEOUT: 25_000,
}
"""A machine that is gone without a word is noticed after 25 s."""


class Hello(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an agent says first. `harness` is the digest of its sources: they write the bytes."""

    name: str
    harness: str
    machine: dict[str, Any]


class Wire:
    """One side of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        connection: socket.socket = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in KEEPALIVE.items():
            connection.setsockopt(socket.IPPROTO_TCP, option, value)

    @property
    def host(self) -> str:
        """The address of the other side."""
        return str(self._writer.get_extra_info("peername")[0])

    @property
    def is_lost(self) -> bool:
        """Whether the other side has gone."""
        return self._reader.at_eof() or self._writer.is_closing()

    def say(self, word: str, what: Any = None) -> None:
        """Say something, without waiting until it is heard."""
        if not self._writer.is_closing():
            self._writer.write(orjson.dumps({word: what}) + b"\n")

    async def hear(self) -> tuple[str, Any] | None:
        """Wait for what the other side says next; None where it has gone."""
        try:
            line = await self._reader.readline()
            said: Mapping[str, Any] = orjson.loads(line)
            ((word, what),) = said.items()
        except (OSError, ValueError, AttributeError):
            # A line that is cut short, or from something that is no agent, ends it as well.
            return None
        return word, what

    async def close(self) -> None:
        """Say what is left to say, and hang up."""
        try:
            async with asyncio.timeout(1.0):
                await self._writer.drain()
        except (OSError, TimeoutError):
            pass
        self._writer.close()


@cache
def harness() -> str:
    """Give the digest of all sources of the harness: agents with others would send other bytes."""
    digest = hashlib.sha256()
    for path in sorted(HARNESS.rglob("*.py")):
        digest.update(path.relative_to(HARNESS).as_posix().encode() + b"\0")
        digest.update(path.read_bytes())
    return digest.hexdigest()[:DIGEST_DIGITS]
