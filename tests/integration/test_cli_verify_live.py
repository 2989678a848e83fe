"""`processor verify` beside a live worker: broker, events and dedupe table against the ledger."""

from __future__ import annotations

import json
import signal
import uuid
from pathlib import Path

import asyncpg
from rocksdict import Options, Rdict

from tests.integration.bank import COMMANDS, OUTCOMES, PAID, Bank
from tests.integration.command_line import transfer


def test_books_hold_beside_a_live_worker(bank: Bank) -> None:
    """Everything is checked, the broker, the table and all events, while the worker runs on."""
    ran = bank.line.run("verify", "--all", "--events", "--drained")

    assert (ran.status, ran.err) == (0, "")
    assert ran.out.splitlines()[-1].startswith("everything holds: 16 checks in ")


async def test_an_event_that_the_ledger_does_not_know_is_found(bank: Bank) -> None:
    """A forged outcome stands out, and so does what is no event at all."""
    source = {"topic": bank.topic(COMMANDS), "partition": 0, "offset": 0}
    event_id = str(uuid.uuid4())
    bank.send(transfer("x", "y", "1.00"), words=("--partition", "0"))
    forged = json.dumps({"event_id": event_id, "source": source}).encode()
    await bank.publish(OUTCOMES, forged)
    await bank.publish(OUTCOMES, b"?")
    (faults,) = bank.faults("--events").values()

    assert len(faults) == 2
    assert f"event {event_id} about {source['topic']}/0@0 is not the ledger's" in faults[0]
    assert faults[1].endswith("no event of this release")


async def test_an_answer_without_its_event_is_found(bank: Bank) -> None:
    """A recorded answer whose event never went out is named with its position."""
    async with bank.still():
        await bank.execute("UPDATE ledger.repeat SET timeline_id = 7")
        await bank.execute(
            "INSERT INTO ledger.timeline (timeline_id, token, from_sequence, server, reason)"
            " VALUES (7, gen_random_uuid(), 1000000, '', '')"
        )
        try:
            faults = bank.faults("--events", "--drained")[
                "every answer has its event, and no other"
            ]
        finally:
            await bank.execute("UPDATE ledger.repeat SET timeline_id = 1")
            await bank.execute("DELETE FROM ledger.timeline WHERE timeline_id = 7")

    assert any(fault.endswith(f"no event in {bank.topic(OUTCOMES)}") for fault in faults)


async def test_a_hole_that_hides_a_record_is_found(bank: Bank) -> None:
    """A record that was taken for a hole would be a lost command: the broker knows better."""
    async with bank.still():
        await bank.execute(
            "CREATE TABLE public.kept AS SELECT * FROM ledger.repeat;"
            "INSERT INTO ledger.hole SELECT source_id, source_offset, source_offset + 1, now()"
            " FROM ledger.repeat; DELETE FROM ledger.repeat"
        )
        try:
            faults = bank.faults()
        finally:
            await bank.execute(
                "INSERT INTO ledger.repeat SELECT * FROM public.kept; DELETE FROM ledger.hole h"
                " USING public.kept k WHERE h.source_id = k.source_id"
                " AND h.from_offset = k.source_offset; DROP TABLE public.kept"
            )

    assert list(faults) == ["holes hold no record"]
    assert all(
        one.endswith("was taken for a hole, and holds a record") for one in faults.popitem()[1]
    )


async def test_another_log_is_found(bank: Bank) -> None:
    """A recreated topic, another cluster or a missing one is told from the log that was read."""
    async with bank.still():
        await bank.execute(
            "CREATE TABLE public.kept AS SELECT * FROM ledger.position;"
            r"UPDATE ledger.position SET last_digest = '\x00' WHERE partition = 0"
            " AND topic LIKE '%commands.v1';"
            "UPDATE ledger.position SET topic = 'gone'"
            " WHERE partition = 1 AND topic LIKE '%commands.v1'"
        )
        try:
            faults = bank.faults()["the broker has the log that was read"]
        finally:
            await bank.execute(
                "UPDATE ledger.position p SET topic = k.topic, last_digest = k.last_digest"
                " FROM public.kept k WHERE p.source_id = k.source_id; DROP TABLE public.kept"
            )

    assert len(faults) == 2
    assert "gone/1: the broker has no such partition" in faults
    assert sum(one.endswith("is not the one that the ledger read") for one in faults) == 1


AHEAD = (
    "UPDATE ledger.position SET next_offset = next_offset {} 9"
    " WHERE topic LIKE '%payments.commands.v1'"
)


async def test_a_log_that_ends_before_the_position_is_found(bank: Bank) -> None:
    """A log shorter than what the ledger has posted of it is not the log that was read."""
    async with bank.still():
        await bank.execute(AHEAD.format("+"))
        try:
            faults = bank.faults()["the broker has the log that was read"]
        finally:
            await bank.execute(AHEAD.format("-"))

    assert len(faults) == 8
    assert all(": the log ends at " in one for one in faults)


def test_what_waits_is_an_error_only_where_asked(bank: Bank) -> None:
    """Records that no worker has read are counted; with --drained they are wrong."""
    bank.worker.send(signal.SIGSTOP)
    try:
        one = json.dumps(transfer("x", "y", "1.00"))
        place = bank.line.run("send", one, "--partition", "2").out.strip()
        notes = bank.notes("what waits")
        faults = bank.faults("--drained")
    finally:
        bank.worker.send(signal.SIGCONT)

    log, offset = place.split("@")
    assert notes == [f"{log}: 1 waiting, from offset {offset} on"]
    assert faults == {"nothing waits": [f"{log}: 1 not posted, from offset {offset} on"]}


def test_the_table_may_be_missing_or_another_ledgers(bank: Bank, tmp_path: Path) -> None:
    """No table and another ledger's table are said so and are no errors."""
    check = "the table holds"
    folder = tmp_path / "seen"
    none = bank.notes(check, data_dir=str(tmp_path))
    plant(folder, {b"stamp": bytes(16)})
    others = bank.notes(check, data_dir=str(tmp_path))

    assert none == [f"no worker keeps a table in {folder}"]
    assert others == ["the table holds the ids of another ledger; a worker wipes it at its start"]


async def test_an_id_that_only_the_table_knows_is_found(bank: Bank, tmp_path: Path) -> None:
    """A table ahead of the ledger would take new payments for old ones; it is found by id."""
    connection = await asyncpg.connect(bank.line.settings["database_url"])
    # The current one: the tests before may have let the live worker begin another.
    token = await connection.fetchval(
        "SELECT token FROM ledger.timeline ORDER BY timeline_id DESC LIMIT 1"
    )
    await connection.close()
    known, unknown = uuid.UUID(PAID["transaction_id"]), uuid.uuid4()
    entries = {one.bytes: (999).to_bytes(8, "big") for one in (known, unknown)}
    plant(tmp_path / "seen", {b"stamp": token.bytes, **entries})
    faults = bank.faults("--offline", data_dir=str(tmp_path))

    lines = faults["the table holds nothing the ledger lacks"]
    assert (
        f"transaction {unknown}: the table says ledger_sequence 999, the ledger has none" in lines
    )
    assert len(lines) == 2


def plant(folder: Path, entries: dict[bytes, bytes]) -> None:
    """Write a table as a worker does, with the time of writing behind each value."""
    database = Rdict(str(folder), options=Options(raw_mode=True))
    for key, value in entries.items():
        database[key] = value + bytes(4)
    database.close()
