"""Agents and the run that they connect to, over loopback, without any load."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from deploy.local.ports import LOOPBACK, free_port
from loadtest.agents import agent as agent_module
from loadtest.agents.agent import serve
from loadtest.agents.coordinator import gathered
from loadtest.agents.fleet import PORT, Address, Fleet
from loadtest.agents.wire import harness
from loadtest.errors import LoadTestError
from loadtest.load.drive import conduct
from loadtest.load.generator import Hear, LocalGenerator, Order
from loadtest.load.latencies import Latencies
from loadtest.load.schedule import Stage
from loadtest.load.share import Share
from loadtest.load.track import Track
from loadtest.traffic.shape import Traffic
from tests.unit.played import Deaf, Played

LIMIT_S = 20.0
READ = {"at_s": 1.0, "read": 3, "outcomes": {"posted": 3}, "waiting_ms": 1.0}
SENT = {"sent": 3, "late": 1, "held_up": 0}


def order(number: int = 0) -> Order:
    """Return an order with something in each field."""
    return Order(
        bootstrap_servers="far:9092",
        commands="commands",
        outcomes="outcomes",
        dead_letters="dead-letters",
        partitions=8,
        accounts=10,
        seed=7,
        traffic=Traffic(repeats_percent=3, kinds={"transfer": 2.0, "deposit": 1.0}),
        stages=(Stage(seconds=1, per_second=5, to_per_second=9, warm_up=True),),
        share=Share(number, 2),
        starts_in_s=0.1,
        patience_s=1.0,
    )


class Meeting:
    """A run that listens, and agents with played generators."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.port = free_port()
        self.said: list[str] = []
        self._more = asyncio.Event()
        self._played: list[Played] = []
        monkeypatch.setattr(agent_module, "LocalGenerator", lambda **_: self._played.pop(0))
        monkeypatch.setattr(agent_module, "machine", lambda: {"cores": 2})

    def agent(self, played: Played, name: str = "one") -> asyncio.Task[None]:
        """Start an agent."""
        self._played.append(played)
        return asyncio.create_task(
            serve(LOOPBACK, self.port, name=name, wait_s=LIMIT_S, say=self.say)
        )

    def say(self, line: str) -> None:
        """Take note of what is said."""
        self.said.append(line)
        self._more.set()

    async def says(self, beginning: str) -> None:
        """Wait until a line is said."""
        while not any(line.startswith(beginning) for line in self.said):
            self._more.clear()
            await self._more.wait()

    async def tell(self, line: bytes) -> bytes:
        """Say a line to the run, and give the answer."""
        reader, writer = await asyncio.open_connection(LOOPBACK, self.port)
        writer.write(line)
        async with asyncio.timeout(LIMIT_S):
            answer = await reader.readline()
        writer.close()
        await writer.wait_closed()
        return answer


@pytest.fixture
def meeting(monkeypatch: pytest.MonkeyPatch) -> Meeting:
    """Return a meeting to come."""
    return Meeting(monkeypatch)


async def forever(*_: object) -> dict[str, Any]:
    """Go on for longer than anybody waits."""
    await waiting()
    return {}


async def waiting() -> None:
    """Go on as long, and find nothing."""
    await asyncio.sleep(3_600)


async def test_an_agent_does_as_ordered_and_tells_what_it_finds(meeting: Meeting) -> None:
    """The order arrives as it was given; what only its own reader needs stays there."""

    async def play(_: Played, hear: Hear) -> dict[str, Any]:
        hear.sender({**SENT, "homes": "AAEC", "runs": [[0, 0, 3]], "ended": True})
        hear.reader({**READ, "latencies": Latencies().encoded()})
        return {"sent": 3, "read": 3}

    played = Played(play)
    told: list[tuple[str, dict[str, Any]]] = []

    class Ears:
        def sender(self, said: dict[str, Any]) -> None:
            told.append(("sender", said))

        def reader(self, said: dict[str, Any]) -> None:
            told.append(("reader", said))

    async with asyncio.timeout(LIMIT_S):
        serving = meeting.agent(played, "far")
        async with gathered(LOOPBACK, meeting.port, 1, meeting.say) as (agent,):
            assert (agent.name, agent.machine) == ("far", {"cores": 2})
            assert await agent.run(order(), Ears()) == {"sent": 3, "read": 3}
            agent.over("the books prove")
        await serving
    assert played.orders == [order()]
    assert told == [
        ("sender", {**SENT, "ended": True}),
        ("reader", {**READ, "latencies": Latencies().encoded()}),
    ]
    assert meeting.said[-1] == "the run is over: the books prove"


async def test_stop_and_hurry_reach_all_agents_and_harm_none_that_is_done(
    meeting: Meeting,
) -> None:
    """Interrupted, the run has its agents stop, and waits for what was sent."""

    async def play(played: Played, hear: Hear) -> dict[str, Any]:
        hear.sender({**SENT, "ended": False})
        await played.stopped.wait()
        hear.sender({**SENT, "ended": True})
        hear.reader({**READ, "latencies": Latencies().encoded()})
        await played.hurried.wait()
        return {"sent": 3}

    async def soon(_: Played, hear: Hear) -> dict[str, Any]:
        hear.sender({**SENT, "ended": True})
        hear.reader({**READ, "latencies": Latencies().encoded()})
        return {"sent": 3}

    played, done = Played(play), Played(soon)
    async with asyncio.timeout(LIMIT_S):
        serving = [meeting.agent(played, "one"), meeting.agent(done, "two")]
        async with gathered(LOOPBACK, meeting.port, 2, meeting.say) as agents:
            running = asyncio.create_task(conduct(agents, [order(), order(1)], Track(), waiting()))
            await played.begun.wait()
            await done.ended.wait()
            running.cancel()
            assert await running == ([{"sent": 3}, {"sent": 3}], True)
            for agent in agents:
                agent.over("the books prove")
        await asyncio.gather(*serving)
    assert meeting.said.count("the run is over: the books prove") == 2


