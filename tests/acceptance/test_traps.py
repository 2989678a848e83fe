"""The table of traps names tests that exist, and leaves no trap out."""

from __future__ import annotations

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
ROW = re.compile(r"^\| (\d+) \| .+ \| (.+) \|$", re.MULTILINE)
TEST = re.compile(r"`([\w./]+\.py)::(\w+)`")
TRAPS = 22


def test_every_trap_has_a_test_or_a_reason() -> None:
    """Each of the traps is there once, with a test or with why it can't happen."""
    rows = ROW.findall((HERE / "TRAPS.md").read_text())
    assert [int(number) for number, _ in rows] == list(range(1, TRAPS + 1))
    without = [number for number, held in rows if not TEST.search(held) and "can't" not in held]
    assert without == []


def test_every_named_test_exists() -> None:
    """A test that the table names is a function of the file that it names."""
    named = TEST.findall((HERE / "TRAPS.md").read_text())
    missing = [f"{file}::{name}" for file, name in named if name not in _functions(HERE / file)]
    assert missing == []


def _functions(file: Path) -> set[str]:
    nodes = ast.walk(ast.parse(file.read_text()))
    return {one.name for one in nodes if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}
