"""A load on real servers: its verdict, its result, and what befalls it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import psutil
import pytest

from deploy.local import KafkaBroker, PostgresServer
from tests.integration.load_profiles import PROFILE

CHECKOUT = Path(__file__).resolve().parents[2]
LIMIT_S = 180
KILLED = """
title = "a worker that is killed"
accounts = 50
workers = 2
recovered_p99_ms = 3_000
thresholds = ["recovery_worst_s <= 60"]

[[stages]]
seconds = 8
per_second = 100

[[faults]]
at_s = 1
kind = "kill_worker"
worker = 1
back_after_s = 0.5
"""
EVERYTHING = [
    ("kill_worker", "worker = 1\nback_after_s = 2"),
    ("freeze_worker", "worker = 2\nfor_s = 4"),
    ("stop_worker", "worker = 1"),
    ("start_worker", "worker = 1"),
    ("restart_broker", "how = 'stop'"),
    ("restart_broker", "how = 'kill'\nback_after_s = 1"),
    ("restart_postgres", "how = 'fast'"),
    ("restart_postgres", "how = 'immediate'"),
    ("slow_postgres", "latency_ms = 30\nfor_s = 4"),
    ("slow_kafka", "latency_ms = 30\nfor_s = 4"),
    ("cut_postgres", "for_s = 4"),
    ("cut_kafka", "for_s = 4"),
    ("cut_postgres", "how = 'black_hole'\nfor_s = 6"),
    ("cut_kafka", "how = 'black_hole'\nfor_s = 6"),
]
EVERY_S = 15
WAITED_AT_LEAST_MS = {
    "kill_worker": 1_000,
    "freeze_worker": 1_000,
    "restart_broker": 1_000,
    "restart_postgres": 200,  # it is back in a moment
    "cut_postgres": 1_000,
    "cut_kafka": 1_000,
}
"""Nothing is answered while a server is away or cut off, and for half as long for a worker."""

FROZEN = """
[[faults]]
at_s = 5.5
kind = "freeze_worker"
worker = 2
for_s = 500
"""
SOON_GIVEN_UP = {
    "PROCESSOR_SESSION_TIMEOUT_S": "2.5",
    "PROCESSOR_HEARTBEAT_INTERVAL_S": "0.8",
}


def plain(**more: str) -> dict[str, str]:
    """Give the environment without settings of the processor's but those."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PROCESSOR_")}
    return {**kept, **more}


