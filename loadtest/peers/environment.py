"""The environment of its own for systems whose packages must not mix with the product's."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil
from rich.console import Console

from loadtest.errors import LoadTestError
from loadtest.measure.session import CHECKOUT

FOLDER: Final = CHECKOUT / "build" / "peers-venv"
LOCK: Final = CHECKOUT / "requirements" / "peers.txt"
SETUP: Final = CHECKOUT / "deploy" / "setup.sh"
SETUP_LIMIT_S: Final = 600.0
PACKAGES: Final = ("quixstreams", "confluent-kafka", "psycopg2-binary")
COMPLAINT_SHOWN_MAX: Final = 300


def is_made(folder: Path = FOLDER) -> bool:
    """Say whether the environment is there, and is the one that is locked today."""
    try:
        return _mark(folder).read_text(encoding="ascii") == _wanted()
    except OSError:
        return False


def made(console: Console, folder: Path = FOLDER) -> str:
    """
    Give the interpreter of the environment, which is made first where it is missing or stale.

    Raises LoadTestError with one line, as where there is no network.
    """
    if not is_made(folder):
        console.print(f"installing {LOCK.name} into {folder}, once", markup=False)
        _install(folder, console)
        _mark(folder).write_text(_wanted(), encoding="ascii")
    return str(folder / "bin" / "python")


def versions() -> dict[str, str]:
    """Give the versions that are locked of what matters."""
    locked = LOCK.read_text(encoding="utf-8")
    return dict(re.findall(rf"^({'|'.join(PACKAGES)})==(\S+)", locked, flags=re.MULTILINE))


def _install(folder: Path, console: Console) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    complaints: list[str] = []
    # In this process's group: Ctrl-C reaches what the script has started as well.
    with console.status("installing"), _setup(folder) as process:
        limit = threading.Timer(SETUP_LIMIT_S, _end, [process.pid])
        limit.start()
        assert process.stderr is not None, "asked for"
        for line in process.stderr:
            if line.startswith("setup:"):
                console.print(line.rstrip(), markup=False)
            complaints.append(line.strip())
        status = process.wait()
        limit.cancel()
    if status != 0:
        raise LoadTestError(
            f"{LOCK.name} could not be installed: {why(complaints)}; "
            "--only leaves out the systems that need it"
        )


def _setup(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(SETUP), str(folder), str(LOCK)],
        env={**os.environ, "PYTHON": sys.executable},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def _end(pid: int) -> None:
    """End the script and what it has started."""
    with suppress(psutil.NoSuchProcess):
        script = psutil.Process(pid)
        for process in (*script.children(recursive=True), script):
            with suppress(psutil.NoSuchProcess):
                process.kill()


def why(complaints: list[str]) -> str:
    """Say in a line why uv failed: its error and the innermost of its causes."""
    said = [line for line in complaints if line and not line.startswith(("setup:", "hint:"))]
    errors = [line.removeprefix("error: ") for line in said if line.startswith("error:")]
    causes = [line.removeprefix("cause: ") for line in said if line.startswith("cause:")]
    found = [*errors[:1], *causes[-1:]] or said[-1:] or ["nothing was said"]
    return ": ".join(found)[:COMPLAINT_SHOWN_MAX].rstrip(".")


def _wanted() -> str:
    """Give what the mark of an environment must say: the lock and the Python that it is for."""
    return hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()


def _mark(folder: Path) -> Path:
    return folder / ".ready"