async def test_what_fails_there_is_told_here(meeting: Meeting) -> None:
    """With the agent's name; it fails by itself as well."""

    async def play(_: Played, __: Hear) -> dict[str, Any]:
        raise LoadTestError("loadtest.load.sender failed: no broker")

    async with asyncio.timeout(LIMIT_S):
        serving = meeting.agent(Played(play), "far")
        async with gathered(LOOPBACK, meeting.port, 1, meeting.say) as agents:
            with pytest.raises(
                LoadTestError, match=r"agent far: loadtest\.load\.sender failed: no"
            ):
                await conduct(agents, [order()], Track(), asyncio.sleep(3_600))
        with pytest.raises(LoadTestError, match="no broker"):
            await serving


async def test_a_run_that_is_lost_ends_what_its_agents_do(meeting: Meeting) -> None:
    """Nobody sends into the topics of a run that nobody looks at."""
    played = Played(forever)
    async with asyncio.timeout(LIMIT_S):
        serving = meeting.agent(played)
        async with gathered(LOOPBACK, meeting.port, 1, meeting.say) as agents:
            running = asyncio.create_task(agents[0].run(order(), Deaf()))
            await played.begun.wait()
            running.cancel()
            await asyncio.wait({running})
        with pytest.raises(LoadTestError, match="the run was lost, or has given up"):
            await serving
    assert played.ended.is_set()


async def test_who_is_no_agent_of_this_version_is_refused_with_the_reason(
    meeting: Meeting,
) -> None:
    """And takes nobody's place. One that goes before all are there is waited for anew."""
    hello = {"name": "old", "harness": "0123456789abcdef", "machine": {}}
    own = hello | {"name": "own", "harness": harness()}
    async with asyncio.timeout(LIMIT_S):
        gathering = asyncio.create_task(first_of(meeting, 2))
        await meeting.says("waiting for 2 agents")
        assert orjson.loads(await meeting.tell(b"GET / HTTP/1.1\r\n")) == {
            "refused": "it does not speak as agents do"
        }
        assert orjson.loads(await meeting.tell(b'{"order": {}}\n')) == {
            "refused": "it does not speak as agents do"
        }
        assert orjson.loads(await meeting.tell(orjson.dumps({"hello": hello}) + b"\n")) == {
            "refused": "old has another version of the load tests"
        }
        _, gone = await asyncio.open_connection(LOOPBACK, meeting.port)
        gone.write(orjson.dumps({"hello": own}) + b"\n")
        await meeting.says("agent 1 of 2 is here: own")
        assert orjson.loads(await meeting.tell(orjson.dumps({"hello": own}) + b"\n")) == {
            "refused": "there is an agent of the name own already"
        }
        gone.close()
        await gone.wait_closed()
        await meeting.says("agent own has gone again")
        agents = [meeting.agent(Played(forever), name) for name in ("a", "b")]
        assert sorted(await gathering) == ["a", "b"]
        for agent in agents:
            with pytest.raises(LoadTestError, match="the run was lost before it began"):
                await agent


async def first_of(meeting: Meeting, count: int) -> list[str]:
    """Give the names of those that gather."""
    async with gathered(LOOPBACK, meeting.port, count, meeting.say) as agents:
        return [agent.name for agent in agents]


async def test_nobody_is_waited_for_without_a_limit(
    meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither agents, nor a run."""
    monkeypatch.setattr("loadtest.agents.coordinator.GATHER_LIMIT_S", 0.1)
    with pytest.raises(LoadTestError, match="0 of 2 agents came in 0 s"):
        await first_of(meeting, 2)
    with pytest.raises(LoadTestError, match=f"no run listens at 127.0.0.1:{meeting.port}: "):
        await serve(LOOPBACK, meeting.port, name="", wait_s=0.1, say=print)


@pytest.mark.parametrize(
    ("text", "address"),
    [("10.0.0.5", Address("10.0.0.5", PORT)), ("host:7000", Address("host", 7_000))],
)
def test_an_address_has_a_port_of_its_own_unless_told(text: str, address: Address) -> None:
    """HOST or HOST:PORT."""
    assert Address.read(text) == address


@pytest.mark.parametrize("text", ["host:", "host:0", "host:70000", "host:http", "::1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    """With an example of one."""
    if text == "host:":
        assert Address.read(text) == Address("host", PORT)
        return
    with pytest.raises(ValueError, match=r"is not HOST:PORT, as '10\.0\.0\.5:6166'"):
        Address.read(text)


async def test_who_sends_is_as_the_fleet_says(meeting: Meeting) -> None:
    """Generators here have places and names of their own; agents must reach an address."""
    async with Fleet(generators=2).gathered(meeting.say) as here:
        assert all(isinstance(one, LocalGenerator) for one in here)
        assert len(here) == 2
    for host in ("0.0.0.0", ""):  # noqa: S104 - to be refused
        assert "name the address" in str(Fleet(agents=1, address=Address(host, 1)).wrong())
    assert "do not go together" in str(Fleet(generators=2, agents=1).wrong())
    assert Fleet(generators=2).wrong() is Fleet(agents=1).wrong() is None
    far = Fleet(agents=1, address=Address("10.0.0.5", PORT))
    assert far.outer_host == "10.0.0.5"
    assert Fleet().outer_host is Fleet(agents=1).outer_host is None
