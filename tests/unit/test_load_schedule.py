"""What is due when: fixed beforehand, in steady stages and in ramps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.load.schedule import Schedule, Stage
from loadtest.load.share import Share

STEADY = Stage(seconds=2.0, per_second=10)
RAMP = Stage(seconds=4.0, per_second=0, to_per_second=10)
SCHEDULE = Schedule(100.0, [Stage(seconds=0.5, per_second=10, warm_up=True), STEADY, RAMP])


def test_a_steady_stage_spaces_its_commands_evenly() -> None:
    """What is due depends on the clock alone, never on what was sent or answered."""
    steady = Schedule(100.0, [STEADY])
    times = (99.0, 100.0, 100.05, 100.15, 101.0, 500.0)
    assert [steady.due_by(now) for now in times] == [0, 1, 1, 2, 11, 20]
    assert steady.due(7) == pytest.approx(100.7)


def test_a_ramp_changes_its_rate_evenly() -> None:
    """From nothing to ten a second in four seconds: five after two, at half of it."""
    ramp = Schedule(0.0, [RAMP])
    assert ramp.count == 20
    assert ramp.due(5) == pytest.approx(2.0)
    assert ramp.due_by(2.001) == 6
    down = Schedule(0.0, [Stage(seconds=4.0, per_second=10, to_per_second=0)])
    assert down.count == 20
    assert down.due(15) == pytest.approx(2.0)
    assert [ramp.per_second(at) for at in (-1.0, 0.0, 2.0, 4.0)] == [0.0, 0.0, 5.0, 0.0]


def test_stages_follow_each_other_and_what_warms_up_comes_first() -> None:
    """Numbers run through all stages; those of the warm-up are left out of the figures."""
    assert (SCHEDULE.count, SCHEDULE.warm_up) == (45, 5)
    assert (SCHEDULE.seconds, SCHEDULE.measured_s) == (6.5, 6.0)
    assert SCHEDULE.due(5) == pytest.approx(100.5)
    assert SCHEDULE.due(25) == pytest.approx(102.5)
    assert SCHEDULE.due_by(1_000.0) == 45


STAGES = st.builds(
    Stage,
    seconds=st.floats(0.5, 20.0),
    per_second=st.integers(1, 200),
    to_per_second=st.none() | st.integers(0, 200),
).filter(lambda stage: stage.commands > 0)


@given(st.lists(STAGES, min_size=1, max_size=4), st.data())
def test_due_and_due_by_agree(stages: list[Stage], data: st.DataObject) -> None:
    """A command is due from its time on and not before; times never go back."""
    schedule = Schedule(50.0, stages)
    number = data.draw(st.integers(0, schedule.count - 1))
    due = schedule.due(number)

    assert 50.0 <= due <= 50.0 + schedule.seconds + 1e-6
    assert schedule.due_by(due + 1e-6) > number
    assert schedule.due_by(due - 1e-6) <= number
    if number:
        assert schedule.due(number - 1) <= due


@given(st.lists(STAGES, min_size=1, max_size=4), st.data())
def test_the_dues_of_a_range_are_those_of_its_numbers(
    stages: list[Stage], data: st.DataObject
) -> None:
    """Whatever stages it goes through."""
    schedule = Schedule(50.0, stages)
    first = data.draw(st.integers(0, schedule.count))
    end = data.draw(st.integers(first, min(schedule.count, first + 500)))
    assert list(schedule.dues(first, end)) == pytest.approx(
        [schedule.due(number) for number in range(first, end)]
    )


@given(st.lists(STAGES, min_size=1, max_size=4), st.integers(1, 5), st.data())
def test_shares_are_the_whole_schedule(stages: list[Stage], of: int, data: st.DataObject) -> None:
    """What several send is due when the whole says: nothing twice, nothing left out."""
    stages[0] = Stage(seconds=1.0, per_second=7, warm_up=True)
    whole = Schedule(50.0, stages)
    shares = [Schedule(50.0, stages, Share(number, of)) for number in range(of)]
    dues = [list(one.dues(0, one.count)) for one in shares]
    assert sorted(due for each in dues for due in each) == list(whole.dues(0, whole.count))
    assert sum(one.warm_up for one in shares) == whole.warm_up

    one, own = data.draw(st.sampled_from(list(zip(shares, dues, strict=True))))
    assert [one.due(number) for number in range(one.count)] == pytest.approx(own)
    first = data.draw(st.integers(0, one.count))
    assert list(one.dues(first, one.count)) == own[first:]
    now = data.draw(st.floats(49.0, 51.0 + whole.seconds))
    assert sum(each.due_by(now) for each in shares) == whole.due_by(now)
    rates = [each.per_second(now) for each in shares]
    assert sum(rates) == pytest.approx(whole.per_second(now))
