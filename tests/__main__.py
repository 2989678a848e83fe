"""
Every test that is not marked `long`, in two halves side by side: `python -m tests`.

The acceptance tests wait for restarts and outages much of the time, and leave a core to the others.
Some loads go with them, so that both halves take as long.
"""

from __future__ import annotations

import compileall
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.local.daemon import launcher

CHECKOUT = Path(__file__).resolve().parents[1]
PYTEST = (sys.executable, "-m", "pytest")
WAITING = (
    "tests/acceptance",
    "tests/integration/test_load_agents.py",
    "tests/integration/test_load_run.py",
)
LOG = Path("build", "test-acceptance.log")


def side_by_side(shown: Sequence[str], logged: Sequence[str], log: Path) -> int:
    """
    Run two commands, one into a log that is shown at the end; 0 only where both pass.

    Both end with this process, and after Ctrl-C, which reaches them too, it waits for them.
    """
    log.parent.mkdir(exist_ok=True)
    tied = launcher(None, signal.SIGKILL)
    with log.open("wb") as file:
        second = subprocess.Popen([*tied, *logged], stdout=file, stderr=subprocess.STDOUT)
    first = subprocess.Popen([*tied, *shown])
    try:
        first.wait()
        if second.poll() is None:
            print(f"The other half goes on, see {log}.", flush=True)  # noqa: T201 - the report
        second.wait()
    except KeyboardInterrupt:
        first.wait()
        second.wait()
    print(log.read_text(errors="replace"), flush=True)  # noqa: T201 - the report
    return first.returncode or second.returncode


def compile_product() -> None:
    """Compile once what hundreds of processes load, also where Python is told to keep nothing."""
    for package in ("processor", "loadtest", "deploy"):
        compileall.compile_dir(CHECKOUT / package, quiet=1)


if __name__ == "__main__":
    compile_product()
    sys.exit(
        side_by_side(
            [*PYTEST, *(f"--ignore={one}" for one in WAITING)],
            # A folder of its own for what failed: each half would forget the other's.
            [*PYTEST, "-o", "cache_dir=.pytest_cache/acceptance", *WAITING],
            CHECKOUT / LOG,
        )
    )
