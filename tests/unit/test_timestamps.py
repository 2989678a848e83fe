"""Times of RFC 3339 as microseconds since the epoch."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.core.timestamps import to_epoch_us

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.000001Z", 1),
        ("1970-01-01T00:00:00.5Z", 500_000),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1969-12-31T18:30:00-05:30", 0),
        ("1969-12-31T23:59:59.25-00:00", -750_000),
        ("2026-11-21T10:00:00Z", 1_795_255_200_000_000),
        ("2016-12-31T23:59:60Z", 1_483_228_800_000_000),
        ("0000-01-01T00:00:00Z", -62_167_219_200_000_000),
        ("9999-12-31T23:59:59.999999-23:59", 253_402_387_139_999_999),
    ],
)
def test_reads_what_the_schema_accepts(text: str, expected: int) -> None:
    """Second 60, year 0 and an offset across the last year count as RFC 3339 has them."""
    assert expected == to_epoch_us(text)


@given(
    st.datetimes(
        min_value=EPOCH.replace(year=2, tzinfo=None),
        max_value=EPOCH.replace(year=9998, tzinfo=None),
        timezones=st.integers(-1439, 1439).map(lambda m: timezone(timedelta(minutes=m))),
    )
)
def test_agrees_with_the_calendar_of_python(moment: datetime) -> None:
    """Where Python's datetime can hold the time, both count alike."""
    expected = (moment - EPOCH) // MICROSECOND

    assert expected == to_epoch_us(moment.isoformat())
