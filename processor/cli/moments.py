"""Dates, moments and cursors as people write them; what is wrong is told in one line."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final

from processor.errors import ProcessorError

_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})"
)
_CURSOR: Final = re.compile(r"[0-9]{8}T[0-9]{6}\.[0-9]{6}Z_[0-9]{1,18}_[0-9]{1,4}")
_CURSOR_MOMENT: Final = "%Y%m%dT%H%M%S.%fZ"
_DAY: Final = timedelta(days=1)


def date_of(text: str, option: str) -> date:
    """Read a date. Raises ProcessorError that names the option."""
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise ProcessorError(f"{option}: {text!r} is no date like 2026-11-21")


def moment_of(text: str, option: str) -> datetime:
    """Read a moment as RFC 3339 writes it. Raises ProcessorError that names the option."""
    try:
        if _MOMENT.fullmatch(text):
            return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ProcessorError(f"{option}: {text!r} is no moment like 2026-11-21T10:00:00Z")


def start_of(text: str, option: str) -> datetime:
    """Read a date as its first moment in UTC, or a moment. Raises ProcessorError."""
    if _MOMENT.fullmatch(text):
        return moment_of(text, option)
    try:
        day = date_of(text, option)
    except ProcessorError as error:
        raise ProcessorError(f"{error} and no moment like 2026-11-21T10:00:00Z") from None
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def end_of(text: str, option: str) -> datetime | None:
    """
    Read a date as the first moment after it, so that all of it is before that; or a moment.

    None after the last day that there is. Raises ProcessorError.
    """
    start = start_of(text, option)
    if _MOMENT.fullmatch(text):
        return start
    try:
        return start + _DAY
    except OverflowError:
        return None


def cursor_of(text: str | None, option: str) -> str | None:
    """Give a cursor as it is if it can be one. Raises ProcessorError that names the option."""
    if text is None:
        return None
    try:
        if _CURSOR.fullmatch(text):
            datetime.strptime(text.partition("_")[0], _CURSOR_MOMENT)  # noqa: DTZ007 - its Z is UTC
            return text
    except ValueError:
        pass
    raise ProcessorError(f"{option}: {text!r} is no cursor that a page ended with")


def written(moment: datetime) -> str:
    """Write a moment as all pages and events do."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
