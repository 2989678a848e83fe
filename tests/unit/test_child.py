"""What a child of the harness tells its parent arrives whole."""

import sys
from types import SimpleNamespace

import orjson
import pytest

from loadtest import child


class Pipe:
    """Standard output that is not buffered: a write takes a few bytes and says how many."""

    def __init__(self) -> None:
        self.written = b""

    def write(self, data: memoryview) -> int:
        """Take at most 100 bytes."""
        self.written += bytes(data[:100])
        return min(len(data), 100)

    def flush(self) -> None:
        """Do nothing: nothing is held back."""


def test_an_answer_arrives_whole_though_a_write_takes_a_part_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With PYTHONUNBUFFERED a full pipe takes what it has room for; the rest is written too."""
    pipe = Pipe()
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=pipe))
    said = {"told": [[str(number), "posted"] for number in range(1000)]}

    child.answer(said)

    assert orjson.loads(pipe.written) == said
