"""What may befall a run: which faults a profile can have, and what they need."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.faults.plan import (
    CutKafka,
    Fault,
    FreezeWorker,
    KillWorker,
    RestartBroker,
    RestartPostgres,
    Server,
    SlowPostgres,
    StartWorker,
    StopWorker,
    behind_a_proxy,
    needs_own_servers,
)
from loadtest.load.profile import ProfileError, find, read

HEAD = """
title = "a try"
workers = 2
[[stages]]
seconds = 100
per_second = 10
"""


def profile(folder: Path, *faults: str) -> Path:
    """Write a profile with faults, each as the inside of a table."""
    path = folder / "try.toml"
    path.write_text(HEAD + "".join(f"[[faults]]\n{text}\n" for text in faults))
    return path


def test_every_kind_is_read_with_its_defaults(tmp_path: Path) -> None:
    """What is left out has a default where there is a sensible one."""
    texts = [
        "at_s = 1\nkind = 'kill_worker'\nworker = 1",
        "at_s = 10\nkind = 'freeze_worker'\nworker = 2\nfor_s = 12",
        "at_s = 30\nkind = 'stop_worker'\nworker = 1",
        "at_s = 35\nkind = 'start_worker'\nworker = 3",
        "at_s = 40\nkind = 'restart_broker'",
        "at_s = 50\nkind = 'restart_postgres'\nhow = 'fast'\nback_after_s = 2",
        "at_s = 60\nkind = 'slow_postgres'\nlatency_ms = 50\nfor_s = 5",
        "at_s = 90\nkind = 'cut_kafka'\nhow = 'black_hole'\nfor_s = 9",
    ]
    faults: list[Fault] = [
        KillWorker(at_s=1, worker=1, back_after_s=5),
        FreezeWorker(at_s=10, worker=2, for_s=12),
        StopWorker(at_s=30, worker=1),
        StartWorker(at_s=35, worker=3),
        RestartBroker(at_s=40, how="kill", back_after_s=0),
        RestartPostgres(at_s=50, how="fast", back_after_s=2),
        SlowPostgres(at_s=60, latency_ms=50, for_s=5),
        CutKafka(at_s=90, for_s=9, how="black_hole"),
    ]
    assert find(str(profile(tmp_path, *texts))).faults == tuple(faults)
    assert [(fault.begins, fault.ends) for fault in faults] == [
        ("worker 1 killed", "worker 1 started again"),
        ("worker 2 frozen", "worker 2 goes on"),
        ("worker 1 told to stop", "worker 1 has stopped"),
        ("worker 3 started", "worker 3 is ready"),
        ("Kafka goes (kill)", "Kafka answers again"),
        ("PostgreSQL goes (fast)", "PostgreSQL answers again"),
        ("PostgreSQL 50 ms slower", "PostgreSQL as fast as before"),
        ("Kafka cut off (black_hole)", "Kafka within reach again"),
    ]


KILL = "kind = 'kill_worker'\nworker = 1\nat_s = "
WRONG = [
    (["at_s = 1"], "faults[0]: Object missing required field `kind`"),
    (
        ["at_s = 1\nkind = 'kill'"],
        "faults[0].kind: Invalid value 'kill'; there are kill_worker, freeze_worker, stop_worker,",
    ),
    (["at_s = 1\nkind = 'kill_worker'"], "faults[0]: Object missing required field `worker`"),
    ([f"{KILL}1\nfor_s = 3"], "faults[0]: Object contains unknown field `for_s`"),
    (["at_s = 1\nkind = 'restart_broker'\nhow = 'ask'"], "faults[0].how: Invalid enum value 'ask'"),
    ([f"{KILL}-1"], "faults[0].at_s: it begins and ends within the 100 s of the stages"),
    ([f"{KILL}nan"], "faults[0].at_s: it begins and ends within the 100 s of the stages"),
    ([f"{KILL}95"], "faults[0].at_s: it begins and ends within the 100 s of the stages"),
    ([f"{KILL}1\nback_after_s = 601"], "faults[0]: lasts from 0 to 600 s"),
    (["at_s = 1\nkind = 'stop_worker'\nworker = 9"], "faults[0].worker: from 1 to 8"),
    (
        ["at_s = 1\nkind = 'slow_kafka'\nfor_s = 1\nlatency_ms = 0"],
        "faults[0].latency_ms: above 0, at most 10,000",
    ),
    ([f"{KILL}1", f"{KILL}5"], "faults[1]: worker 1 is away until 6 s"),
    (
        ["at_s = 3\nkind = 'stop_worker'\nworker = 3"],
        "faults[0]: worker 3 does not run at 3 s",
    ),
    (
        ["at_s = 9\nkind = 'start_worker'\nworker = 2"],
        "faults[0]: worker 2 runs already at 9 s",
    ),
    # By their times, not by their order in the file.
    (
        [f"{KILL}20", "at_s = 3\nkind = 'stop_worker'\nworker = 1"],
        "faults[0]: worker 1 does not run at 20 s",
    ),
    (
        [f"at_s = {at}\nkind = 'stop_worker'\nworker = {at}" for at in (1, 2)],
        "faults: no worker runs in the end, so nothing would be answered",
    ),
    (
        [
            "at_s = 1\nkind = 'slow_kafka'\nfor_s = 10\nlatency_ms = 5",
            "at_s = 5\nkind = 'restart_broker'",
        ],
        "faults[1]: what befalls kafka before lasts until 11 s",
    ),
]


@pytest.mark.parametrize(("faults", "told"), WRONG)
def test_a_fault_that_can_not_be_is_told_in_one_line(
    tmp_path: Path, faults: list[str], told: str
) -> None:
    """With its place; before anything starts."""
    with pytest.raises(ProfileError) as raised:
        read(profile(tmp_path, *faults))
    assert str(raised.value).startswith(f"try.toml: {told}")
    assert "\n" not in str(raised.value)


def test_workers_come_and_go_as_long_as_one_is_left(tmp_path: Path) -> None:
    """A worker that was stopped may be started again, killed, and all may be away for a time."""
    faults = [
        "at_s = 1\nkind = 'stop_worker'\nworker = 1",
        "at_s = 2\nkind = 'stop_worker'\nworker = 2",
        "at_s = 20\nkind = 'start_worker'\nworker = 1",
        f"{KILL}30",
    ]
    assert len(read(profile(tmp_path, *faults)).faults) == 4


def test_servers_of_others_are_left_alone() -> None:
    """What befalls a server, or the way to it, needs servers of the run's own; workers do not."""
    kill = KillWorker(at_s=1, worker=1)
    freeze = FreezeWorker(at_s=1, worker=1, for_s=1)
    assert needs_own_servers([kill, freeze]) is None
    for fault in (
        RestartBroker(at_s=1),
        RestartPostgres(at_s=1),
        SlowPostgres(at_s=1, for_s=1, latency_ms=1),
        CutKafka(at_s=1, for_s=1),
    ):
        told = needs_own_servers([kill, fault])
        assert told is not None
        assert told.startswith(f"faults[1] befalls servers ({fault.begins}), ")


def test_only_what_is_between_workers_and_servers_needs_the_proxy() -> None:
    """A server that is restarted is not slower for it."""
    restart = RestartBroker(at_s=1)
    assert behind_a_proxy([restart, KillWorker(at_s=1, worker=1)]) == frozenset()
    slow = SlowPostgres(at_s=1, for_s=1, latency_ms=1)
    assert behind_a_proxy([restart, slow]) == {Server.POSTGRES}
    assert behind_a_proxy([slow, CutKafka(at_s=1, for_s=1)]) == {Server.POSTGRES, Server.KAFKA}
