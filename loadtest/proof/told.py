"""The events of one lane, in the order in which they first came."""

from __future__ import annotations

import re
from array import array
from collections.abc import Container, Iterable, Iterator
from typing import Any, NamedTuple

from loadtest.message import Message, parsed
from loadtest.proof.differences import Differences, Kind
from loadtest.proof.evidence import Lane
from loadtest.proof.once import Once

EVENT_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
NO_DIGEST = 0


class Event(NamedTuple):
    """An outcome or dead letter with its parsed value."""

    message: Message
    value: dict[str, Any]


class Digests:
    """What was told of each offset of a lane, in 8 bytes."""

    def __init__(self) -> None:
        self._known = array("q")

    def told(self, offset: int, digest: int) -> int:
        """Give the digest that an offset has; where it has none, it has this one from now on."""
        known = self._known
        if offset < len(known) and known[offset] != NO_DIGEST:
            return known[offset]
        if offset >= len(known):
            known.frombytes(bytes((offset - len(known) + 1) * known.itemsize))
        known[offset] = digest
        return NO_DIGEST


class Told:
    """
    The events about the commands of a lane: outcomes, or dead letters.

    Of those that went by it keeps 8 bytes for each position, so that what is delivered again is
    held against what was delivered first. A partition holds events of several lanes; `elsewhere`
    are the lanes that others read. `count` counts positions, `again` what was delivered again.
    """

    def __init__(
        self,
        what: str,
        lane: Lane,
        messages: Iterable[Message],
        elsewhere: Container[int],
        once: Once,
        differences: Differences,
    ) -> None:
        self.count = 0
        self.again = 0
        self._what = what
        self._lane = lane
        self._elsewhere = elsewhere
        self._once = once
        self._differences = differences
        self._firsts = self._read(messages)
        self._head = next(self._firsts, None)
        self._at = -1 if self._head is None else self._head.value["source"]["offset"]

    def at(self, offset: int) -> Event | None:
        """Give the event of a command; ask in the order of the offsets."""
        while self._head is not None and self._at < offset:
            self._unasked(self._at)
            self._advance()
        if self._head is None or self._at > offset:
            return None
        found = self._head
        self._advance()
        return found

    def rest(self) -> None:
        """Read what is left when all commands have been asked for."""
        while self._head is not None:
            self._unasked(self._at)
            self._advance()

    def _advance(self) -> None:
        self._head = next(self._firsts, None)
        if self._head is not None:
            self._at = self._head.value["source"]["offset"]

    def _read(self, messages: Iterable[Message]) -> Iterator[Event]:
        """Give what came for the first time, and hold what came again against it."""
        lane, seen, latest = self._lane, Digests(), -1
        first_place, topic = lane.first_place, lane.lanes.topic(lane.number)
        partition = lane.lanes.partition(lane.number)
        mark = topic.encode() if lane.is_internal else b""
        for message in messages:
            if mark not in (message.value or b""):
                continue
            value = parsed(message)
            source = {} if value is None else value["source"]
            if value is None or source["topic"] != topic or source["partition"] != partition:
                self._stray(message, value)
                continue
            offset = source["offset"]
            if not 0 <= offset < lane.end:
                self._unasked(offset)
                continue
            digest = hash((message.key, message.value)) or 1
            earlier = seen.told(offset, digest)
            if earlier != NO_DIGEST:
                self.again += 1
                if earlier != digest:
                    self._differs(offset, "came twice and says two things")
                continue
            self.count += 1
            id_ = value["event_id"]
            self._once.add(hash(id_), first_place + offset)
            if not EVENT_ID.fullmatch(id_):
                self._differs(offset, f"has event_id {id_}, which is not its own", Kind.ID)
            if offset < latest:
                self._differs(offset, "came after a later command's")
                continue
            latest = offset
            yield Event(message, value)

    def _stray(self, message: Message, value: dict[str, Any] | None) -> None:
        """Report an event that is of no lane; the first lane of a partition looks at all."""
        if self._lane.is_internal:
            return
        lanes = self._lane.lanes
        position = None if value is None else lanes.position(value["source"])
        if value is None:
            place = f"partition {message.partition} offset {message.offset}"
            line = f"the {self._what} at {place} can't be read: {message.value!r}"
        elif position is None:
            line = f"the {self._what} of {value['source']} is of no command topic"
        elif lanes.partition(position[0]) != message.partition:
            name = lanes.name(position)
            line = f"{name}: its {self._what} stands in partition {message.partition}"
        elif position[0] in self._elsewhere:
            return
        else:
            line = f"{lanes.name(position)}: has an event, but no command stands there"
        self._differences.note(Kind.EVENT, line)

    def _unasked(self, offset: int) -> None:
        name = self._lane.name(offset)
        self._differences.note(
            Kind.EVENT, f"{name}: has an event ({self._what}), but no command stands there"
        )

    def _differs(self, offset: int, what: str, kind: Kind = Kind.EVENT) -> None:
        self._differences.note(kind, f"{self._lane.name(offset)}: its {self._what} {what}")
