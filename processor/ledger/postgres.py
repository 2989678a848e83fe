"""The ledger in PostgreSQL. One transaction per batch; every statement is in `queries.sql`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg
import structlog

from processor.batch import Log, Run
from processor.core.answers import (
    Answer,
    Clock,
    Conflict,
    DeadLetter,
    First,
    RecordedAnswer,
    Repeat,
)
from processor.core.books import Account, Decided, Hold, Opened
from processor.core.rules import Rules
from processor.errors import (
    AlreadyDecidedError,
    FencedError,
    LedgerUnavailableError,
    OutageError,
    ProcessorError,
    RewoundError,
    RulesChangedError,
    UnpostableError,
)
from processor.ledger import DueHold, Fence, Position, Timeline, binary, rows
from processor.ledger.connection import ConnectionSettings, LedgerConnection, translated
from processor.ledger.rulebook import Rulebook
from processor.ledger.statements import SQL

log = structlog.get_logger()

MONTHS_AHEAD: Final = 3
"""How many months of partitions are made ahead of the current one."""


ROLLBACK_TIMEOUT_S: Final = 2.0
"""How long a roll-back may take before the connection is given up, which rolls back too."""


class PostgresSession:
    """One posting transaction; see `PostingSession` for what each method promises."""

    def __init__(self, connection: asyncpg.Connection, rulebook: Rulebook) -> None:
        self._connection = connection
        self._rulebook = rulebook
        self._now: datetime | None = None

    async def _fetch(self, name: str, *arguments: Any) -> list[Any]:
        with translated():
            return await self._connection.fetch(SQL[name], *arguments)

    async def _execute(self, name: str, *arguments: Any) -> str:
        with translated():
            return await self._connection.execute(SQL[name], *arguments)

    async def _copy(
        self, table: str, columns: Sequence[str], encode: binary.Encoder, firsts: Sequence[First]
    ) -> None:
        """
        COPY rows: a fifth less work for the server than INSERT from arrays. Triggers and
        constraints hold alike.
        """
        assert self._now is not None, "the clock is read before anything is recorded"
        with translated():
            await self._connection.copy_to_table(
                table,
                schema_name="ledger",
                columns=columns,
                format="binary",
                source=binary.stream(encode, firsts, self._now),
            )

    @property
    def rules(self) -> Rules:
        """The rules as they are known."""
        return self._rulebook.rules

    async def fence(self, runs: Sequence[Run], *, changes_rules: bool) -> Fence:
        """Lock the positions and the rules; compare claims and starts."""
        rows_found = await self._fetch(
            "fence",
            [run.log.topic for run in runs],
            [run.log.partition for run in runs],
            changes_rules,
        )
        found = {(row["topic"], row["partition"]): row for row in rows_found}
        fenced, rewound = set[tuple[str, int]](), set[tuple[str, int]]()
        for run in runs:
            place = (run.log.topic, run.log.partition)
            row = found.get(place)
            if row is None or row["next_offset"] < run.start:
                rewound.add(place)
            elif row["claim"] != run.log.claim:
                fenced.add(place)
        if rewound:
            raise RewoundError("the ledger stands before what was read", frozenset(rewound))
        if fenced:
            raise FencedError("the claim is another worker's", frozenset(fenced))
        next_offsets = {place: row["next_offset"] for place, row in found.items()}
        return Fence(rows_found[0]["timeline_id"], next_offsets)

    async def decided(self, transaction_ids: Collection[str]) -> dict[str, Decided]:
        """Read recorded first answers."""
        if not transaction_ids:
            return {}
        found = await self._fetch("decided", list(transaction_ids))
        return {row["transaction_id"]: rows.decided_of(row) for row in found}

    async def answered(self, runs: Sequence[Run]) -> dict[tuple[int, int], RecordedAnswer]:
        """Read what else was recorded at the runs' positions."""
        found = await self._fetch(
            "answered",
            [run.log.source_id for run in runs],
            [run.start for run in runs],
            [run.end for run in runs],
        )
        return {(row["source_id"], row["source_offset"]): rows.recorded_of(row) for row in found}

    async def lock(self, names: Collection[str]) -> dict[str, Account]:
        """Lock accounts and read them."""
        if not names:
            return {}
        found = await self._fetch("lock", list(names))
        return {row[1]: rows.account_of(row) for row in found}

    async def reversed_totals(self, transaction_ids: Collection[str]) -> dict[str, int]:
        """Read reversal totals."""
        if not transaction_ids:
            return {}
        found = await self._fetch("reversed_totals", list(transaction_ids))
        return {row[0]: row[1] for row in found}

    async def holds(self, transaction_ids: Collection[str]) -> dict[str, Hold]:
        """Read holds."""
        if not transaction_ids:
            return {}
        found = await self._fetch("holds", list(transaction_ids))
        return {row["hold_transaction_id"]: rows.hold_of(row) for row in found}

    async def clock(self, sequence_count: int) -> tuple[Clock, list[int]]:
        """Read the clock and draw ledger_sequences."""
        (row,) = await self._fetch("clock", sequence_count)
        self._now = row["now"]
        if row["rules_version"] != self.rules.version:
            self._rulebook.rules = rows.rules_of(await self._fetch("rules"))
            raise RulesChangedError("the rules have changed")
        return Clock(row["now_us"], row["now_text"], self.rules), row["sequences"]

    async def record(self, answers: Sequence[Answer], opened: Sequence[Opened]) -> None:
        """Write accounts, ids, postings and all other answers."""
        if opened:
            await self._open(opened)
        firsts = [answer for answer in answers if type(answer) is First]
        if firsts:
            await self._record_firsts(firsts)
        if len(firsts) == len(answers):
            return
        timeline_id = answers[0].timeline_id
        repeats = [answer for answer in answers if isinstance(answer, Repeat)]
        conflicts = [answer for answer in answers if isinstance(answer, Conflict)]
        letters = [answer for answer in answers if isinstance(answer, DeadLetter)]
        if repeats:
            columns = rows.repeat_columns(repeats)
            await self._execute("insert_repeats", *columns, timeline_id, self._now)
        if conflicts:
            columns = rows.conflict_columns(conflicts)
            await self._execute("insert_conflicts", *columns, timeline_id, self._now)
        if letters:
            columns = rows.dead_letter_columns(letters)
            await self._execute("insert_dead_letters", *columns, timeline_id, self._now)

    async def _open(self, opened: Sequence[Opened]) -> None:
        accounts = [one.account for one in opened]
        ids = await self._fetch(
            "insert_accounts",
            [account.name for account in accounts],
            [account.currency for account in accounts],
            [account.kind for account in accounts],
            [one.overdraft_limit for one in opened],
            self._now,
        )
        if len(ids) != len(opened):
            raise AlreadyDecidedError("an account was opened meanwhile")
        by_name = {row["name"]: row["account_id"] for row in ids}
        for account in accounts:
            account.account_id = by_name[account.name]

    async def _record_firsts(self, firsts: list[First]) -> None:
        # In the order of their ids, so that two workers do not wait for each other in a circle.
        by_id = sorted(firsts, key=lambda first: first.decided.transaction_id)
        await self._copy("transaction", binary.TRANSACTION_COLUMNS, binary.transactions, by_id)
        moved = [first for first in firsts if first.decided.ruling.postings]
        if len(moved) < len(firsts):
            await self._record_unmoved(firsts)
        if moved:
            await self._copy("posting", binary.POSTING_COLUMNS, binary.postings, moved)

    async def _record_unmoved(self, firsts: list[First]) -> None:
        """Before the postings: they may use a limit that was raised."""
        others = [first for first in firsts if not first.decided.ruling.postings]
        refusals = [first for first in others if first.decided.ruling.reason is not None]
        changes = [first for first in others if first.decided.ruling.reason is None]
        if refusals:
            await self._execute("insert_refusals", self._now, *rows.refusal_columns(refusals))
        if changes:
            columns = rows.account_change_columns(changes)
            await self._execute("insert_account_changes", self._now, *columns)

    async def advance(self, runs: Sequence[Run], delivered: dict[tuple[str, int], int]) -> None:
        """Note the holes, move the positions."""
        holes = [(run.log.source_id, *hole) for run in runs for hole in run.holes()]
        if holes:
            await self._execute("insert_holes", *map(list, zip(*holes, strict=True)))
        last = [run.records[-1].offset if run.records else None for run in runs]
        await self._execute(
            "advance",
            [run.log.topic for run in runs],
            [run.log.partition for run in runs],
            [run.end for run in runs],
            [delivered.get((run.log.topic, run.log.partition), 0) for run in runs],
            last,
            [run.digest() for run in runs],
        )


