"""The machine, the versions and what is done to keep what was answered."""

from __future__ import annotations

import hashlib
import os
import platform
import statistics
import subprocess
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import asyncpg
import psutil

BUSY_INTERVAL_S = 1.0
SYNCS = 200
SYNC_BYTES = 8192
GIT_LIMIT_S = 5.0
DIGEST_DIGITS = 12
PACKAGES = (
    "faust-streaming",
    "aiokafka",
    "asyncpg",
    "jsonschema-rs",
    "msgspec",
    "orjson",
    "rocksdict",
    "uvloop",
)
POSTGRES_SETTINGS = (
    "server_version",
    "fsync",
    "synchronous_commit",
    "synchronous_standby_names",
    "full_page_writes",
    "wal_sync_method",
    "shared_buffers",
    "max_wal_size",
)


def machine() -> dict[str, Any]:
    """Describe this machine."""
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": psutil.virtual_memory().total,
        "kernel": platform.release(),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", platform.system()),
        "busy_before_percent": psutil.cpu_percent(BUSY_INTERVAL_S),
    }


def versions(checkout: Path) -> dict[str, Any]:
    """Give the versions of Python, of the packages that matter, and of this checkout."""
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
        "commit": _git(checkout, "rev-parse", "HEAD"),
        "changed_since_commit": bool(_git(checkout, "status", "--porcelain", "-uno")),
        "changes": _digest(_git(checkout, "diff", "--binary", "HEAD")),
    }


async def postgres_settings(database_url: str) -> dict[str, str]:
    """Read the settings that say what a commit is worth, as a session of the worker has them."""
    connection = await asyncpg.connect(database_url)
    try:
        found = await connection.fetch(
            "SELECT name, current_setting(name) AS value FROM unnest($1::text[]) AS name",
            list(POSTGRES_SETTINGS),
        )
        return {row["name"]: row["value"] for row in found}
    finally:
        await connection.close()


def fdatasync_ms(folder: Path) -> float:
    """Measure the median time of writing a page and having the disk keep it."""
    path = folder / "fdatasync.probe"
    page = os.urandom(SYNC_BYTES)
    taken = []
    file = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        for turn in range(SYNCS):
            began = time.perf_counter()
            os.pwrite(file, page, turn * SYNC_BYTES)
            os.fdatasync(file)
            taken.append(time.perf_counter() - began)
    finally:
        os.close(file)
        path.unlink()
    return round(statistics.median(taken) * 1000, 4)


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _digest(changes: str | None) -> str | None:
    """Tell changes that are not committed yet from others; None where there are none."""
    return hashlib.sha256(changes.encode()).hexdigest()[:DIGEST_DIGITS] if changes else None


def _git(checkout: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(checkout), *words],  # noqa: S607 - wherever git is
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=GIT_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
