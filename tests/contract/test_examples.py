"""The examples as the processor answers them: what is published beside each is what it does."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest

from processor.batch import Run
from processor.contracts import contract_folders
from processor.core.answers import DeadLetter
from processor.core.decode import InvalidReason
from processor.core.outcomes import Event
from processor.core.reasons import Reason
from processor.ledger.memory import MemoryLedger
from tests.builders import CONTRACT, TOPIC, Desk, told

EXAMPLES = contract_folders()[0] / "examples"
RECORDS = sorted(path for path in EXAMPLES.rglob("*.json") if "." not in path.stem)
NOW_US = 1_795_255_200_000_000
HOUR_US = 3_600_000_000
NOW = "2026-11-21T10:00:00.000000Z"


def name_of(path: Path) -> str:
    """Name a case by its folder and file."""
    return f"{path.parent.name}/{path.stem}"


def given(path: Path) -> list[bytes]:
    """Give the records before an example."""
    before = path.with_name(f"{path.stem}.given.jsonl")
    if not before.exists():
        return []
    records: list[bytes] = []
    for line in before.read_text().splitlines():
        document = json.loads(line)
        if "times" not in document:
            records.append(line.encode())
            continue
        command = json.dumps(document["command"])
        numbers = range(1, document["times"] + 1)
        records += [command.replace("{n}", f"{number:012}").encode() for number in numbers]
    return records


class Told:
    """What the processor told about an example: the events before it, and its own."""

    def __init__(self, run: Run, words: list[str], events: list[Event], own: list[Event]) -> None:
        self.run = run
        self.words = words
        self.before = [json.loads(event.value) for event in events]
        self.own = own


def answered(path: Path) -> Told:
    """
    Run an example through decode, decide and post on a ledger of its own, an hour after what comes
    before it.
    """
    return asyncio.run(_answered(given(path), path.read_bytes()))


async def _answered(records: list[bytes], example: bytes) -> Told:
    clock = [NOW_US - HOUR_US]
    desk = Desk(MemoryLedger(now_us=lambda: clock[0]))
    partition = await desk.claim()
    before = await desk.post(partition.add(*records))
    clock[0] = NOW_US
    run = partition.add(example)
    answers = await desk.post(run)
    words = [told(answer) for answer in (*before, *answers)]
    return Told(run, words, desk.events(before), desk.events(answers))


def filled_in(expected: Any, actual: Any, told_before: Told, first: Any = None) -> Any:
    """Put what only the processor can know where a placeholder stands for it."""
    if not isinstance(expected, dict):
        return expected
    source = {
        "topic": TOPIC,
        "partition": 0,
        "offset": told_before.run.start,
    }
    record = told_before.run.records[0]
    known = {
        "<event_id>": actual.get("event_id"),
        "<decided_at>": NOW,
        "<received_at>": NOW,
        "<source>": source,
        "<detail>": actual.get("detail"),
        "<headers>": [],
        "<key_base64>": base64.b64encode(record.key or b"").decode(),
        "<value_base64>": base64.b64encode(record.value or b"").decode(),
        "<ledger_sequence>": (first or actual).get("ledger_sequence"),
        **{f"<first.{name}>": value for name, value in (first or {}).items() if name != "first"},
    }
    return {
        name: filled_in(value, actual.get(name), told_before, first)
        if isinstance(value, dict)
        else known.get(value, value)
        if isinstance(value, str)
        else value
        for name, value in expected.items()
    }


@pytest.mark.parametrize("path", RECORDS, ids=name_of)
def test_the_outcome_is_the_published_one(path: Path) -> None:
    """Field by field, in the same order, and valid by the schema of outcomes."""
    expected_at = path.with_name(f"{path.stem}.outcome.json")
    result = answered(path)
    outcomes = [event for event in result.own if not is_dead_letter(event)]

    assert len(outcomes) == expected_at.exists()
    for event in outcomes:
        actual, expected = json.loads(event.value), json.loads(expected_at.read_bytes())
        used = [one for one in result.before if one["transaction_id"] == actual["transaction_id"]]
        filled = filled_in(expected, actual, result, used[0] if used else None)
        assert (actual, list(actual)) == (filled, list(filled))
        errors = CONTRACT.validators["payment_outcome"].iter_errors(actual)
        assert [error.message for error in errors] == []


@pytest.mark.parametrize(
    "path", [path for path in RECORDS if path.parent.name == "invalid"], ids=name_of
)
def test_the_dead_letter_is_the_published_one(path: Path) -> None:
    """Beside its outcome, with the same event id, and valid by the schema of dead letters."""
    result = answered(path)
    (event,) = [event for event in result.own if is_dead_letter(event)]
    actual = json.loads(event.value)
    expected = json.loads(path.with_name(f"{path.stem}.dead_letter.json").read_bytes())

    assert actual == filled_in(expected, actual, result)
    assert list(actual) == list(expected)
    assert len({json.loads(one.value)["event_id"] for one in result.own}) == 1
    assert CONTRACT.validators["dead_letter"].is_valid(actual)


def is_dead_letter(event: Event) -> bool:
    """Tell a dead letter from an outcome by its type."""
    return dict(event.headers)["ce_type"] == b"payments.command.dead-letter.v1"


def test_the_examples_end_in_every_way_that_there_is() -> None:
    """Every type is posted, every reason given; what comes before an example is valid too."""
    seen: set[str] = set()
    types: set[str] = set()
    for path in RECORDS:
        result = answered(path)
        assert "DeadLetter" not in result.words[:-1]
        for event in result.own:
            document = json.loads(event.value)
            seen.add(document.get("reason") or "posted")
            seen.add(result.words[-1])
            if document.get("outcome") == "posted":
                types.add(document["type"])

    reasons = {str(reason) for reason in Reason}
    invalid = {str(reason) for reason in InvalidReason} - {"unpostable"}
    assert seen == {*reasons, *invalid, "posted", "Repeat", "Conflict", DeadLetter.__name__}
    assert types == set(CONTRACT.commands)
