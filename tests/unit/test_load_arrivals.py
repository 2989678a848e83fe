"""What the open loop counts as latency, as a stall and as an answer."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from typing import Any

import pytest

from loadtest.load.answers import Answer
from loadtest.load.arrivals import Arrivals, Seconds
from loadtest.load.latencies import Latencies
from loadtest.load.schedule import Schedule, Stage
from loadtest.load.together import together

WARM_UP = Stage(seconds=0.5, per_second=10, warm_up=True)
SCHEDULE = Schedule(100.0, [WARM_UP, Stage(seconds=1.5, per_second=10)])
PARTITIONS = 2


def told(
    numbers: Iterable[int], *runs: tuple[int, int, int], ended: bool = False
) -> dict[str, Any]:
    """Return what a sender tells: even numbers lie in partition 0, odd ones in partition 1."""
    homes = bytes(number % PARTITIONS for number in numbers)
    return {"homes": b64encode(homes).decode(), "runs": runs, "ended": ended}


def sent(*runs: tuple[int, int, int]) -> Arrivals:
    """Return the arrivals of a load that is sent; its first offsets are 0 and 1,000."""
    arrivals = Arrivals(SCHEDULE, PARTITIONS)
    arrivals.told(told(range(20), *(runs or ((0, 0, 10), (1, 1_000, 10))), ended=True), 100.0)
    return arrivals


def answers(numbers: Iterable[int], kind: str = "posted", event: int = 7) -> list[Answer]:
    """Return the answers to commands by their numbers."""
    return [Answer(one % 2, one // 2 + 1_000 * (one % 2), kind, event + one) for one in numbers]


def figures_of(arrivals: Arrivals) -> dict[str, Any]:
    """Return the figures of a load with this reader."""
    sent = dict.fromkeys(("sent", "late_sends", "held_up_sends", "latest_send_ms"), 0)
    cpu = dict.fromkeys(("sender_cpu_s", "written_cpu_s", "reader_cpu_s"), 0.0)
    return together([arrivals.figures() | sent | cpu | {"cores": [1], "niceness": 0}])


def lately(arrivals: Arrivals, now: float) -> tuple[dict[str, Any], list[float | None]]:
    """Return what was told of the last second, and its median, 99th percentile and maximum."""
    told = arrivals.lately(now)
    return told, Latencies.decoded(told.pop("latencies")).percentiles_ms((50, 99, 100))


def close_to(ms: float) -> Any:
    """Compare with what a histogram of three digits makes of it, which is never less."""
    return pytest.approx(ms * 1.0005, rel=0.0005)


def test_latency_counts_from_the_intended_time() -> None:
    """An answer's latency starts when its command was due, however late it was sent."""
    arrivals = sent()
    arrivals.add(answers(range(20)), 103.0)

    figures = figures_of(arrivals)
    # Commands 5 to 19 were due from 100.5 to 101.9.
    assert figures["commands"] == 15
    assert figures["latency_max_ms"] == close_to(2500.0)
    assert figures["latency_p50_ms"] == close_to(1800.0)
    assert figures["read"] == 20
    # Read at 103.0, due from 100.5 on.
    assert figures["answered_per_second"] == 6.0
    assert arrivals.complete


def test_what_waits_longest_is_the_oldest_that_is_due() -> None:
    """However many came after it; nothing waits before it is due, or when all have come."""
    arrivals = sent()
    assert arrivals.waiting_ms(99.0) == 0.0
    arrivals.add(answers([0, *range(2, 20)]), 101.0)
    assert arrivals.waiting_ms(104.1) == 4000.0
    arrivals.add(answers([1]), 104.2)
    assert arrivals.waiting_ms(105.0) == 0.0


def test_the_end_of_the_warm_up_is_when_all_of_it_is_answered() -> None:
    """What comes behind it does not count."""
    arrivals = sent()
    arrivals.add(answers([0, 1, 2, 3, 7]), 101.0)
    assert arrivals.figures()["warmed_up_s"] is None
    arrivals.add(answers([4]), 102.0)
    arrivals.add(answers([5]), 103.0)
    assert arrivals.figures()["warmed_up_s"] == 2.0


