"""
Three batches under way at once: one is decoded while the one before it is posted and the one before
that is told.

Every stage keeps the order of the batches. A stage that meets an outage tries the same batch again
until it succeeds, the partitions are revoked, or the worker is told to stop; then everything in
hand is dropped unacknowledged.
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
        self._in_hand = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._tasks: list[asyncio.Task[None]] = []
        self._room = asyncio.Semaphore(1)
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    # --- life

    def start(self) -> None:
        """Start the stages."""
        prepared: asyncio.Queue[Batch] = asyncio.Queue(1)
        posted: asyncio.Queue[Answered] = asyncio.Queue(1)
        self._room = asyncio.Semaphore(1)
        stages = (self._prepare(prepared), self._post(prepared, posted), self._finish(posted))
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
            await asyncio.wait_for(self._idle.wait(), self._settle_deadline_s)
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
        self._in_hand = 0
        self._idle.set()

    # --- stages

    async def _prepare(self, prepared: asyncio.Queue[Batch]) -> None:
        while True:
            runs = await self._intake.take(self._batch_records_max)
            self._took()
            stale = [run for run in runs if not self._reader.holds(run.log)]
            self._release(self._intake.finish(stale))
            runs = [run for run in runs if self._reader.holds(run.log)]
            if self._settling.is_set() or not runs:
                self._drop(runs)
                continue
            await prepared.put(await self._line.prepare(runs))

    async def _post(self, prepared: asyncio.Queue[Batch], posted: asyncio.Queue[Answered]) -> None:
        while True:
            batch = await prepared.get()
            # While outcomes can't be delivered at most one further batch is posted: this one.
            await self._room.acquire()
            try:
                answered = await self._post_until_done(batch)
            except DroppedError:
                self._room.release()
                self._drop(batch.runs)
                continue
            kept = {id(run) for run in answered.batch.runs}
            self._release(self._intake.finish([run for run in batch.runs if id(run) not in kept]))
            self._reader.posted(answered.batch.runs)
            await posted.put(answered)

    async def _finish(self, posted: asyncio.Queue[Answered]) -> None:
        while True:
            answered = await posted.get()
            self._room.release()
            try:
                await self._until_done("broker", partial(self._line.finish, answered))
            except DroppedError:
                self._drop(answered.batch.runs)
                continue
            self._telemetry.answered(answered)
            self._release(self._intake.finish(answered.batch.runs))
            self._let_go()

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

    # --- counting

    def _took(self) -> None:
        self._in_hand += 1
        self._idle.clear()

    def _let_go(self) -> None:
        self._in_hand = max(0, self._in_hand - 1)
        if self._in_hand == 0:
            self._idle.set()

    def _drop(self, runs: Sequence[Run]) -> None:
        self._release(self._intake.finish(runs))
        self._let_go()

    def _release(self, messages: Sequence[object]) -> None:
        self._line.acknowledger.release(messages)
