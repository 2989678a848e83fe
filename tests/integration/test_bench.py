"""A bench on real servers: what it measures, proves, refuses and leaves behind."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from deploy.local import KafkaBroker, PostgresServer
from loadtest.load.transfers import load
from loadtest.proof.books import prove_load

CHECKOUT = Path(__file__).resolve().parents[2]
LIMIT_S = 240
FIGURES = (
    "e2e_per_second",
    "ceiling_per_second",
    "naive_per_second",
    "hot_per_second",
    "mixed_per_second",
    "latency_p50_ms",
    "latency_p99_ms",
    "worst_stall_ms",
    "worker_cpu_us",
    "postgres_cpu_us",
    "broker_cpu_us",
    "worker_memory_mib",
    "fdatasync_ms",
)


def bench(result: Path, *words: str, **given: str) -> subprocess.CompletedProcess[str]:
    """Run a bench as its users do."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PROCESSOR_")}
    return subprocess.run(
        [sys.executable, "-m", "loadtest", "bench", "--result", str(result), *words],
        cwd=CHECKOUT,
        env=plain | given,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def servers(broker: KafkaBroker, database_url: str) -> dict[str, str]:
    """Name the servers of the test session as a user names his own."""
    return {
        "PROCESSOR_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
        "PROCESSOR_DATABASE_URL": database_url,
    }


def databases(postgres: PostgresServer) -> set[str]:
    """Name all databases of the server."""
    return set(postgres.query("SELECT datname FROM pg_database").split())


def test_cases_run_on_the_servers_of_the_user(
    broker: KafkaBroker, postgres: PostgresServer, database_url: str, tmp_path: Path
) -> None:
    """Each case has a database and topics of its own; none is left, and the figures are written."""
    before = databases(postgres)

    done = bench(
        tmp_path / "bench.json",
        *("--rounds", "1", "--only", "ceiling,e2e", "--commands", "3000"),
        **servers(broker, database_url),
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert databases(postgres) == before
    written = json.loads((tmp_path / "bench.json").read_text())
    assert written["proof"] == "holds"
    assert written["e2e_per_second"] > 0
    assert written["e2e_to_ceiling"] > 0
    assert written["hot_per_second"] is None
    assert written["rounds"][0]["e2e"]["payments"] == 3000
    # Servers that the bench did not start are none of its business.
    assert written["postgres_cpu_us"] is None
    assert written["worker_cpu_us"] > 0
    assert written["durability"]["postgres"]["synchronous_commit"] == "on"


def test_a_ledger_with_real_money_is_refused(
    broker: KafkaBroker, postgres: PostgresServer, database_url: str, tmp_path: Path
) -> None:
    """One clear line, a status that says so, and nothing made."""
    name = database_url.rsplit("/", 1)[-1]
    postgres.query("CREATE SCHEMA ledger", name)
    postgres.query("CREATE TABLE ledger.identity AS SELECT false AS is_test", name)
    before = databases(postgres)

    done = bench(tmp_path / "bench.json", **servers(broker, database_url))

    assert done.returncode == 2
    assert done.stderr.strip() == (
        "loadtest: this ledger is not marked as a test ledger: name another database, "
        "or make one with `processor migrate --test-ledger`"
    )
    assert databases(postgres) == before
    assert "Kept for a look" not in done.stdout
    assert not (tmp_path / "bench.json").exists()


def test_what_is_no_case_is_told(tmp_path: Path) -> None:
    """One line and no traceback."""
    done = bench(tmp_path / "bench.json", "--only", "fastest")

    assert done.returncode == 2
    assert "fastest is none of ceiling, e2e, hot, mixed, naive, latency" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_proof_finds_what_is_wrong(ledger_url: str) -> None:
    """A ledger in which nothing was posted proves no load."""
    wanted = load(100, 10, 8, seed=1)

    faults = asyncio.run(prove_load(ledger_url, wanted, 10, 100)).lines

    assert faults[0] == "posted transfers: 0, expected 100"
    assert faults[-1].startswith("11 balances are not as known beforehand")


async def test_the_proof_finds_unbalanced_books(database_url: str) -> None:
    """Balances that do not come from entries, and currencies that do not sum up to zero."""
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        """
        CREATE SCHEMA reporting;
        CREATE TABLE reporting.payments (
            transaction_id uuid, type text, outcome text, reason text, amount numeric,
            topic text, partition integer, "offset" bigint);
        CREATE TABLE reporting.entries (
            account text, direction text, amount numeric, currency text);
        CREATE TABLE reporting.balances (account text, currency text, posted numeric);
        INSERT INTO reporting.balances VALUES ('a', 'EUR', 1.00), ('b', 'EUR', -0.50);
        INSERT INTO reporting.entries VALUES
            ('a', 'credit', 1.00, 'EUR'), ('b', 'debit', 0.75, 'EUR');
        """
    )
    await connection.close()

    faults = (await prove_load(database_url, load(0, 1, 8, seed=1), 0, 0)).lines

    assert faults[:3] == (
        "EUR does not sum up to zero: 0.25 are over",
        "EUR does not sum up to zero: 0.50 are over",
        "1 balances are not the sum of their entries",
    )


@pytest.mark.long
def test_a_quick_bench_measures_everything(tmp_path: Path) -> None:
    """On a stack of its own every figure of the result is there, and every case is proven."""
    done = bench(tmp_path / "bench.json", "--quick")

    assert done.returncode == 0, done.stdout + done.stderr
    written = json.loads((tmp_path / "bench.json").read_text())
    assert {name for name in FIGURES if not written[name]} == set()
    assert written["proof"] == "holds"
    assert written["latency"]["missing"] == 0
