"""The environment of peers whose packages must not mix with the product's."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from loadtest.errors import LoadTestError
from loadtest.peers import environment


def test_without_network_one_line_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What can't be fetched is named; what was begun is not taken for made."""
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    folder = tmp_path / "venv"

    with pytest.raises(LoadTestError) as refused:
        environment.made(Console(file=io.StringIO()), folder)

    said = str(refused.value)
    assert said.startswith("peers.txt could not be installed: No solution found")
    assert said.endswith("--only leaves out the systems that need it")
    assert "\n" not in said
    assert not environment.is_made(folder)


def test_an_environment_is_made_once_for_each_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is taken as it is, and made anew when the locked versions change."""
    lock = tmp_path / "peers.txt"
    # Nothing to install: the interpreter alone is an environment.
    lock.write_text("# nothing\n")
    monkeypatch.setattr(environment, "LOCK", lock)
    folder, console = tmp_path / "venv", Console(file=io.StringIO())

    python = Path(environment.made(console, folder))
    made_at = python.lstat().st_mtime_ns
    assert environment.made(console, folder) == str(python)
    assert python.lstat().st_mtime_ns == made_at

    lock.write_text("# other versions\n")
    assert not environment.is_made(folder)
    environment.made(console, folder)
    assert environment.is_made(folder)
    assert python.lstat().st_mtime_ns != made_at


def test_the_versions_are_those_of_the_lock() -> None:
    """The result says what was measured."""
    assert set(environment.versions()) == set(environment.PACKAGES)
    assert environment.versions()["quixstreams"].startswith("3.")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            [
                "setup: installing",
                "error: Request failed after 3 retries",
                "cause: Failed to fetch",
                "cause: Connection refused (os error 111)",
            ],
            "Request failed after 3 retries: Connection refused (os error 111)",
        ),
        (["setup: needs Python 3.11", "bash: uv: not found", ""], "bash: uv: not found"),
        ([], "nothing was said"),
    ],
)
def test_the_reason_is_picked_from_what_uv_says(said: list[str], expected: str) -> None:
    """Its error and the innermost cause, else the last words."""
    assert environment.why(said) == expected
