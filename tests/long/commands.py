"""Commands with a log and a limit each; whatever happens, none of them outlives its limit."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from deploy.local.daemon import launcher

CHECKOUT = Path(__file__).resolve().parents[2]
FOLDER = CHECKOUT / "build" / "test-long"
INTERRUPT_LIMIT_S = 90.0
"""What a command may take to end what it started, once it was asked to."""

POLL_S = 0.1
SIGN_OF_LIFE_S = 60.0
LINE_SHOWN_MAX = 110
TAIL_LINES = 15
OURS = ("PROCESSOR_", "NO_CYTHON", "CYTHON_OPTIMIZATIONS", "HYPOTHESIS_PROFILE", "LONG_", "PYTEST_")
"""Beginnings of variables that would change what a command does; each command sets its own."""


class StepError(Exception):
    """A step failed; one line says why, `tail` is what it wrote last, `figures` what it found."""

    def __init__(self, message: str, tail: str = "", figures: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.tail = tail
        self.figures = figures or {}


def say(line: str) -> None:
    """Print a line at once, with the time of day."""
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)  # noqa: T201 - the report


def environment(**settings: str) -> dict[str, str]:
    """Give this process's environment without what changes commands, and with `settings`."""
    plain = {name: one for name, one in os.environ.items() if not name.startswith(OURS)}
    return plain | settings


def run(words: Sequence[str], log: str, limit_s: float, env: Mapping[str, str]) -> Path:
    """
    Run a command in a session of its own, and give its log; it dies with this process.

    Raises StepError where it fails or exceeds its limit.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{log}.log"
    with path.open("wb") as out:
        process = subprocess.Popen(
            [*launcher(None, signal.SIGKILL), *words],
            cwd=CHECKOUT,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        status = _status(process, path, limit_s)
    finally:
        _end(process)
    if status is None:
        raise StepError(f"`{log}` took longer than {limit_s:.0f} s (log: {path})", tail(path))
    if status != 0:
        raise StepError(f"`{log}` ended with status {status} (log: {path})", tail(path))
    return path


def run_each(works: Mapping[str, Callable[[], dict[str, Any]]]) -> dict[str, Any]:
    """Do all works, also after one that failed; give the figures by name. Raises StepError."""
    found: dict[str, Any] = {}
    failed: list[StepError] = []
    for name, work in works.items():
        began = time.monotonic()
        try:
            found[name] = work()
        except StepError as error:
            failed.append(error)
            found[name] = {"fault": str(error)}
        how = "FAILED" if "fault" in found[name] else "ok"
        say(f"    {name}: {how}, {time.monotonic() - began:.0f} s")
    if failed:
        message = f"{len(failed)} of {len(works)} failed: {failed[0]}"
        raise StepError(message, failed[0].tail, found)
    return found


def _status(process: subprocess.Popen[bytes], log: Path, limit_s: float) -> int | None:
    """Wait for its end with a sign of life now and then; None where the limit came first."""
    began = told = time.monotonic()
    while process.poll() is None:
        now = time.monotonic()
        if now - began > limit_s:
            return None
        if now - told > SIGN_OF_LIFE_S:
            told = now
            say(f"    {now - began:5.0f} s: {_last_line(log)[:LINE_SHOWN_MAX]}")
        time.sleep(POLL_S)
    return process.returncode


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask a command to end as Ctrl-C does, so that it ends what it started; then make it end."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.wait(INTERRUPT_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def tail(log: Path) -> str:
    """Give the last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-TAIL_LINES:])


def _last_line(log: Path) -> str:
    lines = tail(log).splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "nothing said yet")
