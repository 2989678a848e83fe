"""What a proof remembers of millions, and how many differences it tells."""

from loadtest.lanes import Lanes
from loadtest.proof.differences import KEPT_MAX, Differences, Kind
from loadtest.proof.evidence import Lane, place_of
from loadtest.proof.once import Once

LANES = Lanes(("commands", "internal"), 8)


def test_a_digest_that_is_given_twice_is_found_with_its_place() -> None:
    """The later place is named; digests of either sign, and equal places of other sites."""
    once = Once()
    first, second = Lane(0, LANES, 15, 10), Lane(1, LANES, 3, 10)
    digests = [hash(f"id {number}") for number in range(10_000)]
    for offset, digest in enumerate(digests):
        once.add(digest, first.first_place + offset)
    assert list(once.twice()) == []
    once.add(digests[7], second.first_place + 123_456_789_012)
    assert [place_of(place) for place in once.twice()] == [(1, (3, 123_456_789_012))]
    assert place_of(first.first_place + 7) == (0, (15, 7))


def test_of_each_kind_only_the_first_are_told() -> None:
    """One fault can make all behind it differ: it must not hide what else is wrong."""
    differences = Differences()
    assert differences.lines() == ()
    for number in range(KEPT_MAX + 1_000):
        differences.note(Kind.ANSWER, f"answer {number}")
    differences.note(Kind.BALANCE, "a balance")
    differences.note(Kind.EVENT, "an event")
    lines = differences.lines()
    assert len(lines) == KEPT_MAX + 3
    assert lines[:2] == ("an event", "answer 0")
    assert lines[-2:] == ("1,000 more answers differ", "a balance")
