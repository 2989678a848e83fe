"""What a run left behind, as streams: none of it has to be in memory as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from loadtest.lanes import Lanes, Position
from loadtest.message import Message
from loadtest.reporting import Entry, Ledger, Payment

LANE_BITS = 16
OFFSET_BITS = 40


class Topics(Protocol):
    """
    The topics of one site. Each call begins a stream anew, in the order of the offsets.

    `ends` has the offset behind the last record of each lane. `outcomes` and `dead_letters` give
    the partition that holds those of a lane, with all that stands there.
    """

    @property
    def lanes(self) -> Lanes:
        """The lanes of the commands."""

    @property
    def ends(self) -> Mapping[int, int]:
        """The offset behind the last record of each lane."""

    def commands(self, lane: int) -> Iterable[Message]:
        """Give the commands of a lane."""

    def outcomes(self, lane: int) -> Iterable[Message]:
        """Give the partition of the outcomes topic that answers a lane."""

    def dead_letters(self, lane: int) -> Iterable[Message]:
        """Give the partition of the dead-letter topic that answers a lane."""


class Streams(NamedTuple):
    """The records of a lane and the partitions that answer it, begun together."""

    commands: Iterable[Message]
    outcomes: Iterable[Message]
    dead_letters: Iterable[Message]

    @classmethod
    def of(cls, topics: Topics, lane: int) -> Streams:
        """Begin the streams of a lane."""
        return cls(topics.commands(lane), topics.outcomes(lane), topics.dead_letters(lane))


class Listed:
    """Topics that were read into lists."""

    def __init__(
        self,
        lanes: Lanes,
        ends: Mapping[int, int],
        commands: Iterable[Message],
        outcomes: Iterable[Message],
        dead_letters: Iterable[Message],
    ) -> None:
        self.lanes = lanes
        self.ends = ends
        self._commands = _by_partition(commands)
        self._outcomes = _by_partition(outcomes)
        self._dead_letters = _by_partition(dead_letters)

    def commands(self, lane: int) -> Iterable[Message]:
        """Give the commands of a lane."""
        return self._commands.get(lane, ())

    def outcomes(self, lane: int) -> Iterable[Message]:
        """Give the partition of the outcomes topic that answers a lane."""
        return self._outcomes.get(self.lanes.partition(lane), ())

    def dead_letters(self, lane: int) -> Iterable[Message]:
        """Give the partition of the dead-letter topic that answers a lane."""
        return self._dead_letters.get(self.lanes.partition(lane), ())


def _by_partition(messages: Iterable[Message]) -> dict[int, list[Message]]:
    found: dict[int, list[Message]] = {}
    for message in messages:
        found.setdefault(message.partition, []).append(message)
    return found


class Window(NamedTuple):
    """All rows with a `ledger_sequence` below `end` that no earlier window has."""

    end: int
    payments: Sequence[Payment]
    entries: Sequence[Entry]


def all_of(ledger: Ledger) -> tuple[Window]:
    """Give all rows of a ledger that was read into lists, as one window."""
    sequences = [row.ledger_sequence for row in ledger.payments]
    sequences += [row.ledger_sequence for row in ledger.entries]
    return (Window(max(sequences, default=0) + 1, ledger.payments, ledger.entries),)


class Lane(NamedTuple):
    """A lane of one of the sites that a ledger was fed from; `end` is behind its last record."""

    site: int
    lanes: Lanes
    number: int
    end: int

    @property
    def is_internal(self) -> bool:
        """Whether it belongs to the internal topic."""
        return self.lanes.is_internal(self.number)

    @property
    def first_place(self) -> int:
        """The place of its offset 0, as a number; the others follow."""
        return (self.site << LANE_BITS | self.number) << OFFSET_BITS

    def name(self, offset: int) -> str:
        """Name a command's place for people."""
        return self.lanes.name((self.number, offset))


def place_of(number: int) -> tuple[int, Position]:
    """Give the site and the position that a place is, see `Lane.first_place`."""
    above, offset = divmod(number, 1 << OFFSET_BITS)
    site, lane = divmod(above, 1 << LANE_BITS)
    return site, (lane, offset)
