"""What libraries may write to the log."""

from __future__ import annotations

import logging
import sys
from typing import Any

import pytest
import structlog

from processor.telemetry import (
    REPEAT_PAUSE_S,
    REPEATS_KNOWN_MAX,
    OncePerPause,
    configure_logs,
)


def said(message: str, at: float, *arguments: object) -> logging.LogRecord:
    """Give a library's record of a moment."""
    record = logging.LogRecord("aiokafka", logging.ERROR, "f", 1, message, arguments, None)
    record.created = at
    return record


class Writes:
    """A standard error that keeps each write by itself."""

    def __init__(self) -> None:
        self.written: list[str] = []

    def write(self, text: str) -> None:
        """Take a write."""
        self.written.append(text)

    def flush(self) -> None:
        """Do nothing: nothing is held back."""


def test_a_line_and_its_end_are_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """Libraries log from threads of their own: between two writes another line could come."""
    said, kept = Writes(), dict[str, Any]()
    monkeypatch.setattr(sys, "stderr", said)
    monkeypatch.setattr(structlog, "configure", kept.update)
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)

    configure_logs("info")
    kept["logger_factory"]().info("a line")

    assert said.written == ["a line\n"]


def test_the_same_message_is_written_once_in_a_pause() -> None:
    """A loop that complains thousands of times a second fills no disk, and is counted."""
    once = OncePerPause()
    written = [
        record
        for number in range(2_000)
        if once.filter(record := said("no broker %s", 1_000.0 + number / 1_000, number))
    ]
    later = said("no broker %s", 1_000.0 + REPEAT_PAUSE_S, 7)

    assert len(written) == 1
    assert once.filter(later)
    assert later.getMessage() == "no broker 7 (and 1999 more like it)"


def test_other_messages_are_not_held_back() -> None:
    """Each has its own pause."""
    once = OncePerPause()

    assert [once.filter(said(text, 1_000.0)) for text in ("a", "b", "a")] == [True, True, False]


def test_what_is_remembered_is_bounded() -> None:
    """A library that says something new each time does not fill the memory."""
    once = OncePerPause()
    for number in range(3 * REPEATS_KNOWN_MAX):
        assert once.filter(said(f"message {number}", 1_000.0))

    assert len(once._said) <= REPEATS_KNOWN_MAX
