"""The day end's commands: the same id for the same attempt, and which day is meant."""

from __future__ import annotations

import json
from uuid import UUID

import pytest

from processor.cli.days import _day_of, attempt_id, command_of
from processor.core.day_commands import DayClose
from processor.ledger.days import Standing
from tests.builders import Bank
from tests.builders import command_of as decoded

LEDGER = UUID("01933a5e-0000-4000-8000-000000000001")
DAY, NEXT = "2026-11-21", "2026-11-22"
NOW_US = Bank.NOW.now_us


def test_the_id_is_made_of_ledger_day_and_attempt() -> None:
    """The same on every machine, in every release; another for another of the three."""
    first = attempt_id(LEDGER, DAY, 1)

    assert first == "4cd652d0-a26a-547e-87a4-57346f35a31f"
    others = {
        attempt_id(LEDGER, DAY, 2),
        attempt_id(LEDGER, NEXT, 1),
        attempt_id(UUID(int=1), DAY, 1),
    }
    assert len(others | {first}) == 4


def test_the_same_attempt_has_the_same_content() -> None:
    """Published again at another time it is a repeat, and it says until when it may be decided."""
    id_ = attempt_id(LEDGER, DAY, 1)
    early, late = (
        decoded(json.loads(command_of(id_, DAY, NEXT, at, at + 30_000_000)))
        for at in (NOW_US, NOW_US + 86_400_000_000)
    )

    assert isinstance(early, DayClose)
    assert early.fingerprint == late.fingerprint
    assert (early.valid_until_us, late.valid_until_us) == (
        NOW_US + 30_000_000,
        NOW_US + 86_430_000_000,
    )


@pytest.mark.parametrize(
    ("open_date", "has_closed", "day"),
    [
        (DAY, False, DAY),
        ("2026-11-20", True, "2026-11-20"),
        (DAY, True, DAY),
        (NEXT, True, None),
    ],
)
def test_the_open_day_is_meant_once_it_has_begun(
    open_date: str, day: str | None, *, has_closed: bool
) -> None:
    """A second run in the evening means the day that was closed, not the next one."""
    assert _day_of(Standing(LEDGER, open_date, has_closed, DAY, NOW_US)) == day
