"""The latency case: commands on a fixed schedule, whatever the system does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from loadtest.bench.books import Faults, prove_load
from loadtest.bench.cases import CHILD_LIMIT_S, PARTITIONS, Bench
from loadtest.bench.child import Child
from loadtest.bench.drain import MeasuredWorker, OutcomesEnd
from loadtest.bench.ground import OUTCOMES
from loadtest.bench.latency import Schedule
from loadtest.bench.transfers import load
from loadtest.lanes import COMMANDS
from loadtest.site import Site

CHILD_START_S = 2.5
"""The schedule begins so long from now, when both children are up, and all commands are written."""

WRITE_S = 30e-6
"""What writing one command takes on a slow machine."""

WARM_UP_S = 20
"""The broker's compiler is busy for so long with what small requests run through."""


async def latency(bench: Bench, template: str) -> dict[str, Any]:
    """Send and read on a schedule, each in a process of its own; give the figures."""
    plan = bench.plan
    bench.print(
        f"open loop: {plan.latency_per_second:,}/s for {plan.latency_seconds} s"
        f" after {WARM_UP_S} s of warming up"
    )
    async with bench.ground.case("latency", template) as case:
        worker = bench.worker("latency", case)
        try:
            worker.launch()
            await asyncio.to_thread(worker.wait)
            found = await _send_and_read(bench, case, worker)
        finally:
            worker.stop()
        await _prove(bench, case, found)
    p50, p99 = found["latency_p50_ms"], found["latency_p99_ms"]
    bench.print(f"  latency  median {p50} ms, 99th percentile {p99} ms")
    return found


async def _send_and_read(bench: Bench, case: Site, worker: MeasuredWorker) -> dict[str, Any]:
    plan = bench.plan
    rate = plan.latency_per_second
    count = (WARM_UP_S + plan.latency_seconds) * rate
    starts_at = time.monotonic() + CHILD_START_S + WRITE_S * count
    schedule = Schedule(starts_at, rate, count, WARM_UP_S * rate)
    common = {
        "bootstrap_servers": case.bootstrap_servers,
        "partitions": PARTITIONS,
        "schedule": msgspec.to_builtins(schedule),
    }
    to_send = common | {"topic": case.topic(COMMANDS), "accounts": plan.accounts}
    limit_s = CHILD_LIMIT_S + count / rate
    processes = bench.ground.beside(worker.pid)
    before = processes.usage()
    reader = Child("loadtest.bench.receiver", common | {"topic": case.topic(OUTCOMES)}, limit_s)
    try:
        sender = Child("loadtest.bench.sender", to_send, limit_s)
        try:
            sent, read = await asyncio.gather(sender.answer(), reader.answer())
        finally:
            sender.abandon()
    finally:
        reader.abandon()
    return {
        **sent,
        **read,
        "commands_per_second": rate,
        "warm_up_commands": schedule.warm_up,
        "cpu_us_per_payment": processes.usage().per_payment_us(before, count),
    }


async def _prove(bench: Bench, case: Site, found: Mapping[str, Any]) -> None:
    wrong = {
        "commands without an outcome": found["missing"],
        "outcomes that came twice": found["repeated"],
        "outcomes that are not posted": found["not_posted"],
    }
    lines = [f"{number:,} {what}" for what, number in wrong.items() if number]
    bench.take("latency", Faults(tuple(lines)))
    accounts, count = bench.plan.accounts, found["sent"]
    wanted = load(count, accounts, PARTITIONS, seed=count, keep_records=False)
    async with OutcomesEnd(case.bootstrap_servers, case.topic(OUTCOMES), PARTITIONS) as end:
        events = await end.end()
    bench.take("latency", await prove_load(case.database_url, wanted, accounts, events))
