"""The knee as a picture for documents: one SVG file, whose texts stand where the lines are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from loadtest.__main__ import cli, main
from loadtest.report.wording import milliseconds
from tests.load_results import full

SVG = "{http://www.w3.org/2000/svg}"


def drawn(folder: Path, document: dict[str, Any]) -> ET.Element:
    """Draw the knee of a result, as the command does."""
    result, picture = folder / "ramp.json", folder / "new" / "knee.svg"
    result.write_text(json.dumps(document))
    said = CliRunner().invoke(cli, ["report", str(result), "--knee", str(picture)])
    assert said.output == f"{picture}\n"
    return ET.fromstring(picture.read_text())  # noqa: S314 - written by this test just now


def texts(picture: ET.Element) -> dict[str, tuple[float, float]]:
    """Give where each text begins or ends; of those that stand there twice, the last."""
    return {
        str(one.text): (float(one.attrib["x"]), float(one.attrib["y"]))
        for one in picture.iter(f"{SVG}text")
    }


def test_a_picture_says_what_it_shows(tmp_path: Path) -> None:
    """The knee in words, when that was, both charts with their axes, and what the lines are."""
    picture = drawn(tmp_path, full())
    said = texts(picture)
    assert "The system kept up with 20,000/s; what lies behind is shaded." in said
    assert {
        "Latency by rate",
        "Answered by rate",
        "p99",
        "sent",
        f"≤ {milliseconds(250)}",
    } <= said.keys()
    assert any("seed" in one for one in said)


def test_all_texts_lie_on_the_ground(tmp_path: Path) -> None:
    """None is cut off, and the labels of ticks stand beside the plot and below it."""
    picture = drawn(tmp_path, full())
    _, _, width, height = map(float, picture.attrib["viewBox"].split())
    assert all(0 < x < width and 0 < y < height for x, y in texts(picture).values())
    first, last = picture.findall(f"{SVG}svg")
    left, top, high = (float(first.attrib[name]) for name in ("x", "y", "height"))
    assert texts(picture)[milliseconds(10)] == pytest.approx((left - 8, top + high + 4))
    below = float(last.attrib["y"]) + float(last.attrib["height"]) + 20
    assert texts(picture)["0"] == pytest.approx((left, below))


def test_a_picture_needs_nothing_else(tmp_path: Path) -> None:
    """Its style is its own, for light and dark, and it asks for nothing."""
    drawn(tmp_path, full())
    written = (tmp_path / "new" / "knee.svg").read_text()
    assert "prefers-color-scheme: dark" in written
    assert "url(" not in written
    assert "href" not in written
    assert written.count("http") == written.count("http://www.w3.org/2000/svg") == 1


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--knee", "knee.svg"], "a ramp has a knee, and this is none"),
        (["--knee", "a", "--output", "b"], "--output and --knee are two files"),
    ],
)
def test_what_has_no_knee_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    why: str,
) -> None:
    """In a line; nothing is written."""
    result = tmp_path / "steady.json"
    result.write_text(json.dumps(full() | {"steps": []}))
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("sys.argv", ["loadtest", "report", str(result), *words])
    monkeypatch.chdir(tmp_path)
    assert main() == 2
    assert why in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [result]
