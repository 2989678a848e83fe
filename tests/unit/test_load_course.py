"""What happens beside a load: faults come and go at their times, and are undone when it ends."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest

from deploy.local import Stack
from loadtest.errors import LoadTestError
from loadtest.faults.plan import (
    CutKafka,
    CutPostgres,
    Fault,
    FreezeWorker,
    KillWorker,
    RestartBroker,
    RestartPostgres,
    SlowPostgres,
    StartWorker,
    StopWorker,
)
from loadtest.faults.proxy import Proxy
from loadtest.faults.scene import Scene
from loadtest.load.course import Course
from loadtest.load.crew import Crew
from loadtest.load.drive import Running
from loadtest.load.knee import Ramp
from loadtest.load.profile import Profile
from loadtest.load.schedule import Schedule, Stage
from loadtest.load.track import Second, Track

LONG_S = 3_600.0
LIMIT_S = 10.0


class Recorded:
    """Stands for workers and proxy, and has both servers: takes note of what is done to them."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.bad: str | None = None
        self.broker = RecordedServer(self.done, "broker")
        self.postgres = RecordedServer(self.done, "postgres")
        self.pid = os.getpid()

    def note(self, *words: object) -> None:
        """Take note."""
        self.done.append(" ".join(map(str, words)))

    def launch(self, number: int) -> None:
        """Start a worker."""
        self.note("launch", number)

    def freeze(self, number: int) -> None:
        """Have a worker stand still."""
        self.note("freeze", number)

    def thaw(self, number: int) -> None:
        """Have it go on."""
        self.note("thaw", number)

    async def stop(self, number: int) -> None:
        """End a worker, for which it is waited."""
        self.note("stop", number)

    async def kill(self, number: int) -> None:
        """End a worker at once."""
        self.note("kill", number)

    async def ready(self, number: int) -> None:
        """Wait for a worker."""
        self.note("ready", number)

    async def tell(self, *words: object) -> None:
        """Tell the proxy."""
        self.note("tell", *words)

    def check(self) -> None:
        """Raise where a worker has ended."""
        if self.bad:
            raise LoadTestError(self.bad)

    def pids(self) -> dict[int, int]:
        """Stand for a worker with this process."""
        return {1: os.getpid()}


class RecordedServer:
    """Stands for a server."""

    def __init__(self, done: list[str], name: str) -> None:
        self._done = done
        self._name = name
        self.pid = None

    def launch(self) -> None:
        """Start."""
        self._done.append(f"{self._name} launch")

    def wait(self) -> None:
        """Be there."""
        self._done.append(f"{self._name} wait")

    def stop(self, *how: str) -> None:
        """End in order, or in a way."""
        self._done.append(" ".join([self._name, "stop", *how]))

    def kill(self) -> None:
        """End at once."""
        self._done.append(f"{self._name} kill")


@pytest.fixture
def recorded() -> Recorded:
    """Return what takes note."""
    return Recorded()


def scene_of(recorded: Recorded) -> Scene:
    """Give a scene on which everything is noted."""
    return Scene(cast("Crew", recorded), cast("Stack", recorded), cast("Proxy", recorded))


DONE: list[tuple[Fault, list[str], list[str]]] = [
    (KillWorker(at_s=0, worker=2), ["kill 2"], ["launch 2"]),
    (FreezeWorker(at_s=0, worker=2, for_s=LONG_S), ["freeze 2"], ["thaw 2"]),
    (StopWorker(at_s=0, worker=2), ["stop 2"], []),
    (StartWorker(at_s=0, worker=2), ["launch 2", "ready 2"], []),
    (RestartBroker(at_s=0), ["broker kill"], ["broker launch", "broker wait"]),
    (RestartBroker(at_s=0, how="stop"), ["broker stop"], ["broker launch", "broker wait"]),
    (
        RestartPostgres(at_s=0, how="fast"),
        ["postgres stop fast"],
        ["postgres launch", "postgres wait"],
    ),
    (
        SlowPostgres(at_s=0, latency_ms=50, for_s=LONG_S),
        ["tell postgres delay 0.05"],
        ["tell postgres open"],
    ),
    (CutKafka(at_s=0, for_s=LONG_S), ["tell kafka cut"], ["tell kafka open"]),
    (
        CutPostgres(at_s=0, for_s=LONG_S, how="black_hole"),
        ["tell postgres hold"],
        ["tell postgres open"],
    ),
]


