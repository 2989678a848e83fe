"""Holds expire by themselves, through real workers, also where those are killed in between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.acceptance.harness import World
from tests.acceptance.load import record

LAG_S = 2.0
HOLDS = 60
HELD = "SELECT coalesce(sum(held), 0)::bigint FROM ledger.account"
BEGUN = f"SELECT (coalesce(sum(held), 0) < {HOLDS * 100})::integer FROM ledger.account"
EXPIRIES = "SELECT count(*) FROM reporting.payments WHERE type = 'hold.expire'"
OPEN = "SELECT count(*) FROM reporting.holds WHERE status = 'open'"


async def place(world: World, expires_at: datetime) -> None:
    """Place holds that expire at a moment, on all accounts in turn."""
    bank, moment = world.bank, expires_at.isoformat(timespec="microseconds")
    bodies = [
        bank.body(
            "hold.place",
            debit_account=bank.accounts[number % len(bank.accounts)],
            credit_account=bank.accounts[(number + 1) % len(bank.accounts)],
            amount="1.00",
            currency="EUR",
            expires_at=moment.replace("+00:00", "Z"),
        )
        for number in range(HOLDS)
    ]
    await world.publish([record(body["debit_account"], body) for body in bodies])
    await world.answered()


async def test_money_is_free_within_the_lag(world: World) -> None:
    """After its time a hold holds nothing, each expiry is one decision, and the books hold."""
    worker = await world.worker(expiry_lag_s=str(LAG_S)).start().ready()
    await world.open_bank()
    over = datetime.now(UTC) + timedelta(seconds=4)
    await place(world, over)
    assert await world.value(HELD) == HOLDS * 100

    rest_s = max(0.0, (over - datetime.now(UTC)).total_seconds())
    await world.becomes(HELD, 0, rest_s + LAG_S)
    assert await world.value(OPEN) == 0
    assert await world.value(EXPIRIES + " AND outcome = 'posted'") == HOLDS
    assert await world.value(EXPIRIES) == HOLDS
    await world.verified()
    assert await worker.stop() == 0, worker.tail()


async def test_two_workers_and_a_kill_change_nothing(world: World) -> None:
    """Whoever does the job when one is killed in the middle: each hold expires once."""
    first = await world.worker("a", expiry_lag_s=str(LAG_S)).start().ready()
    second = await world.worker("b", expiry_lag_s=str(LAG_S)).start().ready()
    await world.open_bank()
    over = datetime.now(UTC) + timedelta(seconds=3)
    await place(world, over)

    await world.becomes(BEGUN, 1, 10)
    await first.kill()
    await world.becomes(HELD, 0, 20)
    again = await world.worker("a", expiry_lag_s=str(LAG_S)).start().ready()
    assert await world.value(EXPIRIES + " AND outcome = 'posted'") == HOLDS
    assert await second.stop() == 0, second.tail()
    assert await again.stop() == 0, again.tail()
    await world.verified()
