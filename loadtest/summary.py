"""What a person reads at the end of a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from loadtest.proof.turnover import Turnover
from loadtest.proof.verdict import Check, Proof

FAULTS_SHOWN_MAX = 10
LABEL_WIDTH = 40
FIGURE_WIDTH = 12
MONEY_WIDTH = 20


class Summary(msgspec.Struct, frozen=True):
    """A run in figures: the proof, further checks, payments per second in the mix."""

    proof: Proof
    checks: tuple[Check, ...]
    payments_per_second: float

    @property
    def holds(self) -> bool:
        """Whether everything that must hold does."""
        return self.proof.holds and not any(check.faults for check in self.checks)


def render(summary: Summary) -> str:
    """Write the summary as plain lines."""
    proof = summary.proof
    lines = [
        *_figures(proof),
        _figure("payments per second, in the mix", round(summary.payments_per_second)),
        "",
        *_turnovers(proof.turnovers),
        "",
        _offsets(proof),
        "",
    ]
    for check in (*proof.checks, *summary.checks):
        lines += _check(check)
    return "\n".join([*lines, "", _verdict(summary)])


def _figures(proof: Proof) -> Iterator[str]:
    rejected = _those("rejected:", proof.labels)
    yield _figure("commands read", proof.commands)
    yield _figure("posted", proof.labels.get("posted", 0), 1)
    yield _figure("rejected", sum(rejected.values()), 1)
    yield from _reasons(rejected)
    yield _figure("repeats, answered as the first time", proof.labels.get("repeat", 0), 1)
    yield _figure("conflicts", proof.labels.get("conflict", 0), 1)
    yield _figure("dead letters", sum(proof.dead_letters.values()), 1)
    yield from _reasons(proof.dead_letters)
    yield _figure("outcome events", proof.outcome_events)
    if proof.delivered_again:
        yield _figure("outcome events delivered again", proof.delivered_again, 1)


def _offsets(proof: Proof) -> str:
    holes = f"{proof.aborted:,} aborted records + {proof.markers:,} transaction markers"
    return f"{proof.offsets:,} offsets = {proof.commands:,} commands + {holes}"


def _those(prefix: str, labels: Mapping[str, int]) -> dict[str, int]:
    found = {label: count for label, count in labels.items() if label.startswith(prefix)}
    return {label.removeprefix(prefix): count for label, count in found.items()}


def _reasons(counts: Mapping[str, int]) -> Iterator[str]:
    for reason, count in sorted(counts.items()):
        yield _figure(reason, count, 2)


def _figure(label: str, count: int, depth: int = 0) -> str:
    return f"{'  ' * depth + label:<{LABEL_WIDTH}}{count:>{FIGURE_WIDTH},}"


def _turnovers(turnovers: Iterable[Turnover]) -> Iterator[str]:
    yield f"{'':<10}{'debits':>{MONEY_WIDTH}}   {'credits':>{MONEY_WIDTH}}   all balances"
    for one in turnovers:
        places = one.digits
        sign = "=" if one.debits == one.credits else "\u2260"
        yield (
            f"{one.currency:<10}{one.debits:>{MONEY_WIDTH},.{places}f} {sign} "
            f"{one.credits:>{MONEY_WIDTH},.{places}f}   {one.balances:,.{places}f}"
        )


def _check(check: Check) -> list[str]:
    if not check.faults:
        return [f"  ok    {check.title}"]
    shown = check.faults[:FAULTS_SHOWN_MAX]
    lines = [
        f"  FAULT {check.title}: {len(check.faults):,} faults",
        *(f"        {one}" for one in shown),
    ]
    if len(check.faults) > len(shown):
        lines.append(f"        and {len(check.faults) - len(shown):,} more")
    return lines


def _verdict(summary: Summary) -> str:
    if summary.holds:
        return "All of it holds."
    return "NOT ALL OF IT HOLDS."
