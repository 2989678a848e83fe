"""Progress of the one long step: fetching the broker's jars."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.local import jars

PLAIN_STEPS = 4


@contextmanager
def jar_progress(console: Console) -> Iterator[jars.Report]:
    """Show the jars arrive: a bar on a terminal, a few lines elsewhere, else nothing."""
    if not console.is_terminal:
        yield _plain(console)
        return
    columns = (
        TextColumn("fetching Kafka"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[megabytes]:.0f} MB"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("jars", megabytes=0.0, visible=False)

        def show(ready: int, total: int, fetched: int) -> None:
            progress.update(
                task, completed=ready, total=total, megabytes=fetched / 1e6, visible=True
            )

        yield show


def _plain(console: Console) -> jars.Report:
    def show(ready: int, total: int, fetched: int) -> None:
        if ready == total or ready % max(1, total // PLAIN_STEPS) == 0:
            console.print(f"fetching Kafka: {ready} of {total} jars, {fetched / 1e6:.0f} MB")

    return show
