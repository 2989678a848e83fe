"""
Times as RFC 3339 writes them, as integers of microseconds since 1970-01-01T00:00:00Z.

Python's own `datetime` can't hold year 0, second 60 or an offset across the year 9999, all of which RFC 3339 allows.
"""

import re
from typing import Final

_TIMESTAMP: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,6}))?"
    r"(?:Z|([+-])([0-9]{2}):([0-9]{2}))"
)
_MARCH: Final = 3
_EPOCH_DAY: Final = 719468
"""Days from 0000-03-01 to 1970-01-01."""


def to_epoch_us(text: str) -> int:
    """
    Read a time, with at most six decimals, as microseconds since the epoch in UTC.

    The text has passed the schema, so that it is a real date and time.
    """
    match = _TIMESTAMP.fullmatch(text)
    assert match is not None, "a time that has passed its schema"
    year, month, day, hour, minute, second = (int(match[group]) for group in range(1, 7))
    seconds = ((_epoch_day(year, month, day) * 24 + hour) * 60 + minute) * 60 + second
    if match[8] is not None:
        offset_s = (int(match[9]) * 60 + int(match[10])) * 60
        seconds += offset_s if match[8] == "-" else -offset_s
    return seconds * 1_000_000 + int((match[7] or "0").ljust(6, "0"))


def _epoch_day(year: int, month: int, day: int) -> int:
    """Count the days since the epoch. Years begin in March here, which puts the leap day at their end."""
    if month < _MARCH:
        year -= 1
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return year * 365 + year // 4 - year // 100 + year // 400 + day_of_year - _EPOCH_DAY
