"""A batch: runs of records from several partitions, carried through the line as one."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final, TypeVar
from uuid import UUID

import msgspec
from opentelemetry.trace import Span

from processor.core.answers import Answer, Arrival, Record

TURN_RECORDS: Final = 100
"""
How many records a stage works on before it lets the others go on: half a millisecond.

A posting makes about eight round trips, and each answer of PostgreSQL waits for the turns of the
other two stages.
"""

LIGHT_TURN_RECORDS: Final = 500
"""The same where a record costs a microsecond at most: a turn has its own price, some 5 µs."""

_T = TypeVar("_T")


class Log(msgspec.Struct, frozen=True):
    """
    One partition's log as the ledger knows it, and the claim under which this worker reads it.
    """

    source_id: int
    topic: str
    partition: int
    incarnation: UUID
    claim: UUID


class Run(msgspec.Struct, frozen=True):
    """
    Consecutive records of one partition.

    `start` is where reading stood before them and `end` is just past the last one, so offsets of
    `[start, end)` without a record are holes of the log.
    """

    log: Log
    start: int
    end: int
    records: Sequence[Record]

    def holes(self) -> list[tuple[int, int]]:
        """
        Give the ranges [from, to) in which the log has no record for a read_committed consumer.
        """
        if len(self.records) == self.end - self.start:
            return []
        found: list[tuple[int, int]] = []
        expected = self.start
        for record in self.records:
            if record.offset > expected:
                found.append((expected, record.offset))
            expected = record.offset + 1
        if expected < self.end:
            found.append((expected, self.end))
        return found

    def digest(self) -> bytes | None:
        """
        Identify the last record, so that another log can be told from this one; None for a run of
        holes.
        """
        return digest_of(self.records[-1]) if self.records else None


def joined(runs: Sequence[Run]) -> list[Run]:
    """Join runs that follow each other in their partition, so that each partition appears once."""
    found: dict[Log, Run] = {}
    for run in runs:
        before = found.get(run.log)
        if before is None:
            found[run.log] = run
            continue
        assert before.end == run.start, "runs of a claim follow each other"
        found[run.log] = Run(run.log, before.start, run.end, [*before.records, *run.records])
    return list(found.values())


async def turns(items: Sequence[_T], size: int = TURN_RECORDS) -> AsyncIterator[Sequence[_T]]:
    """Cut what takes milliseconds of CPU into turns, after each of which the others get theirs."""
    for first in range(0, len(items), size):
        yield items[first : first + size]
        await asyncio.sleep(0)


def digest_of(record: Record) -> bytes:
    """Give 16 bytes that identify a record's content at its offset."""
    digest = hashlib.sha256(b"%d" % record.offset)
    for part in (record.key, record.value):
        digest.update(b"-" if part is None else b"%d:" % len(part) + part)
    return digest.digest()[:16]


class Prepared(msgspec.Struct):
    """
    A decoded run. `suspects` are transaction ids that the dedupe table has seen: hints, to be
    confirmed by the ledger.
    """

    run: Run
    arrivals: list[Arrival]
    suspects: set[str]


class Batch(msgspec.Struct):
    """What is posted in one transaction. `suspects` as in `Prepared`; `span` is its trace."""

    runs: list[Run]
    arrivals: list[Arrival]
    suspects: set[str]
    span: Span | None = None

    @classmethod
    def of(cls, prepared: Iterable[Prepared]) -> Batch:
        """Join prepared runs, in their order."""
        batch = cls([], [], set())
        for one in prepared:
            batch.runs.append(one.run)
            batch.arrivals += one.arrivals
            batch.suspects |= one.suspects
        return batch


class Answered(msgspec.Struct):
    """
    A batch after its commit: every record with its answer, in offset order within each partition.
    """

    batch: Batch
    answers: list[Answer]

    async def free(self) -> None:
        """Empty the batch in turns: to free its values at once would stop the others for 5 ms."""
        self.batch.runs.clear()
        self.batch.arrivals.clear()
        while self.answers:
            del self.answers[-LIGHT_TURN_RECORDS:]
            await asyncio.sleep(0)
