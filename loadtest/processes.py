"""The product's own programs, run as its users run them: by their command line."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from deploy.local.daemon import launcher
from deploy.local.ports import free_port
from loadtest.errors import LoadTestError

WORKER_READY_LIMIT_S = 60.0
WORKER_STOP_LIMIT_S = 45.0
WORKER_KILL_LIMIT_S = 10.0
READY_POLL_S = 0.05
READY_REQUEST_LIMIT_S = 2.0
LOG_LINE_SHOWN_MAX = 300
COMMAND_LIMIT_S = 120.0


class Command:
    """A `processor` command that runs to its end beside whatever else is done meanwhile."""

    def __init__(self, words: list[str], environment: Mapping[str, str]) -> None:
        self.title = " ".join(["processor", *words])
        self._process = subprocess.Popen(
            [sys.executable, "-m", "processor", *words],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
        )

    def end(self) -> tuple[int, str]:
        """Wait for its end; give its exit status and what it said."""
        try:
            said, _ = self._process.communicate(timeout=COMMAND_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.abandon()
            raise LoadTestError(
                f"`{self.title}` did not end within {COMMAND_LIMIT_S:.0f} s"
            ) from None
        return self._process.returncode, said.strip()

    def abandon(self) -> None:
        """End it at once where it still runs."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def succeed(self) -> None:
        """Wait for its end, which must be a good one."""
        status, said = self.end()
        if status != 0:
            last = said.splitlines()[-1] if said else "it said nothing"
            raise LoadTestError(f"`{self.title}` ended with status {status}: {last}")


class Worker:
    """One `processor worker`, with a folder for its table and its log."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "worker.log"
        self.http_port = free_port()
        self._environment = {
            **environment,
            "PROCESSOR_DATA_DIR": str(folder / "data"),
            "PROCESSOR_HTTP_PORT": str(self.http_port),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        """Start it in a session of its own; the kernel ends it when the calling thread ends."""
        words = [sys.executable, "-m", "processor", "worker"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                launcher(None, signal.SIGKILL) + words,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def check(self) -> None:
        """Raise where it has ended by itself."""
        status = self._process.poll() if self._process else None
        if self._process is None or status is not None:
            raise LoadTestError(f"the worker has ended with status {status}: {last_said(self.log)}")

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, where it runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(WORKER_KILL_LIMIT_S)

    def wait(self) -> None:
        """Wait until it says that it is ready."""
        deadline = time.monotonic() + WORKER_READY_LIMIT_S
        while not self._ready():
            self.check()
            if time.monotonic() > deadline:
                limit = f"{WORKER_READY_LIMIT_S:.0f} s"
                said = last_said(self.log)
                raise LoadTestError(f"the worker was not ready in {limit}: {said}")
            time.sleep(READY_POLL_S)

    def metric(self, name: str) -> float:
        """Read one metric without labels."""
        with closing(self._connection()) as connection:
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
        (line,) = [line for line in text.splitlines() if line.startswith(f"{name} ")]
        return float(line.split()[1])

    def stop(self) -> int | None:
        """Ask it to end, as an operator does; give its exit status, None if it never ran."""
        if self._process is None:
            return None
        process, self._process = self._process, None
        return stopped(process, WORKER_STOP_LIMIT_S, WORKER_KILL_LIMIT_S)

    def _ready(self) -> bool:
        try:
            with closing(self._connection()) as connection:
                connection.request("GET", "/readyz")
                return connection.getresponse().status == HTTPStatus.OK
        except (OSError, HTTPException):
            return False

    def _connection(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.http_port, timeout=READY_REQUEST_LIMIT_S)


def stopped(process: subprocess.Popen[bytes], stop_limit_s: float, kill_limit_s: float) -> int:
    """Ask a process to end, and end it where it does not in time; give its exit status."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(stop_limit_s)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait(kill_limit_s)


def last_said(log: Path) -> str:
    """Give the last line of a log, and say where it is."""
    lines = log.read_text(errors="replace").split("\n") if log.exists() else []
    last = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
    return f"{last[:LOG_LINE_SHOWN_MAX]} (log: {log})"
