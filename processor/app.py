"""
The composition root: builds a worker from its settings by hand, runs it, and stops it within its
deadline.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog

from processor import topics
from processor.bisect import Unpostables
from processor.contracts import COMMANDS, DEAD_LETTERS, INTERNAL, OUTCOMES, Contract, load_contract
from processor.conveyor import Conveyor
from processor.core.decode import Decoder
from processor.core.outcomes import EventIds, EventWriter
from processor.emit import Emitter
from processor.errors import FaultError, OutageError, ProcessorError
from processor.expiry import Expiry
from processor.health import Health
from processor.http import HttpServer
from processor.kafka import heed_resets, producer_maker
from processor.keys import key_fields
from processor.ledger.connection import WORKER_ROLE, ConnectionSettings
from processor.ledger.postgres import PostgresLedger
from processor.ledger.reading import explained
from processor.pipeline import Line
from processor.retry import delays
from processor.settings import Settings
from processor.stream import application
from processor.stream.intake import Intake
from processor.stream.reader import Reader
from processor.stream.store import StoreSettings
from processor.telemetry import Telemetry, tracer_provider
from processor.timelines import Timelines

log = structlog.get_logger()

EXIT_CLEAN: Final = 0
EXIT_FAULT: Final = 70
EXIT_ABANDONED: Final = 75
"""Left with work in hand because a deadline passed; nothing was acknowledged that was not done."""

LOOK_BACK_S: Final = 5.0
"""How often the claims are held against the ledger, for a restore under an idle worker."""

SAME_SIGNAL_S: Final = 1.0
"""Two signals within this time are one."""

ENVELOPE_BYTES: Final = 4_096
"""Room for headers and the batch around a dead letter, within its topic's limit."""

DAY_S: Final = 86_400.0


def connection_settings(
    settings: Settings, *, role: str | None = WORKER_ROLE
) -> ConnectionSettings:
    """Give how to reach the ledger."""
    return ConnectionSettings(
        settings.database_url,
        role=role,
        application_name=f"processor {settings.name}"[:63],
        connect_timeout_s=settings.connect_timeout_s,
        statement_timeout_ms=settings.statement_timeout_ms,
        lock_timeout_ms=settings.lock_timeout_ms,
        idle_transaction_timeout_ms=settings.idle_transaction_timeout_ms,
    )


def command_topics(settings: Settings, contract: Contract) -> list[str]:
    """Name every topic of commands: the line serves them all."""
    return [settings.topic(spec.name) for spec in contract.command_topics]


def _decoders(settings: Settings, contract: Contract) -> dict[str, Decoder]:
    return {
        settings.topic(contract.topics[role].name): Decoder(
            contract, types, command_bytes_max=settings.command_bytes_max
        )
        for role, types in contract.types.items()
    }


def _emitter(settings: Settings, contract: Contract, timelines: Timelines) -> Emitter:
    dead_letters = contract.topics[DEAD_LETTERS]
    ids = EventIds(timelines.incarnations, timelines.tokens)
    return Emitter(
        producer_maker(settings),
        EventWriter(ids, timelines.of_sequence),
        outcomes_topic=settings.topic(contract.topics[OUTCOMES].name),
        dead_letters_topic=settings.topic(dead_letters.name),
        dead_letter_bytes_max=dead_letters.record_bytes_max - ENVELOPE_BYTES,
        delivery_timeout_s=settings.delivery_timeout_s,
    )


