"""One server process that a folder remembers: started here, found again later, and ended."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from deploy.local.errors import StackError

POLL_INTERVAL_S: Final = 0.02
SIGNAL_AGAIN_S: Final = 1.0
LOG_BYTES_MAX: Final = 16 * 1024 * 1024
# Start times are computed from the wall clock, which may have been set since.
START_TIME_TOLERANCE_S: Final = 30.0
_LAUNCH = Path(__file__).with_name("launch.py")


@dataclass(frozen=True, slots=True)
class Account:
    """The unprivileged account that a server runs under when it was started by root."""

    uid: int
    gid: int
    reach_files: bool
    """Whether it needs help to reach its files, since a folder above them is closed to others."""


class Daemon:
    """The process of one server, known by its pid, start time and a word of its command line."""

    def __init__(self, name: str, folder: Path, mark: str) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._state = folder / f"{name}.pid.json"
        self._mark = mark
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while the process runs."""
        process = self.process()
        return process.pid if process else None

    def process(self) -> psutil.Process | None:
        """Find the running process; never one that merely got the same id later."""
        if self._child is not None and self._child.poll() is None:
            return psutil.Process(self._child.pid)
        try:
            state = json.loads(self._state.read_text())
            process = psutil.Process(int(state["pid"]))
            same_start = abs(process.create_time() - state["started"]) < START_TIME_TOLERANCE_S
            alive = process.status() != psutil.STATUS_ZOMBIE
            marked = any(self._mark in word for word in process.cmdline())
        except (OSError, ValueError, KeyError, psutil.Error):
            return None
        return process if alive and same_start and marked else None

    def launch(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        account: Account | None = None,
        die_with_parent: signal.Signals | None = None,
    ) -> None:
        """Start the process in a session of its own, so that Ctrl-C reaches only its starter.

        With `die_with_parent` the kernel sends that signal when the thread that called this ends.
        """
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES_MAX:
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                launcher(account, die_with_parent) + list(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(environment) if environment is not None else None,
                start_new_session=True,
            )
        started = psutil.Process(self._child.pid).create_time()
        draft = self._state.with_suffix(".draft")
        draft.write_text(json.dumps({"pid": self._child.pid, "started": started}))
        draft.replace(self._state)

    def exit_status(self) -> int | None:
        """Return the exit status once the process that this object launched has ended."""
        return self._child.poll() if self._child is not None else None

    def ended(self) -> bool:
        """Say whether the process has ended, also when it never ran."""
        return self.exit_status() is not None or self.process() is None

    def end(self, steps: Sequence[tuple[signal.Signals, float]]) -> None:
        """Send each signal in turn until the process has ended, waiting its seconds after each."""
        process = self.process()
        if process is None:
            self._forget()
            return
        family = _with_descendants(process)
        for number, limit_s in steps:
            if self._signalled(process, number, limit_s):
                break
        else:
            raise StackError(f"{self.name} (process {process.pid}) does not end")
        # Its children hold its files and its shared memory until they have seen that it is gone.
        _, left = psutil.wait_procs(family, timeout=steps[-1][1])
        if left:
            raise StackError(f"{self.name}: child process {left[0].pid} does not end")
        self._forget()

    def tail(self) -> str:
        """Say where the log is, with its last line that is not empty."""
        try:
            lines = self.log.read_text(errors="replace").split("\n")
        except OSError:
            lines = []
        last = next((line.strip() for line in reversed(lines) if line.strip()), "empty")
        return f"{last[:300]} (log: {self.log})"

    def _signalled(self, process: psutil.Process, number: signal.Signals, limit_s: float) -> bool:
        """
        Signal the process until it has ended, at most so long.

        More than once: what was launched a moment ago may ignore a signal still, and one that is
        ending in order already takes no harm from another.
        """
        deadline = time.monotonic() + limit_s
        while (left_s := deadline - time.monotonic()) > 0:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
            if self._wait(process, min(left_s, SIGNAL_AGAIN_S)):
                return True
        return False

    def _wait(self, process: psutil.Process, limit_s: float) -> bool:
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            if self._child is not None and self._child.poll() is not None:
                return True
            if not _alive(process):
                return True
            time.sleep(POLL_INTERVAL_S)
        return False

    def _forget(self) -> None:
        if self._child is not None:
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(timeout=1)
            self._child = None
        self._state.unlink(missing_ok=True)


def launcher(account: Account | None, die_with_parent: signal.Signals | None) -> list[str]:
    """Return the words that go before a command to set its account and its tie to this process."""
    words = [sys.executable, "-I", "-S", str(_LAUNCH)]
    if account is not None:
        words += ["--account", str(account.uid), str(account.gid)]
        words += ["--reach-files"] if account.reach_files else []
    if die_with_parent is not None and sys.platform == "linux":
        words += ["--die-with", str(os.getpid()), str(int(die_with_parent))]
    return [*words, "--"]


def _with_descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
