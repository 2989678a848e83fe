"""Alive and ready: what a worker answers when it is asked."""

from __future__ import annotations

import pytest

from processor.health import Health

ONE, TWO = ("payments.commands.v1", 0), ("payments.commands.v1", 1)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return a clock that a test sets."""
    clock = [1000.0]
    monkeypatch.setattr("processor.health.time.monotonic", lambda: clock[0])
    return clock


def ready() -> Health:
    """Give a worker that holds two partitions."""
    health = Health(stuck_after_s=30)
    health.assigned([ONE, TWO])
    health.claims([ONE, TWO])
    return health


def test_a_starting_worker_is_alive_and_not_ready() -> None:
    """It becomes ready with its assignment and its claims."""
    health = Health(stuck_after_s=30)

    assert health.why_stuck() is None
    assert health.why_not_ready() == ["waits for start: the worker is starting"]
    health.assigned([ONE, TWO])
    assert health.why_not_ready() == ["2 assigned partitions are not claimed yet"]
    health.claims([ONE])
    assert health.why_not_ready() == ["1 assigned partitions are not claimed yet"]
    health.claims([ONE, TWO])
    assert health.why_not_ready() == []


def test_a_worker_without_partitions_is_ready() -> None:
    """There may be more workers than partitions."""
    health = Health(stuck_after_s=30)
    health.assigned([])

    assert health.why_not_ready() == []


def test_an_outage_makes_it_not_ready_and_leaves_it_alive(now: list[float]) -> None:
    """However long it takes: a restart would not bring the database back."""
    health = ready()
    health.waits_for("ledger", "connection refused")
    health.waits_for("broker", "no leader")
    now[0] += 10_000

    assert health.why_stuck() is None
    assert health.is_waiting("ledger")
    assert health.why_not_ready() == [
        "waits for broker: no leader",
        "waits for ledger: connection refused",
    ]
    health.waits_no_more("ledger")
    health.waits_no_more("broker")
    health.waits_no_more("broker")
    assert not health.is_waiting("ledger")
    assert health.why_not_ready() == []


def test_a_loop_that_does_not_turn_is_not_alive(now: list[float]) -> None:
    """Unless a wait has a name; one more turn and it lives again."""
    health = ready()
    health.beat()
    now[0] += 30
    assert health.why_stuck() is None
    now[0] += 1
    assert health.why_stuck() == "no turn for 31 s and nothing is waited for\n"
    health.beat()
    assert health.why_stuck() is None


def test_a_stopped_partition_keeps_the_worker_unready() -> None:
    """Until it is read again or belongs to another; the reason is said."""
    health = ready()
    health.claims([ONE])
    health.halts(TWO, "the log ends at 3")

    assert health.why_not_ready() == [
        "partition payments.commands.v1/1 is stopped: the log ends at 3"
    ]
    assert health.halted == {TWO: "the log ends at 3"}
    health.runs(TWO)
    health.claims([ONE, TWO])
    assert health.why_not_ready() == []
    health.halts(TWO, "again")
    health.assigned([ONE])
    assert health.why_not_ready() == []
