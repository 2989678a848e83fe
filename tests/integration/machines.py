"""Machines that a test makes: networks and clocks of their own, on this one."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

LIMIT_S = 30


class Machines:
    """Machines of a network that the test makes: one of the run, and each agent's own."""

    RUN = "10.213.0.1"

    def __init__(self, ends: ExitStack) -> None:
        self._ends = ends
        self._run = f"load-{os.getpid()}"

    def run(self) -> list[str]:
        """Make the machine of the run, and give what starts a program there."""
        self._make(self._run)
        return ["ip", "netns", "exec", self._run]

    def agent(self, number: int, clock_s: int) -> list[str]:
        """Make a machine that reaches the run's, and whose clock is another by so many seconds."""
        own = f"{self._run}-{number}"
        self._make(own)
        near, far = f"run{number}", f"agent{number}"
        self._ip("link", "add", near, "netns", self._run, "type", "veth", "peer", far, "netns", own)
        self._ip("address", "add", f"{self.RUN}/32", "dev", near, of=self._run)
        self._ip("link", "set", near, "up", of=self._run)
        self._ip("route", "add", f"10.213.0.{number + 1}/32", "dev", near, of=self._run)
        self._ip("address", "add", f"10.213.0.{number + 1}/24", "dev", far, of=own)
        self._ip("link", "set", far, "up", of=own)
        clock = ["unshare", "--time", "--fork", "--kill-child", "--monotonic", str(clock_s)]
        return ["ip", "netns", "exec", own, *clock]

    def _make(self, name: str) -> None:
        self._ip("netns", "add", name)
        self._ends.callback(self._ip, "netns", "delete", name)
        self._ip("link", "set", "lo", "up", of=name)

    @staticmethod
    def _ip(*words: str, of: str = "") -> None:
        command = ["ip", *(("-netns", of) if of else ()), *words]
        subprocess.run(command, check=True, capture_output=True, timeout=LIMIT_S)


@contextmanager
def machines() -> Iterator[Machines]:
    """Give what makes machines, and take them away; only root may, and not everywhere."""
    tools = shutil.which("ip") and shutil.which("unshare")
    words = ["unshare", "--net", "--time", "--fork", "true"]
    if (
        os.geteuid() != 0
        or not tools
        or subprocess.run(words, check=False, capture_output=True, timeout=LIMIT_S).returncode != 0
    ):
        pytest.skip("networks and clocks can't be made here")
    with ExitStack() as ends:
        yield Machines(ends)
