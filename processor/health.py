"""What the worker answers when it is asked whether it is alive and whether it is ready."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Final

Place = tuple[str, int]

STARTING: Final = "start"


class Health:
    """
    Ready: partitions are assigned and claimed (or there are none for this worker) and nothing is
    waited for.

    Alive: the event loop turns, and every wait has a name. An outage makes a worker not ready and
    leaves it alive, so that it does not restart every worker at once.
    """

    def __init__(self, *, stuck_after_s: float) -> None:
        self._stuck_after_s = stuck_after_s
        self._waits: dict[str, tuple[str, float]] = {
            STARTING: ("the worker is starting", time.time())
        }
        self._halted: dict[Place, str] = {}
        self._assigned: set[Place] = set()
        self._claimed: set[Place] = set()
        self._beat_at = time.monotonic()

    def beat(self) -> None:
        """Housekeeping turned once more: tasks get their turn."""
        self._beat_at = time.monotonic()

    def why_stuck(self) -> str | None:
        """Say why the worker is not alive; None: it is. A wait that has a name is no reason."""
        if self._waits:
            return None
        silent_s = time.monotonic() - self._beat_at
        if silent_s > self._stuck_after_s:
            return f"no turn for {silent_s:.0f} s and nothing is waited for\n"
        return None

    def started(self) -> None:
        """Partitions were assigned for the first time."""
        self.waits_no_more(STARTING)

    def waits_for(self, what: str, why: str) -> None:
        """Something outside is waited for."""
        since = self._waits[what][1] if what in self._waits else time.time()
        self._waits[what] = (why, since)

    def waits_no_more(self, what: str) -> None:
        """It is back."""
        self._waits.pop(what, None)

    def is_waiting(self, what: str) -> bool:
        """Whether something is waited for."""
        return what in self._waits

    def halts(self, place: Place, why: str) -> None:
        """A partition is stopped until an operator decides."""
        self._halted[_plain(place)] = why

    def runs(self, place: Place) -> None:
        """A partition is read (again)."""
        self._halted.pop(_plain(place), None)

    def assigned(self, places: Collection[Place]) -> None:
        """What the group assigned to this worker."""
        self._assigned = {_plain(place) for place in places}
        self._halted = {
            place: why for place, why in self._halted.items() if place in self._assigned
        }
        self.started()

    def claims(self, places: Collection[Place]) -> None:
        """What this worker may read."""
        self._claimed = {_plain(place) for place in places}

    @property
    def halted(self) -> dict[Place, str]:
        """Stopped partitions, with the reason of each."""
        return self._halted

    def why_not_ready(self) -> list[str]:
        """
        Give one line for everything that keeps the worker from being ready; none: it is ready.
        """
        lines = [f"waits for {what}: {why}" for what, (why, _) in sorted(self._waits.items())]
        lines += [
            f"partition {topic}/{partition} is stopped: {why}"
            for (topic, partition), why in sorted(self._halted.items())
        ]
        unclaimed = self._assigned - self._claimed - self._halted.keys()
        if unclaimed:
            lines.append(f"{len(unclaimed)} assigned partitions are not claimed yet")
        return lines


def _plain(place: Place) -> Place:
    """Give a place as a bare pair: the stream's are of a class of their own."""
    topic, partition = place
    return topic, partition
