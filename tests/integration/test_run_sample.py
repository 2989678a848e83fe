"""The main job's manners: where it may invent money, and what it leaves behind."""

import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import asyncpg
import psutil
import pytest

from deploy.local import KafkaBroker, PostgresServer
from loadtest.errors import LoadTestError
from loadtest.site import refuse_unless_for_tests

CHECKOUT = Path(__file__).resolve().parents[2]
LIMIT_S = 180
SHORT = ("--scale", "0.02")


def run(bootstrap_servers: str, database_url: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the sample against servers that are there already."""
    given = {
        "PROCESSOR_KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
        "PROCESSOR_DATABASE_URL": database_url,
    }
    return subprocess.run(
        [sys.executable, "-m", "loadtest", "run-sample", *words],
        cwd=CHECKOUT,
        env=plain_environment() | given,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def plain_environment() -> dict[str, str]:
    """Return the environment without settings of the product."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PROCESSOR_")}


async def make_ledger(url: str, *, is_test: bool, payments: int = 0) -> None:
    """Make what marks a database as a ledger."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(
            f"""
            CREATE SCHEMA ledger;
            CREATE SCHEMA reporting;
            CREATE TABLE ledger.identity AS SELECT {is_test} AS is_test;
            CREATE VIEW reporting.payments AS SELECT generate_series(1, {payments}) AS id;
            """
        )
    finally:
        await connection.close()


async def test_a_ledger_that_is_not_for_tests_is_refused(database_url: str) -> None:
    """Money is invented in test ledgers only; the refusal says how to make one."""
    await make_ledger(database_url, is_test=False)
    with pytest.raises(LoadTestError, match="not marked as a test ledger"):
        await refuse_unless_for_tests(database_url, may_be_new=True)


async def test_a_ledger_with_payments_is_refused(database_url: str) -> None:
    """A run needs a ledger of its own, for it knows beforehand what every balance will be."""
    await make_ledger(database_url, is_test=True, payments=1)
    with pytest.raises(LoadTestError, match="holds payments already"):
        await refuse_unless_for_tests(database_url, may_be_new=True)


async def test_an_empty_database_may_become_a_test_ledger(database_url: str) -> None:
    """A database without a ledger passes once, and not any more when it should have one."""
    await refuse_unless_for_tests(database_url, may_be_new=True)
    with pytest.raises(LoadTestError, match="not marked as a test ledger"):
        await refuse_unless_for_tests(database_url, may_be_new=False)
    await make_ledger(database_url, is_test=True)
    await refuse_unless_for_tests(database_url, may_be_new=False)


async def test_the_refusal_is_one_line(database_url: str) -> None:
    """The command ends with a status of its own, one line that says why, and no traceback."""
    await make_ledger(database_url, is_test=False)
    refused = run("127.0.0.1:1", database_url)
    assert refused.returncode == 2
    [line] = refused.stderr.splitlines()
    assert line.startswith("loadtest: this ledger is not marked as a test ledger, ")


def test_a_cluster_without_a_database_is_refused() -> None:
    """Naming one of the two addresses is a mistake, not a wish for a stack of its own."""
    refused = run("127.0.0.1:1", "")
    assert refused.returncode == 2
    [line] = refused.stderr.splitlines()
    assert line.startswith("loadtest: set both ")


def test_a_database_that_is_away_is_one_line() -> None:
    """Servers that do not answer are told in one line."""
    refused = run("127.0.0.1:1", "postgresql://nobody@127.0.0.1:1/nothing")
    assert refused.returncode == 2
    [line] = refused.stderr.splitlines()
    assert line.startswith("loadtest: PostgreSQL does not answer: ")


def figures(finished: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the summary without its one figure that is measured."""
    assert finished.returncode == 0, finished.stdout + finished.stderr
    lines = finished.stdout.splitlines()
    summary = lines[lines.index("") : lines.index("All of it holds.") + 1]
    return [line for line in summary if not line.startswith("payments per second")]


async def test_two_runs_have_the_same_summary(
    broker: KafkaBroker, postgres: PostgresServer, database_url: str
) -> None:
    """The whole line agrees with the model, twice, on servers that the user names."""
    first = figures(run(broker.bootstrap_servers, database_url, *SHORT))
    postgres.create_database("second_run")
    second = figures(run(broker.bootstrap_servers, postgres.url("second_run"), *SHORT))
    assert first == second
    assert sum(line.startswith("  ok    ") for line in first) == 7


def test_ctrl_c_ends_everything_in_order() -> None:
    """An interrupted run says so in one line and leaves no process behind."""
    running = subprocess.Popen(
        [sys.executable, "-m", "loadtest", "run-sample"],
        cwd=CHECKOUT,
        env=plain_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A test run in the background of a shell has inherited that SIGINT is ignored.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads
    )
    assert running.stdout is not None
    began = time.monotonic()
    while "  published" not in running.stdout.readline():
        assert time.monotonic() - began < LIMIT_S
    family = psutil.Process(running.pid).children(recursive=True)
    assert len(family) > 3
    running.send_signal(signal.SIGINT)
    said, errors = running.communicate(timeout=LIMIT_S)
    assert running.returncode == 130
    assert errors.splitlines() == ["loadtest: interrupted"]
    assert psutil.wait_procs(family, timeout=5)[1] == []
    [kept] = [line for line in said.splitlines() if line.startswith("Kept for a look: ")]
    folder = Path(kept.removeprefix("Kept for a look: ").partition(",")[0])
    assert (folder / "worker" / "worker.log").exists()
    shutil.rmtree(folder)
