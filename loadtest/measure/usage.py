"""What processes use: CPU time and memory, as the kernel counts them."""

from __future__ import annotations

from typing import NamedTuple

import psutil

MICROSECONDS = 1_000_000


class Usage(NamedTuple):
    """CPU seconds used so far; None where a server is not this run's own."""

    worker_s: float
    postgres_s: float | None
    broker_s: float | None

    def per_payment_us(self, before: Usage, payments: int) -> dict[str, float | None]:
        """Give the CPU microseconds per payment since `before`."""
        return {
            name.removesuffix("_s"): None
            if now is None or then is None
            else round((now - then) / payments * MICROSECONDS, 2)
            for name, now, then in zip(self._fields, self, before, strict=True)
        }


class Processes(NamedTuple):
    """Process ids of what is measured."""

    worker: int
    postgres: int | None
    broker: int | None

    def usage(self) -> Usage:
        """Read how much CPU each has used so far."""
        return Usage(
            cpu_seconds(self.worker),
            None if self.postgres is None else cpu_seconds(self.postgres),
            None if self.broker is None else cpu_seconds(self.broker),
        )


def cpu_seconds(pid: int) -> float:
    """Give the CPU seconds of a process and all its children, of those that have ended too."""
    process = psutil.Process(pid)
    times = process.cpu_times()
    total = times.user + times.system + times.children_user + times.children_system
    for child in process.children(recursive=True):
        try:
            times = child.cpu_times()
        except psutil.NoSuchProcess:
            continue  # it has just ended; its parent counts it
        total += times.user + times.system
    return float(total)


def peak_memory_bytes(pid: int) -> int:
    """Give the largest resident set that a process ever had."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:  # noqa: PTH123 - no file of ours
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    raise ProcessLookupError(f"process {pid} tells no peak memory")
