"""
The job that lets holds expire: it publishes an ordinary `hold.expire` for each whose time is over.

It carries which hold, never an amount, under an id made of the hold and the attempt. So it may run
twice, on several workers, or be killed half-way: what is published again is a repeat. A further
attempt gets another id only where the one before was decided and the hold is still open.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid5

import orjson
import structlog
from aiokafka.errors import KafkaError

from processor.core.hold_commands import HoldExpire
from processor.core.timestamps import from_epoch_us
from processor.errors import BrokerUnavailableError
from processor.kafka import started, stop

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer

    from processor.ledger import DueHold, Ledger

log = structlog.get_logger()

CHANNEL: Final = "internal"
DUE_MAX: Final = 1_000
"""Holds looked at in one turn; the rest follow in the next."""

ATTEMPTS_MAX: Final = 20
"""Attempts for one hold; beyond that it is left to people."""

LOOKS_PER_LAG: Final = 4
"""How often the ledger is looked at within the lag that is allowed."""


def attempt_id(hold_transaction_id: str, attempt: int) -> str:
    """Give the transaction id of an attempt, counted from 1: the same on every worker."""
    return str(uuid5(UUID(hold_transaction_id), f"{HoldExpire.TYPE}/{attempt}"))


def command_of(due: DueHold, attempt: int) -> bytes:
    """Write the command of an attempt: the same bytes each time."""
    return orjson.dumps(
        {
            "transaction_id": attempt_id(due.hold_transaction_id, attempt),
            "type": HoldExpire.TYPE,
            "hold_transaction_id": due.hold_transaction_id,
            "requested_at": from_epoch_us(due.expires_at_us),
            "channel": CHANNEL,
        }
    )


class Expiry:
    """Publishes the expiries that are due, one turn after another."""

    def __init__(
        self,
        ledger: Ledger,
        make_producer: Callable[[], AIOKafkaProducer],
        topic: str,
        *,
        lag_s: float,
        delivery_timeout_s: float,
    ) -> None:
        self._ledger = ledger
        self._make_producer = make_producer
        self._producer: AIOKafkaProducer | None = None
        self._topic = topic
        self._lag_s = lag_s
        self._delivery_timeout_s = delivery_timeout_s
        self._published: dict[str, float] = {}
        """When each id was published, by the loop's clock: it is on its way for a while."""

        self.overdue_s = 0.0
        """For how long the money of the oldest due hold has been held beyond its time."""

    @property
    def pause_s(self) -> float:
        """How long to wait between two turns."""
        return self._lag_s / LOOKS_PER_LAG

    async def turn(self) -> int:
        """
        Publish what is due; give how many commands. Nothing where another worker does this job.

        Raises LedgerUnavailableError, BrokerUnavailableError.
        """
        due = await self._ledger.due_holds(DUE_MAX)
        self.overdue_s = max((one.overdue_s for one in due), default=0.0)
        now = asyncio.get_running_loop().time()
        self._published = {id_: at for id_, at in self._published.items() if now - at < self._lag_s}
        wanted = [
            (one, attempt)
            for one, attempt in await self._attempts(due)
            if attempt_id(one.hold_transaction_id, attempt) not in self._published
        ]
        if wanted:
            await self._publish(wanted)
        for one, attempt in wanted:
            self._published[attempt_id(one.hold_transaction_id, attempt)] = now
        return len(wanted)

    async def _attempts(self, due: Sequence[DueHold]) -> list[tuple[DueHold, int]]:
        """Give each hold the first attempt that was not decided yet."""
        found: list[tuple[DueHold, int]] = []
        left: Collection[DueHold] = due
        for attempt in range(1, ATTEMPTS_MAX + 1):
            if not left:
                break
            ids = {attempt_id(one.hold_transaction_id, attempt): one for one in left}
            known = await self._ledger.known(list(ids))
            found += [(one, attempt) for id_, one in ids.items() if id_ not in known]
            left = [one for id_, one in ids.items() if id_ in known]
        for one in left:
            log.error("expiry.given_up", hold=one.hold_transaction_id, attempts=ATTEMPTS_MAX)
        return found

    async def _publish(self, wanted: Sequence[tuple[DueHold, int]]) -> None:
        try:
            async with asyncio.timeout(self._delivery_timeout_s):
                if self._producer is None:
                    self._producer = await started(self._make_producer)
                send = self._producer.send
                sent = [
                    await send(self._topic, command_of(one, attempt), key=one.account.encode())
                    for one, attempt in wanted
                ]
                await asyncio.gather(*sent)
        except (KafkaError, OSError, TimeoutError) as error:
            await self.close()
            raise BrokerUnavailableError(f"expiries are not delivered: {error!r}") from error
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Let go of the producer."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await stop(producer)
