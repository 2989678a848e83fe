"""
The straight line: how a batch of records becomes posted entries, outcome events and an acknowledged
offset.

    decode -> dedupe -> decide and post -> emit -> remember -> acknowledge

Safe to repeat after a crash between any two steps: the records are read again, the ledger
recognises them, and the same events go out again. `conveyor.py` overlaps three batches; this file
is what happens to each of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from processor.batch import LIGHT_TURN_RECORDS, Answered, Batch, Log, Prepared, Run, turns
from processor.core.answers import Arrival, First, Record, ids_of
from processor.core.books import Source
from processor.core.decode import Decoder
from processor.emit import Emitter
from processor.keys import KeyFields, odd_keys
from processor.ledger import Ledger
from processor.post import post
from processor.telemetry import Telemetry
from processor.timelines import Timelines

JUST_POSTED_BATCHES: Final = 4
"""
As many may be posted between the table's answer about a run and the run's own posting: the one that
is told just then, the one that is posted, and what is prepared and waits.
"""


class Table(Protocol):
    """The dedupe table."""

    def seen(self, transaction_ids: Sequence[str]) -> set[str]:
        """Give the ids that were probably decided before."""

    def remember(self, decided: Sequence[tuple[str, int]]) -> None:
        """Note decided ids with their ledger_sequence."""


class Acknowledger(Protocol):
    """Where offsets are acknowledged."""

    def acknowledge(self, runs: Sequence[Run]) -> None:
        """Everything of these runs is done."""

    def release(self, messages: Sequence[object]) -> None:
        """These messages are no longer in hand, done or dropped."""


class Line:
    """
    The six steps, in order. Runs are prepared one by one; as many as are ready make a batch when
    the ledger is free.
    """

    def __init__(
        self,
        *,
        decoders: Mapping[str, Decoder],
        table: Table,
        ledger: Ledger,
        timelines: Timelines,
        emitter: Emitter,
        acknowledger: Acknowledger,
        telemetry: Telemetry,
        key_fields: KeyFields,
    ) -> None:
        self.decoders = decoders
        """By the name of the topic: each takes commands of its own."""

        self.table = table
        self.ledger = ledger
        self.timelines = timelines
        self.emitter = emitter
        self.acknowledger = acknowledger
        self.telemetry = telemetry
        self.key_fields = key_fields
        self.delivered: dict[Log, int] = {}
        """How far outcomes were delivered, by claim: one that was lost says nothing of the next."""

        self.just_posted: deque[set[str]] = deque(maxlen=JUST_POSTED_BATCHES)
        """Ids of the last batches: suspects too, for the table may have been asked before them."""

    async def prepare(self, run: Run) -> Prepared:
        """Decode each record once, and ask the table which ids it has seen."""
        with self.telemetry.step("prepare"):
            prepared = Prepared(run, [], set())
            async for records in turns(run.records):
                arrivals = decode(run.log, records, self.decoders[run.log.topic])
                prepared.arrivals += arrivals
                prepared.suspects |= self.table.seen(ids_of(arrivals))
                self.telemetry.odd_keys(odd_keys(arrivals, self.key_fields))
        return prepared

    async def post(self, batch: Batch) -> Answered:
        """
        Decide and commit in one PostgreSQL transaction. From its commit on the money has moved.
        """
        with self.telemetry.step("post"):
            delivered = {
                (run.log.topic, run.log.partition): self.delivered[run.log]
                for run in batch.runs
                if run.log in self.delivered
            }
            ids = set(ids_of(batch.arrivals))
            batch.suspects.update(*(ids & posted for posted in self.just_posted))
            answered = await post(batch, self.ledger, self.timelines, delivered)
            self.just_posted.append(ids)
            return answered

    async def finish(self, answered: Answered) -> None:
        """
        Tell the outcomes, then remember the ids, then acknowledge the input: in this order and no
        other.
        """
        with self.telemetry.step("finish"):
            await self.emitter.emit(answered.answers)
            async for answers in turns(answered.answers, LIGHT_TURN_RECORDS):
                self.table.remember(
                    [
                        (answer.decided.transaction_id, answer.decided.ledger_sequence)
                        for answer in answers
                        if type(answer) is First
                    ]
                )
        for run in answered.batch.runs:
            self.delivered[run.log] = run.end
        self.acknowledger.acknowledge(answered.batch.runs)


def decode(log: Log, records: Sequence[Record], decoder: Decoder) -> list[Arrival]:
    """Turn records of one partition into arrivals, in their order."""
    read = decoder.decode
    source_id, topic, partition = log.source_id, log.topic, log.partition
    return [
        Arrival(record, Source(source_id, topic, partition, record.offset), read(record.value))
        for record in records
    ]
