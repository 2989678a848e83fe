"""What is run, and how much of it: read from the environment, checked once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

SUITES = "python-"
"""The steps of this name run the tests on one Python each, as `python-3.12`."""

STEPS = ("variants", "seeds", "repetitions", "soak")


class PlanError(Exception):
    """A setting that can't be; the message is one line."""


class Plan(NamedTuple):
    """
    How much is run. `steps` is empty where all of them are.

    `scale` is the length of the sample that each variant gets, `seeds_scale` that of each seed.
    """

    steps: tuple[str, ...] = ()
    scale: float = 0.5
    seeds: int = 5
    seeds_scale: float = 0.2
    soak_payments: int = 3_000_000
    hypothesis_profile: str = "long"

    def has(self, step: str) -> bool:
        """Say whether a step is to be run."""
        return not self.steps or step in self.steps


def read(environment: Mapping[str, str]) -> Plan:
    """Read LONG_STEPS, LONG_SCALE, LONG_SEEDS and LONG_SOAK_PAYMENTS. Raises PlanError."""
    plan = Plan()
    steps = tuple(one.strip() for one in environment.get("LONG_STEPS", "").split(",") if one)
    for step in steps:
        if step not in STEPS and not step.startswith(SUITES):
            raise PlanError(f"LONG_STEPS: {step} is none of {SUITES}3.x, {', '.join(STEPS)}")
    scale = _number(environment, "LONG_SCALE", plan.scale)
    return Plan(
        steps=steps,
        scale=scale,
        seeds=int(_number(environment, "LONG_SEEDS", plan.seeds)),
        seeds_scale=min(scale, plan.seeds_scale),
        soak_payments=int(_number(environment, "LONG_SOAK_PAYMENTS", plan.soak_payments)),
        hypothesis_profile=environment.get("HYPOTHESIS_PROFILE", plan.hypothesis_profile),
    )


def _number(environment: Mapping[str, str], name: str, default: float) -> float:
    try:
        value = float(environment.get(name) or default)
    except ValueError:
        raise PlanError(f"{name} must be a number") from None
    if value <= 0:
        raise PlanError(f"{name} must be above zero")
    return value
