"""Which command an event answers, and how: read from the events, without their other fields."""

from __future__ import annotations

from typing import Final, NamedTuple
from zlib import crc32

import msgspec

from loadtest.errors import LoadTestError

POSTED, REJECTED, REPEAT = "posted", "rejected", "repeat"
KINDS: Final = (POSTED, REJECTED, REPEAT, "conflict", "invalid")
"""What an answer is counted as; the answer to a repeat is counted as `repeat` alone."""

INVALID: Final = KINDS[-1]


class Answer(NamedTuple):
    """
    The answer to the command at a position.

    `mark` stands for the id of its event and is never 0: the same event has the same.
    """

    partition: int
    offset: int
    kind: str
    mark: int


class _Source(msgspec.Struct, frozen=True, gc=False):
    topic: str
    partition: int
    offset: int


class _Outcome(msgspec.Struct, frozen=True, gc=False):
    event_id: str
    outcome: str
    repeat: bool
    source: _Source


class _Letter(msgspec.Struct, frozen=True, gc=False):
    event_id: str
    transaction_id: str | None
    source: _Source


class Reading:
    """Reads events of both topics; those about other topics than `commands` answer nothing."""

    def __init__(self, commands: str) -> None:
        self._commands = commands
        self._outcomes = msgspec.json.Decoder(_Outcome)
        self._letters = msgspec.json.Decoder(_Letter)

    def outcome(self, value: bytes | None) -> Answer | None:
        """Read an outcome. Raises LoadTestError for what is none."""
        try:
            found = self._outcomes.decode(value or b"")
        except msgspec.DecodeError as error:
            raise LoadTestError(f"an outcome that can't be read: {error}") from error
        said = found.outcome
        is_repeat = found.repeat and said in (POSTED, REJECTED)
        return self._answer(found.event_id, found.source, REPEAT if is_repeat else said)

    def dead_letter(self, value: bytes | None) -> Answer | None:
        """Read a dead letter; None where an outcome answers as well, as its id could be read."""
        try:
            found = self._letters.decode(value or b"")
        except msgspec.DecodeError as error:
            raise LoadTestError(f"a dead letter that can't be read: {error}") from error
        if found.transaction_id is not None:
            return None
        return self._answer(found.event_id, found.source, INVALID)

    def _answer(self, event_id: str, source: _Source, kind: str) -> Answer | None:
        if source.topic != self._commands:
            return None
        mark = crc32(event_id.encode()) or 1
        return Answer(source.partition, source.offset, kind, mark)
