"""What came of each demonstration, counted. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """
    What came of `asked` orders, by what a reader of the outcomes was told and by the books.

    `answers` counts what was told, `unanswered` those that were told nothing, `told_again` outcomes
    beyond one for each, and `told_otherwise` those among them that differ from the others.
    `lost` should have been posted and were not, `moved_twice` are postings beyond one for each,
    `uncovered` were posted and should not have been; `unexplained` counts balances that nothing
    written explains. `lost_unless_asked_again` were posted once a caller asked for all of them
    again. `endings` is how often the process ended by itself, `said` its last words the first time;
    `back_after_s` the time from a kill to the next answer.
    """

    asked: int
    answers: dict[str, int]
    unanswered: int = 0
    told_again: int = 0
    told_otherwise: int = 0
    lost: int = 0
    moved_twice: int = 0
    uncovered: int = 0
    unexplained: int = 0
    dead_letters: int = 0
    endings: int = 0
    said: str = ""
    back_after_s: float | None = None
    lost_unless_asked_again: int = 0


def word_of(outcome: Mapping[str, Any]) -> str:
    """Say in a word or two what an outcome tells."""
    word = str(outcome.get("outcome"))
    if outcome.get("repeat"):
        return f"{word}, repeat"
    reason = outcome.get("reason")
    return f"{word}: {reason}" if reason else word


def of_answers(
    wanted: Mapping[str, bool], told: Sequence[Mapping[str, Any]], posted: Mapping[str, int]
) -> Seen:
    """
    Count what came of orders. `wanted` says of each id whether it should be posted (now or before),
    `told` are the outcomes that came, `posted` how often each id stands in the books.
    """
    answered = Counter(str(one.get("transaction_id")) for one in told)
    different = {(str(one.get("transaction_id")), repr(sorted(one.items()))) for one in told}
    return Seen(
        asked=len(wanted),
        answers=dict(Counter(map(word_of, told))),
        unanswered=len(wanted.keys() - answered.keys()),
        told_again=sum(times - 1 for times in answered.values()),
        told_otherwise=len(different) - len(answered),
        lost=sum(should and not posted.get(id_) for id_, should in wanted.items()),
        moved_twice=sum(max(0, posted.get(id_, 0) - 1) for id_ in wanted),
        uncovered=sum(bool(posted.get(id_)) for id_, should in wanted.items() if not should),
    )


def line_of(seen: Seen) -> str:
    """Write it as a line: what was answered, and each count that is not zero."""
    answers = ", ".join(f"{count:,} {word}" for word, count in seen.answers.items())
    counts = {
        "unanswered": seen.unanswered,
        "told again": seen.told_again,
        "told otherwise": seen.told_otherwise,
        "never posted": seen.lost,
        "posted twice": seen.moved_twice,
        "posted without funds": seen.uncovered,
        "balances unexplained": seen.unexplained,
        "dead letters": seen.dead_letters,
        "times ended by itself": seen.endings,
        "never posted unless asked again": seen.lost_unless_asked_again,
    }
    others = [f"{count:,} {what}" for what, count in counts.items() if count]
    back = [] if seen.back_after_s is None else [f"back after {seen.back_after_s:.1f} s"]
    return "; ".join([answers or "no answer", *others, *back])
