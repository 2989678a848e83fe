"""Two results side by side: what was different, and what is more than noise."""

from __future__ import annotations

from typing import Any

import msgspec

from loadtest.report.compare import Change, Comparison, Difference, alike, compare, differences
from loadtest.report.noise import RUNS_ENOUGH, RUNS_MAX
from loadtest.report.result import Head, decoded
from tests.load_results import full

SPREAD = (1.0, 1.02, 0.98, 1.03, 0.97, 1.01)


def head_of(minute: int, change: dict[str, Any] | None = None, **figures: float) -> Head:
    """Give a run that ended at a minute; figures are factors of the usual."""
    document = full(30)
    for name, factor in figures.items():
        document["figures"][name] *= factor
    for part, facts in (change or {}).items():
        document[part] = {**document[part], **facts} if isinstance(facts, dict) else facts
    document["finished_at"] = f"2026-11-22T17:{minute:02d}:00Z"
    return decoded(msgspec.json.encode(document), "a test", Head)


NEW = {"versions": {"commit": "1a2b3c4"}}
BEFORE = [head_of(at, worker_cpu_us=one, latency_p50_ms=one) for at, one in enumerate(SPREAD)]
AFTER = [
    head_of(30 + at, NEW, worker_cpu_us=0.8 * one, latency_p50_ms=one, answered_per_second=one)
    for at, one in enumerate(SPREAD)
]


def figure(found: Comparison, name: str) -> Change:
    """Find a figure of a comparison."""
    return next(one for one in found.figures if one.figure == name)


def test_a_change_beyond_the_noise_of_both_is_told_with_its_size() -> None:
    """Less CPU is better; what repeated runs spread over is not."""
    found = compare(BEFORE[-1], AFTER[-1], [*BEFORE, *AFTER])

    assert (found.is_rerun, found.runs_a, found.runs_b) == (False, 6, 6)
    cpu = figure(found, "worker_cpu_us")
    assert cpu.judged == "better"
    assert cpu.change_percent == -20.0
    assert cpu.runs_change_percent is not None
    assert cpu.low_percent is not None
    assert cpu.high_percent is not None
    assert -25 < cpu.low_percent < cpu.runs_change_percent < cpu.high_percent < -15
    assert figure(found, "latency_p50_ms").judged == "noise"
    assert figure(found, "latency_max_ms").judged == "noise"


def test_of_rates_more_is_better_of_all_else_less() -> None:
    """Also of figures that are not known here."""
    faster = [
        head_of(30 + at, NEW, answered_per_second=1.5, worst_stall_ms=1.5 + one / 100)
        for at, one in enumerate(SPREAD)
    ]
    found = compare(BEFORE[0], faster[0], [*BEFORE, *faster])
    assert figure(found, "answered_per_second").judged == "better"
    assert figure(found, "worst_stall_ms").judged == "worse"
    back = compare(faster[0], BEFORE[0], [*BEFORE, *faster])
    assert figure(back, "answered_per_second").judged == "worse"


def test_with_few_runs_nothing_is_told_but_the_figures() -> None:
    """However far apart the two are; the results themselves count as runs, kept or not."""
    found = compare(BEFORE[0], AFTER[0], [])
    assert (found.runs_a, found.runs_b) == (1, 1)
    assert {one.judged for one in found.figures} == {"too few runs"}
    assert figure(found, "worker_cpu_us").change_percent == -20.0

    five, four = RUNS_ENOUGH, RUNS_ENOUGH - 1
    short = compare(BEFORE[0], AFTER[0], [*BEFORE[:five], *AFTER[:four]])
    assert {one.judged for one in short.figures} == {"too few runs"}
    long = compare(BEFORE[0], AFTER[0], [*BEFORE[:five], *AFTER[:five]])
    assert figure(long, "worker_cpu_us").judged == "better"


def test_runs_that_are_alike_differ_by_noise_alone() -> None:
    """Same load, code, machine and settings: however far apart they are."""
    odd = head_of(50, worker_cpu_us=3.0)
    found = compare(BEFORE[0], odd, BEFORE)
    assert (found.is_rerun, found.differences, found.runs_a) == (True, (), 7)
    assert {one.judged for one in found.figures} == {"noise"}
    assert figure(found, "worker_cpu_us").change_percent == 200.0


def test_runs_that_are_alike_have_the_same_load_code_machine_and_settings() -> None:
    """Busy neighbours, thresholds and titles make no other run; void runs are none at all."""
    busy = {"machine": {"busy_before_percent": 80.0, "memory_bytes": 25_275_396_096 - 4096}}
    same = [head_of(1, busy), head_of(2, {"configuration": {"title": "x", "thresholds": []}})]
    others = [
        head_of(3, {"configuration": {"seed": 2}}),
        head_of(4, {"machine": {"cores": 4}}),
        head_of(5, NEW),
        head_of(6, {"versions": {"changes": "abc"}}),
        head_of(7, {"durability": {"command_acks": "1"}}),
        head_of(8, {"profile": "steady"}),
        head_of(9, {"verdict": "invalid"}),
        head_of(10, {"verdict": "proof_failed"}),
    ]
    missed = head_of(11, {"verdict": "threshold"})
    own = head_of(0)
    assert alike(own, [own, *same, *others, missed, own]) == [own, *same, missed]


def test_of_many_runs_the_newest_count() -> None:
    """An old machine is another machine."""
    many = [head_of(at) for at in range(RUNS_MAX + 5)]
    found = alike(many[0], list(reversed(many)))
    assert [one.finished_at for one in found] == [one.finished_at for one in many[5:]]


def test_what_was_different_is_named() -> None:
    """Each with its path; what only one of them has too."""
    other = head_of(
        1,
        {
            "profile": "steady",
            "configuration": {"workers": 2, "stages": [{"seconds": 7}]},
            "versions": {"aiokafka": "0.15"},
            "machine": {"cores": 8, "busy_before_percent": 50.0},
            "durability": {"postgres": {"fsync": "off"}},
        },
    )
    found = list(differences(head_of(0), other))
    assert found[0] == Difference("profile", "name", "faults", "steady")
    assert Difference("configuration", "workers", 3, 2) in found
    assert Difference("configuration", "stages[0].seconds", 20, 7) in found
    assert Difference("configuration", "stages[1].per_second", 3000, None) in found
    assert Difference("versions", "aiokafka", "0.14.0", "0.15") in found
    assert Difference("machine", "cores", 2, 8) in found
    assert Difference("durability", "postgres.fsync", "on", "off") in found
    assert not any(one.what == "busy_before_percent" for one in found)
    assert list(differences(head_of(0), head_of(1))) == []


def test_percentiles_are_compared_too_and_what_one_lacks_is_said() -> None:
    """Those that either has; of a figure that one lacks nothing follows."""
    lacking = head_of(1, {"histogram": {"unit": "us", "percentiles": [[50.0, 1.0]]}, **NEW})
    found = compare(BEFORE[0], lacking, [*BEFORE, *AFTER])
    by_name = {one.figure: one for one in found.percentiles}
    assert (by_name["p50_ms"].b, by_name["p99.99_ms"].b) == (1.0, None)
    assert by_name["p99.99_ms"].judged == "not measured"
    assert by_name["p99.99_ms"].change_percent is None
    assert "p100_ms" in by_name
