"""The peers on real servers: that each does its work, is proven, and is seen to do what is said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from rich.console import Console

from deploy.local import KafkaBroker, PostgresServer
from loadtest import site
from loadtest.ground import Ground
from loadtest.load.transfers import load
from loadtest.measure.drain import OutcomesEnd
from loadtest.peers import environment, trials
from loadtest.peers.beds import Bed, Plan, Tour, bed_for
from loadtest.peers.books import FUNCTION, make_function, prove
from loadtest.peers.calls import called_wrongly
from loadtest.peers.demonstrations import demonstrations
from loadtest.peers.listener import Listener
from loadtest.peers.orders import PARTITIONS
from loadtest.peers.seen import Seen
from loadtest.peers.systems import QUIX, chosen
from loadtest.peers.timed import called, drained
from loadtest.peers.trials import Stage
from loadtest.sample import SEED

CHECKOUT = Path(__file__).resolve().parents[2]
LIMIT_S = 840
PAYMENTS = 100
READERS = ("naive", "faust", *([QUIX] if environment.is_made() else []))
"""Those whose environment is there; the long test makes the other one."""


@pytest.fixture
def tour(
    broker: KafkaBroker, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Tour:
    """Return a tour over the servers of the session."""
    monkeypatch.setenv(site.BOOTSTRAP_SERVERS, broker.bootstrap_servers)
    monkeypatch.setenv(site.DATABASE_URL, database_url)
    name = f"peers-{tmp_path.name}"
    ground = Ground(site.the_users(name), name, None)
    plan = Plan(payments=PAYMENTS, is_quick=True)
    return Tour(plan, ground, tmp_path, Console(quiet=True), time.monotonic(), None)


@asynccontextmanager
async def stage(bed: Bed) -> AsyncIterator[Stage]:
    """Give what shows demonstrations on a system."""
    servers = bed.site.bootstrap_servers
    connection = await asyncpg.connect(bed.site.database_url)
    async with (
        Listener(servers, bed.outcomes) as listener,
        OutcomesEnd(servers, bed.dead_letters, PARTITIONS) as dead_letters,
    ):
        yield Stage(bed, connection, listener, dead_letters)
    await connection.close()


async def shown(bed: Bed, *names: str) -> dict[str, Seen]:
    """Show some demonstrations on a system."""
    found = {}
    async with stage(bed) as on:
        for one in demonstrations(PAYMENTS, PAYMENTS):
            if one.name in names:
                found[one.name] = await on.show(one)
    return found


@pytest.mark.parametrize("name", READERS)
async def test_a_reader_works_off_its_load_and_is_proven(
    tour: Tour, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Each payment is posted once and told once, and the figures are there.

    Where a message that is met before ends a system, it is set behind it, and goes on.
    """
    monkeypatch.setattr(trials, "RESTARTS_MAX", 0)
    (system,) = chosen(name)
    async with bed_for(tour, system, name) as bed:
        found = await drained(tour, bed)
        assert found["faults"] == []
        assert found["payments"] == PAYMENTS
        assert found["per_second"] > 0
        assert found["cpu_us_per_payment"]["worker"] > 0

        seen = await shown(bed, "repeats", "uncovered")

    assert seen["repeats"].moved_twice == seen["repeats"].unexplained == 0
    if name == "naive":
        assert seen["repeats"].endings == 1
        assert "UniqueViolationError" in seen["repeats"].said
    else:
        assert seen["repeats"].answers == {"posted": PAYMENTS}
    (word,) = seen["uncovered"].answers
    assert seen["uncovered"].answers[word] == seen["uncovered"].asked
    assert word.startswith("rejected")
    assert seen["uncovered"].uncovered == 0


async def test_the_sql_function_is_called_and_proven(tour: Tour) -> None:
    """Its books are proven, and neither repeats nor a killed client move money twice."""
    (system,) = chosen("sql32")
    async with tour.ground.database_alone(system.name) as url:
        await make_function(url, PAYMENTS)
        found = await called(tour, system, url)
        seen = await called_wrongly(tour._replace(plan=Plan(payments=PAYMENTS)), system, url)

    assert found["faults"] == []
    assert found["per_second"] > 0
    assert list(seen) == ["repeats", "conflicts", "uncovered", "cut", "killed"]
    assert {
        name: (one.moved_twice, one.unexplained) for name, one in seen.items()
    } == dict.fromkeys(seen, (0, 0))
    assert seen["repeats"].answers == {"repeat": PAYMENTS}
    assert seen["conflicts"].answers == {"repeat": 10}
    assert seen["uncovered"].answers == {"insufficient_funds": 10}
    assert 0 < seen["cut"].unanswered <= 3 * 32
    assert 0 < seen["killed"].lost_unless_asked_again < 1000
    assert seen["killed"].lost == seen["killed"].unanswered == 0


