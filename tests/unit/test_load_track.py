"""What is shown of a load while it runs, and the children that tell it."""

from __future__ import annotations

import io
import textwrap
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from loadtest.child import Child
from loadtest.errors import LoadTestError
from loadtest.load.schedule import Schedule, Stage
from loadtest.load.track import (
    HEADED_EVERY_LINES,
    PLAIN_EVERY_ROWS,
    Second,
    Track,
    View,
    drawn,
)

OUTCOMES = {"posted": 9_800, "rejected": 70, "repeat": 4, "conflict": 2}
ROW = Second(12.3, 10_000, 9_876, 123_000, 122_400, 600, 7, 55.25, 241.0, None, OUTCOMES)


def test_a_row_puts_both_sides_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rates count from the row before; what is in flight was sent and not answered."""
    now = 100.0
    monkeypatch.setattr("loadtest.load.track.time.monotonic", lambda: now)
    shown: list[Second] = []
    track = Track(shown.append)
    track.begin(Schedule(100.0, [Stage(seconds=10, per_second=50)]))
    latencies = {"p50_ms": 3.0, "p99_ms": 4.0, "max_ms": 5.0, "waiting_ms": 6.0}

    track.sender({"sent": 60, "late": 0, "held_up": 0})
    now = 101.0
    track.reader({"read": 40, "outcomes": {"posted": 40}} | latencies)
    track.sender({"sent": 101, "late": 2, "held_up": 1})
    now = 103.0
    track.reader({"read": 100, "outcomes": {"posted": 90, "invalid": 10}} | latencies)
    now = 111.0
    outcomes = {"posted": 95, "invalid": 10}
    nothing = dict.fromkeys(latencies) | {"waiting_ms": 0.0}
    track.reader({"read": 105, "outcomes": outcomes} | nothing)

    assert shown == track.series
    assert track.series == [
        Second(1.0, 50, 40, 60, 40, 20, 0, 3.0, 4.0, 5.0, {"posted": 40}, 6.0, 0),
        Second(3.0, 50, 30, 101, 100, 1, 2, 3.0, 4.0, 5.0, {"posted": 50, "invalid": 10}, 6.0, 1),
        # Answered before the sender has told of it.
        Second(11.0, 0, 1, 101, 105, 0, 2, None, None, None, {"posted": 5}, 0.0, 1),
    ]


def test_without_a_terminal_a_line_comes_now_and_then() -> None:
    """Below the names of its columns, which come again and again; logs of others have 120."""
    file = io.StringIO()
    console = Console(file=file, width=120, force_terminal=False, highlight=False)
    with View(console) as view:
        for _ in range((HEADED_EVERY_LINES + 1) * PLAIN_EVERY_ROWS):
            view.show(ROW)
    head = (
        "     s meant/s answered/s  posted rejected   other in flight    late   p50 ms   p99 ms"
        "   max ms"
    )
    line = (
        "    12  10,000      9,876   9,800       70       6       600       7     55.2    241.0"
        "        -"
    )
    assert file.getvalue().splitlines() == [head, *[line] * HEADED_EVERY_LINES, head, line]


@pytest.mark.parametrize("is_terminal", [True, False])
def test_what_happens_is_said_in_a_line_that_stays(*, is_terminal: bool) -> None:
    """Beside the table, which moves on below it."""
    file = io.StringIO()
    console = Console(file=file, width=120, force_terminal=is_terminal, highlight=False)
    with View(console) as view:
        view.show(ROW)
        view.say("[   13 s] worker 1 killed")
    assert "[   13 s] worker 1 killed\n" in file.getvalue()


def test_on_a_terminal_a_table_moves() -> None:
    """It is gone in the end: what stays is the result."""
    file = io.StringIO()
    console = Console(file=file, width=100, force_terminal=True, highlight=False)
    with View(console) as view:
        view.show(ROW)
        assert "9,876" in file.getvalue()
    plain = Console(file=io.StringIO(), width=100)
    plain.print(drawn([ROW]))
    assert isinstance(plain.file, io.StringIO)
    cells = plain.file.getvalue().splitlines()[-1].split()
    assert cells == [
        *("12", "10,000", "9,876", "9,800", "70", "6", "600", "7", "55.2", "241.0", "-")
    ]


def module(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> str:
    """Write a module that a child can run."""
    (folder / "a_child.py").write_text(textwrap.dedent(text))
    monkeypatch.setenv("PYTHONPATH", f"{folder}:{Path(__file__).resolve().parents[2]}")
    return "a_child"


async def test_a_child_tells_its_progress_and_then_its_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In their order; the last is the answer."""
    name = module(
        tmp_path,
        monkeypatch,
        """
        from loadtest.child import needs, serve, tell

        async def main(upto):
            for number in range(upto):
                tell({"at": number})
            return {"done": upto}

        serve(main(**needs()))
        """,
    )
    told: list[dict[str, int]] = []
    assert await Child(name, {"upto": 3}, 60.0).answer(told.append) == {"done": 3}
    assert told == [{"at": 0}, {"at": 1}, {"at": 2}]


async def test_a_child_hears_what_it_is_told_while_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Line by line, from the first on, and in whatever pieces they come; its answer is its last."""
    name = module(
        tmp_path,
        monkeypatch,
        """
        from loadtest.child import heard, needs, serve, tell

        async def main(upto):
            found = []
            async for said in heard():
                found.append(said["number"])
                tell({"heard": said["number"]})
                if said["number"] == upto:
                    return {"found": found, "bytes": len(said["rest"])}

        serve(main(**needs()))
        """,
    )
    child = Child(name, {"upto": 3}, 60.0, hears=True)
    ear = await child.ear()
    ear({"number": 1})
    progress: list[dict[str, int]] = []

    def hand_on(said: dict[str, int]) -> None:
        progress.append(said)
        if said == {"heard": 1}:  # told at once, not with the next
            ear({"number": 2})
            ear({"number": 3, "rest": "x" * 300_000})

    answer = await child.answer(hand_on)
    assert answer == {"found": [1, 2, 3], "bytes": 300_000}
    assert progress == [{"heard": 1}, {"heard": 2}, {"heard": 3}]
    ear({"number": 4})  # nobody listens any more


@pytest.mark.parametrize(
    ("text", "limit_s", "said"),
    [
        ("raise SystemExit('no room')", 60.0, "a_child failed: no room"),
        ("pass", 60.0, "a_child failed: it said nothing"),
        ("import time; time.sleep(60)", 0.5, "a_child did not end within 0 s"),
    ],
)
async def test_a_child_that_fails_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, limit_s: float, said: str
) -> None:
    """One line, and the process is gone."""
    child = Child(module(tmp_path, monkeypatch, text), {}, limit_s)
    with pytest.raises(LoadTestError, match=said):
        await child.answer()
    assert not psutil.pid_exists(child.pid)
