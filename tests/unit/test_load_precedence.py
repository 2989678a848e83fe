"""A generator goes first on its machine, as far as its user may let it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from loadtest.load.precedence import NICE

PROGRAM = """
import json, os, sys
from loadtest.load.precedence import take_precedence
os.sched_setaffinity(0, set(json.loads(sys.argv[1])))
for user in json.loads(sys.argv[2]):
    os.setuid(user)
print(json.dumps(take_precedence(int(sys.argv[3]))))
"""
CORES = sorted(os.sched_getaffinity(0))


def taken(place: int, *, user: int | None = None) -> dict[str, object]:
    """Return what a process is given that takes precedence."""
    words = (json.dumps(CORES), json.dumps([] if user is None else [user]), str(place))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words], capture_output=True, text=True, check=True
    )
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("place", [0, 1, len(CORES)])
def test_each_generator_keeps_to_one_core(place: int) -> None:
    """Counted from the last one, and around when there are more of them than cores."""
    assert taken(place)["cores"] == [CORES[-1 - place % len(CORES)]]


def test_its_priority_is_raised_where_that_is_allowed() -> None:
    """Who may not goes on without: a late send is counted anyway."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    raised = subprocess.run(
        [sys.executable, "-c", f"import os; os.setpriority(os.PRIO_PROCESS, 0, {NICE})"],
        check=False,
        capture_output=True,
    )
    assert taken(0)["niceness"] == (before if raised.returncode else NICE)
    if os.geteuid() == 0:
        assert taken(0, user=65_534)["niceness"] == before
