"""
The result of a load as its readers know it.

All parts but profile, verdict and figures may be missing: results of older harnesses lack some,
and not every load has all of them. Fields that are unknown here are passed over.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from loadtest.errors import LoadTestError

FORMAT: Final = 1
"""The newest form of a result that is understood; results without a format are older."""

RESULT_BYTES_MAX: Final = 512 * 1024 * 1024


class ResultError(LoadTestError):
    """A file that can't be read as a result; the message is one line that says why."""


class Bound(msgspec.Struct, frozen=True):
    """A threshold as the profile has it, and whether it held."""

    threshold: str
    holds: bool


class Second(msgspec.Struct, frozen=True):
    """
    How far a load was at `at_s` of its schedule, and the latencies of what was answered since the
    row before.

    `sent`, `answered` and `late` count from the beginning; `in_flight` is the lag.
    """

    at_s: float
    meant_per_second: float | None = None
    answered_per_second: float | None = None
    sent: float | None = None
    answered: float | None = None
    in_flight: float | None = None
    late: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None
    max_ms: float | None = None
    outcomes: dict[str, float] = {}


class Sample(msgspec.Struct, frozen=True):
    """What a process used around `at_s`: CPU in percent of one core, memory in MiB."""

    at_s: float
    cpu_percent: float | None = None
    memory_mib: float | None = None


class Mark(msgspec.Struct, frozen=True):
    """
    Something that was done to the system. Times are seconds of the schedule.

    `until_s` is None where it did not end, and missing where it was a matter of a moment.
    `recovered_s` are the seconds from its end until latencies were good again: None where that was
    not seen, missing where nothing was to recover from.
    """

    what: str
    at_s: float
    until_s: float | msgspec.UnsetType | None = msgspec.UNSET
    recovered_s: float | msgspec.UnsetType | None = msgspec.UNSET


class Step(msgspec.Struct, frozen=True):
    """A step of a ramp: the rate that was meant, what came of it, and whether it was kept up."""

    per_second: float
    answered_per_second: float
    p99_ms: float | None
    holds: bool


class Histogram(msgspec.Struct, frozen=True):
    """Latencies after the warm-up: pairs of a percentile and the ms that it stayed within."""

    percentiles: tuple[tuple[float, float], ...] = ()


class Proof(msgspec.Struct, frozen=True):
    """Whether the books prove, each difference in a line, and how much was looked at."""

    holds: bool
    lines: tuple[str, ...] = ()
    checked: dict[str, int] = {}


class Head(msgspec.Struct, frozen=True):
    """A result without its course over time: all that a comparison needs, and quick to read."""

    profile: str
    verdict: str
    figures: dict[str, float | None]
    format: int = FORMAT
    title: str = ""
    thresholds: tuple[Bound, ...] = ()
    started_at: str | None = None
    finished_at: str | None = None
    configuration: dict[str, Any] = {}
    counts: dict[str, Any] = {}
    outcomes: dict[str, int] = {}
    histogram: Histogram = Histogram()
    proof: Proof | None = None
    faults: Any = None
    """What a proof found, in results from before `proof`."""

    generators: tuple[dict[str, Any], ...] = ()
    """What each sender and reader did and used, in the order of their shares."""

    machine: dict[str, Any] = {}
    versions: dict[str, Any] = {}
    durability: dict[str, Any] = {}
    fdatasync_ms: float | None = None

    @property
    def is_void(self) -> bool:
        """Whether its figures say nothing."""
        return self.verdict not in {"passed", "threshold"}

    @property
    def has_agents(self) -> bool:
        """Whether machines of their own have sent the load."""
        return any("agent" in one for one in self.generators)

    @property
    def headline(self) -> str:
        """Say in a line what the load was for."""
        return self.title or str(self.configuration.get("title", ""))

    @property
    def proven(self) -> Proof | None:
        """The proof, also where the result is from before there was one in it."""
        if self.proof is not None or not isinstance(self.faults, list):
            return self.proof
        return Proof(not self.faults, tuple(str(line) for line in self.faults))

    def percentile_ms(self, percent: float) -> float | None:
        """Give the latency that so many percent stayed within; None where it was not kept."""
        return dict(self.histogram.percentiles).get(percent)


class Result(Head, frozen=True):
    """A whole result."""

    series: tuple[Second, ...] = ()
    processes: dict[str, tuple[Sample, ...]] = {}
    marks: tuple[Mark, ...] = ()
    steps: tuple[Step, ...] = ()
    schedule: tuple[dict[str, Any], ...] = ()
    """The stages as they were sent; results that lack them have those of the configuration."""

    @property
    def lasted_s(self) -> float:
        """How long it was followed, in seconds of its schedule."""
        ends = [row.at_s for row in self.series[-1:]]
        ends += [samples[-1].at_s for samples in self.processes.values() if samples]
        return max(ends, default=0.0)

    @property
    def warm_up_s(self) -> float:
        """How long the stages are that come first and are left out of the figures."""
        total = 0.0
        for stage in self.schedule or self.configuration.get("stages") or ():
            if not isinstance(stage, dict) or not stage.get("warm_up"):
                break
            total += float(stage.get("seconds", 0.0))
        return total


class _Format(msgspec.Struct):
    format: int = FORMAT


_Any = TypeVar("_Any", bound=Head)


def read(path: Path) -> Result:
    """Read a whole result. Raises ResultError."""
    return decoded(_bytes_of(path), path.name, Result)


def read_head(path: Path) -> Head:
    """Read a result without its course over time. Raises ResultError."""
    return decoded(_bytes_of(path), path.name, Head)


def decoded(content: bytes, name: str, kind: type[_Any]) -> _Any:
    """Read a result from its bytes; `name` is what people call it. Raises ResultError."""
    try:
        form = msgspec.json.decode(content, type=_Format).format
    except msgspec.DecodeError as error:
        raise ResultError(f"{name}: not the result of a load: {error}") from error
    if form > FORMAT:
        raise ResultError(
            f"{name}: its format {form} is newer than this harness, which reads up to {FORMAT}"
        )
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.DecodeError as error:
        raise ResultError(f"{name}: not the result of a load: {error}") from error


def _bytes_of(path: Path) -> bytes:
    try:
        if path.stat().st_size > RESULT_BYTES_MAX:
            raise ResultError(f"{path.name}: larger than {RESULT_BYTES_MAX:,} bytes")
        return path.read_bytes()
    except OSError as error:
        raise ResultError(f"{path}: {error.strerror or error}") from error
