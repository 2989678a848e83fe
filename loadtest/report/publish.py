"""What becomes of a result once it is written: its page, and its place in the history."""

from __future__ import annotations

from pathlib import Path

import msgspec
from rich.console import Console

from loadtest.errors import LoadTestError
from loadtest.load.profile import PROFILES, ProfileError
from loadtest.load.profile import read as read_profile
from loadtest.report.history import folder, keep
from loadtest.report.page import style, written
from loadtest.report.picture import STYLES, picture
from loadtest.report.result import Head, read
from loadtest.report.sections import facts
from loadtest.report.staircase import said, staircase


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
    return _put(page, written(read_result, is_known=is_known(read_result)))


def write_knee(result: Path, path: Path) -> Path:
    """Write the knee of a ramp as a picture for documents. Raises LoadTestError."""
    read_result = read(result)
    charts = staircase(read_result)
    if not charts:
        raise LoadTestError(f"{result}: a ramp has a knee, and this is none, or has no two steps")
    drawn = picture(charts, said(read_result), facts(read_result), style(*STYLES))
    return _put(path, drawn)


def _put(path: Path, text: str) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise LoadTestError(f"{path}: {error.strerror or error}") from error
    return path


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
