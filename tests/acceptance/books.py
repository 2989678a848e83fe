"""What must hold after every test: books, offsets and events, compared record by record."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import orjson

from loadtest.lanes import Lanes, Position
from loadtest.message import Message, parsed
from loadtest.proof.agreement import Agreement
from loadtest.proof.evidence import Listed, all_of
from loadtest.reporting import read_ledger
from tests.acceptance.load import PARTITIONS

CURRENCIES = Path(__file__).resolve().parents[2] / "schemas" / "currencies.v1.json"
SPAN = re.compile(rb"(?<=-)[0-9a-f]{16}(?=-[0-9a-f]{2}$)")

RECORDED = """
SELECT source.topic, source.partition, recorded.source_offset AS "offset", count(*) AS records
FROM (
    SELECT source_id, source_offset FROM ledger.posting WHERE line = 1
    UNION ALL SELECT source_id, source_offset FROM ledger.refusal
    UNION ALL SELECT source_id, source_offset FROM ledger.account_change
    UNION ALL SELECT source_id, source_offset FROM ledger.repeat
    UNION ALL SELECT source_id, source_offset FROM ledger.conflict
    UNION ALL SELECT source_id, source_offset FROM ledger.dead_letter
) AS recorded
JOIN ledger.source USING (source_id)
JOIN ledger.position USING (source_id)
GROUP BY 1, 2, 3"""

HOLES = """
SELECT topic, partition, from_offset, to_offset FROM ledger.hole
JOIN ledger.source USING (source_id)"""

POSITIONS = """
SELECT topic, partition, first_offset, next_offset, delivered_offset FROM ledger.position"""

BALANCES = """
SELECT account.name, account.posted, coalesce(sum(moved.change), 0) AS entries
FROM ledger.account LEFT JOIN (
    SELECT debit_account_id AS account_id, -amount AS change FROM ledger.posting
    UNION ALL SELECT credit_account_id, amount FROM ledger.posting
) AS moved USING (account_id)
GROUP BY account_id HAVING account.posted <> coalesce(sum(moved.change), 0)"""

SUMS = """
SELECT currency, sum(posted) AS total FROM ledger.account GROUP BY 1 HAVING sum(posted) <> 0"""


class Topics(NamedTuple):
    """What stands in the three topics, and the name of the commands' one."""

    name: str
    commands: list[Message]
    outcomes: list[Message]
    dead_letters: list[Message]


class Verdict(NamedTuple):
    """What was found: faults as lines, and the figures that tests look at."""

    faults: list[str]
    delivered_again: int
    outcomes: dict[Position, dict[str, Any]]
    dead_letters: dict[Position, dict[str, Any]]
    holes: set[Position]

    def reasons(self) -> dict[str, int]:
        """Count the answers by outcome and reason."""
        found: dict[str, int] = defaultdict(int)
        for value in self.outcomes.values():
            name = "repeat" if value["repeat"] else value["outcome"]
            found[f"{name}:{value['reason']}" if value["reason"] else name] += 1
        return dict(found)


async def judge(database_url: str, topics: Topics, *, allowed: Sequence[str] = ()) -> Verdict:
    """Compare topics and ledger with each other and with the reference model, all of it."""
    digits = {
        code: currency["digits"]
        for code, currency in orjson.loads(CURRENCIES.read_bytes())["currencies"].items()
    }
    lanes = Lanes((topics.name,), PARTITIONS)
    ends = dict.fromkeys(range(PARTITIONS), 0)
    ends |= {one.partition: one.offset + 1 for one in topics.commands}
    listed = Listed(lanes, ends, topics.commands, topics.outcomes, topics.dead_letters)
    agreement = Agreement(digits, [listed])
    ledger = await read_ledger(database_url)
    agreement.check(all_of(ledger), ledger.balances)
    found = agreement.differences.lines()
    faults = [line for line in found if not any(one in line for one in allowed)]
    faults += _header_faults("outcome", topics.outcomes)
    faults += _header_faults("dead letter", topics.dead_letters)
    connection = await asyncpg.connect(database_url)
    try:
        holes, unaccounted = await _offset_faults(connection, topics)
        faults += unaccounted
        for row in await connection.fetch(BALANCES):
            faults.append(f"{row['name']} has {row['posted']}, its entries {row['entries']}")
        for row in await connection.fetch(SUMS):
            faults.append(f"all balances in {row['currency']} are {row['total']} together")
    finally:
        await connection.close()
    return Verdict(
        faults,
        agreement.delivered_again,
        _values(lanes, topics.outcomes),
        _values(lanes, topics.dead_letters),
        holes,
    )


def _values(lanes: Lanes, messages: Iterable[Message]) -> dict[Position, dict[str, Any]]:
    """Find what was said first of each command."""
    found: dict[Position, dict[str, Any]] = {}
    for message in messages:
        value = parsed(message)
        position = value and lanes.position(value["source"])
        if value and position:
            found.setdefault(position, value)
    return found


def _header_faults(what: str, messages: Iterable[Message]) -> Iterator[str]:
    """Delivered again, an event has the same headers but for the span that delivered it."""
    seen: dict[bytes, list[tuple[str, bytes]]] = {}
    for message in messages:
        headers = [
            (name, SPAN.sub(b"span", value) if name == "traceparent" else value)
            for name, value in message.headers
        ]
        first = seen.setdefault(dict(message.headers)["ce_id"], headers)
        if first != headers:
            yield f"a {what} of partition {message.partition} came with other headers: {headers}"


async def _offset_faults(
    connection: asyncpg.Connection, topics: Topics
) -> tuple[set[Position], list[str]]:
    """Every offset before the position is one record or a hole, every visible one a record."""
    faults: list[str] = []
    recorded: dict[Position, int] = {
        (row["partition"], row["offset"]): row["records"]
        for row in await connection.fetch(RECORDED)
        if row["topic"] == topics.name
    }
    holes = {
        (row["partition"], offset)
        for row in await connection.fetch(HOLES)
        for offset in range(row["from_offset"], row["to_offset"])
        if row["topic"] == topics.name
    }
    visible = {message.position for message in topics.commands}
    tiled: set[Position] = set()
    for row in await connection.fetch(POSITIONS):
        tiled |= {(row["partition"], at) for at in range(row["first_offset"], row["next_offset"])}
        if row["delivered_offset"] > row["next_offset"]:
            faults.append(f"partition {row['partition']} was answered beyond its position")
    for what, places in (
        ("is recorded twice", {at for at, count in recorded.items() if count != 1}),
        ("is a record and a hole", recorded.keys() & holes),
        ("is not accounted for", tiled - recorded.keys() - holes),
        ("is recorded beyond the position", (recorded.keys() | holes) - tiled),
        ("is visible and not recorded", visible - recorded.keys()),
        ("is recorded and not visible", recorded.keys() - visible),
    ):
        faults += [f"partition {at[0]} offset {at[1]}: {what}" for at in sorted(places)[:5]]
    return holes, faults
