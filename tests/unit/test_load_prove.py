"""What the proof of a load makes of its answers."""

from __future__ import annotations

from typing import Any

import pytest

from loadtest.load.drive import Load
from loadtest.load.prove import answered_wrongly, meant_of, told_wrongly
from loadtest.load.share import BLOCK
from loadtest.traffic.shape import Traffic

FOUND: dict[str, Any] = {
    "missing": 0,
    "answered_otherwise": 0,
    "foreign": 0,
    "delivered_again": 3,
    "outcomes": {"posted": 90, "rejected": 4, "repeat": 3, "conflict": 2, "invalid": 1},
}
MEANT = {"first": 94, "repeat": 3, "conflict": 2, "invalid": 1}


def test_answers_that_are_as_they_must_be_hold() -> None:
    """An event that was delivered again is the same answer."""
    assert answered_wrongly(FOUND) == []
    assert told_wrongly(FOUND["outcomes"], MEANT) == []
    assert told_wrongly({"posted": 7}, {"first": 7}) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"missing": 1_200}, "1,200 commands without an outcome"),
        ({"answered_otherwise": 2}, "2 commands answered by two events"),
        ({"foreign": 3}, "3 answers to what nobody sent"),
        ({"outcomes": {"posted": 1, "perhaps": 4}}, "4 answers of no known kind"),
    ],
)
def test_each_command_has_one_answer(changed: dict[str, Any], said: str) -> None:
    """What is wrong with that is told in a line."""
    assert answered_wrongly(FOUND | changed) == [said]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"repeat": 2}, ["outcomes that are repeat: 2, expected 3"]),
        ({"invalid": 0}, ["outcomes that are invalid: 0, expected 1"]),
        ({"posted": 91}, ["outcomes that are posted or rejected: 95, expected 94"]),
        (
            {"conflict": 1, "rejected": 5},
            [
                "outcomes that are conflict: 1, expected 2",
                "outcomes that are posted or rejected: 95, expected 94",
            ],
        ),
    ],
)
def test_answers_are_of_the_kinds_that_were_meant(changed: dict[str, int], said: list[str]) -> None:
    """A repeat that is posted has moved money twice."""
    assert told_wrongly(FOUND["outcomes"] | changed, MEANT) == said


def test_what_was_meant_is_counted_for_what_was_sent_alone() -> None:
    """A load that was interrupted is proved as if no more had been meant."""
    load = Load((), 20, 8, 1, Traffic(repeats_percent=30, poison_percent=10))
    few, more = meant_of(load, [100]), meant_of(load, [1_000])
    assert (few.total(), more.total()) == (100, 1_000)
    assert few <= more
    assert more.keys() == {"first", "repeat", "invalid"}


def test_what_several_sent_was_meant_by_each_of_its_own_share() -> None:
    """The second of two sends the second block from its beginning on."""
    load = Load((), 20, 8, 1, Traffic(repeats_percent=30))
    whole, second = meant_of(load, [BLOCK + 50]), meant_of(load, [0, 50])
    assert meant_of(load, [BLOCK, 50]) == whole
    assert whole - meant_of(load, [BLOCK]) == second
