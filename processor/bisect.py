"""
What to do about a row that PostgreSQL itself refuses: find it by halves, and make it a dead letter.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Iterator

from processor.batch import Batch, Run
from processor.core.answers import Arrival
from processor.core.commands import Command
from processor.core.decode import Invalid, InvalidReason
from processor.errors import FaultError, UnpostableError


class Unpostables:
    """
    Counts refused rows; more than so many a minute are not bad input but a bug of ours, and stop
    the process.
    """

    def __init__(self, per_minute_max: int) -> None:
        self._per_minute_max = per_minute_max
        self._seen: deque[float] = deque()

    def found(self, error: UnpostableError) -> None:
        """Count one. Raises FaultError when there are too many."""
        now = time.monotonic()
        self._seen.append(now)
        while now - self._seen[0] > 60:  # noqa: PLR2004 - a minute
            self._seen.popleft()
        if len(self._seen) > self._per_minute_max:
            raise FaultError(
                f"PostgreSQL refused {len(self._seen)} rows within a minute, the last: {error}"
            ) from error


def without(batch: Batch, partitions: Collection[tuple[str, int]]) -> Batch:
    """Give the batch less everything of some partitions."""
    runs = [run for run in batch.runs if (run.log.topic, run.log.partition) not in partitions]
    arrivals = [
        arrival
        for arrival in batch.arrivals
        if (arrival.source.topic, arrival.source.partition) not in partitions
    ]
    return Batch(runs, arrivals, batch.suspects, batch.span)


def halves(batch: Batch, error: UnpostableError, unpostables: Unpostables) -> Iterator[Batch]:
    """
    Give the batch as two, in order; or, when it holds a single command, as the dead letter that
    this command becomes.

    Offsets between records stay with the half in front of them, so that no position is left out.
    """
    if not batch.arrivals:
        raise FaultError(f"PostgreSQL refuses a batch without records: {error}") from error
    if len(batch.arrivals) == 1:
        unpostables.found(error)
        yield Batch(batch.runs, [_dead(batch.arrivals[0], error)], batch.suspects, batch.span)
        return
    middle = len(batch.arrivals) // 2
    front, back = batch.arrivals[:middle], batch.arrivals[middle:]
    first_behind: dict[tuple[str, int], int] = {}
    for arrival in back:
        place = (arrival.source.topic, arrival.source.partition)
        first_behind.setdefault(place, arrival.source.offset)
    front_runs, back_runs = list[Run](), list[Run]()
    for run in batch.runs:
        cut = first_behind.get((run.log.topic, run.log.partition), run.end)
        if cut >= run.end:
            front_runs.append(run)
        elif cut <= run.start:
            back_runs.append(run)
        else:
            before = [record for record in run.records if record.offset < cut]
            behind = [record for record in run.records if record.offset >= cut]
            front_runs.append(Run(run.log, run.start, cut, before))
            back_runs.append(Run(run.log, cut, run.end, behind))
    yield Batch(front_runs, front, batch.suspects, batch.span)
    yield Batch(back_runs, back, batch.suspects, batch.span)


def _dead(arrival: Arrival, error: UnpostableError) -> Arrival:
    asked = arrival.asked
    if not isinstance(asked, Command):
        raise FaultError(f"PostgreSQL refuses a dead letter: {error}") from error
    detail = f"PostgreSQL refuses it with SQLSTATE {error.sqlstate}"
    invalid = Invalid(InvalidReason.UNPOSTABLE, "", detail, asked.transaction_id, asked.channel)
    return Arrival(arrival.record, arrival.source, invalid)
