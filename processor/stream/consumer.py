"""
Faust's consumer, reading runs instead of records.

Stock Faust wraps two tasks around each record (44-61 µs) and acknowledges single offsets through
bookkeeping that loses some when they come out of order. Here a run of records is one message: Faust
keeps assignments, rebalances, flow control and commits, and its cost is paid per run. Offsets are
acknowledged as ranges, in order.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import (
    ConsumerStoppedError,
    IllegalStateError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from processor.batch import Run, digest_of
from processor.errors import BrokerUnavailableError
from processor.kafka import pace
from processor.stream.positions import LogView

if TYPE_CHECKING:
    from processor.stream.reader import Reader

log = structlog.get_logger()

FETCH_TIMEOUT_S: Final = 0.5
"""How long one fetch waits for records before the loop looks around."""

FETCH_BYTES_MIN: Final = 65_536
"""
What the broker gathers for one fetch while the line has work in hand. Without it records come by
dozens, and what a run costs is paid ten times as often; an idle line gets the first at once.
"""

FETCH_HELD_MS: Final = 25
"""
How long the broker may gather. What else is asked on that connection waits behind it, and so does
the first record after a busy time.
"""

REFETCH_S: Final = 1.0
"""
How long partitions that were read to their end wait, before they are asked about again, for those
of the same broker whose records lie here unread. The broker's answer about empty ones takes its
whole time, 0.6 ms of the worker's CPU and 1 ms of the broker's; with aiokafka's own tenth of a
second a busy worker asks forty times a second.
"""

ROOM_WAIT_S: Final = 1.0
"""
How long to wait for room before telling aiokafka that this consumer is alive and merely held up.
"""

TOUCH_INTERVAL_S: Final = 0.5
"""
How often aiokafka's idle clock is reset. Not for each fetch: the question goes to another thread
and back, which takes milliseconds.
"""

PEEK_TIMEOUT_S: Final = 10.0
"""How long reading back a single record may take."""


RETRIABLE: Final = (KafkaError, IllegalStateError, OSError, asyncio.TimeoutError)
"""What asking about a log may raise while a broker or an assignment is on the move."""


class RunConsumerThread(AIOKafkaConsumerThread):
    """The thread in which aiokafka lives."""

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        # Faust's driver asks for read_uncommitted outside exactly_once: aborted commands would move
        # money.
        consumer._isolation_level = "read_committed"  # noqa: SLF001 - no public way past Faust's driver
        consumer._fetch_max_wait_ms = FETCH_HELD_MS  # noqa: SLF001 - as above
        pace(consumer._client)  # noqa: SLF001 - as above
        return consumer

    async def on_start(self) -> None:
        """Start aiokafka's consumer, which has no option for how soon it fetches again."""
        await super().on_start()
        self._refetch_after(REFETCH_S)

    def _refetch_after(self, wait_s: float) -> None:
        """Let unread records, those at hand too, hold up the next fetch for so long."""
        fetcher = self._ensure_consumer()._fetcher  # noqa: SLF001 - as above
        fetcher._prefetch_backoff = wait_s  # noqa: SLF001 - as above
        for unread in fetcher._records.values():  # noqa: SLF001 - as above
            unread._backoff = wait_s  # noqa: SLF001 - as above

    def gather(self, bytes_min: int) -> None:
        """From the next fetch on, let the broker wait for so many bytes, FETCH_HELD_MS at most."""
        # A plain assignment, so it may come from the loop's thread.
        self._ensure_consumer()._fetcher._fetch_min_bytes = bytes_min  # noqa: SLF001 - aiokafka fixes it at start

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """
        Commit, and let the caller hear of failures: Faust's own way crashes the app, an outage must
        be waited out.
        """
        await self._ensure_consumer().commit(
            {TopicPartition(*tp): (offset, "") for tp, offset in offsets.items()}
        )
        return True

    async def touch(self) -> bool:
        """
        Reset aiokafka's idle clock: an outage elsewhere must not cost this member its partitions.

        Tells whether the group can be reached: aiokafka is silent about a broker that is away.
        """
        reached: bool = await self.call_thread(self._touch)
        return reached

    async def _touch(self) -> bool:
        consumer = self._ensure_consumer()
        with suppress(AttributeError), consumer._subscription.fetch_context():  # noqa: SLF001 - no public way
            pass
        return consumer._coordinator.coordinator_id is not None  # noqa: SLF001 - as above

    async def view(self, tp: TP, last_offset: int | None) -> LogView:
        """
        Ask Kafka where a partition's log begins and ends, what was committed, and for one record of
        it.
        """
        view: LogView = await self.call_thread(self._view, tp, last_offset)
        return view

    async def _view(self, tp: TP, last_offset: int | None) -> LogView:
        consumer = self._ensure_consumer()
        starts, ends, committed = await asyncio.gather(
            consumer.beginning_offsets([tp]), consumer.end_offsets([tp]), consumer.committed(tp)
        )
        start, end = starts[tp], ends[tp]
        digest = None
        if last_offset is not None and start <= last_offset < end:
            digest = await self._peek(consumer, tp, last_offset)
        return LogView(start, end, committed, digest)

    async def _peek(self, consumer: AIOKafkaConsumer, tp: TP, offset: int) -> bytes | None:
        # Nobody reads meanwhile what was fetched of the other partitions.
        self._refetch_after(0)
        try:
            consumer.seek(tp, offset)
            with consumer._subscription.fetch_context():  # noqa: SLF001 - as in Faust's own driver
                found = await consumer._fetcher.fetched_records(  # noqa: SLF001 - as in Faust's own driver
                    [tp], timeout=PEEK_TIMEOUT_S, max_records=1
                )
        finally:
            self._refetch_after(REFETCH_S)
        for records in found.values():
            for record in records:
                return digest_of(record) if record.offset == offset else None
        return None


