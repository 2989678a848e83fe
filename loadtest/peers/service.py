"""One of the systems as a process that takes commands from Kafka until it is told to end."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from deploy.local.daemon import launcher
from loadtest.errors import LoadTestError
from loadtest.processes import last_said, stopped

STOP_LIMIT_S = 20.0
FIRST_MESSAGE = "loadtest: the first message"
"""A program writes this line when its first message is in its hands: the clock starts."""


class Service:
    """
    A program that reads its needs, a JSON object, from standard input and writes into a log.

    It has no secrets on its command line, and the kernel ends it when this process ends.
    """

    def __init__(self, program: Sequence[str], folder: Path, needs: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "service.log"
        self._program = program
        self._folder = folder
        self._needs = {**needs, "folder": str(folder), "first_message": FIRST_MESSAGE}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id while it runs."""
        assert self._process is not None, "asked while it runs"
        return self._process.pid

    def launch(self) -> None:
        """Start it in a session of its own, in its folder: some write beside where they stand."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*launcher(None, signal.SIGKILL), *self._program],
                cwd=self._folder,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        assert self._process.stdin is not None, "asked for above"
        with self._process.stdin as stdin:
            stdin.write(orjson.dumps(self._needs))

    def check(self) -> None:
        """Raise where it has ended by itself."""
        status = self._process.poll() if self._process else None
        if self._process is None or status is not None:
            raise LoadTestError(
                f"{self._program[-1]} has ended with status {status}: {self.said()}"
            )

    def stop(self) -> int | None:
        """Ask it to end; where it does not, end it."""
        if self._process is None:
            return None
        process, self._process = self._process, None
        return stopped(process, STOP_LIMIT_S, STOP_LIMIT_S)

    def said(self) -> str:
        """Give the last line of its log, and say where it is."""
        return last_said(self.log)
