"""What the sample is made of: records, batches with a codec, steps, phases."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from aiokafka.partitioner import murmur2

Headers = tuple[tuple[str, bytes], ...]

CODECS = (None, "lz4", "zstd", None, "gzip", "snappy")
"""Compression of a partition's batches, in turn: one topic holds what all channels send."""

BATCH_RECORDS_MAX = 400
BATCH_BYTES_MAX = 96 * 1024
RECORD_OVERHEAD_BYTES = 32


class Record(NamedTuple):
    """
    One message for a command topic, and what must come of it. `partition` is its lane.

    `expect` is `posted`, `repeat`, `conflict`, `rejected:<reason>`, `invalid:<reason>`, or None
    where it depends on how partitions interleave. `answered` is False for the dead letters that
    have no outcome beside them.
    """

    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    expect: str | None
    answered: bool = True


class Batch(NamedTuple):
    """Records that go to one lane as one compressed batch; `codec` None means plain."""

    partition: int
    codec: str | None
    records: tuple[Record, ...]


class Ending(StrEnum):
    """How the upstream transaction around a step ends."""

    COMMITTED = "committed"
    ABORTED = "aborted"


class Step(NamedTuple):
    """Batches that go out side by side, in order per partition; with `ending`, one transaction."""

    batches: tuple[Batch, ...]
    ending: Ending | None = None

    def records(self) -> Iterator[Record]:
        """Give every record of the step."""
        for batch in self.batches:
            yield from batch.records


class Phase(NamedTuple):
    """Steps in order. The next phase starts when all of this one has been answered."""

    title: str
    steps: tuple[Step, ...]

    def visible(self) -> int:
        """Count the records that a reader of committed records gets to see."""
        steps = (step for step in self.steps if step.ending is not Ending.ABORTED)
        return sum(len(batch.records) for step in steps for batch in step.batches)


@lru_cache(maxsize=100_000)
def partition_of(key: bytes, partitions: int) -> int:
    """Choose the partition as every channel does: murmur2 of the key."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions


def pack(records: Iterable[Record], lanes_count: int, ending: Ending | None = None) -> Step:
    """Cut records into batches in order within each lane; in a transaction all are plain."""
    lanes: list[list[Record]] = [[] for _ in range(lanes_count)]
    for record in records:
        lanes[record.partition].append(record)
    batches = [
        Batch(partition, None if ending else CODECS[(partition + turn) % len(CODECS)], tuple(cut))
        for partition, lane in enumerate(lanes)
        for turn, cut in enumerate(_cuts(lane))
    ]
    return Step(tuple(batches), ending)


def _cuts(lane: list[Record]) -> Iterator[list[Record]]:
    cut: list[Record] = []
    size = 0
    for record in lane:
        weight = len(record.value or b"") + len(record.key or b"") + RECORD_OVERHEAD_BYTES
        weight += sum(len(name) + len(value) for name, value in record.headers)
        if cut and (len(cut) == BATCH_RECORDS_MAX or size + weight > BATCH_BYTES_MAX):
            yield cut
            cut, size = [], 0
        cut.append(record)
        size += weight
    if cut:
        yield cut
