"""
Profiles: what a load sends, and what must hold of it, read from TOML. Pure but for the reading.

A profile is a file of `loadtest/profiles/`, known by its name, or any other by its path.
"""

from __future__ import annotations

import operator
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from loadtest.errors import LoadTestError
from loadtest.faults import plan
from loadtest.load.knee import Ramp
from loadtest.load.schedule import Stage
from loadtest.traffic.shape import PLAIN, Traffic

PROFILES: Final = Path(__file__).resolve().parents[1] / "profiles"

PER_SECOND_MAX: Final = 1_000_000
"""More than one generator sends; several share a load."""
SECONDS_MAX: Final = 86_400
ACCOUNTS_MAX: Final = 1_000_000
WORKERS_MAX: Final = 8
"""As many partitions there are, and each has one reader."""

BACKLOG_MAX: Final = 5_000_000
BACKLOG_PER_SECOND: Final = 20_000
"""How fast a backlog is sent: nobody else is busy meanwhile."""

RECOVERED_P99_MS: Final = 250.0

OPERATORS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
    "==": operator.eq,
}
FIGURES: Final[Mapping[str, str]] = {
    "latency_p50_ms": "half of the outcomes came within so many ms of when their command was due",
    "latency_p90_ms": "the same of 90 % of them",
    "latency_p99_ms": "the same of 99 %",
    "latency_p999_ms": "the same of 99.9 %",
    "latency_max_ms": "the same of all of them",
    "worst_stall_ms": "the longest time without an outcome while one was due",
    "answered_per_second": "outcomes per second from the first due time to the last outcome",
    "late_sends_percent": "commands that the sender sent more than 10 ms after they were due",
    "held_up_sends_percent": "those that it had in time, and the broker took so late",
    "worker_cpu_us": "CPU of all workers per command, in microseconds",
    "worker_memory_mib": "the largest resident set of a worker",
    "recovery_worst_s": "the longest time from a fault's end until latencies were good again",
    "knee_per_second": "the highest rate of a ramp at which the system still kept up",
    "drain_s": "from the first worker's being ready until the backlog was answered",
    "drained_per_second": "commands of the backlog per second of that",
}
"""What a threshold may be about."""

_THRESHOLD: Final = re.compile(r"\s*([a-z0-9_]+)\s*(<=|>=|==|<|>)\s*([0-9][0-9_]*(?:\.[0-9]+)?)\s*")


class ProfileError(LoadTestError):
    """A profile that can't be run; the message is one line that says where and why."""