@pytest.mark.parametrize(("fault", "begins", "ends"), DONE, ids=lambda one: type(one).__name__)
async def test_what_a_fault_does_it_undoes(
    recorded: Recorded, fault: Fault, begins: list[str], ends: list[str]
) -> None:
    """Also where it is cancelled in between, as by Ctrl-C."""
    begun = asyncio.Event()

    async def suffer() -> None:
        async with scene_of(recorded).under(fault):
            begun.set()
            await asyncio.sleep(LONG_S)

    suffering = asyncio.create_task(suffer())
    await begun.wait()
    assert recorded.done == begins
    suffering.cancel()
    await asyncio.wait({suffering})
    assert suffering.cancelled()
    assert recorded.done == begins + ends


async def test_a_fault_that_is_cancelled_while_it_begins_is_done_and_undone(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that is being killed is gone for good: another is started only after that."""
    begun = asyncio.Event()

    async def kill(number: int) -> None:
        begun.set()
        await asyncio.sleep(0.05)
        recorded.note("killed", number)

    monkeypatch.setattr(recorded, "kill", kill)

    async def suffer() -> None:
        async with scene_of(recorded).under(KillWorker(at_s=0, worker=1)):
            raise AssertionError("cancelled before")

    suffering = asyncio.create_task(suffer())
    await begun.wait()
    suffering.cancel()
    await asyncio.wait({suffering})
    assert suffering.cancelled()
    assert recorded.done == ["killed 1", "launch 1"]


def row(at_s: float, *, p99_ms: float = 20.0) -> Second:
    """Give a row of a run."""
    return Second(at_s, 10, 10, 0, 0, 0, 0, 10.0, p99_ms, 30.0)


class Played:
    """A course on noted workers and servers, with a schedule that begins now."""

    def __init__(self, recorded: Recorded, profile: Profile) -> None:
        self.said: list[str] = []
        self._more = asyncio.Event()
        self.track = Track()
        self.course = Course(
            profile, scene_of(recorded), cast("Crew", recorded), self.track, self._say
        )
        schedule = Schedule(time.monotonic(), profile.sent_stages)
        self.enough = asyncio.Event()
        own = {"sender": os.getpid(), "reader": os.getpid()}
        self.running = Running(schedule, lambda: own, self.enough.set)

    @asynccontextmanager
    async def under_way(self) -> AsyncIterator[asyncio.Task[None]]:
        """See a load through until the context ends."""
        task = asyncio.ensure_future(self.course(self.running))
        yield task
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()

    def _say(self, line: str) -> None:
        self.said.append(line)
        self._more.set()

    async def says(self, what: str) -> None:
        """Wait until it is said."""
        async with asyncio.timeout(LIMIT_S):
            while not any(line.endswith(what) for line in self.said):
                self._more.clear()
                await self._more.wait()


def profile(*faults: Fault, backlog: int = 0) -> Profile:
    """Give a profile."""
    stages = (Stage(seconds=60, per_second=10),)
    return Profile(title="a try", stages=stages, workers=2, faults=faults, backlog=backlog)


async def test_faults_begin_and_end_at_their_times(recorded: Recorded) -> None:
    """They are said, marked, and what came of them is figured out."""
    kill = KillWorker(at_s=0.1, worker=1, back_after_s=0.2)
    restart = RestartBroker(at_s=0.4)
    one = Played(recorded, profile(kill, restart))
    async with one.under_way():
        await one.says("Kafka answers again")
    assert recorded.done == ["kill 1", "launch 1", "broker kill", "broker launch", "broker wait"]
    assert [line.split("] ")[1] for line in one.said] == [
        "worker 1 killed",
        "worker 1 started again",
        "Kafka goes (kill)",
        "Kafka answers again",
    ]
    one.track.series = [row(at, p99_ms=900.0 if at == 2 else 20.0) for at in range(1, 20)]
    killed, gone = one.course.marks()
    assert killed["what"] == "worker 1 killed"
    assert 0.1 <= killed["at_s"] < 2
    assert round(killed["until_s"] - killed["at_s"], 1) >= 0.2
    assert killed["recovered_s"] == round(2 - killed["until_s"], 1)
    assert gone["recovered_from_beginning_s"] == round(2 - gone["at_s"], 1)
    figures = one.course.figures(None)
    assert figures["recovery_worst_s"] == max(killed["recovered_s"], gone["recovered_s"])


async def test_what_befalls_a_server_waits_for_what_befell_it_before(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that takes long to end in order is not killed while it starts again."""
    slow = recorded.broker.stop

    def stop(*how: str) -> None:
        time.sleep(0.5)
        slow(*how)

    monkeypatch.setattr(recorded.broker, "stop", stop)
    faults = (
        RestartBroker(at_s=0, how="stop"),
        RestartBroker(at_s=0.1),
        KillWorker(at_s=0.2, worker=1),
    )
    one = Played(recorded, profile(*faults))
    async with one.under_way():
        await one.says("Kafka goes (kill)")
        # Both end when the load does, if not before.
    restarted = ["broker stop", "broker launch", "broker wait"]
    killed = ["broker kill", "broker launch", "broker wait"]
    assert [step for step in recorded.done if "broker" in step] == restarted + killed
    assert recorded.done[0] == "kill 1"
    first, worker, second = one.course.marks()
    assert worker["at_s"] < 0.5 <= first["until_s"] <= second["at_s"]


async def test_what_is_under_way_when_a_load_ends_is_undone_and_marked(recorded: Recorded) -> None:
    """A frozen worker goes on; what was to come does not."""
    faults = FreezeWorker(at_s=0, worker=2, for_s=LONG_S), KillWorker(at_s=LONG_S, worker=1)
    one = Played(recorded, profile(*faults))
    async with one.under_way():
        await one.says("worker 2 frozen")
    assert recorded.done == ["freeze 2", "thaw 2"]
    (mark,) = one.course.marks()
    assert mark["until_s"] is not None
    assert mark["recovered_s"] is None


async def test_a_worker_that_ends_by_itself_ends_the_run(recorded: Recorded) -> None:
    """And what was begun is undone."""
    one = Played(recorded, profile(FreezeWorker(at_s=0, worker=2, for_s=LONG_S)))
    task = asyncio.ensure_future(one.course(one.running))
    await one.says("worker 2 frozen")
    recorded.bad = "worker 1: the worker has ended with status 70"
    with pytest.raises(LoadTestError, match="worker 1: the worker has ended with status 70"):
        await asyncio.wait_for(task, LIMIT_S)
    assert recorded.done == ["freeze 2", "thaw 2"]


async def test_the_workers_start_when_the_backlog_was_sent(recorded: Recorded) -> None:
    """And draining counts from when one of them was ready."""
    one = Played(recorded, profile(backlog=1_000))
    async with one.under_way():
        one.track.sender({"sent": 999, "late": 0, "held_up": 0})
        await asyncio.sleep(0.1)
        assert recorded.done == []
        one.track.sender({"sent": 1_200, "late": 0, "held_up": 0})
        await one.says("the workers are ready")
    assert sorted(recorded.done) == ["launch 1", "launch 2", "ready 1", "ready 2"]
    now_s = time.monotonic() - one.running.schedule.starts_at
    figures = one.course.figures(now_s + 10)
    assert 10.0 <= figures["drain_s"] < 12
    assert figures["drained_per_second"] == pytest.approx(1_000 / figures["drain_s"], rel=0.02)
    (mark,) = one.course.marks()
    assert "recovered_s" not in mark
    assert "drain_s" not in one.course.figures(None)


async def test_a_ramp_is_climbed_until_the_knee_lies_behind(recorded: Recorded) -> None:
    """Each step is told when it is over; only sends before the knee's end count as late."""
    ramp = Ramp(from_per_second=10, to_per_second=90, step_per_second=10, warm_up_seconds=5)
    one = Played(recorded, Profile(title="a try", ramp=ramp))
    rows = [climbed(at) for at in range(1, 46)]
    one.track.series = rows[:25]
    async with one.under_way():
        await one.says("20/s: 20/s answered, p99 20 ms: holds")
        assert not one.enough.is_set()
        one.track.series = rows
        await one.enough.wait()
    assert [line.split("] ")[1].split(":")[0] for line in one.said] == [
        "10/s",
        "20/s",
        "30/s",
        "40/s",
    ]
    assert [step.holds for step in one.course.steps()] == [True, True, False, False]
    figures = one.course.figures(None)
    assert (figures["knee_per_second"], figures["excused_sends"]) == (20, 40 - 2)


def climbed(at_s: int) -> Second:
    """Give a row of a ramp to 40/s, of which 20/s is what is kept up with; some are sent late."""
    rate = 10 * max(1, -(-(at_s - 5) // 10))
    late = 2 if at_s <= 25 else 2 * (at_s - 25)
    p99_ms = 20.0 if rate <= 20 else 900.0
    return Second(at_s, rate, rate, rate * at_s, rate * at_s, 0, late, 10.0, p99_ms, p99_ms)


async def test_processes_are_sampled_by_name(recorded: Recorded) -> None:
    """Those that run; a second time, as CPU is what was used since the first."""
    one = Played(recorded, profile())
    async with one.under_way():
        for _ in range(200):
            await asyncio.sleep(LIMIT_S / 200)
            if one.course.samples.series:
                break
    shown = one.course.samples.shown()
    assert shown.keys() == {"worker-1", "sender", "reader", "proxy"}
    (sample, *_) = shown["worker-1"]
    assert sample.keys() == {"at_s", "cpu_percent", "memory_mib"}
    assert sample["memory_mib"] > 10
