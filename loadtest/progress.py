"""What a person sees meanwhile: bars on a terminal, else a line every second."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

PLAIN_LINE_EVERY_S = 1.0


class Traffic:
    """Counts what is published and answered, and shows it; use it as an async context."""

    def __init__(self, console: Console, records: int) -> None:
        self._console = console
        self._records = records
        self._published = 0
        self._answered = 0
        self._phase = ""
        self._started = time.monotonic()
        self._bars: Progress | None = None
        self._tasks: tuple[TaskID, TaskID] | None = None
        self._ticker: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if self._console.is_terminal:
            columns = (
                SpinnerColumn(),
                TextColumn("{task.description:<10}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("{task.fields[note]}"),
            )
            self._bars = Progress(*columns, console=self._console)
            published, answered = (
                self._bars.add_task(title, total=self._records, note="")
                for title in ("published", "answered")
            )
            self._tasks = (published, answered)
            self._bars.start()
        else:
            self._ticker = asyncio.create_task(self._tick())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._bars is not None:
            self._show()
            self._bars.stop()
        if self._ticker is not None:
            self._ticker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ticker
            self._console.print(self._line())

    def phase(self, title: str) -> None:
        """Say what is being sent now."""
        self._phase = title
        self._show()

    def published(self, records: int) -> None:
        """Count records that the broker has acknowledged."""
        self._published += records
        self._show()

    def answered(self, commands: int) -> None:
        """Count commands whose outcome or dead letter has been read."""
        self._answered += commands
        self._show()

    def _show(self) -> None:
        if self._bars is not None and self._tasks is not None:
            published, answered = self._tasks
            self._bars.update(published, completed=self._published, note=self._phase)
            self._bars.update(answered, completed=self._answered, note=f"{self._rate():,.0f}/s")

    def _rate(self) -> float:
        return self._answered / max(time.monotonic() - self._started, 1e-9)

    def _line(self) -> str:
        return (
            f"  published {self._published:>7,}   answered {self._answered:>7,}"
            f" of {self._records:,}   {self._rate():>7,.0f}/s   {self._phase}"
        )

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(PLAIN_LINE_EVERY_S)
            self._console.print(self._line())
