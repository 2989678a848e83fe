"""Real worker processes, started, frozen and killed as fate would."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from deploy.local.daemon import launcher
from deploy.local.ports import free_port

CHECKOUT = Path(__file__).resolve().parents[2]
READY_LIMIT_S = 40.0
EXIT_LIMIT_S = 40.0
POLL_S = 0.05
PROBE_LIMIT_S = 2.0


class WorkerProcess:
    """One worker with a data folder, a port and a log of its own."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.data = Path(environment.get("PROCESSOR_DATA_DIR", str(folder / "data")))
        self.log = folder / "worker.log"
        self.http_port = int(environment.get("PROCESSOR_HTTP_PORT", free_port()))
        self.environment = {
            "PROCESSOR_WORKER_NAME": folder.name,
            **environment,
            "PROCESSOR_DATA_DIR": str(self.data),
            "PROCESSOR_HTTP_PORT": str(self.http_port),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *, fault: tuple[str, int] | None = None) -> WorkerProcess:
        """Start it; with `fault` it kills itself at the n-th time it comes to a named step."""
        words = [sys.executable, "-m", "processor", "worker"]
        if fault is not None:
            step, count = fault
            words = [sys.executable, "-m", "tests.acceptance.faulty_worker", step, str(count)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                launcher(None, signal.SIGKILL) + words,
                cwd=CHECKOUT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process; it was started."""
        assert self._process is not None, "started before"
        return self._process

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    async def ended(self, limit_s: float = EXIT_LIMIT_S) -> int:
        """Wait for its end; give its exit status, negative for a signal."""
        await until(lambda: not self.running, limit_s, self.state)
        return self.process.wait()

    async def stop(self) -> int:
        """Ask it to end, as an operator does; give its exit status."""
        self.send(signal.SIGTERM)
        return await self.ended()

    async def kill(self) -> None:
        """End it at once, as a crash of the machine would."""
        self.send(signal.SIGKILL)
        await self.ended()

    async def ready(self, limit_s: float = READY_LIMIT_S) -> WorkerProcess:
        """Wait until it says that it is ready."""
        await until(self._is_ready, limit_s, self.state)
        return self

    def _is_ready(self) -> bool:
        assert self.running, f"the worker has ended: {self.tail()}"
        return self.readyz()[0] == 200

    def readyz(self) -> tuple[int, str]:
        """Ask it whether it is ready; 0 where it does not answer."""
        return self.get("/readyz")

    def livez(self) -> tuple[int, str]:
        """Ask it whether it is alive; 0 where it does not answer."""
        return self.get("/livez")

    def get(self, path: str) -> tuple[int, str]:
        """Ask it for a page; status 0 where it does not answer."""
        connection = HTTPConnection("127.0.0.1", self.http_port, timeout=PROBE_LIMIT_S)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        except (OSError, HTTPException) as error:
            return 0, repr(error)
        finally:
            connection.close()

    def metric(self, name: str) -> float:
        """Give the sum of a metric over its labels."""
        lines = self.get("/metrics")[1].splitlines()
        return sum(
            float(line.rsplit(" ", 1)[1])
            for line in lines
            if line.startswith((f"{name}{{", f"{name} "))
        )

    def lines(self) -> list[str]:
        """Give all that it wrote."""
        return self.log.read_text(errors="replace").splitlines() if self.log.exists() else []

    def events(self, name: str) -> list[dict[str, Any]]:
        """Give its log events of a name."""
        found = (json.loads(line) for line in self.lines() if line.startswith("{"))
        return [event for event in found if event.get("event") == name]

    def tail(self) -> str:
        """Give the end of its log."""
        return " | ".join(self.lines()[-5:])[-1500:]

    def state(self) -> str:
        """Say how it is, for people who read a failed test."""
        return f"{self.folder.name}: {self.readyz()[1].strip()} | {self.tail()}"

    def end(self) -> None:
        """End it for good, whatever state it is in."""
        if self.running:
            self.process.kill()
            self.process.wait()


async def until(
    holds: Callable[[], bool], limit_s: float, instead: Callable[[], str] = lambda: ""
) -> None:
    """Wait until something holds, at most so long; `instead` says how it is when it does not."""
    deadline = time.monotonic() + limit_s
    while not await asyncio.to_thread(holds):
        assert time.monotonic() < deadline, f"waited {limit_s:.0f} s in vain: {instead()}"
        await asyncio.sleep(POLL_S)
