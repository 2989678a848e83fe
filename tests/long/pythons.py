"""The Pythons of this machine, and a locked environment for each of them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.long.commands import CHECKOUT, StepError, environment, run

VERSIONS = ("3.11", "3.12", "3.13")
PROBE_LIMIT_S = 20.0
SETUP_LIMIT_S = 900.0
PROBE = (
    "import ensurepip, sys, venv; print('.'.join(map(str, sys.version_info[:3])), sys.executable)"
)
"""What `deploy/setup.sh` needs of a Python."""


class Python(NamedTuple):
    """One interpreter: its version with two numbers and with three, and where it is."""

    version: str
    full_version: str
    path: Path

    @property
    def folder(self) -> Path:
        """The folder of its environment."""
        return CHECKOUT / "build" / f"venv-{self.version}"

    @property
    def executable(self) -> str:
        """Its environment's interpreter."""
        return str(self.folder / "bin" / "python")


def find(version: str) -> Python | None:
    """Find an interpreter of a version, None where there is none that can make environments."""
    for candidate in _candidates(version):
        said = _probe(candidate)
        if said is not None and said[0].rpartition(".")[0] == version:
            return Python(version, said[0], Path(said[1]))
    return None


def _candidates(version: str) -> Iterator[Path]:
    """Give what may be that Python: on the path, then pyenv's; a shim may lead nowhere."""
    on_path = shutil.which(f"python{version}")
    if on_path is not None:
        yield Path(on_path)
    folder = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    yield from sorted(folder.glob(f"{version}.*/bin/python{version}"), reverse=True)


def _probe(python: Path) -> tuple[str, str] | None:
    try:
        done = subprocess.run(
            [str(python), "-c", PROBE],
            capture_output=True,
            text=True,
            timeout=PROBE_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    version, _, path = done.stdout.strip().partition(" ")
    return (version, path) if done.returncode == 0 else None


def make_environment(python: Python) -> None:
    """Make or refresh the locked environment of a Python. Raises StepError."""
    name = f"setup-{python.version}"
    words = ["deploy/setup.sh", str(python.folder.relative_to(CHECKOUT))]
    run(words, name, SETUP_LIMIT_S, environment(PYTHON=str(python.path)))
    found = _probe(Path(python.executable))
    if found is None or found[0] != python.full_version:
        raise StepError(f"{python.folder} has {found}, not Python {python.full_version}")
