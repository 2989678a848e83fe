"""What several generators tell and find, as if one had sent all of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from loadtest.load.latencies import Latencies
from loadtest.load.together import Together, together


def encoded(*latencies_us: int) -> str:
    """Return the histogram of some latencies, as it travels."""
    found = Latencies()
    for one in latencies_us:
        found.record(one)
    return found.encoded()


def part(**changed: Any) -> dict[str, Any]:
    """Return what a generator has found."""
    zero = (
        *("sent", "late_sends", "held_up_sends", "commands", "read", "delivered_again"),
        *("answered_otherwise", "sender_cpu_s", "written_cpu_s", "reader_cpu_s", "foreign"),
        *("latest_send_ms", "worst_stall_ms", "measured_s", "niceness"),
    )
    more: dict[str, Any] = {
        "warmed_up_s": None,
        "outcomes": {},
        "latencies": encoded(),
        "cores": [1],
    }
    return dict.fromkeys(zero, 0) | more | changed


ONE = part(
    sent=10,
    read=10,
    commands=8,
    late_sends=1,
    latest_send_ms=12.0,
    worst_stall_ms=30.0,
    measured_s=4.0,
    warmed_up_s=2.0,
    sender_cpu_s=0.2,
    outcomes={"posted": 9, "rejected": 1},
    latencies=encoded(1_000, 2_000),
    foreign=21,
)
OTHER = part(
    sent=20,
    read=19,
    commands=16,
    delivered_again=2,
    latest_send_ms=3.0,
    worst_stall_ms=70.0,
    measured_s=5.0,
    warmed_up_s=2.5,
    sender_cpu_s=0.3,
    outcomes={"posted": 19},
    latencies=encoded(9_000, 3_000),
    foreign=10,
)


def test_counts_add_up_and_the_worst_is_kept() -> None:
    """Rates count from the first that was due to the last that came, of all."""
    found = together([ONE, OTHER])
    assert (found["sent"], found["read"], found["late_sends"]) == (30, 29, 1)
    assert found["outcomes"] == {"posted": 28, "rejected": 1}
    assert (found["latest_send_ms"], found["worst_stall_ms"]) == (12.0, 70.0)
    assert found["answered_per_second"] == 4.8
    assert found["warmed_up_s"] == 2.5
    assert found["sender_cpu_s"] == 0.5
    assert [one["sent"] for one in found["generators"]] == [10, 20]


def test_percentiles_are_those_of_all_commands() -> None:
    """Not means of percentiles: the histograms add up."""
    found = together([ONE, OTHER])
    whole = Latencies.decoded(encoded(1_000, 2_000, 3_000, 9_000))
    assert found["histogram"] == whole.written()
    assert [found["latency_p50_ms"], found["latency_max_ms"]] == whole.percentiles_ms((50, 100))


def test_a_load_that_did_not_warm_up_everywhere_did_not_warm_up() -> None:
    """And one of nobody's commands has no rate."""
    assert together([ONE, part()])["warmed_up_s"] is None
    assert together([part()])["answered_per_second"] == 0.0


@pytest.mark.parametrize(
    ("changed", "foreign"),
    [({}, 2), ({"foreign": 19}, 0), ({"foreign": 0}, 0)],
)
def test_the_answers_of_the_others_are_not_foreign(changed: dict[str, int], foreign: int) -> None:
    """One that ends before them has seen fewer; more than all others read were sent by nobody."""
    assert together([ONE | changed, OTHER])["foreign"] == foreign
    assert together([part(foreign=3)])["foreign"] == 3


class Noted:
    """Takes note of what is told of the whole load."""

    def __init__(self) -> None:
        self.sent: list[Mapping[str, Any]] = []
        self.read: list[Mapping[str, Any]] = []

    def sender(self, said: Mapping[str, Any]) -> None:
        """Take note."""
        self.sent.append(said)

    def reader(self, said: Mapping[str, Any]) -> None:
        """Take note."""
        self.read.append(said)


def read(
    count: int, *latencies_us: int, at_s: float = 1.0, waiting_ms: float = 0.0
) -> dict[str, Any]:
    """Return what a reader tells."""
    outcomes = {"posted": count}
    latencies = encoded(*latencies_us)
    return {
        "at_s": at_s,
        "read": count,
        "outcomes": outcomes,
        "latencies": latencies,
        "waiting_ms": waiting_ms,
    }


def test_a_second_is_told_when_all_have_told_of_it() -> None:
    """Its latencies are those of all, and the longest wait counts."""
    noted = Noted()
    both = Together(2, noted)
    both.reader(0, read(3, 1_000, waiting_ms=5.0))
    assert noted.read == []
    both.reader(1, read(4, 8_000, waiting_ms=2.0))
    (told,) = noted.read
    assert (told["read"], told["outcomes"], told["waiting_ms"]) == (7, {"posted": 7}, 5.0)
    assert (told["p50_ms"], told["max_ms"]) == (1.0, 8.003)
    both.reader(1, read(5))
    both.reader(0, read(3))
    assert [one["read"] for one in noted.read] == [7, 8]
    assert noted.read[-1]["max_ms"] is None


def test_one_that_is_slow_to_tell_holds_up_no_other() -> None:
    """What it told last stands until it tells again; what has ended is waited for no more."""
    noted = Noted()
    both = Together(2, noted)
    both.reader(0, read(3))
    both.reader(0, read(6, at_s=2.1))
    assert [one["read"] for one in noted.read] == [6]
    both.reader(1, read(1, waiting_ms=900.0))
    assert [one["read"] for one in noted.read] == [6]
    both.over(1)
    both.reader(0, read(9))
    assert [(one["read"], one["waiting_ms"]) for one in noted.read[1:]] == [(10, 0.0)]


def test_a_late_teller_makes_no_second_of_a_moment() -> None:
    """Rows follow the seconds of the one that is on time: a rate counts from row to row."""
    noted = Noted()
    both = Together(2, noted)
    both.reader(0, read(10, at_s=1.0))
    both.reader(1, read(10, at_s=1.1))
    both.reader(0, read(20, at_s=2.0))
    both.reader(0, read(30, at_s=3.0))
    both.reader(1, read(30, at_s=3.01))
    both.reader(1, read(30, at_s=3.02))
    assert [one["read"] for one in noted.read] == [20, 40]
    both.reader(0, read(40, at_s=4.0))
    both.reader(1, read(40, at_s=4.1))
    both.reader(0, read(50, at_s=5.0))
    assert [one["read"] for one in noted.read] == [20, 40, 70, 90]


def test_what_was_told_last_is_handed_on() -> None:
    """Whoever ends first: the last row has all that was answered."""
    noted = Noted()
    both = Together(2, noted)
    both.reader(0, read(3))
    both.reader(1, read(4))
    both.reader(0, read(4, at_s=1.2))
    both.reader(1, read(5, at_s=2.0))
    both.reader(1, read(6, at_s=2.1))
    both.over(0)
    both.over(1)
    assert [one["read"] for one in noted.read] == [7, 9, 10]


def test_all_is_sent_when_every_sender_has_ended() -> None:
    """Told by itself, or known because the generator has ended."""
    noted = Noted()
    both = Together(2, noted)
    both.sender(0, {"sent": 5, "late": 1, "held_up": 0, "ended": True})
    both.sender(1, {"sent": 4, "late": 2, "held_up": 1, "ended": False})
    assert noted.sent[-1] == {"sent": 9, "late": 3, "held_up": 1}
    assert not both.all_sent
    both.over(1)
    assert both.all_sent
