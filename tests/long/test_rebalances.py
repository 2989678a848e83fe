"""Workers come and go again and again; one ledger lives through all of it."""

from __future__ import annotations

import pytest

from tests.acceptance.harness import World

TURNS = 10
PER_SECOND = 500


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_two_one_two_again_and_again(world: World) -> None:
    """Ten times a second worker comes and is killed or stopped under load; all is proven each."""
    first = await world.worker("a").start().ready()
    await world.open_bank()
    for turn in range(TURNS):
        async with world.load(PER_SECOND):
            second = await world.worker("b").start().ready()
            await world.progressed(500)
            if turn % 2:
                assert await second.stop() == 0, second.tail()
            else:
                await second.kill()
            await world.progressed(1000)
            await first.ready()
        verdict = await world.proven()
        assert verdict.reasons()["posted"] > 500 * (turn + 1)
    assert await first.stop() == 0, first.tail()