async def test_books_that_are_wrong_are_told(database_url: str) -> None:
    """A payment too little, money from nowhere and a balance that nothing explains are found."""
    await make_function(database_url, PAYMENTS)
    wanted = load(PAYMENTS, PAYMENTS, PARTITIONS, seed=SEED, keep_records=False)
    connection = await asyncpg.connect(database_url)
    await connection.execute("UPDATE account SET balance = balance + 7 WHERE name = 'acc-000003'")

    lines = await prove(connection, FUNCTION, wanted)
    await connection.close()

    assert lines[0] == "payments posted: 0, expected 100"
    assert lines[3] == "balances that nothing written explains: 1, expected 0"
    assert lines[-1] == "7 minor units came from nowhere"


def peers(*words: str, **given: str) -> subprocess.CompletedProcess[str]:
    """Run the command as its users do."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PROCESSOR_")}
    return subprocess.run(
        [sys.executable, "-m", "loadtest", "peers", *words],
        cwd=CHECKOUT,
        env=plain | given,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def test_servers_that_do_not_answer_are_told(tmp_path: Path) -> None:
    """One line and status 2, and no result."""
    nowhere = {
        "PROCESSOR_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "PROCESSOR_DATABASE_URL": "postgresql://127.0.0.1:1/none",
    }
    away = peers("--only", "sql8", "--result", str(tmp_path / "peers.json"), **nowhere)
    assert away.returncode == 2
    assert len(away.stderr.strip().splitlines()) == 1
    assert away.stderr.startswith("loadtest: PostgreSQL does not")
    assert not (tmp_path / "peers.json").exists()


def test_the_command_writes_what_it_shows(
    broker: KafkaBroker, postgres: PostgresServer, database_url: str, tmp_path: Path
) -> None:
    """The figures, what was seen and the machine are in the file; nothing is left behind."""
    before = set(postgres.query("SELECT datname FROM pg_database").split())
    result = tmp_path / "peers.json"
    servers = {
        "PROCESSOR_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
        "PROCESSOR_DATABASE_URL": database_url,
    }

    words = ("--only", "sql8", "--payments", "100", "--quick")
    done = peers(*words, "--result", str(result), **servers)

    assert done.returncode == 0, done.stdout + done.stderr
    written = json.loads(result.read_text())
    assert written["figures"]["sql8"]["per_second"] > 0
    assert written["seen"]["sql8"]["repeats"] == "told, marked"
    assert written["does_not"]["sql8"]
    assert len(written["rounds"]) == 1
    assert written["trials"]["sql8"]["repeats"]["asked"] == 100
    assert written["durability"]["postgres"]["synchronous_commit"] == "on"
    assert "SQL function, 8" in done.stdout
    assert set(postgres.query("SELECT datname FROM pg_database").split()) == before


@pytest.mark.long
@pytest.mark.timeout(900)
def test_every_system_is_shown_everything(tmp_path: Path) -> None:
    """On a stack of its own; the product has no gap, and what the others do is what was said."""
    result = tmp_path / "peers.json"

    done = peers("--payments", "1000", "--result", str(result))

    assert done.returncode == 0, done.stdout + done.stderr
    written = json.loads(result.read_text())
    assert [one["faults"] for one in written["rounds"][0].values()] == [[]] * 6
    assert written["does_not"]["product"] == []
    assert written["proof"] == "verify: holds"
    assert all(one["product_times"] > 0 for one in written["figures"].values())
    seen = written["seen"]
    assert seen["naive"]["repeats"] == "stops"
    assert seen["faust"]["no_json"] == "gone"
    assert seen["quix"]["no_json"] == "stops"
    assert {seen[name]["conflicts"] for name in ("faust", "quix")} == {"told posted"}
    for name, trials_ in written["trials"].items():
        twice = {one["moved_twice"] for one in trials_.values()}
        assert (name, twice) == (name, {0})
