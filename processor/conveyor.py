"""
Three things under way at once: runs are decoded while the batch before them is posted and the one
before that is told.

Every stage keeps the order. A stage that meets an outage tries the same batch again until it
succeeds, the partitions are revoked, or the worker is told to stop; then everything in hand is
dropped unacknowledged.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final, TypeVar

import structlog

from processor.batch import Answered, Batch, Log, Run
from processor.bisect import Unpostables, halves, without
from processor.core.answers import Answer
from processor.errors import (
    FaultError,
    FencedError,
    OutageError,
    PartitionError,
    RewoundError,
    UnpostableError,
)
from processor.health import Health
from processor.pipeline import Line
from processor.ready import Ready
from processor.retry import delays
from processor.stream.intake import Intake
from processor.stream.reader import Reader
from processor.telemetry import Telemetry

log = structlog.get_logger()

_T = TypeVar("_T")

CANCEL_TIMEOUT_S: Final = 2.0
"""How long a stage may take to notice that it was cancelled."""


class DroppedError(Exception):
    """The batch in hand was given up, unacknowledged."""


class Conveyor:
    """Runs the line's stages as tasks, and settles them when partitions go."""

    def __init__(
        self,
        line: Line,
        intake: Intake,
        reader: Reader,
        health: Health,
        telemetry: Telemetry,
        *,
        batch_records_max: int,
        settle_deadline_s: float,
        unpostables: Unpostables,
        on_restored: Callable[[str], Awaitable[None]],
        on_stuck: Callable[[], None],
    ) -> None:
        self._line = line
        self._intake = intake
        self._reader = reader
        self._health = health
        self._telemetry = telemetry
        self._batch_records_max = batch_records_max
        self._settle_deadline_s = settle_deadline_s
        self._unpostables = unpostables
        self._on_restored = on_restored
        self._on_stuck = on_stuck
        self._jitter = random.Random()  # noqa: S311 - spreads retries, protects nothing
        self._settling = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._room = asyncio.Semaphore(1)
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    # --- life

    def start(self) -> None:
        """Start the stages."""
        ready = Ready(self._batch_records_max)
        posted: asyncio.Queue[Answered] = asyncio.Queue(1)
        self._room = asyncio.Semaphore(1)
        stages = (self._prepare(ready), self._post(ready, posted), self._finish(posted))
        self._tasks = [asyncio.create_task(self._guarded(stage)) for stage in stages]

    async def _guarded(self, stage: Awaitable[None]) -> None:
        """
        A stage never ends by itself: whatever leaves it is a fault, and ends the process without
        acknowledging.
        """
        try:
            await stage
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - reported to the one who can end the process
            if not self.failed.done():
                self.failed.set_exception(error)

    async def settle(self) -> None:
        """
        Finish or drop everything in hand, within the deadline: partitions are about to go.

        What waits for an outage to end is dropped at once, what is on its way to a commit or a
        delivery gets the deadline.
        """
        self._settling.set()
        self._release(self._intake.drop_waiting())
        try:
            await asyncio.wait_for(self._intake.all_finished(), self._settle_deadline_s)
        except TimeoutError:
            log.warning("line.dropped", records=self._intake.held_records)
            await self.stop()
            self.start()
        # Nothing is in hand, so nothing is waited for: another worker may have what was dropped.
        self._health.waits_no_more("ledger")
        self._health.waits_no_more("broker")
        self._settling.clear()

    async def stop(self) -> None:
        """Cancel the stages and drop what they hold."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            _, stuck = await asyncio.wait(self._tasks, timeout=CANCEL_TIMEOUT_S)
            if stuck:
                self._on_stuck()
        self._release(self._intake.drop_all())
        self._tasks = []

    # --- stages

    async def _prepare(self, ready: Ready) -> None:
        while True:
            ready.expect(more=self._intake.has_more())
            run = await self._intake.take()
            if self._settling.is_set() or not self._reader.holds(run.log):
                self._let_go([run])
                continue
            await ready.put(await self._line.prepare(run))

    async def _post(self, ready: Ready, posted: asyncio.Queue[Answered]) -> None:
        while True:
            # While outcomes can't be delivered at most one further batch is posted: this one.
            await self._room.acquire()
            taken = await ready.take(self._batch_records_max)
            # A claim that was lost since may have been won back: only the runs of today's count.
            batch = Batch.of(one for one in taken if self._reader.holds(one.run.log))
            try:
                answered = await self._post_until_done(batch)
            except DroppedError:
                self._room.release()
                self._let_go([one.run for one in taken])
                continue
            kept = {id(run) for run in answered.batch.runs}
            self._let_go([one.run for one in taken if id(one.run) not in kept])
            self._reader.posted(answered.batch.runs)
            await posted.put(answered)

    async def _finish(self, posted: asyncio.Queue[Answered]) -> None:
        while True:
            answered = await posted.get()
            self._room.release()
            try:
                await self._until_done("broker", partial(self._line.finish, answered))
            except DroppedError:
                self._let_go(answered.batch.runs)
                continue
            self._telemetry.answered(answered)
            self._let_go(answered.batch.runs)
            await answered.free()

    # --- persistence

    async def _post_until_done(self, batch: Batch) -> Answered:
        """
        Post a batch, less the partitions that turn out to be another worker's; bisect what
        PostgreSQL refuses.
        """
        while True:
            if self._settling.is_set():
                raise DroppedError
            batch = self._held(batch)
            if not batch.runs:
                return Answered(batch, [])
            batch.span = batch.span or self._telemetry.begin(batch)
            try:
                return await self._until_done("ledger", partial(self._line.post, batch))
            except PartitionError as error:
                await self._lose(batch, error)
            except UnpostableError as error:
                return await self._post_halves(batch, error)

    def _held(self, batch: Batch) -> Batch:
        """
        Leave out partitions that were lost since the batch was prepared, with the batch or the half
        before it: behind that gap the ledger would seem to have been set back.
        """
        stale = [run.log for run in batch.runs if not self._reader.holds(run.log)]
        return without(batch, {(one.topic, one.partition) for one in stale}) if stale else batch

    async def _lose(self, batch: Batch, error: PartitionError) -> None:
        logs: list[Log] = [
            run.log for run in batch.runs if (run.log.topic, run.log.partition) in error.partitions
        ]
        log.warning("partition.lost", why=str(error), partitions=sorted(error.partitions))
        self._telemetry.lost(error)
        self._reader.lost(logs, wait=isinstance(error, FencedError))
        if isinstance(error, RewoundError):
            await self._until_done("ledger", partial(self._on_restored, str(error)))
            self._reader.set_back()

    async def _post_halves(self, batch: Batch, error: UnpostableError) -> Answered:
        """Find the record that PostgreSQL refuses by halves; alone, it becomes a dead letter."""
        answers: list[Answer] = []
        lost: set[tuple[str, int]] = set()
        for half in halves(batch, error, self._unpostables):
            answered = await self._post_until_done(half)
            answers.extend(answered.answers)
            kept = {id(run) for run in answered.batch.runs}
            lost.update(
                (run.log.topic, run.log.partition) for run in half.runs if id(run) not in kept
            )
        return Answered(without(batch, lost), answers)

    async def _until_done(self, what: str, work: Callable[[], Awaitable[_T]]) -> _T:
        """
        Try until it succeeds; an outage makes the worker not ready and is given up only for a
        settling line.
        """
        for delay in delays(self._jitter):
            if self._settling.is_set() and self._health.is_waiting(what):
                raise DroppedError
            try:
                result = await work()
            except OutageError as error:
                self._health.waits_for(what, str(error))
                self._telemetry.retried(what)
                log.warning("line.waits", what=what, why=str(error))
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._settling.wait(), delay)
                continue
            self._health.waits_no_more(what)
            return result
        raise FaultError("delays never end")

    # --- letting go

    def _let_go(self, runs: Sequence[Run]) -> None:
        """Runs are no longer in hand, done or dropped."""
        self._release(self._intake.finish(runs))

    def _release(self, messages: Sequence[object]) -> None:
        self._line.acknowledger.release(messages)
