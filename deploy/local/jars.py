"""The broker's jars: fetched once per user, checked against the lock file, ready as a class path.

A lock file `kafka-<version>.lock` has one line per jar, `group:artifact:version sha256`. Released
jars never change, so a jar that differs from its line is refused.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import requests
from jgo.maven import MavenContext

from deploy.local.errors import StackError

DOWNLOADS_AT_ONCE: Final = 6
DOWNLOAD_ATTEMPTS: Final = 3
DOWNLOAD_TIMEOUT_S: Final = 60
RETRY_WAIT_S: Final = 1.0
# The broker logs through SLF4J, and says nothing at all without one of its back ends.
LOG_BACK_END: Final = "org.slf4j:slf4j-simple:1.7.36"

Report = Callable[[int, int, int], None]
"""Called after each jar with: jars ready, jars in all, bytes fetched so far."""


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of a lock file."""

    coordinates: str
    sha256: str

    @property
    def file_name(self) -> str:
        """The jar's name in the cache."""
        _, artifact, version = self.coordinates.split(":")
        return f"{artifact}-{version}.jar"


def cache_folder() -> Path:
    """Return this user's cache for things that are fetched once and shared by all checkouts."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "payment-processor"


def lock_file(version: str) -> Path:
    """Return the lock file of a Kafka version."""
    return Path(__file__).with_name(f"kafka-{version}.lock")


def read_lock(version: str) -> list[Jar]:
    """Read the jars of a Kafka version, the broker's own first."""
    try:
        lines = lock_file(version).read_text().splitlines()
    except FileNotFoundError:
        known = sorted(p.name[6:-5] for p in lock_file(version).parent.glob("kafka-*.lock"))
        raise StackError(f"Kafka {version} has no lock file; known: {', '.join(known)}") from None
    return [Jar(*line.split()) for line in lines if line and not line.startswith("#")]


def class_path(version: str, report: Report | None = None) -> list[Path]:
    """Return the broker's jars, fetching those that are missing; safe in several processes."""
    jars = read_lock(version)
    folder = cache_folder() / "jars"
    paths = [folder / jar.file_name for jar in jars]
    stamp = cache_folder() / f"kafka-{version}.verified"
    wanted = hashlib.sha256(lock_file(version).read_bytes()).hexdigest()
    with _locked(cache_folder() / "lock"):
        if _text(stamp) == wanted and all(path.exists() for path in paths):
            return paths
        missing = [jar for jar in jars if not _matches(folder / jar.file_name, jar)]
        _fetch_all(missing, folder, len(jars), report)
        stamp.write_text(wanted)
    return paths


def resolve(version: str) -> list[Jar]:
    """Work out the jars of a Kafka version from the registry's metadata, with their digests."""
    with tempfile.TemporaryDirectory() as scratch:
        context = MavenContext(repo_cache=Path(scratch), timeout=DOWNLOAD_TIMEOUT_S)
        wanted = [f"org.apache.kafka:kafka_2.13:{version}", LOG_BACK_END]
        roots, others = context.resolver.resolve([context.create_dependency(w) for w in wanted])
        names = [f"{d.groupId}:{d.artifactId}:{d.version}" for d in [*roots, *others]]
        names = [*names[:1], *sorted(set(names[1:]))]
        with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
            paths = list(pool.map(lambda name: _download(name, Path(scratch)), names))
        return [Jar(name, _sha256(path)) for name, path in zip(names, paths, strict=True)]


def write_lock(version: str) -> Path:
    """Write the lock file of a Kafka version anew."""
    lines = [f"{jar.coordinates} {jar.sha256}" for jar in resolve(version)]
    head = f"# The jars of Kafka {version}, made by `make lock`: group:artifact:version sha256"
    lock_file(version).write_text("\n".join([head, *lines]) + "\n")
    return lock_file(version)


def _fetch_all(jars: Sequence[Jar], folder: Path, total: int, report: Report | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    ready, fetched = total - len(jars), 0
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:

        def fetch(jar: Jar) -> int:
            path = _download(jar.coordinates, Path(scratch))
            if not _matches(path, jar):
                raise StackError(f"{jar.coordinates} does not match its line in the lock file")
            shutil.move(path, folder / jar.file_name)
            return (folder / jar.file_name).stat().st_size

        with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
            for size in pool.map(fetch, jars):
                ready, fetched = ready + 1, fetched + size
                if report is not None:
                    report(ready, total, fetched)


def _download(coordinates: str, scratch: Path) -> Path:
    for attempt in range(1, DOWNLOAD_ATTEMPTS + 1):
        # A folder of its own for each attempt: what an attempt that broke off left is never taken.
        folder = Path(tempfile.mkdtemp(dir=scratch))
        context = MavenContext(repo_cache=folder, timeout=DOWNLOAD_TIMEOUT_S)
        try:
            return Path(context.create_dependency(coordinates).artifact.resolve())
        except (requests.RequestException, RuntimeError) as error:
            if attempt == DOWNLOAD_ATTEMPTS:
                reason = type(error).__name__
                raise StackError(
                    f"can't fetch {coordinates} ({reason}): is there a network?"
                ) from None
        time.sleep(RETRY_WAIT_S * attempt)
    raise AssertionError("the last attempt returns or raises")


def _matches(path: Path, jar: Jar) -> bool:
    return path.exists() and _sha256(path) == jar.sha256


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _text(path: Path) -> str | None:
    try:
        return path.read_text()
    except FileNotFoundError:
        return None


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
    except PermissionError as error:
        raise StackError(
            f"can't write {error.filename}: set XDG_CACHE_HOME to a folder of yours"
        ) from None
