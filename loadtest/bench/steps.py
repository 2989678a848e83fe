"""
Where each microsecond of the worker goes: the CPU of every step that needs no server, by itself.

The same functions that the line calls, on batches of the default size, timed by the process's CPU
clock so that a busy machine disturbs little. What the servers' drivers cost is in `make bench`,
whose figure for the worker is the whole.
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from rich.console import Console
from rich.table import Table

from loadtest.load.transfers import transfers
from processor.app import GC_THRESHOLDS
from processor.batch import Log
from processor.contracts import load_contract
from processor.core.answers import Answer, Clock, First, decide_all
from processor.core.books import Account, Books
from processor.core.commands import id_bytes
from processor.core.decode import Decoder
from processor.core.outcomes import EventIds, EventWriter
from processor.ledger import binary
from processor.pipeline import decode
from processor.stream.store import RocksStore, StoreSettings

BATCH: Final = 2_000
BATCHES: Final = 20
ACCOUNTS: Final = 10_000
NOW: Final = datetime(2026, 11, 21, 10, tzinfo=UTC)
CLOCK: Final = Clock(0, "2026-11-21T10:00:00.000000Z")
FUNDS_MINOR: Final = 10**12
STORE_BYTES_MAX: Final = 64 * 1_048_576
STORE_TTL_S: Final = 3_600
BATCH_BYTES_MAX: Final = 10_000_000
_MICROSECONDS: Final = 1e6

_T = TypeVar("_T")


class Record(msgspec.Struct):
    """A record as a consumer gives it."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


class Stopwatch:
    """CPU seconds by step, in the order in which the steps came up."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def time(self, step: str, work: Callable[[], _T]) -> _T:
        """Do the work and note what it took."""
        began = time.process_time()
        result = work()
        self.seconds[step] = self.seconds.get(step, 0.0) + time.process_time() - began
        return result


def collect_as_the_worker() -> None:
    """Set the garbage collector as the worker does."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def steps(console: Console, batches: int = BATCHES) -> dict[str, float]:
    """Time the steps and show them; give µs per payment by step."""
    watch = Stopwatch()
    log = Log(1, "payments.commands.v1", 0, UUID(int=1), UUID(int=2))
    decoder = Decoder(load_contract(), command_bytes_max=65_536)
    writer = EventWriter(EventIds({1: log.incarnation}, {1: UUID(int=3)}), lambda _sequence: 1)
    load = transfers(BATCH * batches, ACCOUNTS, 1, seed=1)
    records = [Record(number, one.key, one.value) for number, one in enumerate(load)]
    with tempfile.TemporaryDirectory() as folder:
        store = _store(Path(folder))
        for first in range(0, len(records), BATCH):
            _batch(watch, log, records[first : first + BATCH], decoder, writer, store)
        store.close()
    figures = {
        step: seconds / len(records) * _MICROSECONDS for step, seconds in watch.seconds.items()
    }
    _show(console, figures)
    return figures


def _store(folder: Path) -> RocksStore:
    app: Any = None  # a store needs its application for nothing but Faust's own mapping interface
    settings = StoreSettings(folder, memory_bytes_max=STORE_BYTES_MAX, entry_ttl_s=STORE_TTL_S)
    store = RocksStore("rocksdb://", app, app, settings=settings, table_name="seen")
    store.open(b"steps")
    return store


def _batch(
    watch: Stopwatch,
    log: Log,
    records: list[Record],
    decoder: Decoder,
    writer: EventWriter,
    store: RocksStore,
) -> None:
    arrivals = watch.time("decode, validate, fingerprint", lambda: decode(log, records, decoder))
    asked: list[Any] = [arrival.asked for arrival in arrivals]
    ids = [one.transaction_id for one in asked]
    watch.time("dedupe (RocksDB)", lambda: store.get_many([id_bytes(one) for one in ids]))
    names = {name for one in asked for name in (one.debit_account, one.credit_account)}
    accounts = {
        name: Account(name, "EUR", "customer", "open", FUNDS_MINOR, 0, 0, number)
        for number, name in enumerate(names)
    }
    books = Books(accounts=accounts, decided={}, reversed_minor={})
    numbers = iter(range(records[0].offset, records[0].offset + len(records)))
    answers: list[Answer] = watch.time(
        "decide",
        lambda: decide_all(arrivals, books, clock=CLOCK, timeline_id=1, sequences=numbers),
    )
    decided = [answer.decided for answer in answers if isinstance(answer, First)]
    assert len(decided) == len(records), "every transfer is new"
    watch.time(
        "rows for the ledger",
        lambda: (binary.transactions(decided, NOW), binary.postings(decided, NOW)),
    )
    events = watch.time("write events", lambda: [writer.outcome(answer) for answer in answers])

    def pack() -> None:
        builder = DefaultRecordBatchBuilder(2, 0, 1, -1, -1, -1, BATCH_BYTES_MAX)
        for number, event in enumerate(events):
            assert event is not None, "every transfer is answered"
            builder.append(number, None, event.key, event.value, event.headers)

    watch.time("pack events for Kafka", pack)
    remembered = [(id_bytes(one), number.to_bytes(8, "big")) for number, one in enumerate(ids)]
    watch.time("remember (RocksDB)", lambda: store.put_many(remembered))


def _show(console: Console, figures: dict[str, float]) -> None:
    table = Table(title="CPU of the worker's own steps, one transfer")
    table.add_column("step")
    table.add_column("µs", justify="right")
    for step, figure in figures.items():
        table.add_row(step, f"{figure:.2f}")
    table.add_section()
    table.add_row("together", f"{sum(figures.values()):.2f}")
    console.print(table)
