"""How far sending has come: a bar on a terminal, else a line every second; on standard error."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Final, Self

import click

if TYPE_CHECKING:
    from types import TracebackType

PLAIN_LINE_EVERY_S: Final = 1.0


class Progress:
    """Shows how much of `bytes_total` was read; nothing where that is unknown (0)."""

    def __init__(self, bytes_total: int) -> None:
        self._total = bytes_total
        self._done = 0
        self._started = self._shown = time.monotonic()
        self._bar: Any = None
        if bytes_total and sys.stderr.isatty():
            self._bar = click.progressbar(length=bytes_total, label="sending", file=sys.stderr)

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.__exit__(kind, error, trace)

    def advance(self, read: int, sent: int) -> None:
        """Count bytes read; `sent` commands are acknowledged."""
        self._done += read
        if self._bar is not None:
            self._bar.update(read)
            return
        now = time.monotonic()
        if self._total and now - self._shown >= PLAIN_LINE_EVERY_S:
            self._shown = now
            percent = min(100, 100 * self._done // self._total)
            rate = sent / self.passed_s()
            click.echo(f"sent {sent:,} commands, {percent} % of the file, {rate:,.0f}/s", err=True)

    def passed_s(self) -> float:
        """Give the seconds since the beginning."""
        return time.monotonic() - self._started
