"""Where reading starts: the ledger's position against what Kafka says."""

from __future__ import annotations

import pytest

from processor.batch import Log
from processor.ledger import Position
from processor.stream.positions import Halt, LogView, Start, start_of
from tests.builders import TOPIC, uuid_of

LOG = Log(1, TOPIC, 0, uuid_of(1), uuid_of(2))
SAME, OTHER = b"same", b"other"


def position(next_offset: int, delivered: int, last: int | None, first: int = 0) -> Position:
    """Give a position whose last record has the digest SAME."""
    digest = None if last is None else SAME
    return Position(LOG, first, next_offset, delivered, last, digest)


@pytest.mark.parametrize(
    ("where", "view", "expected"),
    [
        # Nothing was ever read, or everything was answered.
        (position(0, 0, None), LogView(0, 0, None, None), Start(0, restored=False)),
        (position(0, 0, None), LogView(0, 90, None, None), Start(0, restored=False)),
        (position(40, 40, None, 40), LogView(40, 90, None, None), Start(40, restored=False)),
        (position(50, 50, 49), LogView(0, 90, 50, SAME), Start(50, restored=False)),
        (position(90, 90, 89), LogView(0, 90, 90, SAME), Start(90, restored=False)),
        # What was posted and not answered is read again, and what the group has not committed.
        (position(50, 30, 49), LogView(0, 90, 50, SAME), Start(30, restored=False)),
        (position(50, 50, 49), LogView(0, 90, 20, SAME), Start(20, restored=False)),
        (position(50, 30, 49), LogView(0, 90, 20, SAME), Start(20, restored=False)),
        (position(50, 30, 49), LogView(0, 90, 40, SAME), Start(30, restored=False)),
        (position(50, 30, 49), LogView(0, 90, None, SAME), Start(30, restored=False)),
        # What is gone from the log was answered long ago.
        (position(50, 30, 49), LogView(35, 90, 20, SAME), Start(35, restored=False)),
        (position(50, 50, 49), LogView(50, 90, 50, None), Start(50, restored=False)),
        (position(50, 50, 44), LogView(45, 90, 50, None), Start(50, restored=False)),
        # The group has committed beyond the ledger: the ledger was set back, and it decides.
        (position(50, 50, 49), LogView(0, 90, 70, SAME), Start(50, restored=True)),
        (position(50, 30, 49), LogView(0, 90, 51, SAME), Start(30, restored=True)),
        (position(0, 0, None), LogView(0, 90, 10, None), Start(0, restored=True)),
    ],
)
def test_reading_starts(where: Position, view: LogView, expected: Start) -> None:
    """Never behind what was answered and committed, never beyond what the ledger knows."""
    assert start_of(where, view) == expected


@pytest.mark.parametrize(
    ("where", "view", "why"),
    [
        (position(91, 91, 90), LogView(0, 90, None, None), "stands at offset 91, the log ends"),
        (position(1, 1, 0), LogView(0, 0, None, None), "stands at offset 1, the log ends at 0"),
        (position(50, 50, 49), LogView(51, 90, 50, None), "the log begins at 51: records were"),
        (position(50, 50, 49), LogView(0, 90, 50, OTHER), "offset 49 is not the one"),
        (position(50, 50, 49), LogView(49, 90, 50, OTHER), "offset 49 is not the one"),
        (position(50, 50, 49), LogView(0, 90, 70, OTHER), "offset 49 is not the one"),
        (position(50, 50, 49), LogView(0, 90, 50, None), "offset 49 is not the one"),
    ],
)
def test_a_partition_stops(where: Position, view: LogView, why: str) -> None:
    """Outside the log, or behind another record: an operator decides; the reason is one line."""
    halt = start_of(where, view)

    assert isinstance(halt, Halt)
    assert why in halt.why
    assert "\n" not in halt.why
