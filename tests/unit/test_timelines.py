"""Which life of the ledger a decision belongs to."""

from __future__ import annotations

import pytest

from processor.ledger.memory import MemoryLedger
from processor.timelines import Timelines
from tests.builders import TOPIC, uuid_of


class CountingLedger(MemoryLedger):
    """Counts how often it is asked."""

    reads = 0

    async def timelines(self) -> list:  # type: ignore[type-arg]
        """Count."""
        self.reads += 1
        return await super().timelines()


async def lives(count: int) -> tuple[CountingLedger, Timelines]:
    """Give a ledger with so many timelines, each some decisions after the one before."""
    ledger = CountingLedger()
    for known in range(1, count):
        async with ledger.posting() as session:
            await session.clock(9)
        await ledger.start_timeline(known, "set back")
    timelines = Timelines(ledger)
    await timelines.read()
    return ledger, timelines


@pytest.mark.parametrize(
    ("ledger_sequence", "timeline_id"),
    [(1, 1), (2, 1), (10, 1), (11, 2), (12, 2), (20, 2), (21, 3), (22, 3), (10**9, 3)],
)
async def test_a_decision_belongs_to_the_last_timeline_before_it(
    ledger_sequence: int, timeline_id: int
) -> None:
    """A timeline draws its own first number, so no decision has it."""
    _, timelines = await lives(3)

    assert timelines.of_sequence(ledger_sequence) == timeline_id
    assert timelines.current.timeline_id == 3


async def test_an_unknown_timeline_is_read_once() -> None:
    """Known ones are not asked for again."""
    ledger, timelines = await lives(1)
    begun = await ledger.start_timeline(1, "set back")
    reads = ledger.reads

    await timelines.know(1)
    assert ledger.reads == reads
    await timelines.know(2)
    await timelines.know(2)
    assert ledger.reads == reads + 1
    assert timelines.tokens[2] == begun.token


async def test_an_unknown_source_is_read_once() -> None:
    """Of a partition that another worker has claimed first."""
    ledger, timelines = await lives(1)
    position = await ledger.claim(TOPIC, 4, 0, uuid_of(1), "another worker")
    reads = ledger.reads

    await timelines.know_sources([])
    assert ledger.reads == reads
    await timelines.know_sources([position.log.source_id])
    await timelines.know_sources([position.log.source_id])
    assert ledger.reads == reads + 1
    assert timelines.incarnations == {position.log.source_id: position.log.incarnation}
