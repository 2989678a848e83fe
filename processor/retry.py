"""How long to wait before the same work is tried again."""

from __future__ import annotations

import random
from collections.abc import Iterator

FIRST_DELAY_S = 0.1
DELAY_S_MAX = 5.0
FACTOR = 2.0


def delays(jitter: random.Random) -> Iterator[float]:
    """
    Give delays in seconds: exponential, capped, each cut by up to a half at random so that workers
    do not march in step.

    There is no last one: an outage is waited out until it ends, the partition is revoked, or the
    worker is told to stop.
    """
    delay = FIRST_DELAY_S
    while True:
        yield delay * jitter.uniform(0.5, 1.0)
        delay = min(delay * FACTOR, DELAY_S_MAX)
