"""What becomes of a result once it is written: its page, and its place in the history."""

from __future__ import annotations

from pathlib import Path

import msgspec
from rich.console import Console

from loadtest.errors import LoadTestError
from loadtest.load.profile import PROFILES, ProfileError
from loadtest.load.profile import read as read_profile
from loadtest.report.history import folder, keep
from loadtest.report.page import written
from loadtest.report.result import Head, read


def publish(result: Path, console: Console) -> None:
    """
    Write the page of a result beside it, and keep the result in the history.

    What goes wrong is told and changes nothing else: the run was measured, and its verdict stands.
    """
    try:
        page = write_page(result, result.with_suffix(".html"))
        console.print(f"Page: {page}", markup=False)
        keep(result.read_bytes(), folder())
    except (OSError, LoadTestError) as error:
        console.print(f"its page or its place in the history is missing: {error}", markup=False)


def write_page(result: Path, page: Path) -> Path:
    """Write the page of a result. Raises LoadTestError."""
    read_result = read(result)
    text = written(read_result, is_known=is_known(read_result))
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(text, encoding="utf-8")
    except OSError as error:
        raise LoadTestError(f"{page}: {error.strerror or error}") from error
    return page


def is_known(result: Head) -> bool:
    """Say whether the name of a result's profile and its seed are enough to send it again."""
    path = PROFILES / f"{result.profile}.toml"
    try:
        own = read_profile(path) if path.is_file() else None
    except ProfileError:
        return False
    if own is None:
        return False
    # As it would have been written into a result.
    again = msgspec.json.decode(msgspec.json.encode(own))
    return bool({**again, "seed": 0} == {**result.configuration, "seed": 0})
