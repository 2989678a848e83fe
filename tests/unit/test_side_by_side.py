"""The two halves of `make test`: neither hides what the other found."""

import sys
from pathlib import Path

import pytest

from tests.__main__ import side_by_side


@pytest.mark.parametrize(
    ("first", "second", "status"), [(0, 0, 0), (1, 0, 1), (0, 2, 2), (1, 2, 1), (0, -9, -9)]
)
def test_both_halves_must_pass(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], first: int, second: int, status: int
) -> None:
    """The exit status is 0 only where both halves end with 0, and what both said is shown."""
    halves = [
        [
            sys.executable,
            "-c",
            f"import os; print({said!r}, flush=True); "
            + (f"os._exit({code})" if code >= 0 else f"os.kill(os.getpid(), {-code})"),
        ]
        for said, code in (("one", first), ("two", second))
    ]

    assert side_by_side(halves[0], halves[1], tmp_path / "build" / "log") == status
    assert {"one", "two"} <= set(capfd.readouterr().out.splitlines())
