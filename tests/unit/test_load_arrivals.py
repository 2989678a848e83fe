"""What the open loop counts as latency, as a stall and as late."""

from loadtest.load.arrivals import Arrivals, percentile_ms
from loadtest.load.schedule import Schedule, Stage

WARM_UP = Stage(seconds=0.5, per_second=10, warm_up=True)
SCHEDULE = Schedule(100.0, [WARM_UP, Stage(seconds=1.5, per_second=10)])


def test_latency_counts_from_the_intended_time() -> None:
    """An outcome's latency starts when its command was due, however late it was sent."""
    arrivals = Arrivals(SCHEDULE)
    arrivals.add(range(20), 103.0)

    figures = arrivals.figures()
    # Commands 5 to 19 were due from 100.5 to 101.9.
    assert figures["commands"] == 15
    assert figures["latency_max_ms"] == 2500.0
    assert figures["latency_p50_ms"] == 1800.0
    assert figures["read"] == 20
    # Read at 103.0, due from 100.5 on.
    assert figures["answered_per_second"] == 6.0
    assert arrivals.complete


def test_what_came_lately_is_told_once() -> None:
    """Those of the warm-up too, and nothing of what was told before."""
    arrivals = Arrivals(SCHEDULE)
    arrivals.add([0, 1, 2], 101.0)
    told = {"read": 3, "p50_ms": 900.0, "p99_ms": 1000.0, "max_ms": 1000.0}
    assert arrivals.lately() == told
    assert arrivals.lately() == {"read": 3, "p50_ms": None, "p99_ms": None, "max_ms": None}


def test_missing_and_repeated_outcomes_are_told() -> None:
    """An outcome that never comes is missing; one that comes twice is not timed again."""
    arrivals = Arrivals(SCHEDULE)
    arrivals.add([5, 6, 7], 101.0)
    arrivals.add([6], 105.0)

    figures = arrivals.figures()
    assert (figures["read"], figures["repeated"], figures["commands"]) == (3, 1, 3)
    assert figures["latency_max_ms"] == 500.0
    assert not arrivals.complete


def test_a_stall_is_a_time_without_outcomes_while_some_were_due() -> None:
    """Waiting for what was not due yet is no stall; the warm-up is left out."""
    arrivals = Arrivals(SCHEDULE)
    arrivals.add(range(5), 100.45)
    assert arrivals.worst_stall_s == 0.0
    arrivals.add([5], 100.6)
    # Command 5 was due at 100.5: nothing was missing between 100.45 and then.
    assert round(arrivals.worst_stall_s, 3) == 0.1
    arrivals.add([7], 101.5)
    # Command 6 was due at 100.6 and is still missing.
    assert round(arrivals.worst_stall_s, 3) == 0.9
    arrivals.add([6, *range(8, 20)], 101.9)
    assert round(arrivals.worst_stall_s, 3) == 0.9


def test_percentiles_are_values_that_occurred() -> None:
    """The nearest rank: no interpolation, and nothing of nothing."""
    assert percentile_ms([1000, 2000, 3000, 4000], 50) == 2.0
    assert percentile_ms([1000, 2000, 3000, 4000], 51) == 3.0
    assert percentile_ms(range(1, 1001), 99) == 0.99
    assert percentile_ms([5000], 99.9) == 5.0
    assert percentile_ms([], 50) is None