class Worker:
    """One worker process: everything it consists of, wired."""

    def __init__(self, settings: Settings, contract: Contract) -> None:
        self.settings = settings
        self._contract = contract
        self.health = Health(stuck_after_s=settings.stuck_after_s)
        provider = tracer_provider(
            "payments-processor", settings.otlp_endpoint, settings.trace_sample_ratio
        )
        self._provider = provider
        self.telemetry = Telemetry(provider.get_tracer("processor"))
        self.ledger = PostgresLedger(connection_settings(settings))
        self.timelines = Timelines(self.ledger)
        self.intake = Intake(settings.held_records_max)
        self.reader = Reader(
            self.ledger,
            self.timelines,
            self.intake,
            self.health,
            worker_name=settings.name,
            run_records_max=settings.run_records_max,
            fenced_wait_s=settings.fenced_wait_s,
        )
        self.stream = application.build(
            settings, command_topics(settings, contract), self.reader, self.intake
        )
        self.table = application.build_table(
            self.stream,
            StoreSettings(
                Path(settings.data_dir) / "seen",
                memory_bytes_max=settings.table_memory_bytes_max,
                entry_ttl_s=settings.table_entry_ttl_s,
            ),
        )
        self.telemetry.watch_table(self.table.store.memory_bytes)
        self.emitter = _emitter(settings, contract, self.timelines)
        self.expiry = Expiry(
            self.ledger,
            producer_maker(settings),
            settings.topic(contract.topics[INTERNAL].name),
            lag_s=settings.expiry_lag_s,
            delivery_timeout_s=settings.delivery_timeout_s,
        )
        self.telemetry.watch_expiry(lambda: self.expiry.overdue_s)
        self.line = Line(
            decoders=_decoders(settings, contract),
            table=self.table,
            ledger=self.ledger,
            timelines=self.timelines,
            emitter=self.emitter,
            acknowledger=application.Acknowledgements(self.stream),
            telemetry=self.telemetry,
            key_fields=key_fields(contract.topics[COMMANDS].key_fields),
        )
        self.conveyor = Conveyor(
            self.line,
            self.intake,
            self.reader,
            self.health,
            self.telemetry,
            batch_records_max=settings.batch_records_max,
            settle_deadline_s=settings.settle_deadline_s,
            unpostables=Unpostables(settings.unpostable_per_minute_max),
            on_restored=self.restored,
            on_stuck=lambda: os._exit(EXIT_ABANDONED),
        )
        self.reader.serve(self)
        self.http = HttpServer(
            self.health, self.telemetry.registry, settings.http_host, settings.http_port
        )

    async def settle(self) -> None:
        """Finish or drop what is in hand, then note how far outcomes were delivered."""
        await self.conveyor.settle()
        with suppress(OutageError):
            await self.note_delivered()

    async def restored(self, why: str) -> None:
        """
        The ledger was set back: begin a timeline, so that new decisions get new event ids, and wipe
        the table.
        """
        await self.timelines.read()
        await self.ledger.start_timeline(self.timelines.current.timeline_id, why)
        await self.timelines.read()
        self.open_table()

    def open_table(self) -> None:
        """Open the table of the ledger's current timeline; another's is wiped."""
        self.table.store.open(self.timelines.current.token.bytes)

    async def note_delivered(self) -> None:
        """Write how far outcomes were delivered, where no further batch carries it along."""
        await self.reader.note_delivered(self.line.delivered)

    async def prepare(self) -> None:
        """
        Reach the ledger and the topics, waiting for both as long as it takes.

        Raises SettingsError where one of them is not as it must be, or the data folder is taken.
        """
        await self._reach("ledger", self._prepare_ledger)
        await self._reach("broker", partial(topics.check, self.settings, self._contract))
        self.open_table()

    async def _prepare_ledger(self) -> None:
        with explained():
            await self.ledger.prepare()
            await self.timelines.read()

    async def _reach(self, what: str, work: Callable[[], Awaitable[None]]) -> None:
        for delay in delays(random.Random()):  # noqa: S311 - spreads retries, protects nothing
            try:
                await work()
            except OutageError as error:
                self.health.waits_for(what, str(error))
                log.warning("worker.waits", what=what, why=str(error))
                await asyncio.sleep(delay)
                continue
            self.health.waits_no_more(what)
            return

    async def housekeeping(self) -> None:
        """Note deliveries every second, look back every few, prepare storage every day."""
        loop = asyncio.get_running_loop()
        next_day = loop.time() + DAY_S
        next_look = loop.time() + LOOK_BACK_S
        while True:
            await asyncio.sleep(self.settings.delivered_interval_s)
            self.health.beat()
            try:
                await self.note_delivered()
                if loop.time() >= next_look:
                    await self.reader.look_back()
                    next_look = loop.time() + LOOK_BACK_S
                if loop.time() >= next_day:
                    await self.ledger.prepare()
                    next_day = loop.time() + DAY_S
            except OutageError as error:
                log.debug("worker.housekeeping_waits", why=str(error))

    async def let_expire(self) -> None:
        """Publish the expiries of holds, as they fall due."""
        while True:
            await asyncio.sleep(self.expiry.pause_s)
            try:
                published = await self.expiry.turn()
            except OutageError as error:
                log.debug("worker.expiry_waits", why=str(error))
                continue
            if published:
                log.info("worker.holds_expire", published=published)

    async def close(self) -> None:
        """Let go of everything."""
        await self.expiry.close()
        await self.emitter.close()
        await self.ledger.close()
        self.table.store.close()
        await self.http.stop()
        self._provider.shutdown()


