"""Days end under load: each posting is in exactly one of them, whatever happens to workers."""

from __future__ import annotations

import asyncio

from tests.acceptance.harness import World

DAYS = ("2001-01-01", "2001-01-02", "2001-01-03", "2001-01-04")
PER_SECOND = 400
CLOSED = (
    "SELECT string_agg(business_date::text, ' ' ORDER BY ledger_sequence)"
    " FROM reporting.closed_days"
)
POSTED = "SELECT count(*) FROM reporting.payments WHERE type = 'day.close' AND outcome = 'posted'"
OUT_OF_PLACE = """
SELECT count(*) FROM ledger.posting
WHERE booking_date IS DISTINCT FROM coalesce(
    (SELECT next_date FROM ledger.closing WHERE closing.ledger_sequence < posting.ledger_sequence
     ORDER BY closing.ledger_sequence DESC LIMIT 1),
    (posting.decided_at AT TIME ZONE 'UTC')::date)
"""
BUSY_DAYS = """
SELECT count(DISTINCT booking_date) FROM ledger.posting JOIN ledger.closing
    ON closing.business_date = posting.booking_date
"""


async def test_days_end_under_load_though_a_worker_is_killed(world: World) -> None:
    """Two run the same closing at once while one of two workers dies; each day is closed once."""
    first = await world.worker("a").start().ready()
    second = await world.worker("b").start().ready()
    await world.open_bank()

    async with world.load(PER_SECOND, mixed=False):
        await world.progressed(PER_SECOND // 2)
        for number, day in enumerate(DAYS):
            closing = [
                asyncio.create_task(world.run("day-end", "--date", day, "--timeout", "45"))
                for _ in range(2)
            ]
            if number == 1:
                await first.kill()
            for done in [await task for task in closing]:
                assert done.returncode == 0, done.stdout + done.stderr
                assert "both sides are equal" in done.stdout
                assert f"{day} is closed; " in done.stdout or "closed already" in done.stdout
            if number == 1:
                first = await world.worker("a").start().ready()
            await world.progressed(PER_SECOND // 4)

    await world.answered()
    assert await world.value(CLOSED) == " ".join(DAYS)
    assert await world.value(POSTED) == len(DAYS)
    assert await world.value(OUT_OF_PLACE) == 0
    assert await world.value(BUSY_DAYS) == len(DAYS) - 1
    assert await first.stop() == 0, first.tail()
    assert await second.stop() == 0, second.tail()
    await world.verified()