def test_the_histogram_of_the_result_has_the_figures() -> None:
    """Whoever reads it finds the same percentiles, of the same commands."""
    arrivals = sent()
    arrivals.add(answers(range(20)), 103.0)

    figures = figures_of(arrivals)
    found = Latencies.decoded(figures["histogram"]["encoded"])
    assert len(found) == figures["commands"]
    assert found.percentiles_ms((50, 100)) == [
        figures["latency_p50_ms"],
        figures["latency_max_ms"],
    ]


def test_what_came_lately_is_told_once() -> None:
    """Those of the warm-up too, and nothing of what was told before but the counts."""
    arrivals = sent()
    arrivals.add([*answers([0, 1]), *answers([2], "rejected")], 101.0)
    told, latencies = lately(arrivals, 101.0)
    assert told == {
        "at_s": 1.0,
        "read": 3,
        "outcomes": {"posted": 2, "rejected": 1},
        "waiting_ms": 700.0,
    }
    assert latencies == [close_to(900.0), close_to(1000.0), close_to(1000.0)]
    assert lately(arrivals, 101.1) == ({**told, "at_s": 1.1, "waiting_ms": 800.0}, [None] * 3)


def test_missing_answers_and_those_delivered_again_are_told() -> None:
    """An answer that never comes is missing; one that comes twice is not timed or counted again."""
    arrivals = sent()
    arrivals.add(answers([5, 6, 7]), 101.0)
    arrivals.add(answers([6]), 105.0)
    arrivals.add(answers([6, 5]), 106.0)

    figures = figures_of(arrivals)
    assert (figures["read"], figures["delivered_again"], figures["commands"]) == (3, 3, 3)
    assert figures["answered_otherwise"] == 0
    assert figures["outcomes"] == {"posted": 3}
    assert figures["latency_max_ms"] == close_to(500.0)
    assert not arrivals.complete


def test_another_event_about_the_same_command_is_told() -> None:
    """It is not the same answer delivered again: a command has one event id."""
    arrivals = sent()
    arrivals.add(answers([5]), 101.0)
    arrivals.add(answers([5], event=8), 101.0)
    assert (arrivals.delivered_again, arrivals.answered_otherwise) == (0, 1)


def test_an_answer_waits_until_its_position_is_told() -> None:
    """It counts from when it was read; what comes behind it waits, but in other partitions."""
    arrivals = Arrivals(SCHEDULE, PARTITIONS)
    arrivals.add(answers([0]), 100.2)
    assert arrivals.read == 0
    arrivals.told(told(range(10), (0, 0, 5)), 100.0)
    assert arrivals.read == 1
    arrivals.add(answers([2, 1, 3, 4]), 100.6)
    assert arrivals.read == 3
    arrivals.add(answers([6]), 100.8)
    assert arrivals.read == 4
    arrivals.told(told(range(10, 12), (1, 1_000, 1)), 100.0)
    assert (arrivals.read, arrivals.foreign) == (5, 0)
    assert not arrivals.complete
    # Due at 100.0, 100.2, 100.1, 100.4 and 100.6.
    assert lately(arrivals, 101.0)[1][-1] == close_to(500.0)


def test_positions_may_have_gaps() -> None:
    """Markers and the records of others lie between the batches; what answers those is told."""
    arrivals = sent((0, 50, 3), (0, 60, 7), (1, 1_000, 10))
    arrivals.add([Answer(0, offset, "posted", 1) for offset in (50, 52, 60, 66)], 103.0)
    assert (arrivals.read, arrivals.foreign) == (4, 0)
    arrivals.add([Answer(0, offset, "posted", 1) for offset in (49, 53, 59, 67)], 103.0)
    assert (arrivals.read, arrivals.foreign) == (4, 4)
    arrivals.add([Answer(0, offset, "posted", 1) for offset in (49, 67)], 103.5)
    assert arrivals.foreign == 4
    # The fifth of partition 0 is command 8, which was due at 100.8.
    arrivals.lately(101.0)
    arrivals.add([Answer(0, 61, "posted", 1)], 103.0)
    assert lately(arrivals, 101.0)[1][-1] == close_to(2200.0)


def test_a_load_that_was_interrupted_is_complete_with_what_was_sent() -> None:
    """Nothing is waited for that never was sent."""
    arrivals = Arrivals(SCHEDULE, PARTITIONS)
    arrivals.told(told(range(6), (0, 0, 3), (1, 1_000, 3)), 100.0)
    arrivals.add(answers(range(6)), 101.0)
    assert not arrivals.complete
    arrivals.told(told((), ended=True), 100.0)
    assert arrivals.complete


