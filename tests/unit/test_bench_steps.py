"""The profile of the worker's own steps."""

from __future__ import annotations

import io

from rich.console import Console

from loadtest.bench.steps import steps


def test_every_step_is_timed_and_shown() -> None:
    """Each figure is there, above zero, and on the screen."""
    screen = io.StringIO()

    figures = steps(Console(file=screen, width=80), batches=1)

    assert len(figures) == 7
    assert min(figures.values()) > 0
    assert [step for step in figures if step not in screen.getvalue()] == []
