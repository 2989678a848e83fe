"""The verdict of a result in words, with why. Pure."""

from __future__ import annotations

from typing import Final, NamedTuple

from loadtest.report.result import Bound, Head
from loadtest.report.wording import bound_in_words, number, wording

WORDS: Final = {
    "passed": ("Passed", "good"),
    "threshold": ("Threshold missed", "bad"),
    "proof_failed": ("Proof failed", "bad"),
    "invalid": ("Invalid", "void"),
}


class Judgement(NamedTuple):
    """A verdict: a word, how it looks (`good`, `bad`, `void`), and why it is so, a line each."""

    word: str
    look: str
    reasons: tuple[str, ...]


def judgement(result: Head) -> Judgement:
    """Say what a run was worth, and why."""
    word, look = WORDS.get(result.verdict, (result.verdict.replace("_", " ").capitalize(), "void"))
    reasons = {
        "passed": _passed,
        "threshold": _missed,
        "proof_failed": _not_proven,
        "invalid": _invalid,
    }.get(result.verdict, _unknown)(result)
    return Judgement(word, look, tuple(reasons))


def _passed(result: Head) -> list[str]:
    held = len(result.thresholds)
    if not held:
        return ["The books prove. No threshold was set."]
    every = "the threshold holds" if held == 1 else f"all {held} thresholds hold"
    return [f"The books prove, and {every}."]


def _missed(result: Head) -> list[str]:
    found = [_miss(bound, result) for bound in result.thresholds if not bound.holds]
    if result.proven is not None and result.proven.holds:
        found.append("The books prove.")
    return found


def _miss(bound: Bound, result: Head) -> str:
    words = bound_in_words(bound.threshold)
    if words is None:
        return f"{bound.threshold} does not hold."
    name, sign, limit = words
    figure = bound.threshold.split()[0]
    value = result.figures.get(figure)
    if value is None:
        return f"{name.name} was not measured; {sign} {name.say(limit)} was asked for."
    return f"{name.name} is {name.say(value)}; {sign} {name.say(limit)} was asked for."


def _not_proven(result: Head) -> list[str]:
    lines = () if result.proven is None else result.proven.lines
    many = f"{len(lines):,} differences" if len(lines) != 1 else "1 difference"
    return [f"The books do not prove: {many}. The figures are void."]


def _invalid(result: Head) -> list[str]:
    if result.counts.get("is_interrupted"):
        return ["It was interrupted. The figures are void."]
    late = result.figures.get("late_sends_percent")
    if late:
        return [
            f"{number(late)} % of the commands were sent late: the sender did not keep up.",
            "The figures are void.",
        ]
    return ["The run did not keep to its schedule. The figures are void."]


def _unknown(_result: Head) -> list[str]:
    return ["A verdict that this harness does not know."]


class FigureRow(NamedTuple):
    """A figure for people: its name, its value, its threshold, and whether that holds."""

    name: str
    value: str
    limit: str = ""
    holds: bool | None = None


def figure_rows(result: Head) -> list[FigureRow]:
    """Give each figure that was measured or bounded, once for each threshold that it has."""
    found = []
    for figure, value in result.figures.items():
        words = wording(figure)
        own = [one for one in result.thresholds if one.threshold.split()[:1] == [figure]]
        if not own and value is not None:
            found.append(FigureRow(words.name, words.say(value)))
        for bound in own:
            said = bound_in_words(bound.threshold)
            limit = bound.threshold if said is None else f"{said[1]} {said[0].say(said[2])}"
            found.append(FigureRow(words.name, words.say(value), limit, bound.holds))
    return found