def run(
    profile: Path, broker: KafkaBroker, database_url: str, *words: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a profile as its users do, on servers that are there already."""
    addresses = ("--bootstrap-servers", broker.bootstrap_servers, "--database-url", database_url)
    return subprocess.run(
        [sys.executable, "-m", "loadtest", "run", str(profile), *addresses, *words],
        cwd=CHECKOUT,
        env=plain(**environment),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def test_a_profile_is_sent_proved_and_judged(
    broker: KafkaBroker,
    postgres: PostgresServer,
    database_url: str,
    history_folder: Path,
    tmp_path: Path,
) -> None:
    """Two workers, a ramp, the figures in a file; nothing is left on the servers."""
    before = set(postgres.query("SELECT datname FROM pg_database").split())
    profile, result = tmp_path / "short.toml", tmp_path / "short.json"
    profile.write_text(PROFILE.format(stall_ms=60_000))

    done = run(profile, broker, database_url, "--result", str(result))

    written = json.loads(result.read_text())
    # A machine that is busy with other tests may be late; then the run says so, and nothing else.
    if written["verdict"] == "invalid":
        assert done.returncode == 3, done.stdout
        assert written["figures"]["late_sends_percent"] > 1.0
    else:
        assert done.returncode == 0, done.stdout + done.stderr
        assert written["verdict"] == "passed"
        assert written["thresholds"] == [{"threshold": "worst_stall_ms <= 60000", "holds": True}]
    assert written["proof"] == {
        "holds": True,
        "lines": [],
        "checked": {
            "commands": 600,
            "outcomes": 600,
            "dead_letters": 0,
            "delivered_again": 0,
            "payments": 600,
            "entries": 1_100,
            "accounts": 51,
        },
    }
    assert (written["format"], written["title"]) == (1, "a short one")
    assert written["started_at"] < written["finished_at"]
    assert written["marks"] == []
    assert written["counts"]["sent"] == 500
    assert written["counts"]["commands"] == 400
    assert written["figures"]["latency_p99_ms"] > 0
    assert written["configuration"]["workers"] == 2
    assert [row["answered"] for row in written["series"]] == sorted(
        row["answered"] for row in written["series"]
    )
    assert len(written["series"]) >= 3
    assert written["processes"].keys() == {"worker-1", "worker-2", "sender", "reader"}
    for samples in written["processes"].values():
        assert all(one["memory_mib"] > 10 and one["cpu_percent"] >= 0 for one in samples)
    assert set(postgres.query("SELECT datname FROM pg_database").split()) == before
    assert '<h2 id="time-head">Over time</h2>' in result.with_suffix(".html").read_text()
    kept = [json.loads(path.read_text()) for path in history_folder.glob("*-short.json")]
    assert written in kept


def test_a_killed_worker_is_started_again_and_nothing_is_lost(
    broker: KafkaBroker, database_url: str, tmp_path: Path
) -> None:
    """The proof holds; the result says what happened and how soon it was over."""
    profile, result = tmp_path / "killed.toml", tmp_path / "killed.json"
    profile.write_text(KILLED)

    words = ("--result", str(result))
    done = run(profile, broker, database_url, *words, **SOON_GIVEN_UP)

    written = json.loads(result.read_text())
    assert written["proof"]["lines"] == [], done.stdout
    assert written["counts"]["sent"] == written["counts"]["read"] == 800
    assert written["counts"]["session_timeout_s"] == 2.5
    (mark,) = written["marks"]
    assert mark["what"] == "worker 1 killed"
    assert 1.0 <= mark["at_s"] < mark["until_s"]
    # Half of the partitions had nobody until the session was over, or the worker was back.
    assert max(row["waiting_ms"] for row in written["series"]) > 1_000
    assert written["figures"]["recovery_worst_s"] == mark["recovered_s"]
    assert "worker 1 killed" in done.stdout
    assert "session timeout of the workers: 2.5 s" in done.stdout


@pytest.mark.long
def test_whatever_befalls_a_run_nothing_is_lost(tmp_path: Path) -> None:
    """Every kind of fault, one after another, on servers of its own and through the proxy."""
    profile, result = tmp_path / "everything.toml", tmp_path / "everything.json"
    seconds = EVERY_S * (len(EVERYTHING) + 1)
    head = f'title = "all"\nworkers = 2\n[[stages]]\nseconds = {seconds}\nper_second = 200\n'
    faults = [
        f"[[faults]]\nat_s = {EVERY_S * number}\nkind = '{kind}'\n{more}\n"
        for number, (kind, more) in enumerate(EVERYTHING, start=1)
    ]
    profile.write_text(head + "".join(faults))

    words = [sys.executable, "-m", "loadtest", "run", str(profile), "--result", str(result)]
    done = subprocess.run(
        words, cwd=CHECKOUT, env=plain(**SOON_GIVEN_UP), capture_output=True, text=True, check=False
    )

    assert done.returncode in {0, 3}, done.stdout + done.stderr  # 3: this machine was busy
    written = json.loads(result.read_text())
    assert written["proof"]["lines"] == []
    assert written["counts"]["sent"] == written["counts"]["read"] == seconds * 200
    assert len(written["marks"]) == len(EVERYTHING)
    waited_ms = [
        max(
            max(one["waiting_ms"], one["max_ms"] or 0.0)
            for one in written["series"]
            if 0 < one["at_s"] - mark["at_s"] < 12
        )
        for mark in written["marks"]
    ]
    for (kind, _), most_ms in zip(EVERYTHING, waited_ms, strict=True):
        assert most_ms > WAITED_AT_LEAST_MS.get(kind, 0.0), (kind, waited_ms)
    assert written["processes"].keys() == {
        "worker-1",
        "worker-2",
        "sender",
        "reader",
        "postgres",
        "broker",
        "proxy",
    }


def test_interrupted_it_ends_in_order_and_still_reports(
    broker: KafkaBroker, database_url: str, tmp_path: Path
) -> None:
    """
    What was sent until then is waited for and proved; the run itself says nothing. A worker that is
    frozen goes on, or nobody would answer what it holds.
    """
    profile, result = tmp_path / "long.toml", tmp_path / "long.json"
    text = PROFILE.format(stall_ms=60_000).replace("seconds = 2", "seconds = 600")
    profile.write_text(text + FROZEN)
    addresses = ("--bootstrap-servers", broker.bootstrap_servers, "--database-url", database_url)
    words = [sys.executable, "-m", "loadtest", "run", str(profile), *addresses]
    process = subprocess.Popen(
        [*words, "--result", str(result)],
        cwd=CHECKOUT,
        env=plain(**SOON_GIVEN_UP),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A test run in the background of a shell has inherited that SIGINT is ignored.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads
    )
    assert process.stdout is not None
    try:
        for what in ("in flight", "worker 2 frozen"):
            while what not in (said := process.stdout.readline()):
                assert said, "it ended before it began"
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=LIMIT_S)
    finally:
        process.kill()  # its workers end with it
        process.wait()

    assert process.returncode == 3, said
    written = json.loads(result.read_text())
    assert (written["verdict"], written["proof"]["lines"]) == ("invalid", [])
    assert written["counts"]["is_interrupted"] is True
    assert 100 < written["counts"]["sent"] == written["counts"]["read"] < 20_000
    assert "worker 2 goes on" in said
    assert [one for one in psutil.process_iter() if one.ppid() == process.pid] == []


def test_what_can_not_be_run_is_told(
    broker: KafkaBroker, database_url: str, tmp_path: Path
) -> None:
    """One line, and a status that no verdict has."""
    profile = tmp_path / "wrong.toml"
    profile.write_text("title = 7")
    done = run(profile, broker, database_url)
    assert done.returncode == 4
    assert done.stderr == "loadtest: wrong.toml: title: Expected `str`, got `int`\n"
    wrong = run(profile, broker, database_url, "--sed", "7")
    assert wrong.returncode == 4
    assert "No such option" in wrong.stderr

    profile.write_text(KILLED + '[[faults]]\nat_s = 5\nkind = "restart_broker"')
    refused = run(profile, broker, database_url)
    assert (refused.returncode, refused.stdout) == (4, "")
    assert refused.stderr == (
        "loadtest: faults[1] befalls servers (Kafka goes (kill)), which happens to those alone that"
        " the run starts itself: name neither Kafka nor PostgreSQL\n"
    )
