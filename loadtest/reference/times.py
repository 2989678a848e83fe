"""Times as they are written, a second time: RFC 3339 and microseconds since 1970."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

DAY = timedelta(days=1)
MINUTE_MAX = 59
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIME_FORM = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII
)


@lru_cache(maxsize=1024)
def time_us(text: str) -> int | None:
    """Read an RFC 3339 time as microseconds since 1970; None where it is none."""
    match = TIME_FORM.fullmatch(text)
    if match is None:
        return None
    base, fraction, sign, hours, minutes = match.groups()
    try:
        at = datetime.fromisoformat(base + "+00:00")
    except ValueError:
        return None
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    if offset >= DAY or int(minutes or 0) > MINUTE_MAX:
        return None
    seconds = (at - (offset if sign != "-" else -offset) - EPOCH) // timedelta(seconds=1)
    return seconds * 1_000_000 + int((fraction or "0").ljust(6, "0"))


def written(at_us: int) -> str:
    """Write microseconds since 1970 in the one form of the contract."""
    at = EPOCH + timedelta(microseconds=at_us)
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")
