"""Commands as people hand them over: one JSON text, a file of JSON lines, or standard input."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Final

import msgspec
import orjson

from processor.core.decode import Decoder, Invalid
from processor.errors import ProcessorError

if TYPE_CHECKING:
    from processor.contracts import Contract

STANDARD_INPUT: Final = "-"
LINE_BYTES_MAX: Final = 1_048_576
"""A longer line is no command: no topic takes it."""

CHUNK_BYTES: Final = 65_536
CHUNKS_MAX: Final = 4
"""How much of standard input is read ahead."""


class Line(msgspec.Struct, frozen=True):
    """A command as it was given, and in which line of its input."""

    number: int
    value: bytes


class Input:
    """Where commands come from. `bytes_total` is known for a file alone, which is read twice."""

    def __init__(self, given: str) -> None:
        self._given = given
        self.is_single = given.lstrip().startswith("{")
        self.is_file = not self.is_single and given != STANDARD_INPUT
        self.bytes_total = 0
        if self.is_file:
            path = Path(given)
            if not path.is_file():
                what = "a folder" if path.is_dir() else "not there"
                raise ProcessorError(f"{given}: {what}; give a file, - or a command as JSON")
            self.bytes_total = path.stat().st_size

    def lines(self) -> Iterator[Line]:
        """Give each line of a file, or the one command. Raises ProcessorError."""
        if self.is_single:
            yield Line(1, self._given.strip().encode())
            return
        try:
            with Path(self._given).open("rb") as stream:
                number = 0
                while value := stream.readline(LINE_BYTES_MAX + 1):
                    number += 1
                    if len(value) > LINE_BYTES_MAX:
                        raise _too_long(number)
                    if value.strip():
                        yield Line(number, value.strip())
        except OSError as error:
            raise ProcessorError(f"{self._given}: {error.strerror}") from error

    async def arriving(self) -> AsyncIterator[Line]:
        """Give each line as it comes; waiting for standard input stops nothing else."""
        if self.is_file or self.is_single:
            for line in self.lines():
                yield line
            return
        number = 0
        async for value in _standard_input():
            number += 1
            if len(value) > LINE_BYTES_MAX:
                raise _too_long(number)
            if value.strip():
                yield Line(number, value.strip())

    def name(self, line: Line) -> str:
        """Say where a line stands."""
        return "the command" if self.is_single else f"line {line.number}"


class Prepared(Input):
    """Commands that were written here, one a line."""

    def __init__(self, values: Sequence[bytes]) -> None:
        self.is_single, self.is_file = False, True
        self.bytes_total = sum(len(value) + 1 for value in values)
        self._values = values

    def lines(self) -> Iterator[Line]:
        """Give each command."""
        for number, value in enumerate(self._values, start=1):
            yield Line(number, value)


def _too_long(number: int) -> ProcessorError:
    return ProcessorError(f"line {number}: longer than {LINE_BYTES_MAX:,} bytes")


async def _standard_input() -> AsyncIterator[bytes]:
    """Read lines of standard input, whatever it is, while other work goes on."""
    chunks: asyncio.Queue[bytes] = asyncio.Queue(CHUNKS_MAX)
    loop = asyncio.get_running_loop()
    # A daemon that reads past Python's buffer: nothing has to wait for it at the end.
    Thread(target=_feed, args=(sys.stdin.fileno(), chunks, loop), daemon=True).start()
    rest = b""
    while chunk := await chunks.get():
        *whole, rest = (rest + chunk).split(b"\n")
        for value in whole:
            yield value
        if len(rest) > LINE_BYTES_MAX:
            break
    if rest:
        yield rest


def _feed(file: int, chunks: asyncio.Queue[bytes], loop: asyncio.AbstractEventLoop) -> None:
    """Hand over what is there, as it comes; an empty chunk is the end."""
    with suppress(RuntimeError, CancelledError):  # the loop has ended: nobody wants more
        chunk = b" "
        while chunk:
            chunk = os.read(file, CHUNK_BYTES)
            asyncio.run_coroutine_threadsafe(chunks.put(chunk), loop).result()


class Gate:
    """Lets commands through as the worker would, and finds the key that they go under."""

    def __init__(self, contract: Contract, role: str, *, command_bytes_max: int) -> None:
        """Stand before the topic of a role."""
        types = contract.types[role]
        self._decoder = Decoder(contract, types, command_bytes_max=command_bytes_max)
        self._key_fields = contract.topics[role].key_fields

    def fault(self, value: bytes) -> str | None:
        """Say why the worker would make a dead letter of it: reason, pointer and detail."""
        asked = self._decoder.decode(value)
        if not isinstance(asked, Invalid):
            return None
        where = f" at {asked.pointer}" if asked.pointer else ""
        return f"{asked.reason}{where}: {asked.detail}"

    def key(self, value: bytes) -> bytes | None:
        """Give the key by the contract, None where the command does not hold it."""
        try:
            document = orjson.loads(value)
            found = document[self._key_fields[document["type"]]]
        except (ValueError, TypeError, KeyError):
            return None
        return found.encode() if isinstance(found, str) else None
