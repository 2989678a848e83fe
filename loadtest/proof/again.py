"""Repeats and conflicts, held against the first answer of their id."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import orjson

from loadtest.errors import LoadTestError
from loadtest.message import DECIDED, Message
from loadtest.proof import expected
from loadtest.proof.differences import Differences, Kind
from loadtest.proof.evidence import Lane
from loadtest.reference.contract import Command

WAITING_MAX = 100_000
"""
So many answers may wait for a first answer of another partition, about 4 KB each. All partitions
are read forward together, so it takes a partition of little but repeats to come near.
"""

OUTCOME_MARK = b'"outcome":"'
POSTED_MARK, REJECTED_MARK = (OUTCOME_MARK + outcome.encode() + b'"' for outcome in DECIDED)
FIRST_MARK = b'"repeat":false'
REFERENCES = ("original_transaction_id", "hold_transaction_id")
REFERENCE_MARK = b'_transaction_id"'
ESCAPE = b"\\u"
"""Any letter may be written as an escape: such a message is looked into."""


def asked_again(outcomes: Iterable[Message]) -> Counter[str]:
    """
    Count by id the outcomes that lean on a first answer.

    What is surely a first answer is told by its bytes; only what is not is parsed.
    """
    found: Counter[str] = Counter()
    for message in outcomes:
        raw = message.value or b""
        is_decided = POSTED_MARK in raw or REJECTED_MARK in raw
        # A conflict shows the outcome of the first answer beside its own.
        if is_decided and FIRST_MARK in raw and raw.count(OUTCOME_MARK) == 1:
            continue
        value = _object(raw) or {}
        id_ = value.get("transaction_id")
        if isinstance(id_, str) and value.get("outcome") != "invalid":
            found[id_] += 1
    return found


def referred(commands: Iterable[Message]) -> Iterator[str]:
    """Give the ids that commands name: payments that are given back, holds that are taken."""
    for message in commands:
        raw = message.value or b""
        if REFERENCE_MARK in raw or ESCAPE in raw:
            value = _object(raw) or {}
            yield from (str(value[field]).lower() for field in REFERENCES if field in value)


def _object(raw: bytes) -> dict[str, Any] | None:
    try:
        value = orjson.loads(raw)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


class Kept(NamedTuple):
    """What later answers to an id need of the first one, as bytes."""

    content: bytes
    event: bytes


class Waiting(NamedTuple):
    """An answer whose first one has not been decided yet."""

    lane: Lane
    offset: int
    command: Command
    event: dict[str, Any]


class Again:
    """
    Keeps first answers for as long as others will lean on them.

    `counts` says how often each id is going to be leaned on, see `asked_again`; too much of it
    costs memory alone.
    """

    def __init__(self, counts: Counter[str], differences: Differences) -> None:
        self._counts = counts
        self._differences = differences
        self._firsts: dict[str, Kept] = {}
        self._waiting: dict[str, list[Waiting]] = defaultdict(list)
        self._waiting_count = 0

    def first(self, lane: Lane, command: Command, event: Message, offset: int) -> None:
        """Take note of a first answer; what waited for it is checked."""
        id_ = command.transaction_id
        if id_ not in self._counts:
            return
        content, value = orjson.dumps(command.content), event.value or b""
        first = Kept(content, value)
        self._firsts.setdefault(id_, first)
        for one in self._waiting.pop(id_, ()):
            self._waiting_count -= 1
            if one.lane == lane and one.offset < offset:
                self._differs(one, "a later record of its partition was taken for the first")
            self._check(one, first)

    def later(self, lane: Lane, offset: int, command: Command, event: dict[str, Any]) -> None:
        """Take an answer that is no first one."""
        one = Waiting(lane, offset, command, event)
        first = self._firsts.get(command.transaction_id)
        if first is not None:
            self._check(one, first)
            return
        if self._waiting_count == WAITING_MAX:
            raise LoadTestError(
                f"more than {WAITING_MAX:,} repeats are answered before their first commands are: "
                "such a run can't be proven"
            )
        self._waiting[command.transaction_id].append(one)
        self._waiting_count += 1

    def rest(self) -> None:
        """Report what still waits: its id was never decided."""
        for waiting in self._waiting.values():
            for one in waiting:
                self._differs(one, f"{one.command.transaction_id} was never decided")

    def _check(self, one: Waiting, first: Kept) -> None:
        lane, offset, command, event = one
        told, content = orjson.loads(first.event), orjson.loads(first.content)
        source = lane.lanes.source((lane.number, offset))
        if content == command.content:
            wanted = expected.repeat(told, event, source)
        else:
            wanted = expected.conflict(content, told, command, event, source)
        for line in expected.differences(wanted, event):
            self._differs(one, line)
        id_ = command.transaction_id
        self._counts[id_] -= 1
        if self._counts[id_] <= 0:
            self._firsts.pop(id_, None)

    def _differs(self, one: Waiting, what: str) -> None:
        self._differences.note(Kind.ANSWER, f"{one.lane.name(one.offset)}: {what}")
