"""The course of a run: what happens beside the load, and what its processes use meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from loadtest.errors import LoadTestError
from loadtest.faults.plan import Fault
from loadtest.faults.recovery import Mark, Recovery, recovery, worst_s
from loadtest.faults.scene import Scene
from loadtest.load.crew import Crew
from loadtest.load.drive import Running
from loadtest.load.knee import Ramp, Step, is_beyond, knee_of, late_behind, said_of, steps_of
from loadtest.load.profile import Profile
from loadtest.load.schedule import Schedule
from loadtest.load.track import Track
from loadtest.measure.samples import Samples

SAMPLE_EVERY_S = 1.0
SHORTEST_S = 0.1
FILL_POLL_S = 0.05
FILL_LIMIT_S = 120.0
"""How much longer than planned the sending of a backlog may take."""


class Course:
    """
    Carries out what a profile plans beside its stages, and takes note of it.

    `say` gets a line about whatever happens. Called with a running load it goes on until it is
    cancelled, and undoes what it has begun; raises LoadTestError where a worker ends by itself.
    """

    def __init__(
        self, profile: Profile, scene: Scene, crew: Crew, track: Track, say: Callable[[str], None]
    ) -> None:
        self._profile = profile
        self._scene = scene
        self._crew = crew
        self._track = track
        self._say = say
        self._schedule = Schedule(0.0, ())
        self._ready_s: float | None = None
        self._marks: list[tuple[Mark, Fault | None]] = []
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.started_at = 0.0
        self.samples = Samples()

    async def __call__(self, running: Running) -> None:
        """See a load through."""
        self._schedule = running.schedule
        self.started_at = time.time() + running.schedule.starts_at - time.monotonic()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._watch(running))
                if self._profile.backlog:
                    group.create_task(self._serve_a_backlog())
                if self._profile.ramp is not None:
                    group.create_task(self._climb(self._profile.ramp, running))
                for fault in self._profile.faults:
                    group.create_task(self._befall(fault))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _watch(self, running: Running) -> None:
        """Look at all processes, second by second."""
        scene = self._scene
        while True:
            self._crew.check()
            pids = {f"worker-{number}": pid for number, pid in self._crew.pids().items()}
            pids |= running.pids()
            if scene.stack is not None:
                servers = {"postgres": scene.stack.postgres.pid, "broker": scene.stack.broker.pid}
                pids |= {name: pid for name, pid in servers.items() if pid is not None}
            if scene.proxy is not None:
                pids["proxy"] = scene.proxy.pid
            self.samples.take(self._now_s(), pids)
            await asyncio.sleep(SAMPLE_EVERY_S)

    async def _befall(self, fault: Fault) -> None:
        """
        Have a fault happen at its time, and end at its time. Where what befell the same before is
        not over yet, as a server may take long to end in order, it happens after that.
        """
        await asyncio.sleep(fault.at_s - self._now_s())
        async with self._turns[fault.target]:
            number = self._begins(fault.begins, fault)
            until_s = self._now_s() + fault.away_s
            try:
                async with self._scene.under(fault):
                    await asyncio.sleep(until_s - self._now_s())
            finally:
                self._ends(number, fault.ends)

    async def _serve_a_backlog(self) -> None:
        """Start the workers when everything that is to wait for them does."""
        limit_s = self._profile.sent_stages[0].seconds + FILL_LIMIT_S
        while self._track.sent < self._profile.backlog:
            if self._now_s() > limit_s:
                raise LoadTestError(f"the backlog was not sent within {limit_s:.0f} s")
            await asyncio.sleep(FILL_POLL_S)
        number = self._begins("the workers start", None)
        workers = range(1, self._profile.workers + 1)
        for worker in workers:
            self._crew.launch(worker)
        for readiness in asyncio.as_completed([self._crew.ready(worker) for worker in workers]):
            await readiness
            self._ready_s = self._ready_s or self._now_s()
        self._ends(number, "the workers are ready")

    async def _climb(self, ramp: Ramp, running: Running) -> None:
        """Tell of each step when it is over, and end the sending when the knee lies behind."""
        told = 0
        while True:
            steps = steps_of(ramp, self._track.series)
            for step in steps[told:]:
                self._say(f"[{self._now_s():>5,.0f} s] {said_of(step)}")
            told = len(steps)
            if is_beyond(steps):
                running.enough()
                return
            await asyncio.sleep(SAMPLE_EVERY_S)

    def _begins(self, what: str, fault: Fault | None) -> int:
        now_s = self._now_s()
        self._marks.append((Mark(round(now_s, 1), None, what), fault))
        self._say(f"[{now_s:>5,.0f} s] {what}")
        return len(self._marks) - 1

    def _ends(self, number: int, what: str) -> None:
        now_s = self._now_s()
        mark, fault = self._marks[number]
        self._marks[number] = (mark._replace(until_s=round(now_s, 1)), fault)
        self._say(f"[{now_s:>5,.0f} s] {what}")

    def _now_s(self) -> float:
        return time.monotonic() - self._schedule.starts_at

    def recoveries(self) -> list[tuple[Mark, Recovery | None]]:
        """Give how soon the run recovered from each fault."""
        bound_ms = self._profile.recovered_p99_ms
        return [
            (mark, recovery(self._track.series, mark, bound_ms))
            for mark, fault in self._marks
            if fault is not None
        ]

    def figures(self, warmed_up_s: float | None) -> dict[str, Any]:
        """Give the figures of faults and backlog; `warmed_up_s` is when the latter was done."""
        found: dict[str, Any] = {"excused_sends": 0}
        if self._profile.ramp is not None:
            knee = knee_of(self.steps())
            found["knee_per_second"] = None if knee is None else knee.per_second
            found["excused_sends"] = late_behind(self._profile.ramp, knee, self._track.series)
        if self._profile.faults:
            found["recovery_worst_s"] = worst_s([one for _, one in self.recoveries()])
        if self._ready_s is not None and warmed_up_s is not None:
            drain_s = max(SHORTEST_S, warmed_up_s - self._ready_s)
            found["drain_s"] = round(drain_s, 1)
            found["drained_per_second"] = round(self._profile.backlog / drain_s, 1)
        return found

    def steps(self) -> list[Step]:
        """Give the steps of a ramp that are over."""
        ramp = self._profile.ramp
        return [] if ramp is None else steps_of(ramp, self._track.series)

    def marks(self) -> list[dict[str, Any]]:
        """Give what happened, as the result has it."""
        recovered = dict(self.recoveries())
        return [
            {"at_s": mark.at_s, "until_s": mark.until_s, "what": mark.what}
            | ({} if fault is None else _recovered(recovered[mark]))
            for mark, fault in self._marks
        ]


def _recovered(found: Recovery | None) -> dict[str, float | None]:
    if found is None:
        return {"recovered_s": None, "recovered_from_beginning_s": None}
    return {
        "recovered_s": found.from_end_s,
        "recovered_from_beginning_s": found.from_beginning_s,
    }
