"""Where the servers of a test session keep their data, and how they are run."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil

MEMORY = Path("/dev/shm")  # noqa: S108 - folders in it are made by mkdtemp
MEMORY_BYTES_MIN = 4 << 30
"""Servers of the tests keep less than 1 GB; two sessions may run side by side."""

_PREFIX = "payments-tests-"

COMPILES_LITTLE = ("-XX:TieredStopAtLevel=1",)
"""Compiling for the long run costs Java more than a few minutes of small loads give back."""


@contextmanager
def server_folder() -> Iterator[Path]:
    """
    Give a folder with a short path for data of servers, removed at the end.

    In memory where there is much of it: each commit and each new database waits for the disk, which
    others use as well. What a killed server has written is there either way.
    """
    parent = MEMORY if _room() >= MEMORY_BYTES_MIN else Path(tempfile.gettempdir())
    with ExitStack() as ends:
        with _locked(parent):
            _remove_orphans(parent)
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
            ends.enter_context(_locked(folder))
        ends.callback(shutil.rmtree, folder, ignore_errors=True)
        yield folder


def _room() -> int:
    """Give how much memory files may take, in bytes."""
    if not os.access(MEMORY, os.W_OK):
        return 0
    return min(shutil.disk_usage(MEMORY).free, psutil.virtual_memory().available)


def _remove_orphans(parent: Path) -> None:
    """Remove folders of sessions that were killed: memory would never be free again."""
    for folder in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError), _locked(folder, fcntl.LOCK_NB):
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked(folder: Path, more: int = 0) -> Iterator[None]:
    """Lock a folder; the kernel unlocks it when this process ends, however it ends."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | more)
        yield
    finally:
        os.close(handle)