class RunConsumer(Consumer):
    """
    Delivers runs to the stream and acknowledges them as ranges.

    A partition is read only under a claim of this worker and from where the ledger stands; `Reader`
    sees to both.
    """

    reader: Reader
    _thread: RunConsumerThread

    def __init__(self, *arguments: Any, reader: Reader, **options: Any) -> None:
        self.reader = reader
        self._acknowledged: dict[TP, int] = {}
        self._committed: dict[TP, int] = {}
        self._touched_at = -TOUCH_INTERVAL_S
        super().__init__(*arguments, **options)
        reader.attach(self)

    def _new_consumer_thread(self) -> RunConsumerThread:
        return RunConsumerThread(self, loop=self.loop, beacon=self.beacon)

    # --- what Faust calls

    async def perform_seek(self) -> None:
        """
        Forget all claims: Faust calls this after each assignment, and whenever it finds the flow
        stopped.

        Faust would seek to Kafka's committed offsets here. The drain loop claims every partition
        anew and seeks to the ledger's position before it reads on.
        """
        self._acknowledged.clear()
        self.reader.forget()

    async def wait_empty(self) -> None:
        """
        Settle the line within its deadline, then commit what was acknowledged. Faust's own wait has
        no limit.
        """
        await self.reader.settle()
        self._unacked_messages.clear()
        await self.commit_and_end_transactions()
        self._acknowledged.clear()
        self._committed.clear()
        self.reader.forget()

    def ack(self, message: Any) -> bool:
        """Let Faust forget a run's message; offsets are acknowledged by `acknowledge` alone."""
        message.acked = True
        self._unacked_messages.discard(message)
        return True

    def acknowledge(self, tp: TP, next_offset: int) -> None:
        """
        Everything before `next_offset` is done: posted, answered and remembered. Committed at
        Faust's interval.
        """
        self._acknowledged[tp] = next_offset

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        try:
            await self._thread.commit(offsets)
        except RETRIABLE as error:
            # What was acknowledged stays so; the next interval commits it, or the next owner reads
            # it again.
            log.warning("offsets.not_committed", why=repr(error))
            return False
        self._committed.update(offsets)
        return True

    def _should_commit(self, tp: TP, offset: int) -> bool:
        return self._committed.get(tp) != offset

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        del topics  # all partitions are committed together
        return iter(list(self._acknowledged))

    def _new_offset(self, tp: TP) -> int | None:
        return self._acknowledged.get(tp)

    async def view(self, tp: TP, last_offset: int | None) -> LogView:
        """Ask Kafka about a partition. Raises BrokerUnavailableError."""
        try:
            return await self._thread.view(tp, last_offset)
        except RETRIABLE as error:
            raise BrokerUnavailableError(f"Kafka does not answer: {error!r}") from error

    async def seek_to(self, tp: TP, offset: int) -> None:
        """Go on reading a partition at `offset`. Raises BrokerUnavailableError."""
        try:
            await self._thread.seek_wait({tp: offset})
        except RETRIABLE as error:
            raise BrokerUnavailableError(f"Kafka does not answer: {error!r}") from error

    # --- the loop that reads

    async def _drain_messages(self, fetcher: Any) -> None:
        try:
            while not (self.should_stop or fetcher.should_stop):
                if not self.flow_active:
                    # aiokafka rejoins no group for a consumer that seems to have stopped reading.
                    await self._touch()
                    await self.wait_first(self.can_resume_flow.wait(), timeout=FETCH_TIMEOUT_S)
                    continue
                await self._read_once()
        except ConsumerStoppedError:
            if not self.app.should_stop:
                raise
        except asyncio.CancelledError:
            if not self.app.should_stop:
                raise

    async def _read_once(self) -> None:
        """Claim what is not claimed, wait for room, fetch, deliver."""
        assigned = self.assignment()
        active = await self.reader.claim(assigned)
        await self._touch()
        if not active or not self.flow_active:
            await asyncio.sleep(FETCH_TIMEOUT_S if not active else 0)
            return
        if not self.reader.intake.has_room():
            await self.reader.intake.changed(ROOM_WAIT_S)
            return
        generation = self.app.consumer_generation_id
        self._thread.gather(FETCH_BYTES_MIN if self.reader.intake.held_records else 1)
        try:
            records = await self._getmany(active_partitions=active, timeout=FETCH_TIMEOUT_S)
        except NoOffsetForPartitionError:
            # From before the seek: aiokafka itself looked for a committed offset.
            return
        except OffsetOutOfRangeError as error:
            # The log no longer has what was to be read next. Never skip: claim anew, which stops
            # the partition.
            log.error("partition.out_of_range", why=str(error))  # noqa: TRY400 - told as one line
            self.reader.forget()
            return
        except (*RETRIABLE, UnicodeDecodeError) as error:
            # A broker on the move, a corrupt batch, a header name that is no text: named, waited
            # for, never skipped.
            self.reader.unreadable(error)
            await asyncio.sleep(FETCH_TIMEOUT_S)
            return
        self.reader.readable()
        runs = [
            run
            for tp, found in records.items()
            for run in self.reader.runs(TP(tp.topic, tp.partition), found)
        ]
        await self.wait_first(self._deliver(runs, generation), self.suspend_flow.wait())

    async def _touch(self) -> None:
        """Show aiokafka, every so often, that this consumer lives, and hear of its group."""
        now = time.monotonic()
        if now - self._touched_at >= TOUCH_INTERVAL_S:
            self._touched_at = now
            self.reader.reached(in_group=await self._thread.touch())

    async def _getmany(self, active_partitions: Any, timeout: float) -> Any:  # noqa: ASYNC109 - Faust's signature
        return await self._thread.getmany(active_partitions, timeout)

    def _is_over(self, generation: int) -> bool:
        """Whether a rebalance came in between: what was fetched may be another's now."""
        return not self.flow_active or generation != self.app.consumer_generation_id

    async def _deliver(self, runs: Sequence[Run], generation: int) -> None:
        if self._is_over(generation):
            return
        self.reader.intake.announce(runs)
        for run in runs:
            if self._is_over(generation):
                return
            await self.callback(self._message(run))
            self._read_offset[TP(run.log.topic, run.log.partition)] = run.end - 1

    def _message(self, run: Run) -> ConsumerMessage:
        tp = TP(run.log.topic, run.log.partition)
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            run.start,
            0.0,
            0,
            [],
            None,
            run,  # type: ignore[arg-type] # a run where Faust expects bytes: RunSchema hands it on
            None,
            0,
            0,
            tp=tp,
            generation_id=self.app.consumer_generation_id,
        )
