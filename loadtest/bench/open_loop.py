"""The latency case: commands on a fixed schedule, whatever the system does."""

from __future__ import annotations

import asyncio
from typing import Any

from loadtest.bench.cases import PARTITIONS, Bench
from loadtest.ground import OUTCOMES
from loadtest.load.drive import Load, drive
from loadtest.load.prove import prove_transfers
from loadtest.load.schedule import Stage
from loadtest.load.track import Track
from loadtest.measure.drain import MeasuredWorker, OutcomesEnd
from loadtest.sample import SEED
from loadtest.site import Site

WARM_UP_S = 20
"""The broker's compiler is busy for so long with what small requests run through."""


async def latency(bench: Bench, template: str) -> dict[str, Any]:
    """Send and read on a schedule, each in a process of its own; give the figures."""
    plan = bench.plan
    bench.print(
        f"open loop: {plan.latency_per_second:,}/s for {plan.latency_seconds} s"
        f" after {WARM_UP_S} s of warming up"
    )
    load = _load(bench)
    async with bench.ground.case("latency", template) as case:
        worker = bench.worker("latency", case)
        try:
            worker.launch()
            await asyncio.to_thread(worker.wait)
            found = await _send_and_read(bench, load, case, worker)
        finally:
            worker.stop()
        async with OutcomesEnd(case.bootstrap_servers, case.topic(OUTCOMES), PARTITIONS) as end:
            events = await end.end() - found["delivered_again"]
        bench.take("latency", await prove_transfers(case, load, found, events))
    p50, p99 = found["latency_p50_ms"], found["latency_p99_ms"]
    bench.print(f"  latency  median {p50} ms, 99th percentile {p99} ms")
    return found


def _load(bench: Bench) -> Load:
    plan = bench.plan
    rate = plan.latency_per_second
    stages = (
        Stage(seconds=WARM_UP_S, per_second=rate, warm_up=True),
        Stage(seconds=plan.latency_seconds, per_second=rate),
    )
    return Load(stages, plan.accounts, PARTITIONS, SEED)


async def _send_and_read(
    bench: Bench, load: Load, case: Site, worker: MeasuredWorker
) -> dict[str, Any]:
    processes = bench.ground.beside(worker.pid)
    before = processes.usage()
    found = await drive(case, load, Track())
    used = processes.usage().per_payment_us(before, found["sent"])
    rate = bench.plan.latency_per_second
    return {**found, "commands_per_second": rate, "cpu_us_per_payment": used}