def test_a_stall_is_a_time_without_answers_while_some_were_due() -> None:
    """Waiting for what was not due yet is no stall; the warm-up is left out."""
    arrivals = sent()
    arrivals.add(answers(range(5)), 100.45)
    assert arrivals.worst_stall_s == 0.0
    arrivals.add(answers([5]), 100.6)
    # Command 5 was due at 100.5: nothing was missing between 100.45 and then.
    assert round(arrivals.worst_stall_s, 3) == 0.1
    arrivals.add(answers([7]), 101.5)
    # Command 6 was due at 100.6 and is still missing.
    assert round(arrivals.worst_stall_s, 3) == 0.9
    arrivals.add(answers([6, *range(8, 20)]), 101.9)
    assert round(arrivals.worst_stall_s, 3) == 0.9


def test_an_answer_that_is_delivered_again_ends_no_stall() -> None:
    """Who waits for the next one still waits."""
    arrivals = sent()
    arrivals.add(answers(range(6)), 100.6)
    arrivals.add(answers([3, 4]), 101.0)
    arrivals.add(answers([4, 6]), 101.4)
    assert round(arrivals.worst_stall_s, 3) == 0.8


def test_what_is_due_and_not_even_put_counts_as_waited_for() -> None:
    """A sender that hangs is charged as a stall, though it has told nothing of what is due."""
    arrivals = Arrivals(SCHEDULE, PARTITIONS)
    arrivals.told(told(range(6), (0, 0, 3), (1, 1_000, 3)), 100.0)
    arrivals.add(answers(range(5)), 100.5)
    arrivals.add(answers([5]), 100.6)
    arrivals.told(told(range(6, 8), (0, 3, 1)), 100.0)
    arrivals.add(answers([6]), 101.7)
    # The next command was due at 100.6, the moment of the answer before.
    assert round(arrivals.worst_stall_s, 3) == 1.1


def test_an_answer_that_waits_to_hear_where_it_belongs_is_no_command_that_waits() -> None:
    """What waits is known whenever the sender tells; in between an answer may be in hand."""
    arrivals = Arrivals(SCHEDULE, PARTITIONS)
    arrivals.told(told(range(6), (0, 0, 3), (1, 1_000, 3)), 100.55)
    assert arrivals.waiting_ms(100.6) == 550.0
    arrivals.add(answers(range(6)), 100.6)
    arrivals.told(told(range(6, 9)), 100.8)
    assert arrivals.waiting_ms(100.9) == 200.0
    arrivals.add(answers(range(6, 9)), 100.9)
    assert arrivals.waiting_ms(101.0) == 200.0
    arrivals.told(told((), (0, 3, 2), (1, 1_003, 1)), 101.05)
    assert arrivals.waiting_ms(101.1) == 0.0


def test_a_second_is_told_when_the_sender_has_told() -> None:
    """What was sent and what was answered are of one moment: no answer waits to be placed."""
    arrivals, rows = Arrivals(SCHEDULE, PARTITIONS), list[Any]()
    seconds = Seconds(arrivals, 100.0, rows.append)

    def sender(numbers: Iterable[int], *runs: tuple[int, int, int], at: float) -> None:
        arrivals.told(told(numbers, *runs), at)
        seconds.placed(at)

    sender([], at=100.0)
    sender(range(5), (0, 0, 3), (1, 1_000, 2), at=100.5)
    arrivals.add(answers(range(5)), 100.55)
    seconds.passed(101.0)
    arrivals.add(answers(range(5, 9)), 101.0)
    seconds.passed(101.0)
    assert [row["read"] for row in rows] == [0]
    sender(range(5, 10), (0, 3, 2), (1, 1_002, 3), at=101.01)
    assert [(row["at_s"], row["read"]) for row in rows] == [(0.0, 0), (1.01, 9)]


def test_a_quiet_sender_is_not_waited_for() -> None:
    """Each second is told, also where nobody tells anything."""
    arrivals, rows = Arrivals(SCHEDULE, PARTITIONS), list[Any]()
    seconds = Seconds(arrivals, 100.0, rows.append)
    for now in (100.0, 100.2, 100.31, 100.4, 101.0, 101.4, 101.9, 102.31):
        seconds.passed(now)
    assert [row["at_s"] for row in rows] == [0.31, 1.4, 2.31]
