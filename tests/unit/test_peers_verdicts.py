"""What is counted of a demonstration, and what is said of it."""

import pytest

from loadtest.peers.demonstrations import RESTARTS_MAX
from loadtest.peers.seen import Seen, line_of, of_answers
from loadtest.peers.systems import NAMES, SYSTEMS, System
from loadtest.peers.trials import last_words
from loadtest.peers.verdicts import DEMONSTRATED, gaps_of, words_of

NAIVE = next(system for system in SYSTEMS if system.name == "naive")
CALLED = next(system for system in SYSTEMS if system.is_called)
PRODUCT = next(system for system in SYSTEMS if system.name == "product")


def seen(asked: int = 10, answers: dict[str, int] | None = None, **counts: object) -> Seen:
    """Give what was seen where all went as it should, but for some counts."""
    told = {"posted": asked} if answers is None else answers
    return Seen(asked=asked, answers=told, **counts)  # type: ignore[arg-type]


NO_JSON = (
    "a message that is no JSON: it ended (JSONDecodeError), and nothing keeps the message, "
    "and nobody is told"
)
UNANSWERED = (
    "the same message again: it ended 4 times (UniqueViolationError) and was left so; "
    "100 of 100 got no answer"
)
CUT = (
    "database connections cut three times: 24 of 1,000 were never posted "
    "(its caller has an error, and must ask again)"
)
GIVEN_UP = RESTARTS_MAX + 1
FLAWLESS = {
    "repeats": seen(100, {"posted, repeat": 100}),
    "conflicts": seen(answers={"conflict": 10}),
    "uncovered": seen(answers={"rejected: insufficient_funds": 10}),
    "no_json": seen(dead_letters=1),
    "cut": seen(1000),
    "killed": seen(1000, told_again=40, back_after_s=6.2),
}


def word(column: str, one: Seen, system: System = NAIVE) -> str:
    """Give the word for one demonstration."""
    return words_of(system, {column: one}, "none")[column]


def test_answers_are_counted_against_the_books() -> None:
    """Each order is told of and posted, or it is counted as what it is."""
    wanted = {"told": True, "silent": True, "gone": True, "twice": True, "refused": False}
    told: list[dict[str, object]] = [
        {"transaction_id": "told", "outcome": "posted", "repeat": True, "reason": None},
        {"transaction_id": "twice", "outcome": "posted"},
        {"transaction_id": "twice", "outcome": "posted"},
        {"outcome": "posted", "transaction_id": "twice", "event_id": "another"},
        {"transaction_id": "refused", "outcome": "rejected", "reason": "insufficient_funds"},
    ]

    assert of_answers(wanted, told, {"told": 1, "silent": 1, "twice": 3, "refused": 1}) == Seen(
        asked=5,
        answers={"posted, repeat": 1, "posted": 3, "rejected: insufficient_funds": 1},
        unanswered=2,
        told_again=2,
        told_otherwise=1,
        lost=1,
        moved_twice=2,
        uncovered=1,
    )


def test_a_system_without_a_gap_has_none() -> None:
    """What the product is to do is what leaves nothing to be said."""
    assert gaps_of(PRODUCT, FLAWLESS) == []
    assert words_of(PRODUCT, FLAWLESS, "verify: holds") == {
        "repeats": "told, marked",
        "conflicts": "told conflict",
        "uncovered": "refused, why",
        "no_json": "dead letter",
        "cut": "all posted",
        "killed": "all posted",
        "outcomes": "each",
        "proof": "verify: holds",
    }


@pytest.mark.parametrize(
    ("column", "one", "expected"),
    [
        ("repeats", seen(100), "told, unmarked"),
        ("repeats", seen(100, moved_twice=7), "7 moved twice"),
        ("repeats", seen(100, unexplained=3), "3 moved twice"),
        ("repeats", seen(100, {}, unanswered=100, endings=GIVEN_UP), "stops"),
        ("repeats", seen(100, unanswered=4, endings=1), "4 untold"),
        ("conflicts", seen(), "told posted"),
        ("conflicts", seen(unexplained=2), "moves money"),
        ("uncovered", seen(answers={"rejected": 10}), "refused"),
        ("uncovered", seen(uncovered=10), "10 posted"),
        ("no_json", seen(), "gone"),
        ("no_json", seen(endings=1), "ends, then gone"),
        ("no_json", seen(answers={}, unanswered=10, endings=GIVEN_UP), "stops"),
        ("cut", seen(1000, lost=2, unanswered=3), "2 lost"),
        ("cut", seen(1000, unanswered=1), "1 untold"),
        ("killed", seen(1000, moved_twice=1), "1 moved twice"),
        ("killed", seen(1000, lost=9, unanswered=9, endings=GIVEN_UP), "stops"),
        ("killed", seen(1000, lost_unless_asked_again=700), "caller asks again"),
    ],
)
def test_the_word_of_a_demonstration(column: str, one: Seen, expected: str) -> None:
    """Money that moves twice is said before all else, and what was not shown is not judged."""
    assert word(column, one) == expected
    assert words_of(NAIVE, {}, "none") == dict.fromkeys(DEMONSTRATED, "-") | {"proof": "none"}