class PostgresLedger:
    """
    `Ledger` over two connections: one posts, the other answers everything that must not wait for a
    posting.
    """

    def __init__(self, settings: ConnectionSettings) -> None:
        self._posting = LedgerConnection(settings)
        self._other = LedgerConnection(settings)
        self._asking = asyncio.Lock()
        self._rulebook = Rulebook()

    @asynccontextmanager
    async def posting(self) -> AsyncIterator[PostgresSession]:
        """
        Begin; commit on a clean exit. After any error the connection is given up: nothing half-done
        can stay on it.
        """
        connection = await self._posting.get()
        try:
            with translated():
                await connection.execute("BEGIN")
            yield PostgresSession(connection, self._rulebook.of(connection))
            with translated():
                await connection.execute("COMMIT")
        except OutageError:
            self._posting.abandon()
            raise
        except ProcessorError:
            await self._roll_back(connection)
            raise
        except BaseException:
            self._posting.abandon()
            raise

    async def _roll_back(self, connection: asyncpg.Connection) -> None:
        try:
            await connection.execute("ROLLBACK", timeout=ROLLBACK_TIMEOUT_S)
        except (TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            self._posting.abandon()

    async def _fetch(self, name: str, *arguments: Any) -> list[Any]:
        async with self._asking:
            connection = await self._other.get()
            with translated():
                return await connection.fetch(SQL[name], *arguments)

    async def timelines(self) -> list[Timeline]:
        """Read all timelines, oldest first."""
        return [Timeline(*row) for row in await self._fetch("timelines")]

    async def start_timeline(self, known: int, reason: str) -> Timeline:
        """Begin a new timeline unless `known` is not the last any more; give the last."""
        (row,) = await self._fetch("start_timeline", known, reason)
        return Timeline(*row)

    async def incarnations(self) -> dict[int, UUID]:
        """Read the incarnation of every source."""
        return {row[0]: row[1] for row in await self._fetch("incarnations")}

    async def position(self, topic: str, partition: int) -> Position | None:
        """Read a position."""
        found = await self._fetch("position", topic, partition)
        return _position(found[0]) if found else None

    async def claim(
        self, topic: str, partition: int, first_offset: int, claim: UUID, claimed_by: str
    ) -> Position:
        """Write the claim; open the position on the first claim ever."""
        try:
            await self._claim(topic, partition, first_offset, claim, claimed_by)
        except UnpostableError as error:
            raise LedgerUnavailableError("another worker opens this position") from error
        position = await self.position(topic, partition)
        assert position is not None, "it was claimed on the line above"
        return position

    async def _claim(
        self, topic: str, partition: int, first_offset: int, claim: UUID, claimed_by: str
    ) -> None:
        async with self._asking:
            connection = await self._other.get()
            with translated():
                async with connection.transaction():
                    status = await connection.execute(
                        SQL["claim"], topic, partition, claim, claimed_by
                    )
                    if status == "UPDATE 0":
                        source_id = await connection.fetchval(
                            SQL["open_source"], topic, partition, uuid4(), claimed_by, "first claim"
                        )
                        await connection.execute(
                            SQL["open_position"],
                            topic,
                            partition,
                            source_id,
                            claim,
                            claimed_by,
                            first_offset,
                        )

    async def delivered(self, logs: dict[Log, int]) -> None:
        """Note deliveries where the claim still holds."""
        await self._fetch("delivered", [log.claim for log in logs], list(logs.values()))

    async def due_holds(self, holds_max: int) -> list[DueHold]:
        """Take the job until this connection ends, or leave it; read what is due."""
        (job,) = await self._fetch("take_expiry")
        if not job["is_taken"]:
            return []
        return [DueHold(*row) for row in await self._fetch("due_holds", holds_max)]

    async def known(self, transaction_ids: Collection[str]) -> set[str]:
        """Look ids up."""
        return {row[0] for row in await self._fetch("known", list(transaction_ids))}

    async def prepare(self) -> None:
        """
        At start and daily: partitions ahead; begin a timeline after a failover; tell of weak
        durability.
        """
        await self._fetch("create_month_partitions", MONTHS_AHEAD)
        (server,) = await self._fetch("server")
        if server["fsync"] != "on":
            log.warning("ledger.fsync_off", risk="a crash of the machine can lose posted payments")
        if not server["synchronous_standby_names"]:
            log.warning(
                "ledger.no_synchronous_standby",
                risk="a failover to an asynchronous replica can take back answered payments",
            )
        if server["server"] != server["known_server"]:
            known = (await self.timelines())[-1]
            await self.start_timeline(
                known.timeline_id, f"server timeline {server['known_server']} -> {server['server']}"
            )

    async def close(self) -> None:
        """Close both connections."""
        await self._posting.close()
        await self._other.close()


def _position(row: Any) -> Position:
    log_ = Log(row["source_id"], row["topic"], row["partition"], row["incarnation"], row["claim"])
    return Position(
        log_,
        row["first_offset"],
        row["next_offset"],
        row["delivered_offset"],
        row["last_offset"],
        row["last_digest"],
    )
