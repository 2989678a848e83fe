"""Claims partitions in the ledger, finds where to read, and cuts what was read into runs."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, Protocol
from uuid import uuid4

import msgspec
import structlog
from faust.types import TP

from processor.batch import Log, Run
from processor.errors import OutageError
from processor.ledger import Ledger, Position
from processor.stream.positions import Halt, LogView, start_of

if TYPE_CHECKING:
    from processor.core.answers import Record
    from processor.health import Health
    from processor.stream.intake import Intake
    from processor.timelines import Timelines

log = structlog.get_logger()

HALT_CHECK_S: Final = 5.0
"""How often a stopped partition is looked at again: an operator may have decided."""

OUTAGE_PAUSE_S: Final = 1.0
"""How long to wait before trying again to claim, when the ledger or the broker did not answer."""


class LogSource(Protocol):
    """What the reader needs of the consumer."""

    async def view(self, tp: TP, last_offset: int | None) -> LogView:
        """Ask Kafka about a partition. Raises BrokerUnavailableError."""

    async def seek_to(self, tp: TP, offset: int) -> None:
        """Go on reading at `offset`."""


class Settler(Protocol):
    """What the reader needs of the line."""

    async def settle(self) -> None:
        """Finish or drop everything in hand, within the rebalance deadline."""

    async def restored(self, why: str) -> None:
        """
        The ledger stands before what was answered: begin a timeline, forget what was remembered.
        """


class Claim(msgspec.Struct):
    """
    A partition that this worker may read: the log under its claim, and the next offset to be read.
    """

    log: Log
    expected: int


class Reader:
    """Which partitions are read, under which claim, from where."""

    def __init__(
        self,
        ledger: Ledger,
        timelines: Timelines,
        intake: Intake,
        health: Health,
        *,
        worker_name: str,
        run_records_max: int,
        fenced_wait_s: float,
    ) -> None:
        self.intake = intake
        self._ledger = ledger
        self._timelines = timelines
        self._health = health
        self._worker_name = worker_name
        self._run_records_max = run_records_max
        self._fenced_wait_s = fenced_wait_s
        self._claims: dict[TP, Claim] = {}
        self._not_before: dict[TP, float] = {}
        self._posted: dict[TP, int] = {}
        self._noted: dict[Log, int] = {}
        self._source: LogSource | None = None
        self._settler: Settler | None = None

    def attach(self, source: LogSource) -> None:
        """Connect the consumer."""
        self._source = source

    def serve(self, settler: Settler) -> None:
        """Connect the line."""
        self._settler = settler

    async def settle(self) -> None:
        """Let the line finish or drop what it holds."""
        assert self._settler is not None, "wired before the app starts"
        await self._settler.settle()

    def forget(self) -> None:
        """Give up all claims: the assignment may be another."""
        self._claims.clear()
        self._not_before.clear()
        self._noted.clear()
        self._health.claims(set())

    def set_back(self) -> None:
        """Forget what was posted too: the ledger was set back, in quiet partitions as well."""
        self._posted.clear()
        self.forget()

    async def claim(self, assigned: Iterable[TP]) -> set[TP]:
        """
        Give the partitions that may be read now, claiming those that are not claimed yet.

        Outages are waited out by the caller's next round; a stopped partition is looked at again
        after a while.
        """
        wanted = {TP(*tp) for tp in assigned}
        self._health.assigned(wanted)
        now = time.monotonic()
        for tp in sorted(wanted - self._claims.keys()):
            if self._not_before.get(tp, 0.0) > now:
                continue
            try:
                await self._claim(tp)
            except OutageError as error:
                log.warning(
                    "partition.claim_waits", topic=tp.topic, partition=tp.partition, why=str(error)
                )
                self._health.waits_for("claim", str(error))
                self._not_before[tp] = time.monotonic() + OUTAGE_PAUSE_S
                break
            self._health.waits_no_more("claim")
        self._health.claims(set(self._claims))
        return set(self._claims)

    async def _claim(self, tp: TP) -> None:
        assert self._source is not None, "attached before it reads"
        first_offset = 0
        if await self._ledger.position(*tp) is None:
            first_offset = (await self._source.view(tp, None)).start
        position = await self._ledger.claim(*tp, first_offset, uuid4(), self._worker_name)
        self._timelines.incarnations[position.log.source_id] = position.log.incarnation
        view = await self._source.view(tp, position.last_offset)
        start = start_of(position, view)
        if isinstance(start, Halt):
            self._halt(tp, start)
            return
        await self._note_restore(tp, position, committed_ahead=start.restored)
        self._health.runs(tp)
        await self._source.seek_to(tp, start.offset)
        self._claims[tp] = Claim(position.log, start.offset)
        log.info(
            "partition.claimed",
            topic=tp.topic,
            partition=tp.partition,
            offset=start.offset,
            ledger_next=position.next_offset,
            ledger_delivered=position.delivered_offset,
            committed=view.committed,
        )

    def _halt(self, tp: TP, halt: Halt) -> None:
        self._health.halts(tp, halt.why)
        self._not_before[tp] = time.monotonic() + HALT_CHECK_S
        log.error("partition.stopped", topic=tp.topic, partition=tp.partition, why=halt.why)

    async def _note_restore(self, tp: TP, position: Position, *, committed_ahead: bool) -> None:
        known = self._posted.get(tp, 0)
        if not committed_ahead and known <= position.next_offset:
            return
        place = f"{tp.topic}/{tp.partition}"
        await self._restored(
            f"{place}: ledger at {position.next_offset}, answered up to {known or 'more'}"
        )

    async def _restored(self, why: str) -> None:
        assert self._settler is not None, "wired before the app starts"
        log.warning("ledger.behind", why=why)
        await self._settler.restored(why)
        self._posted.clear()

    async def look_back(self) -> None:
        """
        Hold the claims against the ledger: a restore under an idle worker shows nowhere else, and
        what the older ledger lacks must be read again.
        """
        for tp, claim in list(self._claims.items()):
            known = self._posted.get(tp, 0)
            position = await self._ledger.position(*tp)
            if self._claims.get(tp) is not claim:
                continue
            if position is None or position.next_offset < known:
                await self._restored(f"{tp.topic}/{tp.partition}: the ledger stands before {known}")
                self.forget()
                return
            if position.log.claim != claim.log.claim:
                self.lost([claim.log], wait=True)

    def reached(self, *, in_group: bool) -> None:
        """Tell whether Kafka's group can be reached; without it the worker is not ready."""
        if in_group:
            self._health.waits_no_more("group")
        elif not self._health.is_waiting("group"):
            self._health.waits_for("group", "Kafka's group coordinator does not answer")

    def unreadable(self, error: Exception) -> None:
        """The last fetch failed: the worker is not ready until one succeeds."""
        if not self._health.is_waiting("fetch"):
            log.error("partition.unreadable", why=repr(error))
        self._health.waits_for("fetch", f"records can't be read: {error!r}")

    def readable(self) -> None:
        """A fetch succeeded."""
        self._health.waits_no_more("fetch")

    def runs(self, tp: TP, records: Sequence[Record]) -> Iterator[Run]:
        """
        Cut what was read into runs that follow each other without a gap; what was read before a
        seek is left out.
        """
        claim = self._claims.get(tp)
        if claim is None:
            return
        if records and records[0].offset < claim.expected:
            records = [record for record in records if record.offset >= claim.expected]
        size = self._run_records_max
        for first in range(0, len(records), size):
            piece = records[first : first + size]
            run = Run(claim.log, claim.expected, piece[-1].offset + 1, piece)
            claim.expected = run.end
            yield run

    def holds(self, one: Log) -> bool:
        """Whether runs under this claim are still worth posting."""
        claim = self._claims.get(TP(one.topic, one.partition))
        return claim is not None and claim.log.claim == one.claim

    def posted(self, runs: Iterable[Run]) -> None:
        """Remember how far this worker has posted, to notice a ledger that was set back."""
        for run in runs:
            tp = TP(run.log.topic, run.log.partition)
            self._posted[tp] = max(self._posted.get(tp, 0), run.end)

    def lost(self, logs: Iterable[Log], *, wait: bool) -> None:
        """
        Give up claims that did not hold; `wait` before the next try where another worker holds
        them.

        A worker that was frozen across a rebalance does not know yet that it lost its membership:
        the wait gives its heartbeat time to tell.
        """
        for one in logs:
            tp = TP(one.topic, one.partition)
            claim = self._claims.get(tp)
            if claim is not None and claim.log.claim == one.claim:
                del self._claims[tp]
                if wait:
                    self._not_before[tp] = time.monotonic() + self._fenced_wait_s
        self._health.claims(set(self._claims))

    async def note_delivered(self, delivered: dict[Log, int]) -> None:
        """
        Write how far outcomes were delivered, for claims that hold and only where it changed. What
        was delivered under other claims is struck off the list.
        """
        claimed = {claim.log for claim in self._claims.values()}
        for gone in delivered.keys() - claimed:
            del delivered[gone]
        changed = {log_: at for log_, at in delivered.items() if at > self._noted.get(log_, 0)}
        if changed:
            await self._ledger.delivered(changed)
            # By claim: the partitions may have been claimed anew while the ledger wrote, and then
            # nothing of theirs is noted.
            self._noted.update(changed)