GC_THRESHOLDS: Final = (100_000, 20, 50)
"""
Payments leave nothing behind that needs the garbage collector; its default pace would cost a fifth
of the CPU.
"""


async def run(settings: Settings) -> int:
    """
    Run a worker until SIGTERM or SIGINT; give its exit status.

    A later second signal ends it at once; one that comes twice because it went to a whole process
    group counts once.
    """
    heed_resets()
    worker = Worker(settings, load_contract())
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()

    told_at = 0.0

    def on_signal() -> None:
        nonlocal told_at
        if stopping.is_set() and loop.time() - told_at > SAME_SIGNAL_S:
            os._exit(EXIT_ABANDONED)
        told_at = told_at or loop.time()
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    await worker.http.start()
    return await _serve(worker, stopping)


async def _serve(worker: Worker, stopping: asyncio.Event) -> int:
    stop = asyncio.create_task(stopping.wait())
    starting = asyncio.create_task(worker.prepare())
    await asyncio.wait({stop, starting}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        await worker.close()
        return EXIT_CLEAN
    try:
        await starting
    except ProcessorError:
        await worker.close()
        raise
    worker.conveyor.start()
    housekeeping = asyncio.create_task(_keep_house(worker))
    await worker.stream.start()
    crashed = asyncio.create_task(worker.stream.wait_until_stopped())
    log.info("worker.started", name=worker.settings.name, group=worker.stream.conf.id)
    ends: set[asyncio.Future[Any]] = {stop, worker.conveyor.failed, crashed, housekeeping}
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    fault = _fault(worker, stop, crashed, housekeeping)
    if fault is not None:
        log.critical("worker.fault", why=f"{type(fault).__name__}: {fault}", exc_info=fault)
        # No clean stop: it would commit offsets. The input is read again by whoever comes next.
        os._exit(EXIT_FAULT)
    log.info("worker.stopping")
    housekeeping.cancel()
    ending = asyncio.create_task(_end(worker))
    # Not asyncio.timeout: Faust's stop catches the cancellation, and waits on for a broker that is
    # away.
    await asyncio.wait({ending}, timeout=worker.settings.stop_deadline_s)
    if not ending.done():
        log.error("worker.stop_deadline_passed", limit_s=worker.settings.stop_deadline_s)
        os._exit(EXIT_ABANDONED)
    await ending
    log.info("worker.stopped")
    return EXIT_CLEAN


async def _end(worker: Worker) -> None:
    """Stop reading, give up what is still in hand, let go of everything."""
    await worker.stream.stop()
    await worker.conveyor.stop()
    await worker.close()


async def _keep_house(worker: Worker) -> None:
    """Do what is done beside the line; what goes wrong in one part ends them all."""
    await asyncio.gather(worker.housekeeping(), worker.let_expire())


def _fault(
    worker: Worker,
    stop: asyncio.Task[bool],
    crashed: asyncio.Task[None],
    housekeeping: asyncio.Task[None],
) -> BaseException | None:
    """Say what ended the worker, None for a signal."""
    if worker.conveyor.failed.done():
        return worker.conveyor.failed.exception()
    if housekeeping.done():
        return housekeeping.exception()
    if crashed.done() or worker.stream.crashed:
        reason: BaseException | None = worker.stream.crash_reason
        return reason or FaultError("the stream ended by itself")
    assert stop.done(), "one of them ended"
    return None