def test_outcomes_that_are_missing_are_said() -> None:
    """One that is missing anywhere is not each; a caller is told, and nobody else."""
    untold = FLAWLESS | {"cut": seen(1000, unanswered=1)}
    assert words_of(NAIVE, untold, "none")["outcomes"] == "not each"
    assert words_of(NAIVE, FLAWLESS, "none")["outcomes"] == "each"
    stuck = FLAWLESS | {"no_json": seen(answers={}, unanswered=10, endings=GIVEN_UP)}
    assert words_of(NAIVE, stuck, "none")["outcomes"] == "each"
    assert words_of(CALLED, FLAWLESS, "none")["outcomes"] == "to its caller"


def test_every_gap_is_a_sentence() -> None:
    """Who reads only the list below the tables knows what was seen."""
    trials = {
        "repeats": seen(100, {}, unanswered=100, endings=GIVEN_UP, said="UniqueViolationError"),
        "conflicts": seen(answers={"posted": 10}),
        "uncovered": seen(uncovered=10),
        "no_json": seen(endings=1, said="JSONDecodeError"),
        "cut": seen(1000, lost=2, unanswered=3),
        "killed": seen(1000, moved_twice=4, unexplained=6, told_otherwise=5),
    }

    assert gaps_of(NAIVE, trials) == [
        UNANSWERED,
        "a known id with another amount: 10 of 10 were told 'posted'",
        "a payment without funds: 10 of 10 were posted",
        NO_JSON,
        "database connections cut three times: 2 of 1,000 were never posted",
        "database connections cut three times: 1 of 1,000 were posted, and nobody was told",
        "kill -9 in the middle: 4 postings too many",
        "kill -9 in the middle: 6 balances that nothing written explains",
        "kill -9 in the middle: 5 outcomes that came again said something else",
        *NAIVE.lacks,
    ]


def test_what_callers_must_do_themselves_is_said() -> None:
    """A caller has an error, and asks again; that is no loss, and no answer."""
    trials = {
        "cut": seen(1000, lost=24, unanswered=24),
        "killed": seen(1000, {"repeat": 300, "posted": 700}, lost_unless_asked_again=700),
    }

    assert {words_of(CALLED, trials, "none")[name] for name in trials} == {"caller asks again"}
    assert gaps_of(CALLED, trials)[:2] == [
        CUT,
        "kill -9 in the middle: 700 of 1,000 were not posted until a caller asked for them again",
    ]


def test_a_line_tells_what_came_and_no_zero() -> None:
    """While it runs, people see what happened."""
    assert line_of(seen(endings=2, lost=1, back_after_s=6.25)) == (
        "10 posted; 1 never posted; 2 times ended by itself; back after 6.2 s"
    )
    assert line_of(seen(answers={})) == "no answer"


def test_every_system_says_what_it_is() -> None:
    """Names are unique, and only the product has nothing that it lacks."""
    assert len(set(NAMES)) == len(SYSTEMS)
    assert [system.name for system in SYSTEMS if not system.lacks] == ["product"]
    assert all(system.what for system in SYSTEMS)


def test_the_last_words_are_the_last_error_that_a_log_names() -> None:
    """People read what went wrong, not where in which package, and no half words."""
    log = (
        "Traceback (most recent call last):\n  raise Error(x)\n"
        "asyncpg.exceptions.UniqueViolationError: duplicate key value violates unique constraint "
        '"payments_pkey" of a table\nDETAIL:  Key (transaction_id)=(7) already exists.\n\n'
    )

    assert last_words(log) == (
        "UniqueViolationError: duplicate key value violates unique constraint …"
    )
    assert last_words("killed\n\n") == "killed"
    assert last_words("") == "it said nothing"
