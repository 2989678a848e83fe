"""
What may befall a run, as profiles write it: `[[faults]]`, each at its time. Pure.

Times count from the beginning of the schedule.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from enum import StrEnum
from typing import ClassVar, Final, Literal, get_args

import msgspec

AWAY_S_MAX: Final = 600.0
"""Nothing stays away longer: those who wait for outcomes have a limit too."""

LATENCY_MS_MAX: Final = 10_000


class Server(StrEnum):
    """What can be restarted, slowed down and cut off; the names of the proxy's gates."""

    POSTGRES = "postgres"
    KAFKA = "kafka"


class FaultBase(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"
):
    """Something that happens at a time; `BEGINS` and `ENDS` say it to people."""

    BEGINS: ClassVar[str]
    ENDS: ClassVar[str]

    at_s: float

    @property
    def away_s(self) -> float:
        """How long it lasts, as far as the profile says."""
        return 0.0

    @property
    def begins(self) -> str:
        """Say what begins."""
        return self.BEGINS.format(**msgspec.structs.asdict(self))

    @property
    def ends(self) -> str:
        """Say what ends it."""
        return self.ENDS.format(**msgspec.structs.asdict(self))


class OfWorker(FaultBase, frozen=True, kw_only=True):
    """Befalls one worker, by its number from 1."""

    worker: int

    @property
    def target(self) -> str:
        """Name the worker."""
        return f"worker-{self.worker}"


class KillWorker(OfWorker, frozen=True, kw_only=True, tag="kill_worker"):
    """Ends a worker at once (SIGKILL), and starts it again."""

    BEGINS = "worker {worker} killed"
    ENDS = "worker {worker} started again"

    back_after_s: float = 5.0

    @property
    def away_s(self) -> float:
        """How long it is away."""
        return self.back_after_s


class FreezeWorker(OfWorker, frozen=True, kw_only=True, tag="freeze_worker"):
    """Has a worker stand still (SIGSTOP), and go on (SIGCONT)."""

    BEGINS = "worker {worker} frozen"
    ENDS = "worker {worker} goes on"

    for_s: float

    @property
    def away_s(self) -> float:
        """How long it stands still."""
        return self.for_s


class StopWorker(OfWorker, frozen=True, kw_only=True, tag="stop_worker"):
    """Asks a worker to end, as an operator does."""

    BEGINS = "worker {worker} told to stop"
    ENDS = "worker {worker} has stopped"


class StartWorker(OfWorker, frozen=True, kw_only=True, tag="start_worker"):
    """Starts a worker that does not run, or one more."""

    BEGINS = "worker {worker} started"
    ENDS = "worker {worker} is ready"


class OfServer(FaultBase, frozen=True, kw_only=True):
    """Befalls a server, or the way to it: only one that the run started itself."""

    SERVER: ClassVar[Server]

    @property
    def target(self) -> str:
        """Name the server."""
        return self.SERVER


class Restart(OfServer, frozen=True, kw_only=True):
    """Ends a server, and starts it again on its data and ports."""

    back_after_s: float = 0.0

    @property
    def away_s(self) -> float:
        """How long it is away before it is started again."""
        return self.back_after_s


class RestartBroker(Restart, frozen=True, kw_only=True, tag="restart_broker"):
    """Kafka's broker goes: `kill` at once (SIGKILL), `stop` in order."""

    SERVER = Server.KAFKA
    BEGINS = "Kafka goes ({how})"
    ENDS = "Kafka answers again"

    how: Literal["kill", "stop"] = "kill"


class RestartPostgres(Restart, frozen=True, kw_only=True, tag="restart_postgres"):
    """PostgreSQL goes: `immediate` without a checkpoint, as on a power cut, or `fast`, in order."""

    SERVER = Server.POSTGRES
    BEGINS = "PostgreSQL goes ({how})"
    ENDS = "PostgreSQL answers again"

    how: Literal["immediate", "fast"] = "immediate"


class OfNetwork(OfServer, frozen=True, kw_only=True):
    """Befalls the way of the workers to a server."""

    for_s: float

    @property
    def away_s(self) -> float:
        """How long it lasts."""
        return self.for_s


class Slow(OfNetwork, frozen=True, kw_only=True):
    """Every answer comes so much later."""

    latency_ms: float


class SlowPostgres(Slow, frozen=True, kw_only=True, tag="slow_postgres"):
    """PostgreSQL answers the workers late."""

    SERVER = Server.POSTGRES
    BEGINS = "PostgreSQL {latency_ms:g} ms slower"
    ENDS = "PostgreSQL as fast as before"


class SlowKafka(Slow, frozen=True, kw_only=True, tag="slow_kafka"):
    """Kafka answers the workers late."""

    SERVER = Server.KAFKA
    BEGINS = "Kafka {latency_ms:g} ms slower"
    ENDS = "Kafka as fast as before"


