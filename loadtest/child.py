"""Programs of this package that run beside the bench: what they need comes by standard input."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Coroutine, Mapping
from typing import Any

import orjson

from deploy.local.daemon import launcher
from loadtest.errors import LoadTestError

KILL_LIMIT_S = 10.0


class Child:
    """
    A module run as a program; the kernel ends it when this process ends.

    It gets a JSON object on standard input (addresses hold passwords, which a command line would
    show to everyone) and answers with another on standard output.
    """

    def __init__(self, module: str, needs: Mapping[str, Any], limit_s: float) -> None:
        self._module = module
        self._limit_s = limit_s
        self._process = subprocess.Popen(
            [*launcher(None, signal.SIGKILL), sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdin is not None, "asked for above"
        self._process.stdin.write(orjson.dumps(needs))
        self._process.stdin.close()
        self._process.stdin = None

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    async def answer(self) -> dict[str, Any]:
        """Wait for its end and give what it found."""
        try:
            said, complaint = await asyncio.to_thread(
                self._process.communicate, None, self._limit_s
            )
        except subprocess.TimeoutExpired:
            raise LoadTestError(
                f"{self._module} did not end within {self._limit_s:.0f} s"
            ) from None
        finally:
            self.abandon()
        if self._process.returncode != 0:
            last = complaint.decode(errors="replace").strip().rsplit("\n", 1)[-1]
            raise LoadTestError(f"{self._module} failed: {last or 'it said nothing'}")
        found: dict[str, Any] = orjson.loads(said)
        return found

    def abandon(self) -> None:
        """End it at once where it still runs."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(KILL_LIMIT_S)


def serve(work: Coroutine[Any, Any, Mapping[str, Any]]) -> None:
    """Run a child's work and answer with what it gives."""
    with asyncio.Runner() as runner:
        sys.stdout.buffer.write(orjson.dumps(dict(runner.run(work))))


def needs() -> dict[str, Any]:
    """Read what a child was told."""
    told: dict[str, Any] = orjson.loads(sys.stdin.buffer.read())
    return told
