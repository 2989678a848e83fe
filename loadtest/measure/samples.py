"""What each process of a run uses, second by second."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import psutil

MEBIBYTE = 1024 * 1024


class Sample(NamedTuple):
    """CPU since the sample before (100 is one core) and memory now, of a process with children."""

    at_s: float
    cpu_percent: float
    memory_mib: float


class Samples:
    """Samples by the names of processes, which may come, go and come again under other ids."""

    def __init__(self) -> None:
        self.series: dict[str, list[Sample]] = {}
        self._before: dict[int, tuple[float, float]] = {}

    def take(self, at_s: float, pids: Mapping[str, int]) -> None:
        """Take a sample of each process; one that was not there before has none yet."""
        before, self._before = self._before, {}
        children = _children()
        for name, pid in pids.items():
            try:
                used_s, memory = _usage(pid, children)
            except psutil.NoSuchProcess:
                continue  # it has just ended
            now = time.monotonic()
            self._before[pid] = (now, used_s)
            if pid not in before:
                continue
            then, used_before_s = before[pid]
            percent = max(0.0, 100 * (used_s - used_before_s) / (now - then))
            sample = Sample(round(at_s, 1), round(percent, 1), round(memory / MEBIBYTE, 1))
            self.series.setdefault(name, []).append(sample)

    def shown(self) -> dict[str, list[dict[str, float]]]:
        """Give all samples as a result has them."""
        return {name: [one._asdict() for one in samples] for name, samples in self.series.items()}


def _usage(pid: int, children: Mapping[int, list[int]]) -> tuple[float, int]:
    """Give CPU seconds, those of ended children too, and memory, of which shared counts once."""
    used_s, own, shared = 0.0, 0, 0
    for number, one in enumerate(_family(pid, children)):
        try:
            process = psutil.Process(one)
            times, memory = process.cpu_times(), process.memory_info()
        except psutil.NoSuchProcess:
            if number == 0:
                raise
            continue  # a child has just ended; its parent counts it
        used_s += times.user + times.system
        if number == 0:
            used_s += times.children_user + times.children_system
        own += memory.rss - memory.shared
        shared = max(shared, memory.shared)
    return used_s, own + shared


def _family(pid: int, children: Mapping[int, list[int]]) -> Iterator[int]:
    yield pid
    for child in children.get(pid, ()):
        yield from _family(child, children)


def _children() -> dict[int, list[int]]:
    """Find the children of all processes at once: looking for those of each takes long."""
    found = defaultdict(list)
    for process in psutil.process_iter(["ppid"]):
        found[process.info["ppid"]].append(process.pid)
    return found