class Cut(OfNetwork, frozen=True, kw_only=True):
    """`reset`: connections break and are refused; `black_hole`: they stay, and nothing passes."""

    how: Literal["reset", "black_hole"] = "reset"


class CutPostgres(Cut, frozen=True, kw_only=True, tag="cut_postgres"):
    """The workers can't reach PostgreSQL."""

    SERVER = Server.POSTGRES
    BEGINS = "PostgreSQL cut off ({how})"
    ENDS = "PostgreSQL within reach again"


class CutKafka(Cut, frozen=True, kw_only=True, tag="cut_kafka"):
    """The workers can't reach Kafka."""

    SERVER = Server.KAFKA
    BEGINS = "Kafka cut off ({how})"
    ENDS = "Kafka within reach again"


Fault = (
    KillWorker
    | FreezeWorker
    | StopWorker
    | StartWorker
    | RestartBroker
    | RestartPostgres
    | SlowPostgres
    | SlowKafka
    | CutPostgres
    | CutKafka
)

KINDS: Final = tuple(str(kind.__struct_config__.tag) for kind in get_args(Fault))


def behind_a_proxy(faults: Sequence[Fault]) -> frozenset[Server]:
    """Say which servers the workers must reach through the proxy."""
    return frozenset(fault.SERVER for fault in faults if isinstance(fault, OfNetwork))


def needs_own_servers(faults: Sequence[Fault]) -> str | None:
    """Say in a line why a run can't take place on servers of others; None: it can."""
    for number, fault in enumerate(faults):
        if isinstance(fault, OfServer):
            return (
                f"faults[{number}] befalls servers ({fault.begins}), which happens to those alone "
                "that the run starts itself: name neither Kafka nor PostgreSQL"
            )
    return None


def wrong(faults: Sequence[Fault], *, workers: int, workers_max: int, seconds: float) -> list[str]:
    """
    Say what is wrong with faults beyond their form, a line each.

    `workers` run at the beginning of a schedule of so many `seconds`.
    """
    found = [
        line
        for number, fault in enumerate(faults)
        for line in _out_of_bounds(f"faults[{number}]", fault, workers_max, seconds)
    ]
    return found or [*_impossible(faults, workers), *_overlapping(faults)]


def _out_of_bounds(where: str, fault: Fault, workers_max: int, seconds: float) -> list[str]:
    found = []
    if not 0 <= fault.away_s <= AWAY_S_MAX:
        found.append(f"{where}: lasts from 0 to {AWAY_S_MAX:.0f} s")
    if not 0 <= fault.at_s < seconds - fault.away_s:
        found.append(f"{where}.at_s: it begins and ends within the {seconds:g} s of the stages")
    if isinstance(fault, OfWorker) and not 1 <= fault.worker <= workers_max:
        found.append(f"{where}.worker: from 1 to {workers_max}")
    if isinstance(fault, Slow) and not 0 < fault.latency_ms <= LATENCY_MS_MAX:
        found.append(f"{where}.latency_ms: above 0, at most {LATENCY_MS_MAX:,}")
    return found


def _in_order(faults: Sequence[Fault]) -> list[tuple[str, Fault]]:
    named = [(f"faults[{number}]", fault) for number, fault in enumerate(faults)]
    return sorted(named, key=lambda one: one[1].at_s)


def _impossible(faults: Sequence[Fault], workers: int) -> list[str]:
    """Follow which workers run: what does not run can't be ended, and in the end one must."""
    found = []
    running = set(range(1, workers + 1))
    away_until: defaultdict[int, float] = defaultdict(float)
    for where, fault in _in_order(faults):
        if not isinstance(fault, OfWorker):
            continue
        worker = fault.worker
        if fault.at_s < away_until[worker]:
            found.append(f"{where}: worker {worker} is away until {away_until[worker]:g} s")
        elif isinstance(fault, StartWorker) == (worker in running):
            state = "runs already" if worker in running else "does not run"
            found.append(f"{where}: worker {worker} {state} at {fault.at_s:g} s")
        away_until[worker] = max(away_until[worker], fault.at_s + fault.away_s)
        if isinstance(fault, StartWorker):
            running.add(worker)
        elif isinstance(fault, StopWorker):
            running.discard(worker)
    if not running:
        found.append("faults: no worker runs in the end, so nothing would be answered")
    return found


def _overlapping(faults: Sequence[Fault]) -> list[str]:
    """One thing at a time befalls a server."""
    found = []
    until: defaultdict[Server, float] = defaultdict(float)
    for where, fault in _in_order(faults):
        if not isinstance(fault, OfServer):
            continue
        if fault.at_s < until[fault.SERVER]:
            earlier = f"what befalls {fault.SERVER} before lasts until {until[fault.SERVER]:g} s"
            found.append(f"{where}: {earlier}")
        until[fault.SERVER] = max(until[fault.SERVER], fault.at_s + fault.away_s)
    return found
