"""All checks of `processor verify`, one after another, within one snapshot of the ledger."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import msgspec

from processor.audit import books, events, log, seen
from processor.audit.finding import Finding
from processor.contracts import Contract
from processor.errors import ProcessorError
from processor.ledger.connection import ConnectionSettings
from processor.ledger.verify import Snapshot, reading
from processor.settings import Settings
from processor.stream import seen_ids

HOLES_SAMPLED: Final = 100
"""Holes looked at in the broker unless all are asked for."""

HOLES_MAX: Final = 1_000_000


class Scope(msgspec.Struct, frozen=True):
    """What to check, and how thoroughly."""

    every: bool = False
    offline: bool = False
    drained: bool = False
    events: bool = False


async def verify(
    settings: Settings, access: ConnectionSettings, contract: Contract, scope: Scope
) -> AsyncIterator[Finding]:
    """
    Give each finding as soon as it is there.

    Raises OutageError, SettingsError.
    """
    with ExitStack() as opened:
        # Opened before the snapshot: what the table holds now was committed to the ledger before.
        table, why_not = _table(settings, opened)
        async with reading(access) as ledger:
            counts = await ledger.counts()
            for check in (
                books.balanced,
                books.balances,
                books.chains,
                books.terms,
                books.holds,
                books.dates,
                books.limits,
                books.ids,
                books.reversals,
            ):
                yield await _timed(check(ledger, counts))
            yield await _timed(books.fingerprints(ledger, counts, every=scope.every))
            yield await _timed(books.offsets(ledger, counts))
            if table is None:
                yield seen.not_looked_at(why_not)
            else:
                yield await _timed(seen.seen(ledger, table))
            if not scope.offline:
                async for finding in _against_broker(settings, contract, ledger, scope, counts):
                    yield finding


def _table(settings: Settings, opened: ExitStack) -> tuple[seen_ids.SeenIds | None, str]:
    folder = Path(settings.data_dir) / "seen"
    if not (folder / "CURRENT").exists():
        return None, f"no worker keeps a table in {folder}"
    try:
        return opened.enter_context(seen_ids.reading(folder)), ""
    except ProcessorError as error:
        return None, str(error)


async def _against_broker(
    settings: Settings,
    contract: Contract,
    ledger: Snapshot,
    scope: Scope,
    counts: dict[str, int],
) -> AsyncIterator[Finding]:
    positions = await ledger.positions()
    served = _served(settings, contract)
    places = {(stand.topic, stand.partition) for stand in positions}
    async with log.looking(settings, sorted({topic for topic, _ in places} | served)) as broker:
        places |= {(topic, number) for topic in served for number in range(broker.count(topic))}
        bounds = await broker.bounds(sorted(places))
        yield await _timed(log.same_log(broker, positions, bounds))
        yield await _timed(log.waiting(broker, positions, bounds, drained=scope.drained))
        found = await ledger.holes(HOLES_MAX if scope.every else HOLES_SAMPLED)
        yield await _timed(log.holes(broker, found, counts["holes"], bounds))
    if scope.events:
        yield await _timed(
            events.events(settings, contract, ledger, positions, drained=scope.drained)
        )


def _served(settings: Settings, contract: Contract) -> set[str]:
    """Name the topics that carry commands."""
    return {settings.topic(one.name) for one in contract.command_topics}


async def _timed(check: Awaitable[Finding]) -> Finding:
    started = time.monotonic()
    found = await check
    took_ms = round((time.monotonic() - started) * 1000)
    return msgspec.structs.replace(found, took_ms=took_ms)
