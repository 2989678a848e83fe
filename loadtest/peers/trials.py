"""
The demonstrations on a system that reads Kafka, each of them real.

Records are published, connections of the system's own database are cut, its own process is killed,
and what came of it is counted in the outcomes and in the books. A system that ends by itself is
started again, as a supervisor would, a few times; where it does not get past a message, its group
is set behind it, as an operator would, so that the next demonstration stands alone.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import textwrap
import time
from contextlib import suppress
from typing import Any, Final

import asyncpg
import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from loadtest.errors import LoadTestError
from loadtest.load.filling import fill
from loadtest.measure.drain import OutcomesEnd
from loadtest.peers.beds import SESSION_TIMEOUT_S, Bed, Tour
from loadtest.peers.books import postings
from loadtest.peers.demonstrations import (
    RESTARTS_MAX,
    STRUCK,
    STRUCK_PRODUCT,
    Demonstration,
    demonstrations,
)
from loadtest.peers.listener import Listener
from loadtest.peers.orders import PARTITIONS
from loadtest.peers.seen import Seen, of_answers
from loadtest.peers.systems import PRODUCT

HEAR_MS: Final = 20
LAST_HEAR_MS: Final = 300
QUIET_LIMIT_S: Final = 10.0 + SESSION_TIMEOUT_S
"""Without an answer for so long a demonstration is over."""

SKIP_LIMIT_S: Final = 3.0 * SESSION_TIMEOUT_S
SKIP_PAUSE_S: Final = 0.2
WORDS_SHOWN_MAX: Final = 80
ERROR: Final = re.compile(r"(?:\w+\.)*(\w+(?:Error|Exception)\b)")
"""How the last line of a traceback begins."""


CUT: Final = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
AND backend_type = 'client backend'"""


async def tried(tour: Tour, bed: Bed) -> dict[str, Seen]:
    """Show all demonstrations on a system that has worked off its load; give them by name."""
    plan, case = tour.plan, bed.site
    struck = STRUCK_PRODUCT if bed.system.name == PRODUCT else STRUCK
    payments = bed.system.payments(plan.payments)
    found: dict[str, Seen] = {}
    connection = await asyncpg.connect(case.database_url)
    try:
        async with (
            Listener(case.bootstrap_servers, bed.outcomes) as listener,
            OutcomesEnd(case.bootstrap_servers, bed.dead_letters, PARTITIONS) as dead_letters,
        ):
            stage = Stage(bed, connection, listener, dead_letters)
            for one in demonstrations(payments, plan.accounts, struck, is_quick=plan.is_quick):
                found[one.name] = await stage.show(one)
                tour.told(bed.system, one.name, found[one.name])
    finally:
        await connection.close()
    return found


class Stage:
    """Shows demonstrations on one system, one after another."""

    def __init__(
        self, bed: Bed, connection: Any, listener: Listener, dead_letters: OutcomesEnd
    ) -> None:
        self._bed = bed
        self._connection = connection
        self._listener = listener
        self._dead_letters = dead_letters
        self._endings: list[str] = []
        self._back_after_s: float | None = None

    async def show(self, one: Demonstration) -> Seen:
        """Publish, wait until all is answered or nothing more comes, and count."""
        bed, case = self._bed, self._bed.site
        wanted = {order.id: one.should_post for order in one.asked}
        await self._listener.listen_for(frozenset(wanted))
        dead = await self._dead_letters.end()
        if self._ended():
            bed.runner.launch()
        self._endings, self._back_after_s = [], None
        await fill(case.bootstrap_servers, bed.commands, one.lanes)
        await self._wait(one)
        posted = await postings(self._connection, bed.books, list(wanted))
        seen = msgspec.structs.replace(
            of_answers(wanted, self._listener.told, posted),
            unexplained=await self._connection.fetchval(bed.books.unexplained),
            dead_letters=await self._dead_letters.end() - dead,
            endings=len(self._endings),
            said=self._endings[0] if self._endings else "",
            back_after_s=self._back_after_s,
        )
        if self._ended():
            await skip(bed)
        return seen

    async def _wait(self, one: Demonstration) -> None:
        """Wait for the answers, strike while they come, and start again what ends by itself."""
        runner, listener = self._bed.runner, self._listener
        blows = [share * len(one.asked) for share in one.blows_at]
        killed_at: float | None = None
        heard_at = time.monotonic()
        while listener.answered < len(one.asked) and time.monotonic() - heard_at < QUIET_LIMIT_S:
            if await listener.hear(HEAR_MS):
                heard_at = time.monotonic()
                if killed_at is not None and self._back_after_s is None:
                    self._back_after_s = round(heard_at - killed_at, 1)
            if blows and listener.answered >= blows[0]:
                blows.pop(0)
                if one.name == "killed":
                    killed_at = time.monotonic()
                    await self._kill()
                else:
                    await self._connection.execute(CUT)
                heard_at = time.monotonic()
            if self._ended():
                if len(self._endings) > RESTARTS_MAX:
                    return
                runner.launch()
                heard_at = time.monotonic()

    async def _kill(self) -> None:
        """Kill the process, hear what it has told until then, and start it again."""
        runner = self._bed.runner
        os.kill(runner.pid, signal.SIGKILL)
        runner.stop()
        while await self._listener.hear(LAST_HEAR_MS):
            pass
        runner.launch()

    def _ended(self) -> bool:
        """Say whether the process has ended by itself, and remember what it said."""
        try:
            self._bed.runner.check()
        except LoadTestError:
            self._endings.append(last_words(self._bed.runner.log.read_text(errors="replace")))
            return True
        return False


def last_words(log: str) -> str:
    """Give the last error that a log names, without the module that it comes from."""
    lines = [line for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if ERROR.match(line)]
    said = ERROR.sub(r"\1", errors[-1]) if errors else (lines or ["it said nothing"])[-1]
    return textwrap.shorten(said, WORDS_SHOWN_MAX, placeholder=" …")


async def skip(bed: Bed) -> None:
    """Set a group that has no member behind all messages, as an operator would."""
    partitions = [TopicPartition(bed.commands, number) for number in range(PARTITIONS)]
    member = AIOKafkaConsumer(
        bootstrap_servers=bed.site.bootstrap_servers,
        group_id=bed.group,
        enable_auto_commit=False,
    )
    await member.start()
    try:
        member.assign(partitions)
        ends = await member.end_offsets(partitions)
        deadline = time.monotonic() + SKIP_LIMIT_S
        while True:
            try:
                await member.commit(ends)
            except KafkaError as error:
                # A member that did not say goodbye is one until its session times out.
                if time.monotonic() > deadline:
                    raise LoadTestError(f"{bed.group} can't be set on: {error!r}") from error
                await asyncio.sleep(SKIP_PAUSE_S)
            else:
                return
    finally:
        with suppress(KafkaError):
            await member.stop()
