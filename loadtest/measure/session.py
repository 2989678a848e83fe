"""What every measured run does around its measuring: its folder, screen, head and result."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import psutil
from rich.console import Console

from deploy.local import KAFKA_VERSION
from loadtest.errors import LoadTestError
from loadtest.ground import Ground, found_or_started
from loadtest.measure.machine import fdatasync_ms, machine, postgres_settings, versions

CHECKOUT = Path(__file__).resolve().parents[2]
RUNS = CHECKOUT / "build" / "run"
PLAIN_WIDTH = 120


def screen() -> Console:
    """Give where people look: of a fixed width where it is no terminal."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    return console


@contextmanager
def ground_of(
    kind: str,
    console: Console,
    *,
    kafka_proxy_port: int | None = None,
    kafka_outer_host: str | None = None,
) -> Iterator[tuple[Ground, Path]]:
    """
    Give a run its ground and a folder. What goes wrong is a LoadTestError, and keeps the logs.
    Kafka's clients may come through a proxy on `kafka_proxy_port`, and from other machines, which
    reach this one at `kafka_outer_host`.
    """
    name = f"{kind}-{secrets.token_hex(3)}"
    folder = RUNS / name
    folder.mkdir(parents=True)
    try:
        with ExitStack() as ends:
            ground = found_or_started(
                name,
                folder,
                console,
                ends,
                kafka_proxy_port=kafka_proxy_port,
                kafka_outer_host=kafka_outer_host,
            )
            yield ground, folder
    except Exception as error:
        keep_logs(folder, console)
        if isinstance(error, (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)):
            raise LoadTestError(f"PostgreSQL does not do as asked: {error}") from error
        if isinstance(error, psutil.Error):
            raise LoadTestError(f"a process that is measured has ended: {error}") from error
        raise
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def keep_logs(folder: Path, console: Console) -> None:
    """Keep all logs for a look; the servers' data would only fill the disk."""
    for path in [*folder.glob("stack/*/*"), *folder.glob("stack/*")]:
        if path.is_dir() and not any(path.glob("*.log")):
            shutil.rmtree(path, ignore_errors=True)
        elif path.is_file() and path.suffix != ".log":
            path.unlink()
    if any(path.is_file() for path in folder.rglob("*")):
        console.print(f"Kept for a look: {folder}", markup=False)
    else:
        shutil.rmtree(folder)


async def head(ground: Ground, folder: Path, **durability: str) -> dict[str, Any]:
    """Describe the machine, the versions and what is done to keep what was answered."""
    return {
        "machine": machine(),
        "versions": versions(CHECKOUT),
        "durability": {
            "postgres": await postgres_settings(ground.place.database_url),
            "kafka": KAFKA_VERSION if ground.is_own else "of the user",
            **durability,
        },
        "fdatasync_ms": fdatasync_ms(folder),
    }


def write_result(result: Path, written: Mapping[str, Any]) -> None:
    """Write a result, whole or not at all."""
    result.parent.mkdir(parents=True, exist_ok=True)
    draft = result.with_suffix(".draft")
    draft.write_bytes(orjson.dumps(written, option=orjson.OPT_INDENT_2))
    draft.replace(result)
