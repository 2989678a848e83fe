"""What a result says of the code that was measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.measure import machine


def test_changes_that_are_not_committed_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs of one commit with different changes are runs of different code."""
    said: dict[str, str | None] = {"rev-parse": "1a2b3c", "status": "", "diff": ""}
    monkeypatch.setattr(machine, "_git", lambda _, *words: said[words[0]])
    clean = machine.versions(Path())
    assert (clean["commit"], clean["changed_since_commit"], clean["changes"]) == (
        *("1a2b3c", False),
        None,
    )
    said["status"] = " M processor/post.py"
    digests = set()
    for said["diff"] in ("+one", "+another", "+one"):
        found = machine.versions(Path())
        assert found["changed_since_commit"]
        digests.add(found["changes"])
    assert len(digests) == 2
    assert None not in digests


def test_without_git_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of the files alone can be measured too."""
    monkeypatch.setattr(machine, "_git", lambda *_: None)
    found = machine.versions(Path())
    assert (found["commit"], found["changes"]) == (None, None)
