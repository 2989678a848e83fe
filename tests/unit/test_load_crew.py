"""The workers of a run, by numbers that come and go; any process stands for one here."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from loadtest.errors import LoadTestError
from loadtest.load import crew as crew_module
from loadtest.load.crew import ABANDONED_STATUS, Crew
from loadtest.measure.drain import MeasuredWorker

START_CPU_S = 0.2
SOME_CPU_S = 0.1
LIMIT_S = 10.0
PROGRAM = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit({status}))
while time.process_time() < {start_cpu_s}: pass
print("ready", flush=True)
{then}
"""


class StandIn(MeasuredWorker):
    """Uses CPU until it is ready, and then goes on or ends."""

    then = "time.sleep(60)"
    status = 0

    def launch(self) -> None:
        """Start it."""
        program = PROGRAM.format(status=self.status, then=self.then, start_cpu_s=START_CPU_S)
        with self.log.open("wb") as log:
            self._process = subprocess.Popen([sys.executable, "-c", program], stdout=log)

    def _ready(self) -> bool:
        return b"ready" in self.log.read_bytes()


@pytest.fixture
def crew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Crew]:
    """Return a crew whose workers have all ended afterwards."""
    monkeypatch.setattr(crew_module, "MeasuredWorker", StandIn)
    found = Crew(tmp_path, {})
    yield found
    found.end()


async def test_what_a_worker_used_counts_after_its_end_too(crew: Crew) -> None:
    """From when it was ready, where that was waited for; else its start is part of it."""
    crew.launch(1)
    await crew.ready(1)
    assert crew.cpu_s < SOME_CPU_S
    before = crew.pids()
    await crew.kill(1)
    assert (crew.pids(), crew.cpu_s < SOME_CPU_S) == ({}, True)
    crew.launch(1)
    async with asyncio.timeout(LIMIT_S):
        while crew.cpu_s < SOME_CPU_S:  # noqa: ASYNC110 - another process's CPU is no event
            await asyncio.sleep(0.01)
    assert crew.pids().keys() == {1}
    assert crew.pids() != before
    await crew.kill(1)
    assert crew.cpu_s >= SOME_CPU_S
    assert crew.peak_memory_bytes > 1_000_000


async def test_a_worker_that_has_ended_by_itself_is_named(
    crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one whose end was meant."""
    crew.launch(1)
    await crew.ready(1)
    await crew.kill(1)
    crew.check()
    monkeypatch.setattr(StandIn, "then", "sys.exit(70)")
    crew.launch(2)
    with pytest.raises(LoadTestError, match="worker 2: the worker has ended with status 70: ready"):
        await _ended(crew)


async def _ended(crew: Crew) -> None:
    for _ in range(1_000):
        crew.check()
        await asyncio.sleep(LIMIT_S / 1_000)


@pytest.mark.parametrize("status", [0, ABANDONED_STATUS, 70])
async def test_a_worker_that_is_told_to_stop_may_only_end_well(
    crew: Crew, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """In order, or because a deadline passed while something was away."""
    monkeypatch.setattr(StandIn, "status", status)
    crew.launch(3)
    await crew.ready(3)
    if status == 70:
        with pytest.raises(LoadTestError, match="worker 3, told to stop, ended with status 70"):
            await crew.stop(3)
    else:
        await crew.stop(3)
    assert crew.pids() == {}


async def test_frozen_workers_end_as_soon_as_others(crew: Crew) -> None:
    """One that stands still would not hear that it is to end."""
    for number in (1, 2):
        crew.launch(number)
        await crew.ready(number)
    pids = crew.pids().values()
    crew.freeze(2)
    async with asyncio.timeout(LIMIT_S):
        while psutil.Process(crew.pids()[2]).status() != psutil.STATUS_STOPPED:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.01)
    began = time.monotonic()
    crew.end()
    assert time.monotonic() - began < LIMIT_S
    assert not any(map(psutil.pid_exists, pids))
