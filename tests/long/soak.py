"""Millions of payments through one worker, with a bounded backlog, and its memory watched."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import psutil
from aiokafka.admin import AIOKafkaAdminClient

from deploy.local import Stack
from loadtest import site
from loadtest.ground import OUTCOMES
from loadtest.lanes import COMMANDS
from loadtest.load.filling import fill, producer, send
from loadtest.load.transfers import Pair, load, transfers
from loadtest.measure.drain import MeasuredWorker, OutcomesEnd
from loadtest.measure.usage import cpu_seconds, peak_memory_bytes
from loadtest.processes import Command
from loadtest.proof.books import prove_load
from loadtest.sample import SEED
from loadtest.site import CONSUMER_GROUP, Site
from loadtest.traffic.population import openings
from tests.long.trend import Sample, faults, figures

ACCOUNTS = 10_000
PARTITIONS = 8
LEAD_RECORDS_MAX = 200_000
"""So many commands may wait unanswered: never an idle worker, never an endless backlog."""

CHUNK_RECORDS = 4_000
SAMPLE_EVERY_S = 1.0
QUIET_LIMIT_S = 60.0
VERIFY_LIMIT_S = 3_600.0
DISK_BYTES_PER_PAYMENT = 4_000
"""Command, outcome, rows, their indexes and the write-ahead log, with room to spare."""

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

TABLE_MEMORY = "payments_table_memory_bytes"

LEDGER = """
SELECT coalesce(sum(next_offset), 0)::bigint, coalesce(sum(delivered_offset), 0)::bigint
FROM ledger.position"""


class SoakError(Exception):
    """The run could not go on; the message is one line."""


class Soak:
    """One run: `found` has its figures, `faults` a line for everything that does not hold."""

    def __init__(self, payments: int, folder: Path) -> None:
        self.payments = payments
        self.folder = folder
        self.samples: list[Sample] = []
        self.found: dict[str, Any] = {}
        self.faults: list[str] = []
        self._published = 0
        self._answered = 0
        self._room = asyncio.Event()

    async def run(self) -> None:
        """Run all of it on a stack of its own, whose data are removed at the end."""
        self.folder.mkdir(parents=True)
        free = shutil.disk_usage(self.folder).free
        if free < self.payments * DISK_BYTES_PER_PAYMENT:
            raise SoakError(f"{self.folder} has {free:,} bytes free, too few")
        stack = Stack(self.folder / "stack")
        try:
            place = site.start_stack(stack, None)
            for words in (["migrate", "--test-ledger"], ["topics", "--apply"]):
                Command(words, place.environment).succeed()
            await self._on(place)
        finally:
            stack.stop()
            shutil.rmtree(self.folder / "stack", ignore_errors=True)

    async def _on(self, place: Site) -> None:
        worker = MeasuredWorker(self.folder / "worker", place.environment)
        worker.launch()
        try:
            worker.wait()
            await self._under_load(place, worker)
        finally:
            status = worker.stop()
        if status != 0:
            self.faults.append(f"the worker ended with status {status}")
        await self._prove(place)

    async def _under_load(self, place: Site, worker: MeasuredWorker) -> None:
        topic = place.topic(COMMANDS)
        async with OutcomesEnd(
            place.bootstrap_servers, place.topic(OUTCOMES), PARTITIONS
        ) as outcomes:
            await fill(place.bootstrap_servers, topic, openings(ACCOUNTS, PARTITIONS))
            await outcomes.reach(2 * ACCOUNTS, worker.check, lambda _: None)
            cpu_s = cpu_seconds(worker.pid)
            publishing = asyncio.create_task(self._publish(place.bootstrap_servers, topic))
            try:
                await self._watch(place, worker, outcomes, publishing)
            finally:
                publishing.cancel()
                await asyncio.gather(publishing, return_exceptions=True)
            cpu_us = (cpu_seconds(worker.pid) - cpu_s) / self.payments * 1_000_000
        self.found = figures(self.samples, peak_memory_bytes(worker.pid))
        self.found["worker_cpu_us"] = round(cpu_us, 1)
        self.faults += faults(self.found)

    async def _publish(self, bootstrap_servers: str, topic: str) -> None:
        """Publish the transfers, never more than the lead ahead of the answers."""
        source = transfers(self.payments, ACCOUNTS, PARTITIONS, seed=SEED)
        async with producer(bootstrap_servers) as sender:
            while chunk := list(islice(source, CHUNK_RECORDS)):
                while self._published - self._answered > LEAD_RECORDS_MAX - CHUNK_RECORDS:
                    self._room.clear()
                    await self._room.wait()
                lanes: list[list[Pair]] = [[] for _ in range(PARTITIONS)]
                for one in chunk:
                    lanes[one.partition].append((one.key, one.value))
                await asyncio.gather(
                    *(_deliver(sender, topic, number, lane) for number, lane in enumerate(lanes))
                )
                self._published += len(chunk)

    async def _watch(
        self,
        place: Site,
        worker: MeasuredWorker,
        outcomes: OutcomesEnd,
        publishing: asyncio.Task[None],
    ) -> None:
        """Take a sample every second until everything is answered."""
        process = psutil.Process(worker.pid)
        admin = AIOKafkaAdminClient(bootstrap_servers=place.bootstrap_servers)
        await admin.start()
        ledger = await asyncpg.connect(place.database_url)
        try:
            began = moved_at = time.monotonic()
            while self._answered < self.payments:
                worker.check()
                if publishing.done():
                    publishing.result()
                # Kafka's offsets first: the ledger read after them can't be behind them.
                committed = await _committed(admin, place.environment[CONSUMER_GROUP])
                posted, delivered = await _ledger(ledger)
                table = int(await asyncio.to_thread(worker.metric, TABLE_MEMORY))
                answered, before = await outcomes.end() - 2 * ACCOUNTS, self._answered
                now = time.monotonic()
                self._note(
                    Sample(
                        now - began,
                        self._published,
                        answered,
                        process.memory_info().rss,
                        table,
                        committed,
                        posted,
                        delivered,
                    )
                )
                moved_at = now if answered > before else moved_at
                if now - moved_at > QUIET_LIMIT_S:
                    raise SoakError(f"no outcome for {QUIET_LIMIT_S:.0f} s after {answered:,}")
                await asyncio.sleep(SAMPLE_EVERY_S)
        finally:
            await ledger.close()
            await admin.close()

    def _note(self, sample: Sample) -> None:
        self.samples.append(sample)
        self._answered = sample.answered
        self._room.set()
        if sample.committed > sample.posted:
            self.faults.append(
                f"Kafka's committed offsets, {sample.committed:,} in all, are ahead of the ledger, "
                f"{sample.posted:,}"
            )
        print(  # noqa: T201 - shown by whoever runs it
            f"soak: {sample.at_s:6.0f} s, {sample.answered:,} answered, "
            f"{sample.rss_bytes / 1_000_000:.0f} MB, "
            f"{sample.table_bytes / 1_000_000:.0f} MB of them the table's",
            flush=True,
        )

    async def _prove(self, place: Site) -> None:
        """Nothing waits, every payment was posted and told once, and the product agrees."""
        wanted = load(self.payments, ACCOUNTS, PARTITIONS, seed=SEED, keep_records=False)
        async with OutcomesEnd(
            place.bootstrap_servers, place.topic(OUTCOMES), PARTITIONS
        ) as outcomes:
            events = await outcomes.end() - 2 * ACCOUNTS
        self.faults += (await prove_load(place.database_url, wanted, ACCOUNTS, events)).lines
        await self._stand(place)
        began = time.monotonic()
        verify = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "processor",
            "verify",
            "--drained",
            "--events",
            env=dict(place.environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            said, _ = await asyncio.wait_for(verify.communicate(), VERIFY_LIMIT_S)
        finally:
            if verify.returncode is None:
                verify.kill()
                await verify.wait()
        self.found["verify_seconds"] = round(time.monotonic() - began, 1)
        if verify.returncode != 0:
            self.faults += ["`processor verify` fails", *said.decode().splitlines()]

    async def _stand(self, place: Site) -> None:
        """After a stop in order Kafka's offsets and the ledger's are at the end, all the same."""
        admin = AIOKafkaAdminClient(bootstrap_servers=place.bootstrap_servers)
        await admin.start()
        ledger = await asyncpg.connect(place.database_url)
        try:
            committed = await _committed(admin, place.environment[CONSUMER_GROUP])
            posted, delivered = await _ledger(ledger)
        finally:
            await ledger.close()
            await admin.close()
        end = self.payments + 2 * ACCOUNTS
        if (committed, posted, delivered) != (end, end, end):
            self.faults.append(
                f"after the stop Kafka has {committed:,} committed, the ledger {posted:,} posted "
                f"and {delivered:,} delivered, not {end:,}"
            )


async def _deliver(sender: Any, topic: str, partition: int, lane: Sequence[Pair]) -> None:
    if lane:
        await (await send(sender, topic, partition, lane))


async def _ledger(connection: Connection) -> tuple[int, int]:
    row = await connection.fetchrow(LEDGER)
    assert row is not None, "an aggregate has a row"
    return row[0], row[1]


async def _committed(admin: AIOKafkaAdminClient, group: str) -> int:
    offsets = await admin.list_consumer_group_offsets(group)
    return sum(max(one.offset, 0) for one in offsets.values())
