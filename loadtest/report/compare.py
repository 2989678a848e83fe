"""Two results side by side: what was different, what changed, and whether it is noise. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median
from typing import Any, Final, Literal, NamedTuple

import msgspec

from loadtest.report.noise import RUNS_MAX, Shift, shift
from loadtest.report.result import Head

GIBIBYTE: Final = 1024**3
NOT_OF_THE_LOAD: Final = ("title", "thresholds")
"""Of a configuration: they say what is made of a run, not what is run."""

NOT_OF_THE_MACHINE: Final = ("busy_before_percent",)
PERCENTILES: Final = (50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9, 99.99, 99.999, 100.0)
MORE_IS_BETTER: Final = "_per_second"
"""The end of the names of figures of which more is better; of all others less is."""

Of = Callable[[Head], float | None]
"""What is taken of a result."""

Judgement = Literal["better", "worse", "noise", "too few runs", "not measured"]


class Difference(msgspec.Struct, frozen=True):
    """Something that was not the same in both runs."""

    part: str
    what: str
    a: Any
    b: Any


class Change(msgspec.Struct, frozen=True):
    """
    A figure in both results, and in the runs like each.

    Changes are in percent of A. `runs_change_percent` is that of B's runs to A's, which lies
    between `low_percent` and `high_percent`; `chance` is how often chance makes as much.
    """

    figure: str
    a: float | None
    b: float | None
    change_percent: float | None
    judged: Judgement
    median_a: float | None = None
    median_b: float | None = None
    runs_change_percent: float | None = None
    low_percent: float | None = None
    high_percent: float | None = None
    chance: float | None = None


class Comparison(msgspec.Struct, frozen=True):
    """All that two results say of each other, judged by so many runs like A and like B."""

    differences: tuple[Difference, ...]
    is_rerun: bool
    runs_a: int
    runs_b: int
    figures: tuple[Change, ...]
    percentiles: tuple[Change, ...]


def compare(a: Head, b: Head, history: Sequence[Head]) -> Comparison:
    """Compare two results; the noise is that of the runs of the history that are like them."""
    is_rerun = likeness(a) == likeness(b)
    every = [*history, a, b]
    sides = _Sides(a, b, alike(a, every), alike(b, every), is_rerun)
    names = [
        name
        for name in dict.fromkeys([*a.figures, *b.figures])
        if a.figures.get(name) is not None or b.figures.get(name) is not None
    ]
    percents = [
        percent
        for percent in PERCENTILES
        if a.percentile_ms(percent) is not None or b.percentile_ms(percent) is not None
    ]
    return Comparison(
        differences=tuple(differences(a, b)),
        is_rerun=is_rerun,
        runs_a=len(sides.like_a),
        runs_b=len(sides.like_b),
        figures=tuple(_change(name, _figure(name), sides) for name in names),
        percentiles=tuple(_change(f"p{one:g}_ms", _percentile(one), sides) for one in percents),
    )


class _Sides(NamedTuple):
    a: Head
    b: Head
    like_a: Sequence[Head]
    like_b: Sequence[Head]
    is_rerun: bool


def likeness(head: Head) -> str:
    """Write down all that must be the same for two runs to be alike."""
    parts = [head.profile, *(own for _, own in _parts(head))]
    return json.dumps(parts, sort_keys=True, default=str)


def alike(head: Head, history: Sequence[Head]) -> list[Head]:
    """Choose the newest runs that are like a result; none that is void, and none twice."""
    own = likeness(head)
    found = {one.finished_at: one for one in history if likeness(one) == own}
    valid = sorted(
        (one for one in found.values() if not one.is_void), key=lambda one: one.finished_at or ""
    )
    return valid[-RUNS_MAX:]


def differences(a: Head, b: Head) -> Iterator[Difference]:
    """Name all that was not the same in both runs."""
    if a.profile != b.profile:
        yield Difference("profile", "name", a.profile, b.profile)
    for (part, own), (_, others) in zip(_parts(a), _parts(b), strict=True):
        first, second = dict(_flat(own)), dict(_flat(others))
        for what in dict.fromkeys([*first, *second]):
            if first.get(what) != second.get(what):
                yield Difference(part, what, first.get(what), second.get(what))


def _parts(head: Head) -> list[tuple[str, Mapping[str, Any]]]:
    machine = _without(head.machine, NOT_OF_THE_MACHINE)
    if isinstance(memory := machine.pop("memory_bytes", None), int | float):
        # Kernels tell a few pages more or less from one start to the next.
        machine["memory_gib"] = round(memory / GIBIBYTE)
    senders = {"count": max(1, len(head.generators)), "are_agents": head.has_agents}
    return [
        ("configuration", _without(head.configuration, NOT_OF_THE_LOAD)),
        ("generators", senders),
        ("versions", head.versions),
        ("machine", machine),
        ("durability", head.durability),
    ]


def _without(facts: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if name not in names}


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Give all values that are within others, by their path: `stages[0].per_second`."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _flat(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
        for place, inner in enumerate(value):
            yield from _flat(inner, f"{path}[{place}]")
    else:
        yield path, value


def _figure(name: str) -> Of:
    return lambda head: head.figures.get(name)


def _percentile(percent: float) -> Of:
    return lambda head: head.percentile_ms(percent)


def _change(name: str, of: Of, sides: _Sides) -> Change:
    first, second = of(sides.a), of(sides.b)
    before, after = _each(sides.like_a, of), _each(sides.like_b, of)
    is_measured = first is not None and second is not None
    # Between runs that are alike nothing is to be found out: whatever differs is noise.
    found = Shift("noise") if sides.is_rerun else shift(before, after)
    return Change(
        figure=name,
        a=first,
        b=second,
        change_percent=_percent(first, second),
        judged=_judged(name, found) if is_measured else "not measured",
        median_a=median(before) if before else None,
        median_b=median(after) if after else None,
        runs_change_percent=_as_change(found.ratio),
        low_percent=_as_change(found.low),
        high_percent=_as_change(found.high),
        chance=found.p,
    )


def _each(heads: Sequence[Head], of: Of) -> list[float]:
    return [value for value in map(of, heads) if value is not None]


def _judged(name: str, found: Shift) -> Judgement:
    match found.judged:
        case "noise" | "too few runs":
            return found.judged
        case "higher" | "lower":
            is_better = (found.judged == "higher") == name.endswith(MORE_IS_BETTER)
            return "better" if is_better else "worse"


def _percent(before: float | None, after: float | None) -> float | None:
    return None if not before or after is None else _as_change(after / before)


def _as_change(ratio: float | None) -> float | None:
    return None if ratio is None else round(100 * (ratio - 1), 2)
