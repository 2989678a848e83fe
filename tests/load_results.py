"""Results of loads for tests: one with everything in it, as long as is asked for."""

from __future__ import annotations

import math
from random import Random
from typing import Any, Final

PROCESSES: Final = {
    "worker-1": (52.0, 150.0),
    "worker-2": (48.0, 148.0),
    "worker-3": (45.0, 151.0),
    "postgres": (61.0, 310.0),
    "broker": (38.0, 720.0),
    "sender": (12.0, 95.0),
    "reader": (9.0, 88.0),
}
"""Each process with its usual CPU in percent and memory in MiB."""

FAULTS: Final = (
    (0.20, 0.067, 14.2, "worker 1 killed"),
    (0.42, 0.044, 8.8, "broker restarted"),
    (0.62, 0.050, 10.4, "PostgreSQL frozen"),
    (0.80, 0.056, 0.0, "network of worker 2 slowed by 50 ms"),
)
"""Begin and length as shares of the run, seconds to recover from its end, name."""

KNEE_PER_SECOND: Final = 20_000
STEPS: Final = range(4_000, 28_000, 2_000)

SHARES: Final = {"posted": 0.955, "rejected": 0.028, "repeat": 0.012, "conflict": 0.003}
WARM_UP_S: Final = 20
PER_SECOND: Final = 3000
STALLED_SHARE: Final = 0.85
PERCENTILES: Final = (
    *(0.0, 10.0, 25.0, 50.0, 75.0, 80.0, 85.0, 90.0, 92.5, 95.0, 97.5, 98.0, 99.0, 99.25, 99.5),
    *(99.75, 99.8, 99.9, 99.95, 99.975, 99.99, 99.995, 99.999, 100.0),
)


def full(seconds: int = 180, seed: int = 7) -> dict[str, Any]:
    """Give the result of a load with faults: nothing that a result can have is missing."""
    rng = Random(seed)
    marks = [
        {
            "at_s": round(begin * seconds, 1),
            "until_s": round((begin + length) * seconds, 1),
            "what": what,
            "recovered_s": recovered_s,
        }
        for begin, length, recovered_s, what in FAULTS
    ]
    series = _series(rng, seconds, marks)
    sent = int(series[-1]["sent"])
    outcomes = {kind: int(share * sent) for kind, share in SHARES.items()}
    outcomes["invalid"] = sent - sum(outcomes.values())
    return {
        "format": 1,
        "profile": "faults",
        "title": "3,000 payments a second while processes die, stall and come back",
        "verdict": "passed",
        "figures": _figures(),
        "thresholds": [
            {"threshold": "latency_p50_ms <= 50", "holds": True},
            {"threshold": "latency_p99_ms <= 10000", "holds": True},
            {"threshold": "answered_per_second >= 2900", "holds": True},
            {"threshold": "worker_memory_mib <= 500", "holds": True},
        ],
        "started_at": "2026-11-22T17:00:00Z",
        "finished_at": "2026-11-22T17:03:24Z",
        "configuration": _configuration(seconds),
        "counts": {"sent": sent, "read": sent, "late_sends": 12, "missing": 0},
        "outcomes": outcomes,
        "series": series,
        "processes": _processes(rng, seconds, marks),
        "histogram": {"unit": "us", "encoded": "", "percentiles": _percentiles()},
        "marks": marks,
        "steps": climbed(),
        "proof": {
            "holds": True,
            "lines": [],
            "checked": {
                "commands": sent,
                "outcomes": sent,
                "payments": outcomes["posted"] + outcomes["rejected"],
                "entries": 2 * outcomes["posted"],
                "accounts": 10_001,
            },
        },
        **_circumstances(),
        "fdatasync_ms": 0.2113,
    }


