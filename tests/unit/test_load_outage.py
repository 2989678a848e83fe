"""Which late sends are excused."""

from __future__ import annotations

from typing import NamedTuple

from loadtest.faults.outage import CATCH_UP_S, excused
from loadtest.faults.recovery import Mark


class Told(NamedTuple):
    """What the sender had told by a second's end."""

    at_s: float
    held_up: int


STEADY = [Told(at, 10 * at) for at in range(1, 61)]
"""Ten sends are held up in each second."""


def test_nothing_is_excused_without_an_outage_of_the_broker() -> None:
    """However slowly it took what was sent."""
    assert excused(STEADY, []) == 0
    assert excused([], [Mark(1.0, 2.0, "Kafka goes (kill)")]) == 0


def test_what_was_held_up_from_an_outage_to_the_catching_up_is_excused() -> None:
    """And nothing before or after."""
    assert CATCH_UP_S == 30.0
    assert excused(STEADY, [Mark(20.0, 25.0, "Kafka goes (kill)")]) == 10 * 35
    assert excused(STEADY, [Mark(55.0, 57.0, "Kafka goes (kill)")]) == 10 * 5


def test_outages_that_run_into_each_other_are_not_counted_twice() -> None:
    """The catching up after one is within the next."""
    marks = [Mark(5.0, 7.0, "Kafka goes (kill)"), Mark(15.0, 16.0, "Kafka goes (stop)")]
    assert excused(STEADY, marks) == excused(STEADY, marks[::-1]) == 10 * (46 - 5)


def test_an_outage_that_did_not_end_excuses_nothing() -> None:
    """Such a run has failed in another way."""
    assert excused(STEADY, [Mark(20.0, None, "Kafka goes (kill)")]) == 0
