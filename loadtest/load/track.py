"""What a load looks like while it runs: a row for each second, drawn or printed as it comes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from loadtest.load.answers import POSTED, REJECTED
from loadtest.load.schedule import Schedule

PLAIN_EVERY_ROWS = 5
"""Without a terminal a line is printed for every so many rows: logs stay readable."""

HEADED_EVERY_LINES = 12
"""The names of the columns stand above every so many lines."""

DRAWN_ROWS = 12
NOTHING: Mapping[str, int] = MappingProxyType({})


class Second(NamedTuple):
    """
    How far a load is, and the latencies of what was answered in the second before.

    `in_flight` are commands that were sent and are not answered. Latencies are None where nothing
    was answered. `outcomes` are those of this second, by kind. `waiting_ms` is how long the oldest
    command without an outcome has been due. `late` counts what the sender sent too late, `held_up`
    what it had in time and the broker took too late.
    """

    at_s: float
    meant_per_second: int
    answered_per_second: int
    sent: int
    answered: int
    in_flight: int
    late: int
    p50_ms: float | None
    p99_ms: float | None
    max_ms: float | None
    outcomes: Mapping[str, int] = NOTHING
    waiting_ms: float = 0.0
    held_up: int = 0


class Track:
    """
    Puts together what sender and reader tell. `series` has a row for each second; `sent` and
    `answered` are what was told last.
    """

    def __init__(self, show: Callable[[Second], None] = lambda _: None) -> None:
        self.series: list[Second] = []
        self.sent = self.answered = 0
        self._show = show
        self._schedule = Schedule(0.0, ())
        self._late = self._held_up = 0
        self._before: tuple[float, Mapping[str, int]] = (0.0, NOTHING)

    def begin(self, schedule: Schedule) -> None:
        """Know what is meant to be sent when."""
        self._schedule = schedule
        self._before = (schedule.starts_at, NOTHING)

    def sender(self, said: Mapping[str, Any]) -> None:
        """Take what the sender tells."""
        self.sent, self._late, self._held_up = said["sent"], said["late"], said["held_up"]

    def reader(self, said: Mapping[str, Any]) -> None:
        """Take what the reader tells, which makes a row."""
        now, outcomes = time.monotonic(), said["outcomes"]
        self.answered = answered = said["read"]
        before_at, before = self._before
        self._before = (now, outcomes)
        new = {kind: number - before.get(kind, 0) for kind, number in outcomes.items()}
        row = Second(
            round(now - self._schedule.starts_at, 1),
            round(self._schedule.per_second(now)),
            round(sum(new.values()) / max(now - before_at, 0.001)),
            self.sent,
            answered,
            max(0, self.sent - answered),
            self._late,
            said["p50_ms"],
            said["p99_ms"],
            said["max_ms"],
            {kind: number for kind, number in new.items() if number},
            said["waiting_ms"],
            self._held_up,
        )
        self.series.append(row)
        self._show(row)


COLUMNS = {
    "s": 6,
    "meant/s": 7,
    "answered/s": 10,
    "posted": 7,
    "rejected": 8,
    "other": 7,
    "in flight": 9,
    "late": 7,
    "p50 ms": 8,
    "p99 ms": 8,
    "max ms": 8,
}
"""What is shown of a row, and how wide it is."""


class View:
    """Shows rows: a table that moves where there is a terminal, else a line now and then."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._rows: list[Second] = []
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def say(self, what: str) -> None:
        """Say what happens, in a line that stays."""
        self._console.print(what, markup=False)

    def show(self, row: Second) -> None:
        """Show one more row."""
        self._rows.append(row)
        if self._console.is_terminal:
            self._live.update(drawn(self._rows[-DRAWN_ROWS:]), refresh=True)
        elif len(self._rows) % PLAIN_EVERY_ROWS == 0:
            lines = len(self._rows) // PLAIN_EVERY_ROWS - 1
            if lines % HEADED_EVERY_LINES == 0:
                self._console.print(aligned(COLUMNS), markup=False)
            self._console.print(aligned(cells(row)), markup=False)


def cells(row: Second) -> list[str]:
    """Write a row for people."""
    latencies = (row.p50_ms, row.p99_ms, row.max_ms)
    posted, rejected = (row.outcomes.get(kind, 0) for kind in (POSTED, REJECTED))
    return [
        f"{row.at_s:,.0f}",
        f"{row.meant_per_second:,}",
        f"{row.answered_per_second:,}",
        f"{posted:,}",
        f"{rejected:,}",
        f"{sum(row.outcomes.values()) - posted - rejected:,}",
        f"{row.in_flight:,}",
        f"{row.late:,}",
        *("-" if one is None else f"{one:,.1f}" for one in latencies),
    ]


def aligned(texts: Iterable[str]) -> str:
    """Put texts below the names of their columns."""
    widths = COLUMNS.values()
    return " ".join(f"{text:>{width}}" for text, width in zip(texts, widths, strict=True))


def drawn(rows: list[Second]) -> Table:
    """Draw rows as a table."""
    table = Table(box=None)
    for column in COLUMNS:
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*cells(row))
    return table
