"""One posting transaction in PostgreSQL; every statement is in `queries.sql`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

import asyncpg

from processor.batch import Run
from processor.core.answers import (
    Answer,
    Clock,
    Conflict,
    DeadLetter,
    First,
    RecordedAnswer,
    Repeat,
)
from processor.core.books import Account, Decided, Hold, Opened, Spent, Subject
from processor.core.rules import Rules
from processor.errors import AlreadyDecidedError, FencedError, RewoundError
from processor.ledger import Fence, binary, rows
from processor.ledger.connection import translated
from processor.ledger.rulebook import Rulebook
from processor.ledger.statements import SQL

_TRANSACTION_ID: Final = attrgetter("transaction_id")
_LEDGER_SEQUENCE: Final = attrgetter("ledger_sequence")


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
        self, table: str, columns: Sequence[str], encode: binary.Encoder, decided: Sequence[Decided]
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
                source=binary.stream(encode, decided, self._now),
            )

    @property
    def rules(self) -> Rules:
        """The rules as they are known."""
        return self._rulebook.rules

    async def fence(self, runs: Sequence[Run], *, changes_rules: bool) -> Fence:
        """Lock the positions and the rules; compare claims and starts; know the rules."""
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
        if rows_found[0]["rules_version"] != self.rules.version:
            said = await self._fetch("rules", self.rules.version)
            self._rulebook.rules = rows.rules_of(self.rules, said)
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
        return {row[0]: Account(*row) for row in found}

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

    async def lock_spent(self, subjects: Collection[Subject]) -> dict[Subject, Spent]:
        """Lock what subjects have spent and read it."""
        if not subjects:
            return {}
        found = await self._fetch("lock_spent", *map(list, zip(*subjects, strict=True)))
        return {(row[0], row[1], row[2]): Spent(row[3] or "", row[4], row[5]) for row in found}

    async def clock(self, sequence_count: int) -> tuple[Clock, list[int]]:
        """Read the clock and draw ledger_sequences."""
        (row,) = await self._fetch("clock", sequence_count)
        self._now = row["now"]
        return Clock(row["now_us"], row["now_text"], self.rules), row["sequences"]

    async def record(self, answers: Sequence[Answer], opened: Sequence[Opened]) -> None:
        """Write accounts, ids, postings and all other answers."""
        if opened:
            await self._open(opened)
        decided = [answer.decided for answer in answers if type(answer) is First]
        if decided:
            await self._record_decided(decided)
        if len(decided) == len(answers):
            return
        timeline_id = answers[0].timeline_id
        repeats = [answer for answer in answers if type(answer) is Repeat]
        conflicts = [answer for answer in answers if type(answer) is Conflict]
        letters = [answer for answer in answers if type(answer) is DeadLetter]
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
            [account.customer for account in accounts],
            self._now,
        )
        if len(ids) != len(opened):
            raise AlreadyDecidedError("an account was opened meanwhile")
        by_name = {row["name"]: row["account_id"] for row in ids}
        for account in accounts:
            account.account_id = by_name[account.name]

    async def _record_decided(self, decided: list[Decided]) -> None:
        # In the order of their ids, so that two workers do not wait for each other in a circle.
        decided.sort(key=_TRANSACTION_ID)
        await self._copy("transaction", binary.TRANSACTION_COLUMNS, binary.transactions, decided)
        moved = [one for one in decided if one.ruling.postings]
        if len(moved) < len(decided):
            await self._record_unmoved(decided)
        if moved:
            await self._copy("posting", binary.POSTING_COLUMNS, binary.postings, moved)
        # Where there are no limits, only a batch that sets one can have spent under it.
        if self.rules.limits or len(moved) < len(decided):
            await self._record_spendings(decided)

    async def _record_spendings(self, decided: list[Decided]) -> None:
        spent = [one for one in decided if one.ruling.spendings]
        if spent:
            await self._execute("insert_spendings", *rows.spending_columns(spent))

    async def _record_unmoved(self, decided: list[Decided]) -> None:
        """Before the postings: they may use a limit that was raised."""
        others = [one for one in decided if not one.ruling.postings]
        refusals = [one for one in others if one.ruling.reason is not None]
        changes = [one for one in others if one.ruling.reason is None]
        if refusals:
            await self._copy("refusal", binary.REFUSAL_COLUMNS, binary.refusals, refusals)
        if changes:
            # In the order of the ledger: each sets what the next one ends or closes.
            changes.sort(key=_LEDGER_SEQUENCE)
            await self._copy(
                "account_change", binary.CHANGE_COLUMNS, binary.account_changes, changes
            )

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
