"""Positions, claims and fences: what holds for every `Ledger`."""

import asyncio

import msgspec
import pytest

from processor.batch import Batch, Run, digest_of
from processor.core.answers import Answer
from processor.core.commands import Command
from processor.errors import FencedError, RewoundError, UnpostableError
from processor.pipeline import decode
from processor.post import post
from tests.builders import (
    DECODER,
    TOPIC,
    Desk,
    Partition,
    deposit,
    opening,
    told,
    transfer,
    uuid_of,
)
from tests.integration.ledgers import Backend


async def test_the_first_claim_opens_a_position_and_a_later_one_keeps_it(backend: Backend) -> None:
    """Where reading stands outlives the worker that read."""
    ledger = await backend.connect()

    assert await ledger.position(TOPIC, 3) is None
    first = await ledger.claim(TOPIC, 3, 40, uuid_of(1), "one")
    second = await ledger.claim(TOPIC, 3, 99, uuid_of(2), "two")

    assert (first.first_offset, first.next_offset, first.delivered_offset) == (40, 40, 40)
    assert (first.last_offset, first.last_digest) == (None, None)
    assert second == msgspec.structs.replace(
        first, log=msgspec.structs.replace(first.log, claim=uuid_of(2))
    )
    assert await ledger.position(TOPIC, 3) == second
    assert (await ledger.incarnations())[first.log.source_id] == first.log.incarnation


async def test_a_batch_under_another_claim_is_fenced(backend: Backend) -> None:
    """A worker that lost its partition posts nothing, however late it wakes up."""
    zombie = Desk(await backend.connect())
    before = await zombie.claim()
    heir = Desk(await backend.connect())
    await heir.claim()

    with pytest.raises(FencedError) as fenced:
        await zombie.post(before.add(opening("anna")))

    assert fenced.value.partitions == {(TOPIC, 0)}
    assert await backend.counts() == {"decided": 0, "postings": 0, "accounts": 0, "others": 0}


async def test_one_fenced_partition_holds_back_the_whole_batch(backend: Backend) -> None:
    """A batch is all or nothing; the error names only the partition that was lost."""
    desk = Desk(await backend.connect())
    kept, lost = await desk.claim(0), await desk.claim(1)
    await desk.claim(1)

    with pytest.raises(FencedError) as fenced:
        await desk.post(kept.add(opening("anna")), lost.add(opening("bert")))

    assert fenced.value.partitions == {(TOPIC, 1)}
    assert await backend.counts() == {"decided": 0, "postings": 0, "accounts": 0, "others": 0}


async def test_a_gap_never_commits(backend: Backend) -> None:
    """A ledger that stands before what was read was taken back in time: nothing is skipped."""
    desk = Desk(await backend.connect())
    partition = await desk.claim()
    partition.add(opening("anna"))

    with pytest.raises(RewoundError) as rewound:
        await desk.post(partition.add(opening("bert")))

    assert rewound.value.partitions == {(TOPIC, 0)}
    assert await backend.counts() == {"decided": 0, "postings": 0, "accounts": 0, "others": 0}


async def test_a_partition_without_a_position_is_rewound(backend: Backend) -> None:
    """A ledger that never heard of a partition is an older ledger."""
    desk = Desk(await backend.connect())
    known = await desk.claim(0)
    unknown = Partition(msgspec.structs.replace(known.log, partition=7, source_id=7))

    with pytest.raises(RewoundError):
        await desk.post(unknown.add(opening("anna")))


async def test_positions_move_with_the_batch(backend: Backend) -> None:
    """The position is just past the batch, and knows the last record by its digest."""
    desk = Desk(await backend.connect())
    partition = await desk.claim(first_offset=5)
    await desk.post(partition.add(opening("anna"), deposit("anna", "1.00")))

    position = await desk.ledger.position(TOPIC, 0)

    assert position is not None
    assert (position.first_offset, position.next_offset) == (5, 7)
    assert position.last_offset == 6
    assert position.last_digest == digest_of(partition.records[-1])


async def test_an_overlap_replays_and_goes_on(backend: Backend) -> None:
    """Records before the position are answered as before, those behind it are new."""
    desk = Desk(await backend.connect())
    partition = await desk.claim()
    before = await desk.post(partition.add(opening("anna"), deposit("anna", "9.00")))
    partition.add(deposit("anna", "1.00"))

    answers = await desk.post(partition.run(1, 3))

    assert [told(answer) for answer in answers] == ["posted", "posted"]
    assert desk.events(answers[:1]) == desk.events(before[1:])
    assert await backend.balances() == {"anna": 1000, "cash-EUR": -1000}


async def test_runs_of_one_partition_are_posted_as_one(backend: Backend) -> None:
    """Two deliveries of a partition in one batch follow each other."""
    desk = Desk(await backend.connect())
    partition = await desk.claim()

    answers = await desk.post(
        partition.add(opening("anna")), partition.add(deposit("anna", "2.00"))
    )

    assert [told(answer) for answer in answers] == ["posted", "posted"]
    assert await backend.balances() == {"anna": 200, "cash-EUR": -200}


