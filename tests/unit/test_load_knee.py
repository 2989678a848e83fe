"""The knee is found where a system stops to keep up, and not at a hiccup."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from loadtest.load.knee import Ramp, Step, is_beyond, knee_of, late_behind, said_of, steps_of
from loadtest.load.track import Second

RAMP = Ramp(
    from_per_second=1_000,
    to_per_second=5_000,
    step_per_second=1_000,
    step_seconds=10,
    warm_up_seconds=5,
    latency_p99_ms=100,
)


def seconds(
    capacity: float,
    *,
    hiccup_at_s: float | None = None,
    slow_at: Sequence[float] = (),
    late_from_s: float = 1e9,
    until_s: int = 55,
) -> list[Second]:
    """Give what is seen of a system that answers so many a second at most."""
    rows: list[Second] = []
    sent = answered = late = 0
    for at_s in range(1, until_s + 1):
        step = max(0, (at_s - 1 - 5) // 10)
        meant = 1_000 * (1 + step)
        sent += meant
        done = min(int(capacity), sent - answered)
        answered += done
        waiting_ms = (sent - answered) / capacity * 1000
        p99_ms = 20 + waiting_ms + (5_000 if at_s == hiccup_at_s or meant in slow_at else 0)
        late += meant if at_s > late_from_s else 0
        flight = sent - answered
        rows.append(Second(at_s, meant, done, sent, answered, flight, late, 5.0, p99_ms, p99_ms))
    return rows


def test_a_step_is_known_once_it_is_over() -> None:
    """The warm-up is none, and what runs is not judged yet."""
    rows = seconds(9_000)
    assert steps_of(RAMP, []) == []
    assert steps_of(RAMP, rows[:14]) == []
    (step,) = steps_of(RAMP, rows[:15])
    assert step == Step(1_000, 1_000, 20, 0, holds=True)
    assert [one.per_second for one in steps_of(RAMP, rows)] == [1e3, 2e3, 3e3, 4e3, 5e3]


@pytest.mark.parametrize(("capacity", "knee"), [(9_000, 5_000), (3_500, 3_000), (1_500, 1_000)])
def test_the_knee_is_the_last_step_that_is_kept_up_with(capacity: float, knee: float) -> None:
    """A system that keeps up with all of them has it at the last, or behind."""
    found = knee_of(steps_of(RAMP, seconds(capacity)))
    assert found is not None
    assert found.per_second == knee


def test_a_system_that_keeps_up_with_nothing_has_none() -> None:
    """Which is no rate of zero."""
    steps = steps_of(RAMP, seconds(500))
    assert knee_of(steps) is None
    assert is_beyond(steps)


def test_a_hiccup_is_no_knee() -> None:
    """One slow second is outvoted; one slow step is passed over where the next holds."""
    for rows in (seconds(9_000, hiccup_at_s=22), seconds(9_000, slow_at=(2_000,))):
        found = knee_of(steps_of(RAMP, rows))
        assert found is not None
        assert found.per_second == 5_000
    assert [one.holds for one in steps_of(RAMP, rows)] == [True, False, True, True, True]


def test_what_comes_behind_the_knee_counts_no_more() -> None:
    """Two steps in a row that do not hold end the search, whatever follows."""
    held, fallen = (Step(1, 1, 1, 0, holds=holds) for holds in (True, False))
    assert knee_of([held, fallen, fallen, held._replace(per_second=9)]) == held
    assert not is_beyond([fallen])
    assert not is_beyond([fallen, held])


def test_a_step_with_a_late_sender_says_nothing() -> None:
    """Its latencies may be fine: what was sent too late was never the load that was meant."""
    found = knee_of(steps_of(RAMP, seconds(9_000, late_from_s=26)))
    assert found is not None
    assert found.per_second == 2_000


def test_seconds_without_an_outcome_are_the_worst() -> None:
    """They have no latency to compare."""
    rows = [row._replace(p99_ms=None) if row.at_s > 15 else row for row in seconds(9_000)]
    steps = steps_of(RAMP, rows)
    assert [one.holds for one in steps] == [True, False, False, False, False]
    assert steps[1].p99_ms is None


def test_sends_that_are_late_behind_the_knee_are_excused() -> None:
    """Behind the last second of its step; without a knee all are."""
    rows = seconds(9_000, late_from_s=26)
    knee = knee_of(steps_of(RAMP, rows))
    assert late_behind(RAMP, knee, rows) == rows[-1].late - rows[24].late == rows[-1].late
    third = Step(3_000, 3_000, 20, 0, holds=True)
    assert late_behind(RAMP, third, rows) == rows[-1].late - rows[34].late > 0
    assert late_behind(RAMP, None, rows) == rows[-1].late
    assert late_behind(RAMP, None, []) == 0


def test_a_step_is_said_in_a_line() -> None:
    """With why it does not hold."""
    assert said_of(Step(1_000, 998.6, 20.4, 0, holds=True)) == (
        "1,000/s: 999/s answered, p99 20 ms: holds"
    )
    assert said_of(Step(1_000, 0, None, 0.5, holds=False)) == (
        "1,000/s: 0/s answered, no outcome, 50.0% sent late: does not hold"
    )


def test_the_stages_of_a_ramp_are_its_steps() -> None:
    """Behind one that warms up at the first rate."""
    stages = RAMP.stages()
    assert [stage.warm_up for stage in stages] == [True] + [False] * 5
    assert [stage.per_second for stage in stages] == [1e3, 1e3, 2e3, 3e3, 4e3, 5e3]
    assert RAMP.wrong() == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"from_per_second": 0}, "ramp.from_per_second: above 0"),
        ({"step_per_second": -1}, "ramp.step_per_second: above 0"),
        ({"warm_up_seconds": 0}, "ramp.warm_up_seconds: above 0"),
        ({"latency_p99_ms": 0}, "ramp.latency_p99_ms: above 0"),
        ({"to_per_second": 1_000}, "ramp.to_per_second: above from_per_second"),
        ({"step_seconds": 2}, "ramp.step_seconds: above 2"),
        ({"step_per_second": 1}, "ramp.step_per_second: more than 200 steps"),
    ],
)
def test_what_can_not_be_a_ramp_is_said(change: dict[str, float], fault: str) -> None:
    """With the name of the field."""
    assert replace(RAMP, **change).wrong() == [fault]
