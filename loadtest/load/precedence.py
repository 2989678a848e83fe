"""
A generator goes first on its machine: a busy machine must make outcomes late, and not sends.

Its processes keep to one core, so that what they take is known and no more, and run at a higher
priority where the user may give one (root, or CAP_SYS_NICE).
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

NICE: Final = -10
_AUTOGROUP: Final = Path("/proc/self/autogroup")
"""Where Linux groups processes by their session, priorities count within the group alone."""


def take_precedence(place: int) -> dict[str, list[int] | int]:
    """
    Keep this process to a core, counted from the last by its generator's `place`, and raise its
    priority; give the core and the niceness that it has now.
    """
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1 - place % len(cores)]})
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    with suppress(OSError):
        _AUTOGROUP.write_text(str(NICE), encoding="ascii")
    return {
        "cores": sorted(os.sched_getaffinity(0)),
        "niceness": os.getpriority(os.PRIO_PROCESS, 0),
    }
