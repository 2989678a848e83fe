"""
Lanes: the partitions of all topics that hold commands, counted through.

With eight partitions each, lanes 0 to 7 are the partitions of the commands topic and lanes 8 to 15
those of the internal topic. A lane has an order of its own. Everything that stands in a command
topic is named by its lane here: `Record.partition`, a position, the ends of what was published.
Events are named by the partition of their own topic, as they are everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

COMMANDS = "payments.commands.v1"
INTERNAL = "payments.internal.v1"
COMMAND_TOPICS = (COMMANDS, INTERNAL)

Position = tuple[int, int]
"""Lane and offset of a command."""


class Lanes(NamedTuple):
    """The topics that hold commands, that of the channels first, with so many partitions each."""

    topics: tuple[str, ...]
    partitions: int

    def topic(self, lane: int) -> str:
        """Name the topic that a lane belongs to."""
        return self.topics[lane // self.partitions]

    def partition(self, lane: int) -> int:
        """Give the partition of its topic that a lane is."""
        return lane % self.partitions

    def is_internal(self, lane: int) -> bool:
        """Say whether a lane belongs to the internal topic, which takes other commands."""
        return lane >= self.partitions

    def position(self, source: Mapping[str, Any]) -> Position | None:
        """Find where an event's command stands; None in a topic that is not looked at."""
        if source["topic"] not in self.topics:
            return None
        lane = self.topics.index(source["topic"]) * self.partitions + source["partition"]
        return (lane, source["offset"])

    def source(self, position: Position) -> dict[str, Any]:
        """Write a position as events do."""
        lane, offset = position
        return {"topic": self.topic(lane), "partition": self.partition(lane), "offset": offset}

    def name(self, position: Position) -> str:
        """Name a position for people."""
        lane, offset = position
        return f"{self.topic(lane)} partition {self.partition(lane)} offset {offset}"


def in_internal(partition: int, partitions: int) -> int:
    """Give the lane of a partition of the internal topic."""
    return partitions + partition
