"""The line's own part: which ids it suspects beyond those that the table knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from opentelemetry.trace import NoOpTracer

from processor.batch import Batch, Run
from processor.ledger.memory import MemoryLedger
from processor.pipeline import Line
from processor.telemetry import Telemetry
from tests.builders import DECODER, TOPIC, Desk, deposit, opening, told


class CountingLedger(MemoryLedger):
    """A ledger that counts the transactions that were begun."""

    transactions = 0

    def posting(self) -> Any:
        """Count it."""
        self.transactions += 1
        return super().posting()


class UnawareTable:
    """A table that remembers nothing: what it is told comes after what it is asked."""

    def seen(self, _transaction_ids: Sequence[str]) -> set[str]:
        """Know none."""
        return set()

    def remember(self, _decided: Sequence[tuple[str, int]]) -> None:
        """Forget them."""


async def posted(line: Line, run: Run) -> list[str]:
    """Prepare and post a run as a batch of its own; say what the answers are."""
    answered = await line.post(Batch.of([await line.prepare(run)]))
    return [told(answer) for answer in answered.answers]


async def test_a_repeat_close_behind_its_first_is_posted_at_once() -> None:
    """The table is asked before the first is remembered; the batch is not decided twice for it."""
    ledger = CountingLedger()
    desk = Desk(ledger)
    partition = await desk.claim()
    nothing = cast("Any", None)
    line = Line(
        decoders={TOPIC: DECODER},
        table=UnawareTable(),
        ledger=ledger,
        timelines=desk.timelines,
        emitter=nothing,
        acknowledger=nothing,
        telemetry=Telemetry(NoOpTracer()),
        key_fields={},
    )
    first = deposit("anna", "1.00")

    assert await posted(line, partition.add(opening("anna"), first)) == ["posted", "posted"]
    assert await posted(line, partition.add(deposit("anna", "2.00"))) == ["posted"]
    assert await posted(line, partition.add(first, deposit("anna", "3.00"))) == ["Repeat", "posted"]

    assert ledger.transactions == 3