def _series(rng: Random, seconds: int, marks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows = []
    sent, waiting = 0.0, 0.0
    for at in range(1, seconds + 1):
        meant = PER_SECOND * min(1.0, 0.35 + at / WARM_UP_S)
        own = next((one for one in marks if one["at_s"] <= at < one["until_s"]), None)
        can = PER_SECOND * (0.12 if own and "2" not in own["what"] else 1.9) * rng.uniform(0.9, 1.1)
        answered = min(waiting + meant, can)
        sent, waiting = sent + meant, waiting + meant - answered
        late_ms = 1000 * waiting / PER_SECOND
        p50 = rng.uniform(9, 14) + late_ms * 0.9
        is_dead = own is not None and "PostgreSQL" in own["what"] and at % 3
        answered = 0.0 if is_dead else answered
        rows.append(
            {
                "at_s": float(at),
                "meant_per_second": round(meant),
                "answered_per_second": round(answered),
                "sent": round(sent),
                "answered": round(sent - waiting),
                "in_flight": round(waiting + rng.uniform(20, 60)),
                "late": at // 15,
                "p50_ms": None if is_dead else round(p50, 3),
                "p99_ms": None if is_dead else round(p50 * rng.uniform(2.2, 3.4) + 8, 3),
                "max_ms": None if is_dead else round(p50 * rng.uniform(4, 9) + 20, 3),
                "outcomes": {
                    kind: round(answered * share * rng.uniform(0.8, 1.2))
                    for kind, share in (SHARES | {"invalid": 0.002}).items()
                },
            }
        )
    return rows


def _processes(
    rng: Random, seconds: int, marks: list[dict[str, Any]]
) -> dict[str, list[dict[str, float]]]:
    killed = marks[0]
    return {
        name: [
            {
                "at_s": float(at),
                "cpu_percent": round(cpu * rng.uniform(0.8, 1.2), 1),
                "memory_mib": round(memory + 12 * math.log1p(at) + rng.uniform(0, 3), 1),
            }
            for at in range(1, seconds + 1)
            if not (name == "worker-1" and killed["at_s"] <= at < killed["until_s"])
        ]
        for name, (cpu, memory) in PROCESSES.items()
    }


def _percentiles() -> list[tuple[float, float]]:
    return [
        (percent, round(_latency_ms(-math.log10(1 - min(percent, 99.9998) / 100)), 3))
        for percent in PERCENTILES
    ]


def _latency_ms(nines: float) -> float:
    """Give a latency that rises where faults begin to be felt, and flattens at the longest."""
    return 9 + 14 * nines + 9_800 / (1 + math.exp(4.2 * (2.55 - nines)))


def _figures() -> dict[str, float | None]:
    known: dict[float, float] = dict(_percentiles())
    return {
        "latency_p50_ms": known[50.0],
        "latency_p90_ms": known[90.0],
        "latency_p99_ms": known[99.0],
        "latency_p999_ms": known[99.9],
        "latency_max_ms": known[100.0],
        "worst_stall_ms": 6_004.2,
        "answered_per_second": 2_987.4,
        "late_sends_percent": 0.002,
        "held_up_sends_percent": 0.31,
        "worker_cpu_us": 41.37,
        "worker_memory_mib": 214.6,
        "recovery_worst_s": 14.2,
        "knee_per_second": KNEE_PER_SECOND,
        "drain_s": None,
    }


def _configuration(seconds: int) -> dict[str, Any]:
    return {
        "title": "3,000 payments a second while processes die, stall and come back",
        "accounts": 10_000,
        "workers": 3,
        "seed": 1,
        "thresholds": [
            "latency_p50_ms <= 50",
            "latency_p99_ms <= 10000",
            "answered_per_second >= 2900",
            "worker_memory_mib <= 500",
        ],
        "stages": [
            {"seconds": WARM_UP_S, "per_second": PER_SECOND, "to_per_second": None}
            | {"warm_up": True},
            {"seconds": seconds - WARM_UP_S, "per_second": PER_SECOND, "warm_up": False},
        ],
        "ramp": {"latency_p99_ms": 250.0},
        "traffic": {"repeats_percent": 1.2, "conflicts_percent": 0.3, "kinds": ["transfer"]},
        "faults": [{"at_s": 36, "what": "kill", "process": "worker-1"}],
    }


def _circumstances() -> dict[str, Any]:
    return {
        "machine": {
            "cpu": "AMD EPYC 7B13",
            "cores": 2,
            "memory_bytes": 25_275_396_096,
            "kernel": "6.1.0-28-cloud-amd64",
            "system": "Debian GNU/Linux 12 (bookworm)",
            "busy_before_percent": 3.1,
        },
        "versions": {
            "python": "3.11.7",
            "faust-streaming": "0.15.3",
            "aiokafka": "0.14.0",
            "asyncpg": "0.32.0",
            "commit": "653f0b94b0e4a1b9f2bb6c5f3c9c01a87c1f6f1d",
            "changed_since_commit": False,
        },
        "durability": {
            "postgres": {
                "server_version": "18.0",
                "fsync": "on",
                "synchronous_commit": "on",
                "synchronous_standby_names": "",
                "full_page_writes": "on",
                "wal_sync_method": "fdatasync",
            },
            "kafka": "4.1.1",
            "command_acks": "all",
            "command_producer": "idempotent",
        },
    }


def climbed() -> list[dict[str, Any]]:
    """Give the steps of a ramp: behind the knee more waits the more is sent."""
    return [
        {
            "per_second": rate,
            "answered_per_second": min(rate, 20_900 - 40 * (rate // 1_000)),
            "p99_ms": 35.0 + rate / 500 if rate <= KNEE_PER_SECOND else (rate - 19_000) * 1.9,
            "late_share": 0.0,
            "holds": rate <= KNEE_PER_SECOND,
        }
        for rate in STEPS
    ]


def early() -> dict[str, Any]:
    """Give a result as harnesses wrote it before results had a format."""
    row = {
        "at_s": 1.0,
        "meant_per_second": 500,
        "answered_per_second": 480,
        "sent": 500,
        "answered": 480,
        "in_flight": 20,
        "late": 0,
        "p50_ms": 12.0,
        "p99_ms": 30.5,
        "max_ms": None,
    }
    known = full(2)
    return {
        "profile": "smoke",
        "verdict": "passed",
        "figures": _figures(),
        "thresholds": [{"threshold": "latency_p99_ms <= 1000", "holds": True}],
        "finished_at": "2026-11-20T09:00:00Z",
        "configuration": {
            "title": "a quick look whether everything works",
            "stages": [{"seconds": 2, "per_second": 500}],
            "accounts": 1000,
            "workers": 1,
            "seed": 1,
            "thresholds": ["latency_p99_ms <= 1000"],
        },
        "counts": {"sent": 1000, "read": 1000, "missing": 0, "is_interrupted": False},
        "series": [row, row | {"at_s": 2.0, "sent": 1000, "answered": 1000, "p50_ms": None}],
        "machine": known["machine"],
        "versions": known["versions"],
        "durability": known["durability"],
        "fdatasync_ms": 0.2,
        "faults": [],
    }
