"""Programs of this package that run beside others: what they need comes by standard input."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson

from deploy.local.daemon import launcher
from loadtest.errors import LoadTestError

KILL_LIMIT_S = 10.0
CHILD_LIMIT_S = 600.0
"""How long a child may take beside what its schedule takes."""

PROGRESS = "progress"
LINE_BYTES_MAX = 16 * 1024 * 1024
"""What a child can be told at once."""

Progress = Callable[[dict[str, Any]], None]
"""Is told, in the event loop, what a child tells while it works."""


class Child:
    """
    A module run as a program; the kernel ends it when this process ends.

    It gets a JSON object on standard input (addresses hold passwords, which a command line would
    show to everyone), and where it `hears`, more while it runs, a line each. It writes JSON objects
    to standard output, a line each: its progress, as `tell` does, and in the end its answer.
    """

    def __init__(
        self, module: str, needs: Mapping[str, Any], limit_s: float, *, hears: bool = False
    ) -> None:
        self._module = module
        self._limit_s = limit_s
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `abandon`
        self._process = subprocess.Popen(
            [*launcher(None, signal.SIGKILL), sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            start_new_session=True,
        )
        self._ear: asyncio.WriteTransport | None = None
        # Of its own: it is taken for as long as the child lives, and others wait for the loop's.
        self._thread = ThreadPoolExecutor(1)
        assert self._process.stdin is not None, "asked for above"
        self._process.stdin.write(orjson.dumps(needs) + b"\n")
        self._process.stdin.flush()
        if not hears:
            self._process.stdin.close()
            self._process.stdin = None

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    async def answer(self, progress: Progress = lambda _: None) -> dict[str, Any]:
        """Wait for its end and give what it found."""
        loop = asyncio.get_running_loop()

        def hand_on(said: dict[str, Any]) -> None:
            loop.call_soon_threadsafe(progress, said)

        reading = loop.run_in_executor(self._thread, self._read, hand_on)
        try:
            done, _ = await asyncio.wait({reading}, timeout=self._limit_s)
            complaint = self._end()
            found = await reading
        finally:
            self.abandon()
        if not done:
            raise LoadTestError(f"{self._module} did not end within {self._limit_s:.0f} s")
        if self._process.returncode != 0 or found is None:
            raise LoadTestError(f"{self._module} failed: {complaint or 'it said nothing'}")
        return found

    def _read(self, hand_on: Progress) -> dict[str, Any] | None:
        """Read what it says to the end, and give its answer."""
        assert self._process.stdout is not None, "asked for above"
        answer: dict[str, Any] | None = None
        with self._process.stdout as lines:
            for line in lines:
                said = orjson.loads(line)
                if said.keys() == {PROGRESS}:
                    hand_on(said[PROGRESS])
                else:
                    answer = said
        self._process.wait()
        return answer

    def _end(self) -> str:
        """End it where it still runs; give the last line of its complaints."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(KILL_LIMIT_S)
        self._complaints.seek(0)
        text = self._complaints.read().decode(errors="replace").strip()
        return text.rsplit("\n", 1)[-1]

    async def ear(self) -> Progress:
        """Give what tells it more while it runs, without waiting until it has listened."""
        if self._ear is None:
            assert self._process.stdin is not None, "a child that hears"
            loop = asyncio.get_running_loop()
            self._ear, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, self._process.stdin)
        ear = self._ear
        return lambda said: ear.write(orjson.dumps(said) + b"\n")

    def stop(self) -> None:
        """Ask it to come to its end, and to answer."""
        self._process.terminate()

    def abandon(self) -> None:
        """End it at once where it still runs."""
        if not self._complaints.closed:
            self._end()
            self._complaints.close()
            self._deafen()
            assert self._process.stdout is not None, "asked for above"
            # A reader in its thread has come to the end, or never began.
            self._process.stdout.close()
            self._thread.shutdown(wait=False)

    def _deafen(self) -> None:
        if self._ear is not None:
            if not self._ear.is_closing():  # it closes by itself when the child has ended
                self._ear.abort()
        elif self._process.stdin is not None:
            self._process.stdin.close()


def told_to_stop() -> asyncio.Event:
    """Give what is set when the parent wants an answer sooner."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    return stopping


def tell(said: Mapping[str, Any]) -> None:
    """Tell the parent how far a child is."""
    _write({PROGRESS: said})


def _write(said: Mapping[str, Any]) -> None:
    left = memoryview(orjson.dumps(said) + b"\n")
    while left:
        # Where Python is told not to buffer, a write may take a part of it and say so.
        left = left[sys.stdout.buffer.write(left) :]
    sys.stdout.buffer.flush()


def serve(work: Coroutine[Any, Any, Mapping[str, Any]]) -> None:
    """Run a child's work and answer with what it gives."""
    with asyncio.Runner() as runner:
        answer(runner.run(work))


def answer(found: Mapping[str, Any]) -> None:
    """Answer the parent with what was found; nothing is told behind it."""
    _write(found)


def needs() -> dict[str, Any]:
    """Read what a child was told when it was started."""
    # Unbuffered: what comes behind the line is for `heard`.
    with open(sys.stdin.fileno(), "rb", buffering=0, closefd=False) as first:
        told: dict[str, Any] = orjson.loads(first.readline())
    return told


async def heard() -> AsyncIterator[dict[str, Any]]:
    """Give what a child is told while it runs."""
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader(LINE_BYTES_MAX)
    ear, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    try:
        while line := await reader.readline():
            yield orjson.loads(line)
    finally:
        ear.close()
