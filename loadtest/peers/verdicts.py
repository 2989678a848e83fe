"""What the demonstrations mean: a word for the table, a sentence for each gap. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from loadtest.peers.demonstrations import RESTARTS_MAX
from loadtest.peers.seen import Seen
from loadtest.peers.systems import System

NOT_SHOWN: Final = "-"
CALLER: Final = "caller asks again"
DEMONSTRATED: Final = {
    "repeats": "the same again",
    "conflicts": "the same id, another amount",
    "uncovered": "no funds",
    "no_json": "no JSON",
    "cut": "connections cut",
    "killed": "kill -9",
    "outcomes": "an outcome for each",
    "proof": "proof of its books",
}
"""The rows of the table, in its order."""


def words_of(system: System, trials: Mapping[str, Seen], proof: str) -> dict[str, str]:
    """Give a word or two for each row of the table."""
    judged = {
        "repeats": _repeats,
        "conflicts": _conflicts,
        "uncovered": _uncovered,
        "no_json": _no_json,
        "cut": _cut,
        "killed": _killed,
    }
    found = {
        name: judge(trials[name]) if name in trials else NOT_SHOWN for name, judge in judged.items()
    }
    if system.is_called and "cut" in trials and trials["cut"].unanswered:
        found["cut"] = CALLER
    return found | {"outcomes": _outcomes(system, trials), "proof": proof}


def _repeats(seen: Seen) -> str:
    if seen.moved_twice or seen.unexplained:
        return f"{seen.moved_twice or seen.unexplained:,} moved twice"
    if seen.unanswered:
        return _silent(seen)
    return "told, marked" if all("repeat" in word for word in seen.answers) else "told, unmarked"


def _conflicts(seen: Seen) -> str:
    if seen.unexplained:
        return "moves money"
    return _silent(seen) if seen.unanswered else f"told {_most(seen)}"


def _uncovered(seen: Seen) -> str:
    if seen.uncovered:
        return f"{seen.uncovered:,} posted"
    if seen.unanswered:
        return _silent(seen)
    return "refused, why" if "insufficient_funds" in _most(seen) else "refused"


def _no_json(seen: Seen) -> str:
    if seen.unanswered:
        return _silent(seen)
    if seen.dead_letters:
        return "dead letter"
    return "ends, then gone" if seen.endings else "gone"


def _cut(seen: Seen) -> str:
    if seen.moved_twice or seen.unexplained:
        return f"{seen.moved_twice or seen.unexplained:,} moved twice"
    if seen.lost:
        return f"{seen.lost:,} lost"
    return f"{seen.unanswered:,} untold" if seen.unanswered else "all posted"


def _killed(seen: Seen) -> str:
    if _is_stuck(seen):
        return _silent(seen)
    return CALLER if seen.lost_unless_asked_again else _cut(seen)


def _outcomes(system: System, trials: Mapping[str, Seen]) -> str:
    if system.is_called:
        return "to its caller"
    if not trials:
        return NOT_SHOWN
    # Where it stands still its next outcome is missing anyway: that has a word of its own.
    untold = any(seen.unanswered and not _is_stuck(seen) for seen in trials.values())
    return "not each" if untold else "each"


def _silent(seen: Seen) -> str:
    return "stops" if _is_stuck(seen) else f"{seen.unanswered:,} untold"


def _is_stuck(seen: Seen) -> bool:
    """Say whether it was given up: started again, it ended again, and again."""
    return seen.endings > RESTARTS_MAX


def _most(seen: Seen) -> str:
    return max(seen.answers, key=lambda word: seen.answers[word], default="nothing")


def gaps_of(system: System, trials: Mapping[str, Seen]) -> list[str]:
    """Say what a system does not do: first what was seen, then what it has no place for."""
    sentences = {
        "repeats": _repeats_gaps,
        "conflicts": _conflicts_gaps,
        "uncovered": _uncovered_gaps,
        "no_json": _no_json_gaps,
        "cut": _struck_gaps,
        "killed": _struck_gaps,
    }
    what = {
        "repeats": "the same message again",
        "conflicts": "a known id with another amount",
        "uncovered": "a payment without funds",
        "no_json": "a message that is no JSON",
        "cut": "database connections cut three times",
        "killed": "kill -9 in the middle",
    }
    found = [
        f"{what[name]}: {sentence}"
        for name, tell in sentences.items()
        if name in trials
        for sentence in tell(system, trials[name])
    ]
    return [*found, *system.lacks]


def _repeats_gaps(_: System, seen: Seen) -> Iterator[str]:
    yield from _books_gaps(seen)
    if seen.unanswered:
        yield _untold(seen)


def _conflicts_gaps(system: System, seen: Seen) -> Iterator[str]:
    yield from _repeats_gaps(system, seen)
    wrong = {word: count for word, count in seen.answers.items() if word != "conflict"}
    for word, count in wrong.items():
        yield f"{count:,} of {seen.asked:,} were told {word!r}"


def _uncovered_gaps(system: System, seen: Seen) -> Iterator[str]:
    yield from _repeats_gaps(system, seen)
    if seen.uncovered:
        yield f"{seen.uncovered:,} of {seen.asked:,} were posted"


def _no_json_gaps(_: System, seen: Seen) -> Iterator[str]:
    if seen.unanswered:
        yield _untold(seen)
    elif not seen.dead_letters:
        ended = f"it ended ({seen.said}), and " if seen.endings else ""
        yield f"{ended}nothing keeps the message, and nobody is told"


def _struck_gaps(system: System, seen: Seen) -> Iterator[str]:
    yield from _books_gaps(seen)
    again = " (its caller has an error, and must ask again)" if system.is_called else ""
    if _is_stuck(seen):
        yield _untold(seen)
        return
    if seen.lost:
        yield f"{seen.lost:,} of {seen.asked:,} were never posted{again}"
    untold = seen.unanswered - seen.lost
    if untold > 0:
        yield f"{untold:,} of {seen.asked:,} were posted, and nobody was told"
    if seen.lost_unless_asked_again:
        yield (
            f"{seen.lost_unless_asked_again:,} of {seen.asked:,} were not posted until a caller"
            " asked for them again"
        )


def _books_gaps(seen: Seen) -> Iterator[str]:
    if seen.moved_twice:
        yield f"{seen.moved_twice:,} postings too many"
    if seen.unexplained:
        yield f"{seen.unexplained:,} balances that nothing written explains"
    if seen.told_otherwise:
        yield f"{seen.told_otherwise:,} outcomes that came again said something else"


def _untold(seen: Seen) -> str:
    ended = f"it ended {seen.endings} times ({seen.said}) and was left so; "
    return f"{ended if _is_stuck(seen) else ''}{seen.unanswered:,} of {seen.asked:,} got no answer"
