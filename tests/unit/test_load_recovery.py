"""When a run counts as recovered from a fault."""

from __future__ import annotations

from typing import NamedTuple

from loadtest.faults.recovery import STAYS_S, Mark, Recovery, recovery, worst_s

BOUND_MS = 250.0
MARK = Mark(10.0, 15.0, "worker 1 killed")


class Moment(NamedTuple):
    """A second of a run, as far as it is looked at."""

    at_s: float
    p99_ms: float | None = 20.0
    waiting_ms: float = 0.0


def run(bad: range, *, upto: int = 40) -> list[Moment]:
    """Give the seconds of a run, of which some are bad."""
    return [Moment(at, 900.0 if at in bad else 20.0) for at in range(1, upto + 1)]


def test_it_counts_to_the_end_of_the_last_bad_second() -> None:
    """From the fault's end and from its beginning."""
    assert recovery(run(range(11, 23)), MARK, BOUND_MS) == Recovery(7.0, 12.0)


def test_a_fault_that_is_borne_costs_nothing_after_its_end() -> None:
    """Recovered before it ended, or never hurt."""
    assert recovery(run(range(11, 13)), MARK, BOUND_MS) == Recovery(0.0, 2.0)
    assert recovery(run(range(0)), MARK, BOUND_MS) == Recovery(0.0, 0.0)
    # What was bad before is not its doing.
    assert recovery(run(range(1, 11)), MARK, BOUND_MS) == Recovery(0.0, 0.0)


def test_a_few_good_seconds_between_bad_ones_are_no_recovery() -> None:
    """It has to stay good for a while, and that while has to reach beyond the fault's end."""
    seconds = run(range(11, 13))
    seconds[17] = Moment(18, 900.0)
    assert STAYS_S == 5.0
    assert recovery(seconds, MARK, BOUND_MS) == Recovery(3.0, 8.0)


def test_partitions_that_stand_still_are_bad_though_others_answer_fast() -> None:
    """What waits counts as well as what was answered."""
    seconds = [
        Moment(at, 20.0, waiting_ms=(at - 10) * 1000.0 if 10 < at <= 21 else 5.0)
        for at in range(1, 41)
    ]
    assert recovery(seconds, MARK, BOUND_MS) == Recovery(6.0, 11.0)


def test_a_second_without_answers_is_good_only_where_nothing_waits() -> None:
    """Nothing was sent, or everything stands still."""
    silent = [Moment(at, None) for at in range(1, 41)]
    assert recovery(silent, MARK, BOUND_MS) == Recovery(0.0, 0.0)
    stuck = [Moment(at, None, waiting_ms=1000.0) for at in range(1, 41)]
    assert recovery(stuck, MARK, BOUND_MS) is None


def test_a_run_that_ends_too_soon_does_not_tell() -> None:
    """Also where the fault did not end."""
    assert recovery(run(range(11, 23), upto=26), MARK, BOUND_MS) is None
    assert recovery(run(range(11, 23), upto=27), MARK, BOUND_MS) == Recovery(7.0, 12.0)
    assert recovery(run(range(0)), Mark(10.0, None, "worker 1 frozen"), BOUND_MS) is None


def test_the_worst_of_several_counts() -> None:
    """One without a recovery makes it unknown, so that a threshold does not hold."""
    assert worst_s([Recovery(1.0, 9.0), Recovery(3.0, 4.0)]) == 3.0
    assert worst_s([Recovery(1.0, 9.0), None]) is None
    assert worst_s([]) is None