async def test_holes_are_noted_once(backend: Backend) -> None:
    """Every offset is a record or a named hole, also after the same records were read again."""
    desk = Desk(await backend.connect())
    partition = await desk.claim()
    partition.leave_hole(2)
    partition.add(opening("anna"))  # offset 2
    partition.leave_hole(1)
    partition.add(opening("bert"))  # offset 4
    partition.leave_hole(3)

    await desk.post(partition.run(0, 8))
    await desk.post(partition.run(0, 8))
    assert await backend.holes() == {(0, 2), (3, 4), (5, 8)}

    partition.leave_hole(2)
    await desk.post(partition.run(6, 10))
    assert await backend.holes() == {(0, 2), (3, 4), (5, 8), (8, 10)}
    position = await desk.ledger.position(TOPIC, 0)
    assert position is not None
    assert (position.next_offset, position.last_offset) == (10, 4)


async def test_deliveries_are_noted_under_the_claim_alone(backend: Backend) -> None:
    """They only grow, never pass what was posted, and an old claim notes nothing."""
    desk = Desk(await backend.connect())
    partition = await desk.claim()
    await desk.post(partition.add(opening("anna"), opening("bert")))

    async def noted(offset: int) -> int:
        await desk.ledger.delivered({partition.log: offset})
        position = await desk.ledger.position(TOPIC, 0)
        assert position is not None
        return position.delivered_offset

    assert [await noted(1), await noted(0), await noted(9)] == [1, 1, 2]
    await desk.claim()
    await desk.post((await desk.claim()).add(opening("carl")))
    assert await noted(3) == 2


async def test_a_batch_carries_deliveries_along(backend: Backend) -> None:
    """What was delivered before is noted in the same commit."""
    desk = Desk(await backend.connect())
    partition = await desk.claim()
    await desk.post(partition.add(opening("anna")))
    await desk.post(partition.add(opening("bert")), delivered={(TOPIC, 0): 1})

    position = await desk.ledger.position(TOPIC, 0)

    assert position is not None
    assert (position.delivered_offset, position.next_offset) == (1, 2)


async def test_a_batch_that_fails_leaves_nothing(backend: Backend) -> None:
    """Whatever fails and however late: no id, no money, no account; then it goes on."""
    desk = Desk(await backend.connect())
    partition = await desk.claim()
    run = partition.add(opening("anna"), deposit("anna", "5.00"), b"{", opening("bert"))

    class BrokenError(Exception):
        """Something that the ledger knows nothing of."""

    async def post_and_break(run: Run) -> None:
        async with desk.ledger.posting() as session:
            await session.fence([run], changes_rules=False)
            accounts = await session.lock(["anna"])
            assert accounts == {}
            clock, sequences = await session.clock(1)
            assert (clock.now_us > 0, len(sequences)) == (True, 1)
            await session.advance([run], {})
            raise BrokenError

    with pytest.raises(BrokenError):
        await post_and_break(run)
    assert await backend.counts() == {"decided": 0, "postings": 0, "accounts": 0, "others": 0}

    answers = await desk.post(run)
    assert [told(answer) for answer in answers] == ["posted", "posted", "DeadLetter", "posted"]
    assert await backend.balances() == {"anna": 500, "bert": 0, "cash-EUR": -500}


async def test_data_that_the_ledger_refuses_takes_its_batch_with_it(backend: Backend) -> None:
    """No part of the batch stays; the same batch without the offender is posted."""
    desk = Desk(await backend.connect())
    partition = await desk.claim()
    good, bad = opening("anna"), deposit("anna", "1.00")
    run = partition.add(good, bad)

    with pytest.raises(UnpostableError) as refused:
        await _post_with_nul(desk, run)

    assert refused.value.sqlstate == "22021"
    assert await backend.counts() == {"decided": 0, "postings": 0, "accounts": 0, "others": 0}
    assert [told(one) for one in await desk.post(run)] == ["posted", "posted"]


async def _post_with_nul(desk: Desk, run: Run) -> list[Answer]:
    """Post a run whose last command has a reference that no schema lets through."""
    arrivals = [one for run in [run] for one in decode(run.log, run.records, DECODER)]
    command = arrivals[-1].asked
    assert isinstance(command, Command)
    arrivals[-1].asked = msgspec.structs.replace(command, reference="a\0b")
    batch = Batch([run], arrivals, set())
    return (await post(batch, desk.ledger, desk.timelines, {})).answers


async def test_transactions_do_not_see_each_other_half_done(backend: Backend) -> None:
    """Two workers with partitions of their own move money of the same accounts at once."""
    one, two = Desk(await backend.connect()), Desk(await backend.connect())
    first, second = await one.claim(0), await two.claim(1)
    await one.post(first.add(opening("anna"), opening("bert"), deposit("anna", "100.00")))

    async def move(desk: Desk, partition: Partition, debit: str, credit: str) -> list[str]:
        words = []
        for _ in range(10):
            run = partition.add(*[transfer(debit, credit, "7.00") for _ in range(3)])
            words += [told(answer) for answer in await desk.post(run)]
        return words

    await two.timelines.read()
    moved, back = await asyncio.gather(
        move(one, first, "anna", "bert"), move(two, second, "bert", "anna")
    )

    left = 10_000 - 700 * (moved.count("posted") - back.count("posted"))
    assert await backend.balances() == {"anna": left, "bert": 10_000 - left, "cash-EUR": -10_000}
    assert set(moved + back) <= {"posted", "insufficient_funds"}
