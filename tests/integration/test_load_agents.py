"""Loads that agents send: two processes, other machines with other clocks, and what goes wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from deploy.local import KafkaBroker
from deploy.local.ports import free_port
from loadtest.load.latencies import Latencies
from tests.integration.machines import Machines

CHECKOUT = Path(__file__).resolve().parents[2]
LIMIT_S = 180
LOADTEST = (sys.executable, "-m", "loadtest")
MIXED = """
title = "two agents"
accounts = 100

[traffic]
repeats_percent = 10
poison_percent = 5

[traffic.kinds]
transfer = 80
"hold.place" = 12
"hold.capture" = 8

[[stages]]
seconds = 1
per_second = 200
warm_up = true

[[stages]]
seconds = {seconds}
per_second = 401
"""
PLAIN = """
title = "two agents on machines of their own"
accounts = 100

[[stages]]
seconds = 3
per_second = 400
"""


def environment() -> dict[str, str]:
    """Return the environment without settings of the processor's."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PROCESSOR_")}


class Started:
    """Programs that a test has started; they end with it."""

    def __init__(self, ends: ExitStack) -> None:
        self._ends = ends

    def __call__(self, *words: str, under: Sequence[str] = ()) -> subprocess.Popen[str]:
        """Start `loadtest` with such words."""
        process = subprocess.Popen(
            [*under, *LOADTEST, *words],
            cwd=CHECKOUT,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._ends.callback(self._end, process)
        return process

    @staticmethod
    def _end(process: subprocess.Popen[str]) -> None:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=LIMIT_S)


@pytest.fixture
def start() -> Iterator[Started]:
    """Return what starts programs."""
    with ExitStack() as ends:
        yield Started(ends)


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for a program; give its status and what it said."""
    said, _ = process.communicate(timeout=LIMIT_S)
    return process.returncode, said


def says(process: subprocess.Popen[str], what: str) -> None:
    """Wait until a program says something."""
    assert process.stdout is not None
    heard = []
    for line in process.stdout:
        heard.append(line)
        if what in line:
            return
    pytest.fail(f"it never says {what!r}: {heard}")


def test_two_agents_send_one_load_between_them(
    broker: KafkaBroker, database_url: str, tmp_path: Path, start: Started
) -> None:
    """Each its share of all kinds; the figures are those of all, and the books prove."""
    profile, result = tmp_path / "mixed.toml", tmp_path / "mixed.json"
    profile.write_text(MIXED.format(seconds=4))
    listen = f"127.0.0.1:{free_port()}"
    agents = [start("agent", listen, "--name", f"agent-{number}") for number in (1, 2)]
    run = start(
        *("run", str(profile), "--agents", "2", "--listen", listen, "--result", str(result)),
        *("--bootstrap-servers", broker.bootstrap_servers, "--database-url", database_url),
    )

    status, said = ended(run)
    written = json.loads(result.read_text())
    assert status == (3 if written["verdict"] == "invalid" else 0), said
    assert written["proof"]["holds"], said
    for agent in agents:
        status, said = ended(agent)
        assert status == 0, said
        assert "the run is over: the books prove" in said

    senders = written["generators"]
    assert {one["agent"] for one in senders} == {"agent-1", "agent-2"}
    assert [one["sent"] for one in senders] == [902, 902]
    assert all(one["machine"]["cores"] >= 1 and len(one["cores"]) == 1 for one in senders)
    counts = written["counts"]
    assert (counts["sent"], counts["read"], counts["foreign"]) == (1_804, 1_804, 0)
    assert sum(written["outcomes"].values()) == 1_804
    assert written["outcomes"]["repeat"] > 50 < written["outcomes"]["invalid"]
    assert len(Latencies.decoded(written["histogram"]["encoded"])) == 1_604
    assert max(row["answered"] for row in written["series"]) == 1_804
    used = {name for name in written["processes"] if " of agent-" in name}
    assert used == {f"{side} of agent-{n}" for side in ("sender", "reader") for n in (1, 2)}


def test_a_run_whose_agent_is_killed_says_so_and_ends_the_others(
    broker: KafkaBroker, database_url: str, tmp_path: Path, start: Started
) -> None:
    """What it has sent is known to nobody; the others do not go on for nothing."""
    profile = tmp_path / "long.toml"
    profile.write_text(MIXED.format(seconds=120))
    listen = f"127.0.0.1:{free_port()}"
    killed, other = (start("agent", listen, "--name", name) for name in ("one", "two"))
    run = start(
        *("run", str(profile), "--agents", "2", "--listen", listen),
        *("--bootstrap-servers", broker.bootstrap_servers, "--database-url", database_url),
    )
    says(killed, "share ")
    says(run, "meant/s")
    children = psutil.Process(other.pid).children(recursive=True)
    assert len(children) == 2
    killed.kill()

    status, said = ended(run)
    assert (status, said.splitlines()[-1]) == (4, "loadtest: agent one was lost")
    status, said = ended(other)
    assert (status, said.splitlines()[-1]) == (4, "loadtest: the run was lost, or has given up")
    assert not any(psutil.pid_exists(child.pid) for child in children)


def test_agents_on_other_machines_need_no_clock_of_the_runs(
    tmp_path: Path, start: Started, machines: Machines
) -> None:
    """They reach the Kafka that the run has started, and measure by clocks hours apart."""
    profile, result = tmp_path / "apart.toml", tmp_path / "apart.json"
    profile.write_text(PLAIN)
    here = machines.run()
    there = [machines.agent(1, 86_400), machines.agent(2, 3_600)]
    agents = [
        start("agent", machines.RUN, "--name", f"far-{number}", under=under)
        for number, under in enumerate(there)
    ]
    run = start(
        *("run", str(profile), "--agents", "2", "--listen", machines.RUN),
        *("--result", str(result)),
        under=here,
    )
    status, said = ended(run)
    for agent in agents:
        assert ended(agent)[0] == 0
    written = json.loads(result.read_text())
    assert status == (3 if written["verdict"] == "invalid" else 0), said
    assert written["proof"]["holds"], said
    assert [one["sent"] for one in written["generators"]] == [600, 600]
    assert 0 < written["figures"]["latency_p50_ms"] < 60_000
    assert {one["at_s"] < 60 for one in written["processes"]["sender of far-0"]} == {True}
