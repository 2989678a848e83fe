"""
Dates as the books have them: texts like `2026-11-21` of the years 1970 to 9999, which compare as
the days do.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

import msgspec

_DAY: Final = timedelta(days=1)


class Dates(msgspec.Struct, frozen=True, gc=False):
    """
    The days of a posting: `booking_date`, the business date that was open when it was decided, and
    `value_date`, from which on the money counts.
    """

    booking_date: str
    value_date: str


UNDATED: Final = Dates("1970-01-01", "1970-01-01")
"""The dates before a clock was read."""


def day_after(day: str) -> str | None:
    """Give the following calendar day; None after the last that there is."""
    try:
        return (date.fromisoformat(day) + _DAY).isoformat()
    except OverflowError:
        return None
