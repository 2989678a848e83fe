"""The history: what is kept, what goes, how a run of it is found, what its commands say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from loadtest.__main__ import cli, main
from loadtest.report import history
from loadtest.report.history import KEPT_PER_PROFILE_MAX, find, keep, runs, too_many
from loadtest.report.publish import publish
from loadtest.report.result import ResultError
from tests.load_results import early, full


def kept(folder: Path, minute: int, **change: Any) -> Path:
    """Keep a short result that ended at a minute."""
    document = full(5) | {"finished_at": f"2026-11-22T17:{minute:02d}:00Z"} | change
    return keep(msgspec.json.encode(document), folder)


def test_a_result_is_kept_whole_under_when_it_ended(tmp_path: Path) -> None:
    """Names sort as the runs ended; two that ended in the same second are both kept."""
    first = kept(tmp_path, 1)
    again = kept(tmp_path, 1)
    assert first.name == "20261122T170100Z-faults.json"
    assert again.name == "20261122T170100Z~2-faults.json"
    assert sorted([again.name, first.name]) == [first.name, again.name]
    assert json.loads(first.read_text())["series"] == full(5)["series"]


def test_only_so_many_of_a_profile_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest go, with their pages; other profiles keep theirs."""
    monkeypatch.setattr(history, "too_many", lambda names, own: too_many(names, own, 3))
    other = kept(tmp_path, 0, profile="soak")
    files = [kept(tmp_path, minute) for minute in (1, 2, 3)]
    files[0].with_suffix(".html").touch()
    newest = kept(tmp_path, 4)
    assert sorted(tmp_path.iterdir()) == [other, *files[1:], newest]


def test_the_oldest_beyond_the_limit_are_chosen() -> None:
    """Of the profile that was just run, and of no other whose name ends alike."""
    own = [f"20261122T17{number:04d}Z-steady.json" for number in range(KEPT_PER_PROFILE_MAX + 2)]
    others = [f"20251122T17{number:04d}Z-un-steady.json" for number in range(60)]
    assert too_many([*others, *reversed(own)], "steady") == own[:2]
    assert too_many(own[2:], "steady") == []


def test_a_run_is_found_by_file_number_or_name(tmp_path: Path) -> None:
    """1 is the newest; a name may be cut short as long as it means one run."""
    first, second = kept(tmp_path, 1), kept(tmp_path, 2)
    assert find(str(first), tmp_path) == first
    assert (find("1", tmp_path), find("2", tmp_path)) == (second, first)
    assert find("20261122T1701", tmp_path) == first
    assert find(second.stem, tmp_path) == second
    again = kept(tmp_path, 2)
    assert find(second.stem, tmp_path) == second
    assert find(again.stem, tmp_path) == again


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("0", "no run has the number 0: the history has 2"),
        ("3", "no run has the number 3: the history has 2"),
        ("20261122T", "20261122T: 2 runs of the history: see `loadtest history`"),
        ("steady", "steady: neither a file nor a run of the history: see `loadtest history`"),
    ],
)
def test_what_is_not_found_is_told(tmp_path: Path, word: str, told: str) -> None:
    """In a line, with where to look."""
    kept(tmp_path, 1)
    kept(tmp_path, 2)
    with pytest.raises(ResultError) as raised:
        find(word, tmp_path)
    assert str(raised.value) == told


def test_a_broken_file_hides_no_run(tmp_path: Path) -> None:
    """It is told, and the others keep their numbers."""
    kept(tmp_path, 1)
    (tmp_path / "20261122T170130Z-faults.json").write_text("{")
    kept(tmp_path, 2)
    found, wrong = runs(tmp_path)
    assert [run.number for run in found] == [3, 1]
    assert [line.partition(":")[0] for line in wrong] == ["20261122T170130Z-faults.json"]
    assert runs(tmp_path / "none") == ([], [])


def test_a_written_result_gets_its_page_and_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beside it; what goes wrong there is told, and the run's verdict stands."""
    monkeypatch.setenv(history.FOLDER_VARIABLE, str(tmp_path / "history"))
    result = tmp_path / "smoke.json"
    result.write_text(json.dumps(early()))
    publish(result, Console())
    assert "<h1>smoke</h1>" in (tmp_path / "smoke.html").read_text()
    assert [path.name for path in (tmp_path / "history").iterdir()] == [
        "20261120T090000Z-smoke.json"
    ]
    capsys.readouterr()

    monkeypatch.setenv(history.FOLDER_VARIABLE, str(result))
    publish(result, Console(width=500))
    assert "its place in the history is missing" in capsys.readouterr().out


def invoked(*words: str) -> Result:
    """Run a command of the command line."""
    return CliRunner().invoke(cli, list(words), catch_exceptions=False)


@pytest.fixture
def filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a history with three runs."""
    monkeypatch.setenv(history.FOLDER_VARIABLE, str(tmp_path))
    kept(tmp_path, 1)
    kept(tmp_path, 2, verdict="invalid", machine=full(5)["machine"] | {"busy_before_percent": 61.0})
    kept(
        tmp_path, 3, profile="soak", versions={"commit": "abcdef0123", "changed_since_commit": True}
    )
    return tmp_path


@pytest.mark.usefixtures("filled")
def test_the_history_lists_the_newest_last() -> None:
    """With what tells one run from another; only those of a profile where one is named."""
    rows = [line.split() for line in invoked("history").stdout.splitlines()]
    assert [row[0] for row in rows[1:]] == ["3", "2", "1"]
    assert rows[1][1:] == [
        *("2026-11-22", "17:01:00", "faults", "passed"),
        *("2,987", "14.0", "922", "41.4", "3", "%", "653f0b94"),
    ]
    assert rows[2][4] == "invalid"
    assert "61" in rows[2]
    assert rows[3][-1] == "abcdef01+"
    assert len(invoked("history", "soak").stdout.splitlines()) == 2
    assert invoked("history", "none").stdout == "no runs of none yet\n"


@pytest.mark.usefixtures("filled")
def test_two_runs_are_compared_on_the_screen_and_for_programs() -> None:
    """Differences stand before figures; a void result is said to be one."""
    said = invoked("compare", "3", "1").stdout
    assert said.index("commit") < said.index("latency_p50_ms") < said.index("Judged by 1 runs")
    assert "too few runs to tell" in said
    assert "its figures are void" in invoked("compare", "3", "2").stdout
    found = json.loads(invoked("compare", "3", "1", "--json").stdout)
    assert (found["a"]["profile"], found["b"]["profile"]) == ("faults", "soak")
    assert found["differences"][0] == {
        "part": "profile",
        "what": "name",
        "a": "faults",
        "b": "soak",
    }
    assert {one["judged"] for one in found["figures"]} == {"too few runs"}


def test_a_page_is_made_anew_from_a_run(filled: Path) -> None:
    """Beside the run's file, or where it is asked for."""
    assert invoked("report", "1").stdout == f"{filled / '20261122T170300Z-soak.html'}\n"
    page = filled / "new" / "report.html"
    invoked("report", "2", "--output", str(page))
    assert "Invalid" in page.read_text()


@pytest.mark.usefixtures("filled")
def test_what_can_not_be_shown_is_a_line_and_a_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Never a traceback."""
    monkeypatch.setattr("signal.signal", lambda *_: None)
    for words in (["compare", "1", "9"], ["report", "9"]):
        monkeypatch.setattr("sys.argv", ["loadtest", *words])
        assert main() == 2
        assert capsys.readouterr().err == "loadtest: no run has the number 9: the history has 3\n"
