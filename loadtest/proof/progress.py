"""How far a proof is: a bar on a terminal, else a line every few seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from loadtest.proof.agreement import Agreement
from loadtest.proof.kafka import KafkaTopics

DRAWN_EVERY_S = 0.2
PLAIN_LINE_EVERY_S = 5.0


class Proving:
    """Shows how many commands are proven; an async context around the work."""

    def __init__(
        self, console: Console, topics: Sequence[KafkaTopics], agreement: Agreement
    ) -> None:
        self._console = console
        self._topics = topics
        self._agreement = agreement
        # Markers of transactions count as offsets, too: it is about right.
        self._commands = sum(sum(one.ends.values()) for one in topics)
        self._began = time.monotonic()
        self._proving_since: float | None = None
        self._bar: Progress | None = None
        self._ticker: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if self._console.is_terminal:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("{task.fields[note]}"),
            )
            self._bar = Progress(*columns, console=self._console, transient=True)
            self._bar.add_task("proving", total=self._commands, note="")
            self._bar.start()
        self._ticker = asyncio.create_task(self._tick())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._ticker is not None:
            self._ticker.cancel()
            with suppress(asyncio.CancelledError):
                await self._ticker
        if self._bar is not None:
            self._bar.stop()

    async def _tick(self) -> None:
        every_s = PLAIN_LINE_EVERY_S if self._bar is None else DRAWN_EVERY_S
        while True:
            await asyncio.sleep(every_s)
            note = self._note()
            if self._bar is None:
                done = f"{self._agreement.commands:>10,} of {self._commands:,} commands"
                self._console.print(f"  proven {done}  {note}", markup=False)
            else:
                (task,) = self._bar.task_ids
                self._bar.update(task, completed=self._agreement.commands, note=note)

    def _note(self) -> str:
        now, proven = time.monotonic(), self._agreement.commands
        if not proven:
            records = sum(one.records for one in self._topics)
            return f"looking ahead, {records:,} records"
        if self._proving_since is None:
            self._proving_since = now
            return ""
        return f"{proven / max(now - self._proving_since, 1e-9):,.0f}/s"
