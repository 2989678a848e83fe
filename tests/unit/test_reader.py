"""What the reader does about claims that the ledger does not confirm."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from faust.types import TP

from processor.batch import Log, Run
from processor.health import Health
from processor.ledger.memory import MemoryLedger
from processor.stream.intake import Intake
from processor.stream.positions import LogView
from processor.stream.reader import Reader
from processor.timelines import Timelines

PLACE = TP("payments.commands.v1", 3)


class Source:
    """A log that begins at offset 10 and holds what the test says."""

    def __init__(self) -> None:
        self.sought: list[int] = []

    async def view(self, _tp: TP, _last_offset: int | None) -> LogView:
        """Give a log without commits."""
        return LogView(start=10, end=1_000, committed=None, last_digest=None)

    async def seek_to(self, _tp: TP, offset: int) -> None:
        """Note where reading goes on."""
        self.sought.append(offset)


class Settler:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def settle(self) -> None:
        """Have nothing in hand."""

    async def restored(self, why: str) -> None:
        """Note why."""
        self.told.append(why)


class Desk:
    """A reader with one claimed partition."""

    def __init__(self) -> None:
        self.ledger = MemoryLedger(now_us=lambda: 0)
        self.health = Health(stuck_after_s=60.0)
        self.source, self.settler = Source(), Settler()
        self.reader = Reader(
            self.ledger,
            Timelines(self.ledger),
            Intake(100),
            self.health,
            worker_name="one",
            run_records_max=10,
            fenced_wait_s=60.0,
        )
        self.reader.attach(self.source)
        self.reader.serve(self.settler)

    async def claim(self) -> set[TP]:
        """Claim the partition, or say that it may not be read."""
        return await self.reader.claim({PLACE})

    async def run(self, end: int) -> Run:
        """Give the run from the claimed position to `end`, without records."""
        position = await self.ledger.position(*PLACE)
        assert position is not None
        return Run(position.log, position.next_offset, end, ())


@pytest.fixture
def desk() -> Desk:
    """Give a reader that has claimed nothing yet."""
    return Desk()


async def test_a_first_claim_starts_where_the_log_begins(desk: Desk) -> None:
    """No position yet: nothing is skipped."""
    assert await desk.claim() == {PLACE}
    assert desk.source.sought == [10]
    assert desk.health.why_not_ready() == []


async def test_a_restored_ledger_is_noticed_without_a_record(desk: Desk) -> None:
    """The ledger stands before what was posted: all claims go, and a timeline begins."""
    await desk.claim()
    desk.reader.posted([await desk.run(20)])

    await desk.reader.look_back()

    assert len(desk.settler.told) == 1
    assert not desk.reader.holds((await desk.run(20)).log)


async def test_another_workers_claim_is_noticed_without_a_record(desk: Desk) -> None:
    """The partition is given up, and not taken back at once."""
    await desk.claim()
    await desk.ledger.claim(*PLACE, 10, uuid4(), "two")

    await desk.reader.look_back()

    assert desk.settler.told == []
    assert await desk.claim() == set()


async def test_a_claim_that_holds_is_left_alone(desk: Desk) -> None:
    """Looking back changes nothing where the ledger agrees."""
    await desk.claim()
    before = await desk.ledger.position(*PLACE)
    assert before is not None

    await desk.reader.look_back()

    assert desk.reader.holds(before.log)
    assert isinstance(before.log.claim, UUID)
    assert desk.settler.told == []


async def test_a_claim_that_comes_while_a_delivery_is_noted_notes_its_own(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ledger that was set back is told anew how far outcomes went, as far as before or not."""
    await desk.claim()
    before = (await desk.run(20)).log
    noted: list[dict[Log, int]] = []

    async def write(logs: dict[Log, int]) -> None:
        noted.append(logs)
        if len(noted) == 1:
            desk.reader.set_back()
            await desk.claim()

    monkeypatch.setattr(desk.ledger, "delivered", write)
    await desk.reader.note_delivered({before: 20})
    anew = (await desk.run(20)).log
    for _ in range(2):
        await desk.reader.note_delivered({before: 20, anew: 20})

    assert noted == [{before: 20}, {anew: 20}]
