"""The examples as messages: each decodes or fails as it says, and what is expected is valid."""

import json
from pathlib import Path
from typing import Any

import pytest

from processor.contracts import contract_folders, load_contract
from processor.core.commands import Command
from processor.core.decode import Decoder, Invalid, InvalidReason
from processor.core.reasons import Reason

CONTRACT = load_contract()
DECODER = Decoder(CONTRACT, command_bytes_max=65_536)
EXAMPLES = contract_folders()[0] / "examples"
RECORDS = sorted(path for path in EXAMPLES.rglob("*.json") if "." not in path.stem)
VALID = [path for path in RECORDS if path.parent.name != "invalid"]
INVALID = [path for path in RECORDS if path.parent.name == "invalid"]

FILLED_IN: dict[str, object] = {
    "event_id": "01933a5e-0000-5000-8000-000000000001",
    "decided_at": "2026-11-21T10:00:00.000000Z",
    "received_at": "2026-11-21T10:00:00.000000Z",
    "ledger_sequence": 1,
    "source": {"topic": "payments.commands.v1", "partition": 0, "offset": 0},
    "detail": "not JSON",
    "key_base64": None,
    "value_base64": "e30=",
    "headers": [["traceparent", "MDA="]],
}


def name_of(path: Path) -> str:
    """Name a case by its folder and file."""
    return f"{path.parent.name}/{path.stem}"


def beside(path: Path, suffix: str) -> Path:
    """Find the file that belongs to an example."""
    return path.with_name(f"{path.stem}.{suffix}")


def filled_in(node: object) -> Any:
    """Put values where placeholders stand."""
    if isinstance(node, dict):
        return {key: filled_in(value) for key, value in node.items()}
    if isinstance(node, list):
        return [filled_in(value) for value in node]
    if isinstance(node, str) and node.startswith("<"):
        return FILLED_IN[node.strip("<>").removeprefix("first.")]
    return node


@pytest.mark.parametrize("path", VALID, ids=name_of)
def test_examples_of_commands_are_commands(path: Path) -> None:
    """What is refused by the ledger's rules is a good command all the same."""
    command = DECODER.decode(path.read_bytes())
    outcome = json.loads(beside(path, "outcome.json").read_bytes())

    assert isinstance(command, Command), command
    assert (command.transaction_id, command.TYPE, command.channel) == (
        outcome["transaction_id"],
        outcome["type"],
        outcome["channel"],
    )
    assert (
        outcome["outcome"]
        == {
            "accepted": "posted",
            "rejected": "rejected",
            "conflict": "conflict",
        }[path.parent.name]
    )


@pytest.mark.parametrize("path", INVALID, ids=name_of)
def test_examples_of_invalid_records_fail_as_they_say(path: Path) -> None:
    """Reason, pointer, and the id where one could be read."""
    invalid = DECODER.decode(path.read_bytes())
    expected = json.loads(beside(path, "dead_letter.json").read_bytes())

    assert isinstance(invalid, Invalid), invalid
    assert (expected["reason"], expected["pointer"], expected["transaction_id"]) == (
        invalid.reason,
        invalid.pointer,
        invalid.transaction_id,
    )
    assert beside(path, "outcome.json").exists() == (invalid.transaction_id is not None)
    assert path.stem.startswith(expected["reason"])


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.given.jsonl")), ids=name_of)
def test_what_is_given_before_an_example_is_commands(path: Path) -> None:
    """Each line is a command, or many of them by number."""
    for line in path.read_text().splitlines():
        given = json.loads(line)
        written = given["command"] if "times" in given else given
        command = json.dumps(written).replace("{n}", "0" * 12)

        assert isinstance(DECODER.decode(command.encode()), Command)


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.outcome.json")), ids=name_of)
def test_expected_outcomes_are_valid(path: Path) -> None:
    """
    The schema of outcomes accepts each, and refuses it with any field removed; but for the fees,
    which are shown only where something was charged, and no schema knows the tariffs.
    """
    outcome = filled_in(json.loads(path.read_bytes()))
    validator = CONTRACT.validators["payment_outcome"]

    assert [error.message for error in validator.iter_errors(outcome)] == []
    for field in outcome.keys() - {"fees"}:
        assert not validator.is_valid({name: outcome[name] for name in outcome if name != field})
    assert not validator.is_valid({**outcome, "more": 1})


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.dead_letter.json")), ids=name_of)
def test_expected_dead_letters_are_valid(path: Path) -> None:
    """The schema of dead letters accepts each."""
    letter = filled_in(json.loads(path.read_bytes()))

    assert CONTRACT.validators["dead_letter"].is_valid(letter)


def test_every_file_belongs_to_an_example() -> None:
    """Nothing lies about that no test reads."""
    known = {
        beside(path, suffix)
        for path in RECORDS
        for suffix in ("json", "given.jsonl", "outcome.json", "dead_letter.json")
    }

    assert set() == {path for path in EXAMPLES.rglob("*") if path.is_file()} - known


def test_every_type_and_reason_has_an_example() -> None:
    """But for the reason that only PostgreSQL gives."""
    outcomes = [json.loads(path.read_bytes()) for path in EXAMPLES.rglob("*.outcome.json")]
    letters = [json.loads(path.read_bytes()) for path in EXAMPLES.rglob("*.dead_letter.json")]
    posted = {event["type"] for event in outcomes if event["outcome"] == "posted"}
    rejected = {event["reason"] for event in outcomes if event["outcome"] == "rejected"}
    invalid = {letter["reason"] for letter in letters}

    assert set(CONTRACT.commands) == posted
    assert set(Reason) == rejected
    assert set(InvalidReason) - {InvalidReason.UNPOSTABLE} == invalid
