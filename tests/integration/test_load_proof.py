"""The proof of a load on real servers can fail, whatever the load sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from rich.console import Console

from deploy.local import KafkaBroker
from loadtest.ground import Ground
from loadtest.load import run as load_run
from loadtest.load.drive import Load
from loadtest.load.latencies import Latencies
from loadtest.load.profile import find
from loadtest.load.prove import prove
from loadtest.load.verdict import Verdict
from loadtest.proof.prove import Proof
from loadtest.site import Site
from loadtest.traffic.shape import NEEDS
from tests.integration.load_profiles import PROFILE

MIXED = """
title = "some of everything"
accounts = 60

[traffic]
repeats_percent = 12
conflicts_percent = 8
poison_percent = 8
insufficient_percent = 6
hot_percent = 10
skew = 0.7
kinds = { %s }

[[stages]]
seconds = 2
per_second = 300
"""
SPOIL = """
ALTER TABLE ledger.account DISABLE TRIGGER ALL;
UPDATE ledger.account SET posted = posted - 1 WHERE name = 'acc-000007'
"""


async def spoil(case: Site) -> None:
    """Take a cent from an account, past all that forbids it."""
    connection = await asyncpg.connect(case.database_url)
    await connection.execute(SPOIL)
    await connection.close()


def test_the_proof_of_a_load_can_fail(
    broker: KafkaBroker,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A ledger with a balance too little, and a command without an outcome: all of it is told."""

    async def spoilt(
        ground: Ground, case: Site, load: Load, found: dict[str, object], console: Console
    ) -> Proof:
        await spoil(case)
        return await prove(ground, case, load, {**found, "missing": 1}, console)

    monkeypatch.setattr(load_run, "prove", spoilt)
    monkeypatch.setenv("PROCESSOR_KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap_servers)
    monkeypatch.setenv("PROCESSOR_DATABASE_URL", database_url)
    path = tmp_path / "short.toml"
    path.write_text(PROFILE.format(stall_ms=60_000))

    status = load_run.run("short", find(str(path)), tmp_path / "short.json")

    assert status == Verdict.PROOF_FAILED
    said = capsys.readouterr().out
    assert "the proof fails: 1 commands without an outcome" in said
    assert "the proof fails: 1 balances are not as known beforehand: ['acc-000007']" in said
    assert "the proof fails: reporting.balances: acc-000007 is Balance(" in said


def test_traffic_of_every_sort_is_answered_and_proved(
    broker: KafkaBroker, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each command has one answer, of the kind that was meant; a ledger that says less is told."""
    proofs: list[Proof] = []

    async def twice(
        ground: Ground, case: Site, load: Load, found: dict[str, Any], console: Console
    ) -> Proof:
        proofs.append(await prove(ground, case, load, found, console))
        await spoil(case)
        outcomes = found["outcomes"] | {"repeat": found["outcomes"]["repeat"] - 1}
        outcomes["posted"] += 1
        proofs.append(await prove(ground, case, load, found | {"outcomes": outcomes}, console))
        return proofs[0]

    monkeypatch.setattr(load_run, "prove", twice)
    monkeypatch.setenv("PROCESSOR_KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap_servers)
    monkeypatch.setenv("PROCESSOR_DATABASE_URL", database_url)
    path, result = tmp_path / "mixed.toml", tmp_path / "mixed.json"
    path.write_text(MIXED % ", ".join(f'"{kind}" = 1' for kind in NEEDS))

    status = load_run.run("mixed", find(str(path)), result)

    sound, spoilt = proofs
    assert sound.lines == ()
    assert status in (Verdict.PASSED, Verdict.INVALID)
    written = json.loads(result.read_text())
    outcomes = written["outcomes"]
    assert outcomes.keys() == {"posted", "rejected", "repeat", "conflict", "invalid"}
    assert sum(outcomes.values()) == written["counts"]["read"] == written["counts"]["sent"] == 600
    assert outcomes["posted"] > 250
    in_seconds = [row["outcomes"] for row in written["series"]]
    assert outcomes == {kind: sum(one.get(kind, 0) for one in in_seconds) for kind in outcomes}
    assert len(Latencies.decoded(written["histogram"]["encoded"])) == 600
    assert written["histogram"]["percentiles"][-1] == [100, written["figures"]["latency_max_ms"]]
    told = "\n".join(spoilt.lines)
    assert f"outcomes that are repeat: {outcomes['repeat'] - 1}, expected" in told
    assert "reporting.balances: acc-000007 is Balance(" in told
