"""`loadtest run`: a profile's load through the whole line, its figures, its proof, its verdict."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from deploy.local.ports import free_port
from loadtest import site
from loadtest.agents.fleet import ALONE, Fleet, about, agents_of, processes_of
from loadtest.errors import LoadTestError
from loadtest.faults.plan import Server, behind_a_proxy, needs_own_servers
from loadtest.faults.proxy import Proxy, Way
from loadtest.faults.scene import Scene
from loadtest.ground import Ground
from loadtest.load.accounts import funded
from loadtest.load.course import Course
from loadtest.load.crew import Crew
from loadtest.load.drive import Load, drive
from loadtest.load.generator import Generator
from loadtest.load.profile import Profile
from loadtest.load.prove import prove
from loadtest.load.result import recoveries_table, result_of, show
from loadtest.load.track import Track, View
from loadtest.measure.session import CHECKOUT, ground_of, head, screen, write_result
from loadtest.report.publish import publish
from loadtest.site import Site
from processor import settings

RESULTS = CHECKOUT / "build" / "loadtest"
PARTITIONS = 8
MEBIBYTE = 1024 * 1024
MICROSECONDS = 1_000_000
COMES_BACK_S = 30.0
"""What a server or a worker takes to be back on a slow machine; outcomes are waited for longer."""


def run(name: str, profile: Profile, result: Path | None, fleet: Fleet = ALONE) -> int:
    """
    Run a profile, sent by a fleet; print its figures and write the result; give the exit status.
    """
    gc.disable()  # millions of small objects and no cycles
    console = screen()
    if site.given() and (why := needs_own_servers(profile.faults)):
        raise LoadTestError(why)
    console.print(f"{name}: {profile.title}", markup=False)
    proxied = behind_a_proxy(profile.faults)
    ports = {server: free_port() for server in sorted(proxied)}
    with (
        ground_of(
            "load",
            console,
            kafka_proxy_port=ports.get(Server.KAFKA),
            kafka_outer_host=fleet.outer_host,
        ) as (ground, folder),
        ExitStack() as ends,
        asyncio.Runner() as runner,
    ):
        proxy = _proxy(ground, ports, ends)
        measured = runner.run(_measure(profile, ground, proxy, folder, console, fleet))
    written = result_of(name, profile, measured)
    path = result or RESULTS / f"{name}.json"
    write_result(path, written)
    console.print(f"Written to {path}", markup=False)
    publish(path, console)
    return show(name, profile, written, console)


def _proxy(ground: Ground, ports: dict[Server, int], ends: ExitStack) -> Proxy | None:
    """Start the proxy where the workers need one."""
    if not ports:
        return None
    stack = ground.stack
    assert stack is not None, "servers of others were refused"
    behind = {Server.KAFKA: stack.broker.proxied_port, Server.POSTGRES: stack.postgres.port}
    proxy = Proxy({server: Way(port, behind[server]) for server, port in ports.items()})
    ends.callback(proxy.end)
    return proxy


async def _measure(
    profile: Profile,
    ground: Ground,
    proxy: Proxy | None,
    folder: Path,
    console: Console,
    fleet: Fleet,
) -> dict[str, Any]:
    await ground.refuse_unless_for_tests()
    begun = await head(ground, folder, command_acks="all", command_producer="idempotent")
    async with AsyncExitStack() as stack:
        view = View(console)
        generators = await stack.enter_async_context(fleet.gathered(view.say))
        console.print(f"opening {profile.accounts:,} accounts")
        accounts = funded(ground, profile.accounts, PARTITIONS, folder, profile.traffic)
        template = await stack.enter_async_context(accounts)
        case = await stack.enter_async_context(ground.case("load", template))
        session_timeout_s = settings.read(case.environment).session_timeout_s
        load = _load(profile, session_timeout_s)
        crew = Crew(folder, _workers_site(case, proxy).environment)
        scene = Scene(crew, ground.stack, proxy)
        track = Track(view.show)
        course = Course(profile, scene, crew, track, view.say)
        outer = ground.outer_servers
        try:
            with view:
                found = await _driven(profile, load, case, course, crew, track, generators, outer)
        finally:
            crew.end()
        if profile.faults:
            console.print(recoveries_table(course.recoveries(), profile.recovered_p99_ms))
            console.print(
                f"session timeout of the workers: {session_timeout_s:g} s; for so long the "
                "partitions of one that was killed or is frozen wait"
            )
        console.print("proving the books")
        proof = await prove(ground, case, load, found, console)
        for agent in agents_of(generators):
            agent.over("the books prove" if proof.holds else "the proof failed")
    senders = found.pop("generators")
    apart = {name: found.pop(name) for name in ("outcomes", "histogram")}
    return begun | {
        "found": found | {"session_timeout_s": session_timeout_s},
        "proof": proof.shown(),
        "started_at": course.started_at,
        "series": [row._asdict() for row in track.series],
        **apart,
        "processes": course.samples.shown() | processes_of(generators),
        "generators": [one | about(by) for one, by in zip(senders, generators, strict=True)],
        "marks": course.marks(),
        "steps": [step._asdict() for step in course.steps()],
        "schedule": msgspec.to_builtins(load.stages),
    }


def _load(profile: Profile, session_timeout_s: float) -> Load:
    """Say what is sent, and how long outcomes may stay away: faults and a backlog need patience."""
    patience_s = 0.0
    if profile.faults:
        away_s = max(fault.away_s for fault in profile.faults)
        patience_s = away_s + session_timeout_s + COMES_BACK_S
    elif profile.backlog:
        patience_s = profile.sent_stages[0].seconds + COMES_BACK_S
    return Load(
        profile.sent_stages,
        profile.accounts,
        PARTITIONS,
        profile.seed,
        profile.traffic,
        patience_s,
    )


def _workers_site(case: Site, proxy: Proxy | None) -> Site:
    """Say where the workers find their servers."""
    ports = {} if proxy is None else proxy.ports
    return case.through(ports.get(Server.KAFKA), ports.get(Server.POSTGRES))


async def _driven(
    profile: Profile,
    load: Load,
    case: Site,
    course: Course,
    crew: Crew,
    track: Track,
    generators: Sequence[Generator],
    outer_servers: str | None,
) -> dict[str, Any]:
    """Start the workers, send and read; give all figures."""
    if not profile.backlog:
        workers = range(1, profile.workers + 1)
        for number in workers:
            crew.launch(number)
        for number in workers:
            await crew.ready(number)
    found = await drive(case, load, track, course, generators, outer_servers)
    crew.check()
    found |= course.figures(found.pop("warmed_up_s"))
    measured = max(1, found["sent"] - found["warm_up_commands"])
    late = found["late_sends"] - found["excused_sends"]
    return found | {
        "late_sends_percent": round(100 * late / measured, 3),
        "held_up_sends_percent": round(100 * found["held_up_sends"] / measured, 3),
        "worker_cpu_us": round(crew.cpu_s / max(1, found["sent"]) * MICROSECONDS, 2),
        "worker_memory_mib": round(crew.peak_memory_bytes / MEBIBYTE, 1),
    }
