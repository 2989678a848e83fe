"""The results of earlier runs, a file each, of which the oldest go."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from loadtest.measure.session import CHECKOUT
from loadtest.report.result import Head, ResultError, decoded, read_head
from loadtest.report.wording import moment

FOLDER: Final = CHECKOUT / "build" / "loadtest" / "history"
FOLDER_VARIABLE: Final = "LOADTEST_HISTORY"
"""Names another folder, so that several checkouts can share one."""

KEPT_PER_PROFILE_MAX: Final = 50
"""Of each profile, so that many short runs don't drive out the long ones."""

SAME_SECOND_MAX: Final = 100
NUMBER_DIGITS_MAX: Final = 5
"""What is longer is the beginning of a name, not a number of the list."""


class Run(NamedTuple):
    """
    A run of the history: its place, its file, its result without the course over time.

    The newest has the number 1.
    """

    number: int
    path: Path
    head: Head

    @property
    def name(self) -> str:
        """What people call it by."""
        return self.path.stem


def folder() -> Path:
    """Give the folder of the history."""
    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named) if named else FOLDER


def keep(content: bytes, within: Path) -> Path:
    """
    Keep a result, and drop the oldest of its profile beyond the limit.

    Raises ResultError for what is no result, and OSError.
    """
    head = decoded(content, "a result to keep", Head)
    within.mkdir(parents=True, exist_ok=True)
    path = _free(within, moment(head.finished_at) or datetime.now(UTC), head.profile)
    draft = path.with_suffix(".draft")
    draft.write_bytes(msgspec.json.format(content, indent=-1))
    draft.replace(path)
    for name in too_many([one.name for one in _files(within)], head.profile):
        (within / name).unlink(missing_ok=True)
        (within / name).with_suffix(".html").unlink(missing_ok=True)
    return path


def _free(within: Path, finished_at: datetime, profile: str) -> Path:
    """Name a file after when its run ended, which sorts; a second run of that second is `~2`."""
    at = f"{finished_at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    names = [f"{at}-{profile}.json"]
    names += [f"{at}~{turn}-{profile}.json" for turn in range(2, SAME_SECOND_MAX)]
    return next(
        (within / name for name in names if not (within / name).exists()), within / names[-1]
    )


def too_many(names: Sequence[str], profile: str, most: int = KEPT_PER_PROFILE_MAX) -> list[str]:
    """Choose the oldest files of a profile beyond `most`. Pure."""
    own = sorted(name for name in names if name.partition("-")[2] == f"{profile}.json")
    return own[: max(0, len(own) - most)]


def _files(within: Path) -> list[Path]:
    """List the files of a history, oldest first."""
    return sorted(within.glob("*.json"))


def runs(within: Path) -> tuple[list[Run], list[str]]:
    """Read the whole history, oldest first, and say of each file that can't be read why."""
    found, wrong = [], []
    files = _files(within)
    for number, path in zip(range(len(files), 0, -1), files, strict=True):
        try:
            found.append(Run(number, path, read_head(path)))
        except ResultError as error:
            wrong.append(str(error))
    return found, wrong


def find(word: str, within: Path) -> Path:
    """
    Find a result: a file, a number of the list (1 is the newest), or how a name begins.

    Raises ResultError.
    """
    path = Path(word)
    if path.is_file():
        return path
    files = _files(within)
    if word.isdecimal() and len(word) <= NUMBER_DIGITS_MAX:
        number = int(word)
        if not 1 <= number <= len(files):
            raise ResultError(f"no run has the number {number}: the history has {len(files)}")
        return files[-number]
    named = [one for one in files if one.stem.startswith(word)]
    exact = [one for one in named if one.stem == word]
    if len(exact or named) != 1:
        many = f"{len(named)} runs" if named else "neither a file nor a run"
        raise ResultError(f"{word}: {many} of the history: see `loadtest history`")
    return (exact or named)[0]
