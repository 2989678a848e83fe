"""The dedupe table against the ledger: it may lack ids, but has none that the ledger lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from processor.audit.finding import FAULTS_SHOWN_MAX, Finding, finding

if TYPE_CHECKING:
    from processor.ledger.verify import Snapshot
    from processor.stream.seen_ids import SeenIds

CHUNK: Final = 10_000
CHECK: Final = "the table holds nothing the ledger lacks"


async def seen(ledger: Snapshot, table: SeenIds) -> Finding:
    """Look up every id of the table. It must have been opened before the ledger's snapshot."""
    tokens = [timeline.token.bytes for timeline in await ledger.timelines()]
    stamp = table.stamp()
    if stamp != tokens[-1]:
        whose = "an earlier life of this ledger" if stamp in tokens else "another ledger"
        note = f"the table holds the ids of {whose}; a worker wipes it at its start"
        return finding(CHECK, "0 ids", notes=[note])
    count, wrong, lines = 0, 0, list[str]()
    for entries in table.entries(CHUNK):
        unknown = await ledger.unknown_ids(entries)
        count += len(entries)
        wrong += len(unknown)
        lines += unknown[: FAULTS_SHOWN_MAX - len(lines)]
    return finding(CHECK, f"{count:,} ids", lines, fault_count=wrong)


def not_looked_at(why: str) -> Finding:
    """Say why there is no table to check."""
    return finding(CHECK, "no table", notes=[why])
