"""Progress of what happens once per user: the broker's jars are fetched, its start prepared."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.local import jars

PLAIN_STEPS: Final = 4
FETCHING: Final = "fetching Kafka"
PREPARING: Final = "preparing Kafka's start, once"


@contextmanager
def jar_progress(console: Console) -> Iterator[jars.Report]:
    """Show the jars arrive: a bar on a terminal, a few lines elsewhere, else nothing."""
    if not console.is_terminal:
        yield _plain(console)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[megabytes]:.0f} MB"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(FETCHING, megabytes=0.0, visible=False)

        def show(ready: int, total: int, fetched: int) -> None:
            done, now = fetched / 1e6, FETCHING if ready < total else PREPARING
            progress.update(task, completed=ready, total=total, megabytes=done, visible=True)
            progress.update(task, description=now)

        yield show


def _plain(console: Console) -> jars.Report:
    def show(ready: int, total: int, fetched: int) -> None:
        if ready == total or ready % max(1, total // PLAIN_STEPS) == 0:
            console.print(f"{FETCHING}: {ready} of {total} jars, {fetched / 1e6:.0f} MB")
        if ready == total:
            console.print(f"{PREPARING} (about 10 s)")

    return show
