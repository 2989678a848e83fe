"""Which command an event answers, and how it is counted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from loadtest.errors import LoadTestError
from loadtest.load.answers import KINDS, Answer, Reading

READING = Reading("here.payments.commands.v1")
SOURCE = {"topic": "here.payments.commands.v1", "partition": 3, "offset": 90_210}
EVENT = "3cfa6b36-9a5b-5b8f-9d9c-6f3f0a6ff4a8"
OUTCOME = {"event_id": EVENT, "outcome": "posted", "repeat": False, "source": SOURCE, "fees": []}
LETTER = {"event_id": EVENT, "transaction_id": None, "source": SOURCE, "reason": "not_json"}


def outcome(**fields: Any) -> Answer | None:
    """Read an outcome event."""
    return READING.outcome(json.dumps(OUTCOME | fields).encode())


def letter(**fields: Any) -> Answer | None:
    """Read a dead letter."""
    return READING.dead_letter(json.dumps(LETTER | fields).encode())


@pytest.mark.parametrize(
    ("said", "repeat", "kind"),
    [
        ("posted", False, "posted"),
        ("rejected", False, "rejected"),
        ("posted", True, "repeat"),
        ("rejected", True, "repeat"),
        ("conflict", False, "conflict"),
        ("invalid", False, "invalid"),
    ],
)
def test_an_outcome_answers_the_command_at_its_source(said: str, repeat: bool, kind: str) -> None:  # noqa: FBT001 - a case
    """By its position alone: the id may be that of other commands as well."""
    found = outcome(outcome=said, repeat=repeat)
    assert found is not None
    assert found[:3] == (3, 90_210, kind)
    assert found.kind in KINDS
    assert found.mark


def test_a_dead_letter_answers_where_no_outcome_can() -> None:
    """Where an id could be read an outcome goes out as well, and that is the answer."""
    found = letter()
    assert found is not None
    assert found[:3] == (3, 90_210, "invalid")
    assert letter(transaction_id="0193e8a0-0000-7000-8000-000000000001") is None


def test_the_same_event_has_the_same_mark_and_others_have_others() -> None:
    """That is how one that is delivered again is told from another answer."""
    assert outcome() == outcome(decided_at="whenever")
    assert outcome() != outcome(event_id=EVENT.replace("3", "4"))


def test_events_about_other_topics_answer_nothing() -> None:
    """Such as those of the processor's own commands, on the internal topic."""
    source = SOURCE | {"topic": "here.payments.internal.v1"}
    assert outcome(source=source) is None
    assert letter(source=source) is None


@pytest.mark.parametrize("value", [None, b"", b"{}", b"[]", b'{"event_id": 7}'])
def test_what_is_no_event_ends_the_load(value: bytes | None) -> None:
    """With one line that says so."""
    with pytest.raises(LoadTestError, match="an outcome that can't be read"):
        READING.outcome(value)
    with pytest.raises(LoadTestError, match="a dead letter that can't be read"):
        READING.dead_letter(value)