class Threshold(NamedTuple):
    """What must hold of a figure."""

    figure: str
    sign: str
    bound: float

    def holds(self, figures: Mapping[str, float | None]) -> bool:
        """Say whether it holds; of a figure that was not measured it does not."""
        value = figures.get(self.figure)
        return value is not None and OPERATORS[self.sign](value, self.bound)

    def written(self) -> str:
        """Write it as a profile does."""
        return f"{self.figure} {self.sign} {self.bound:g}"


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    A load: its stages in order, the accounts it moves money between, the workers that serve, and
    what befalls them.

    With a `backlog` the workers start when so many commands wait. A `ramp` stands in place of
    stages: its steps are sent until the system falls behind.

    `accounts` counts those of customers; what the traffic needs beside them is opened as well.
    """

    title: str
    stages: tuple[Stage, ...] = ()
    ramp: Ramp | None = None
    accounts: int = 10_000
    workers: int = 1
    seed: int = 1
    traffic: Traffic = PLAIN
    backlog: int = 0
    faults: tuple[plan.Fault, ...] = ()
    recovered_p99_ms: float = RECOVERED_P99_MS
    thresholds: tuple[str, ...] = ()

    @property
    def sent_stages(self) -> tuple[Stage, ...]:
        """
        All stages that are sent: a backlog is one too, before the others and not measured, and so
        are the steps of a ramp.
        """
        if self.ramp is not None:
            return self.ramp.stages()
        if not self.backlog:
            return self.stages
        seconds = self.backlog / BACKLOG_PER_SECOND
        filling = Stage(seconds=seconds, per_second=BACKLOG_PER_SECOND, warm_up=True)
        return (filling, *self.stages)

    def bounds(self) -> list[Threshold]:
        """Give the thresholds as they are meant. Raises ValueError for one that means nothing."""
        return [threshold_of(text) for text in self.thresholds]

    def wrong(self) -> list[str]:
        """Say what is wrong with it beyond its form, a line each."""
        if self.ramp is not None and (wrong := self._wrong_ramp(self.ramp)):
            return wrong
        stages = self.stages or self.sent_stages
        found = [
            line
            for number, stage in enumerate(stages)
            for line in _wrong_stage(f"stages[{number}]", stage)
        ]
        warming = [stage.warm_up for stage in stages]
        if all(warming):
            found.append("stages: at least one must be measured, not all warm up")
        if warming != sorted(warming, reverse=True):
            found.append("stages: those that warm up come first")
        if self.accounts < 2:  # noqa: PLR2004 - money moves between two
            found.append("accounts: at least 2")
        if self.accounts > ACCOUNTS_MAX:
            found.append(f"accounts: at most {ACCOUNTS_MAX:,}")
        if not 1 <= self.workers <= WORKERS_MAX:
            found.append(f"workers: from 1 to {WORKERS_MAX}")
        found += self.traffic.wrong("traffic")
        found += self._wrong_backlog()
        if not self.recovered_p99_ms > 0:
            found.append("recovered_p99_ms: above 0")
        seconds = sum(stage.seconds for stage in stages)
        found += plan.wrong(
            self.faults, workers=self.workers, workers_max=WORKERS_MAX, seconds=seconds
        )
        for number, text in enumerate(self.thresholds):
            try:
                threshold_of(text)
            except ValueError as error:
                found.append(f"thresholds[{number}]: {error}")
        return found

    def _wrong_ramp(self, ramp: Ramp) -> list[str]:
        beside = {"stages": self.stages, "backlog": self.backlog, "faults": self.faults}
        found = [f"ramp: not together with {name}" for name, value in beside.items() if value]
        found += ramp.wrong()
        if ramp.to_per_second > PER_SECOND_MAX:
            found.append(f"ramp.to_per_second: at most {PER_SECOND_MAX:,}")
        return found

    def _wrong_backlog(self) -> list[str]:
        found = []
        if not 0 <= self.backlog <= BACKLOG_MAX:
            found.append(f"backlog: from 0 to {BACKLOG_MAX:,}")
        if self.backlog and any(stage.warm_up for stage in self.stages):
            found.append("backlog: no stage warms up behind it")
        if self.backlog and self.faults:
            found.append("backlog: not together with faults")
        return found


def _wrong_stage(where: str, stage: Stage) -> list[str]:
    found = []
    if not 0 < stage.seconds <= SECONDS_MAX:
        found.append(f"{where}.seconds: above 0, at most {SECONDS_MAX:,}")
    rates = (stage.per_second, stage.last_per_second)
    if min(rates) < 0 or max(rates) > PER_SECOND_MAX:
        found.append(f"{where}.per_second: from 0 to {PER_SECOND_MAX:,}")
    elif not found and stage.commands < 1:
        found.append(f"{where}: not a single command")
    return found


def threshold_of(text: str) -> Threshold:
    """Read `latency_p99_ms <= 250`. Raises ValueError, whose message is for people."""
    match = _THRESHOLD.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not FIGURE SIGN NUMBER, as 'latency_p99_ms <= 250'")
    figure, sign, bound = match.groups()
    if figure not in FIGURES:
        raise ValueError(f"no figure is named {figure!r}; there are {', '.join(FIGURES)}")
    return Threshold(figure, sign, float(bound))


def known() -> dict[str, Profile]:
    """Read all profiles that come with the harness, by name."""
    return {path.stem: read(path) for path in sorted(PROFILES.glob("*.toml"))}


def find(name: str) -> Profile:
    """Read the profile of a name, or the one in a file. Raises ProfileError."""
    own = PROFILES / f"{name}.toml"
    if own.is_file():
        return read(own)
    path = Path(name)
    if path.is_file():
        return read(path)
    names = ", ".join(sorted(one.stem for one in PROFILES.glob("*.toml")))
    raise ProfileError(f"no profile is named {name!r}, nor a file: there are {names}")


def read(path: Path) -> Profile:
    """Read a profile. Raises ProfileError."""
    try:
        document: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        profile = msgspec.convert(document, Profile)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ProfileError(f"{path.name}: {error}") from error
    except msgspec.ValidationError as error:
        raise ProfileError(f"{path.name}: {_said(error)}") from error
    if lines := profile.wrong():
        raise ProfileError(f"{path.name}: {'; '.join(lines)}")
    return profile


def _said(error: msgspec.ValidationError) -> str:
    """Put the place first: `stages[0].seconds: Expected float, got str`."""
    what, _, where = str(error).partition(" - at `")
    place = where.rstrip("`").removeprefix("$").removeprefix(".")
    if place.startswith("faults[") and place.endswith(".kind"):
        what = f"{what}; there are {', '.join(plan.KINDS)}"
    return f"{place}: {what}" if place else what
