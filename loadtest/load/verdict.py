"""What a run was worth. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum

from loadtest.load.profile import Threshold

LATE_PERCENT_MAX = 1.0
"""
A run in which the sender was late more often has measured its own sender: it says nothing. What the
broker held up is the system's doing: its latency, which counts from when it was due, tells.
"""


class Verdict(IntEnum):
    """What a run was worth: the exit status of the program."""

    PASSED = 0
    THRESHOLD = 1
    PROOF_FAILED = 2
    INVALID = 3
    NOT_RUN = 4

    @property
    def said(self) -> str:
        """Say it to people."""
        return {
            Verdict.PASSED: "passed: the books prove, and every threshold holds",
            Verdict.THRESHOLD: "failed: a threshold does not hold",
            Verdict.PROOF_FAILED: "failed: the books do not prove, so the figures are void",
            Verdict.INVALID: "invalid: interrupted or sent too late, so the figures are void",
            Verdict.NOT_RUN: "not run",
        }[self]


def verdict_of(
    figures: Mapping[str, float | None],
    bounds: Sequence[Threshold],
    faults: Sequence[str],
    *,
    is_interrupted: bool = False,
) -> Verdict:
    """Judge a run: money first, then whether it was one, then what it was to reach."""
    if faults:
        return Verdict.PROOF_FAILED
    if is_interrupted or (figures["late_sends_percent"] or 0.0) > LATE_PERCENT_MAX:
        return Verdict.INVALID
    holds = all(bound.holds(figures) for bound in bounds)
    return Verdict.PASSED if holds else Verdict.THRESHOLD
