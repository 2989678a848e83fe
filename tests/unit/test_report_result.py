"""Reading results: of today, of before, and what is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadtest.report.result import FORMAT, ResultError, read, read_head
from tests.load_results import early, full


def written(folder: Path, document: object) -> Path:
    """Write a result."""
    path = folder / "one.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def test_a_full_result_is_read_whole(tmp_path: Path) -> None:
    """And what this harness does not know in it is passed over, wherever it is."""
    document = full()
    document["of_the_future"] = {"a": 1}
    document["series"][0]["of_the_future"] = 2
    found = read(written(tmp_path, document))
    assert (found.profile, found.verdict, len(found.series)) == ("faults", "passed", 180)
    assert found.marks[0].what == "worker 1 killed"
    assert found.percentile_ms(99.0) == document["figures"]["latency_p99_ms"]
    assert (found.lasted_s, found.warm_up_s) == (180.0, 20.0)
    assert found.proven is not None
    assert found.proven.checked["accounts"] == 10_001


def test_a_result_without_the_newer_parts_is_read(tmp_path: Path) -> None:
    """Its proof is in the lines that there were before."""
    found = read(written(tmp_path, early()))
    assert found.format == FORMAT
    assert found.headline == "a quick look whether everything works"
    assert (found.processes, found.marks, found.histogram.percentiles) == ({}, (), ())
    assert found.proven is not None
    assert found.proven.holds
    spoilt = read(written(tmp_path, early() | {"faults": ["1 commands without an outcome"]}))
    assert spoilt.proven is not None
    assert (spoilt.proven.holds, spoilt.proven.lines) == (False, ("1 commands without an outcome",))


def test_least_of_all_a_result_has_three_parts(tmp_path: Path) -> None:
    """Nothing else is needed."""
    found = read(written(tmp_path, {"profile": "x", "verdict": "passed", "figures": {}}))
    assert (found.lasted_s, found.warm_up_s, found.proven, found.headline) == (0.0, 0.0, None, "")


WRONG = [
    ("", "one.json: not the result of a load: Input data was truncated"),
    ("<html>", "one.json: not the result of a load: JSON is malformed"),
    ("[]", "one.json: not the result of a load: Expected `object`, got `array`"),
    ({"cases": []}, "one.json: not the result of a load: Object missing required field `profile`"),
    (
        full() | {"series": [{"at_s": "now"}]},
        "one.json: not the result of a load: Expected `float`, got `str` - at `$.series[0].at_s`",
    ),
    (
        full() | {"format": FORMAT + 1},
        "one.json: its format 2 is newer than this harness, which reads up to 1",
    ),
]


@pytest.mark.parametrize(("document", "told"), WRONG)
def test_what_is_no_result_is_refused_in_a_line(
    tmp_path: Path, document: object, told: str
) -> None:
    """With the file and why."""
    with pytest.raises(ResultError) as raised:
        read(written(tmp_path, document))
    assert str(raised.value).startswith(told)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """With its whole path; a folder is no result either."""
    with pytest.raises(ResultError, match=r"none\.json: No such file"):
        read_head(tmp_path / "none.json")
    with pytest.raises(ResultError, match="Is a directory"):
        read_head(tmp_path)
