"""
Where reading starts: the ledger's position against what the log and the consumer group say. Pure.
"""

from __future__ import annotations

import msgspec

from processor.ledger import Position


class LogView(msgspec.Struct, frozen=True):
    """
    What Kafka says of a partition: first offset kept, end (read_committed), the group's committed
    offset if any.

    `last_digest` identifies the record at the position's `last_offset`, None where the log has no
    such record.
    """

    start: int
    end: int
    committed: int | None
    last_digest: bytes | None


class Start(msgspec.Struct, frozen=True):
    """
    Read from `offset` on. `restored` tells that the group had committed beyond what the ledger
    knows.
    """

    offset: int
    restored: bool


class Halt(msgspec.Struct, frozen=True):
    """The partition must not be read before an operator has decided; `why` is one line."""

    why: str


def start_of(position: Position, view: LogView) -> Start | Halt:
    """
    Give the offset to read from: what the ledger has answered, or what the group committed where
    that is less.

    There is no reset: a position outside the log, or another record just before the position than
    the ledger recorded there, means another log (a recreated topic, another cluster).
    """
    next_offset = position.next_offset
    if next_offset > view.end:
        return Halt(
            f"the ledger stands at offset {next_offset}, the log ends at {view.end}: "
            "is it a recreated topic or another cluster?"
        )
    if next_offset < view.start:
        return Halt(
            f"the ledger stands at offset {next_offset}, the log begins at {view.start}: "
            "records were deleted before they were read"
        )
    last = position.last_offset
    is_kept = last is not None and last >= view.start
    if is_kept and view.last_digest != position.last_digest:
        return Halt(
            f"the record at offset {last} is not the one that the ledger recorded there: "
            "is it a recreated topic or another cluster?"
        )
    restored = view.committed is not None and view.committed > next_offset
    offset = position.delivered_offset
    if view.committed is not None and not restored:
        offset = min(offset, view.committed)
    return Start(max(offset, view.start), restored)
