"""
Times as RFC 3339 writes them, as integers of microseconds since 1970-01-01T00:00:00Z.

Python's own `datetime` can't hold year 0, second 60 or an offset across the year 9999, all of
which RFC 3339 allows.
"""

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

EPOCH_US_MAX: Final = 253_402_300_799_999_999
"""The last microsecond of the year 9999."""

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - in UTC, like everything here
_MARCH: Final = 3
_EPOCH_DAY: Final = 719468
"""Days from 0000-03-01 to 1970-01-01."""


def to_epoch_us(text: str) -> int:
    """
    Read a time, with at most six decimals, as microseconds since the epoch in UTC.

    The text has passed its schema, so it is a real date and time of that form.
    """
    hour, minute, second = int(text[11:13]), int(text[14:16]), int(text[17:19])
    seconds = ((_epoch_day(text[:10]) * 24 + hour) * 60 + minute) * 60 + second
    if text[-1] == "Z":
        fraction = text[20:-1]
    else:
        fraction = text[20:-6]
        offset_s = (int(text[-5:-3]) * 60 + int(text[-2:])) * 60
        seconds += offset_s if text[-6] == "-" else -offset_s
    return seconds * 1_000_000 + int(fraction.ljust(6, "0"))


def from_epoch_us(at_us: int) -> str:
    """Write a time of the years 1970 to 9999 in UTC with six decimals: the one canonical form."""
    moment = _EPOCH + timedelta(microseconds=at_us)
    return moment.isoformat(timespec="microseconds") + "Z"


@lru_cache(maxsize=64)
def _epoch_day(date: str) -> int:
    """Count the days since the epoch. Years begin in March here, so that a leap day ends one."""
    year, month, day = int(date[:4]), int(date[5:7]), int(date[8:])
    if month < _MARCH:
        year -= 1
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return year * 365 + year // 4 - year // 100 + year // 400 + day_of_year - _EPOCH_DAY
