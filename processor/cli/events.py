"""Reads outcomes and dead letters as any downstream service would, and writes them for people."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from processor.cli.writers import exceeded_text
from processor.kafka import client_options, reaching

if TYPE_CHECKING:
    from processor.settings import Settings

FETCH_WAIT_MS: Final = 200
FETCH_RECORDS_MAX: Final = 2_000
REQUEST_TIMEOUT_MS: Final = 15_000

Offsets = dict[TopicPartition, int]


class EventReader:
    """
    Reads whole topics of events from offsets on, committed ones alone.

    Every method raises BrokerUnavailableError.
    """

    def __init__(self, consumer: AIOKafkaConsumer, settings: Settings) -> None:
        self._consumer = consumer
        self._settings = settings

    async def bounds(self, partitions: Mapping[str, int]) -> tuple[Offsets, Offsets]:
        """Give where each partition of the topics begins and ends now."""
        every = [
            TopicPartition(topic, number)
            for topic, count in partitions.items()
            for number in range(count)
        ]
        with reaching(self._settings):
            starts: Offsets = await self._consumer.beginning_offsets(every)
            return starts, await self._consumer.end_offsets(every)

    async def values(self, starts: Offsets, ends: Offsets | None) -> AsyncIterator[list[Any]]:
        """Give the records from `starts` on, up to `ends` or for ever; also when there are none."""
        self._consumer.assign(list(starts))
        for tp, offset in starts.items():
            self._consumer.seek(tp, offset)
        while True:
            with reaching(self._settings):
                if ends is not None and await self._is_past(ends):
                    return
                found = await self._consumer.getmany(
                    timeout_ms=FETCH_WAIT_MS, max_records=FETCH_RECORDS_MAX
                )
            yield [record for records in found.values() for record in records]

    async def _is_past(self, ends: Offsets) -> bool:
        for tp, end in ends.items():
            if await self._consumer.position(tp) < end:
                return False
        return True


@asynccontextmanager
async def reading_events(settings: Settings) -> AsyncIterator[EventReader]:
    """Open a reader of no group. Raises BrokerUnavailableError."""
    consumer = AIOKafkaConsumer(
        **client_options(settings),
        client_id="processor outcomes",
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        fetch_max_wait_ms=FETCH_WAIT_MS,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
    )
    try:
        with reaching(settings):
            await consumer.start()
        yield EventReader(consumer, settings)
    finally:
        await consumer.stop()


def parsed(value: bytes | None) -> dict[str, Any] | None:
    """Read an event, None where it is none."""
    try:
        event = orjson.loads(value or b"")
    except ValueError:
        return None
    if not isinstance(event, dict) or not isinstance(event.get("source"), dict):
        return None
    return event


def outcome_line(event: Mapping[str, Any]) -> str:
    """Write an outcome in one line."""
    source = event["source"]
    money = f"{event['amount']} {event['currency']}" if event.get("amount") else ""
    about = event.get("account") or event.get("tariff") or event.get("limit")
    if about:
        parties = about
    elif event.get("debit_account") or event.get("credit_account"):
        parties = f"{event.get('debit_account') or '?'} -> {event.get('credit_account') or '?'}"
    else:
        parties = ""
    return (
        f"{source['partition']:>3}@{source['offset']:<9} {event['outcome']:<8} "
        f"{event.get('type') or '-':<16} {money:>18}  {parties:<36} "
        f"{event['transaction_id']}  {remark(event)}"
    ).rstrip()


def remark(event: Mapping[str, Any]) -> str:
    """
    Say what is special about an outcome: why, a repeat, what differs, what an account became, what
    was charged.
    """
    said = [event["reason"]] if event.get("reason") else []
    if event.get("status"):
        said.append(event["status"])
    if event.get("available"):
        said.append(f"{event['available']} {event['currency']} available")
    said += [
        f"fee {one['amount']} {one['currency']} from {one['account']}"
        for one in event.get("fees") or ()
    ]
    if event.get("exceeded"):
        said.append(exceeded_text(event["exceeded"]))
    if event.get("late"):
        said.append(f"late, counts from {event['value_date']}")
    if event.get("business_date") and event["outcome"] == "posted":
        said.append(f"{event['business_date']} closed, {event['next_date']} open")
    if event.get("pointer"):
        said.append(f"at {event['pointer']}")
    if event.get("repeat"):
        said.append("repeat")
    said += [
        f"{one['field']}: {_shown(one['first'])} first, {_shown(one['now'])} now"
        for one in event.get("differences") or ()
    ]
    return ", ".join(said)


def _shown(value: Any) -> str:
    return "none" if value is None else orjson.dumps(value).decode()


def dead_letter_line(event: Mapping[str, Any]) -> str:
    """Write a dead letter in one line."""
    source = event["source"]
    where = f" at {event['pointer']}" if event.get("pointer") else ""
    return (
        f"{source['partition']:>3}@{source['offset']:<9} {event['reason']:<12} "
        f"{event['received_at']}  {event['transaction_id'] or 'no id':<36}  "
        f"{event['detail']}{where}"
    )
