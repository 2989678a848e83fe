"""Business dates that the database itself refuses, whoever writes them."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from tests.integration.filled import CLOSED_DAY, OPEN_DAY, OWNER, WORKER, attempt
from tests.integration.races import WAIT_S
from tests.integration.test_database_lines import together
from tests.integration.test_database_refuses import (
    ACCEPTED,
    CHECK,
    NEW_ID,
    SECOND,
    change,
    posting,
    registered,
)

NEXT_DAY = "2001-01-03"
SHUT = (CHECK, "period_is_open")
OUT_OF_ORDER = (CHECK, "days_follow")
BY_HAND, NOT_ALLOWED = ("23001", "records_stay"), ("42501", None)
THIRD = {"ledger_sequence": "1000002", "transaction_id": f"'{NEW_ID[:-1]}3'"}


def on(booking_date: str, value_date: str | None = None) -> dict[str, str]:
    """Give the dates of a posting; the value date is the booking date unless it is given."""
    return {"booking_date": f"'{booking_date}'", "value_date": f"'{value_date or booking_date}'"}


def closing(day: str, next_date: str | None = None, number: str = "1000001") -> str:
    """Write the statement of a closing."""
    more = "" if next_date is None else f', "next_date": "{next_date}"'
    return change(
        ledger_sequence=number,
        transaction_id=SECOND["transaction_id"],
        type="'day.close'",
        account="NULL",
        currency="NULL",
        status="NULL",
        overdraft_limit="NULL",
        available="NULL",
        changes_rules="true",
        details=f"""'{{"business_date": "{day}"{more}}}'""",
    )


CLOSED = closing(OPEN_DAY)
BEFORE, AFTER = registered(), registered(**THIRD)

DAYS = {
    "on the open day": (BEFORE + posting(**on(OPEN_DAY)), ACCEPTED),
    "on the closed day": (BEFORE + posting(**on(CLOSED_DAY, OPEN_DAY)), SHUT),
    "on a day to come": (BEFORE + posting(**on(NEXT_DAY)), SHUT),
    "from the closed day on": (BEFORE + posting(**on(OPEN_DAY, CLOSED_DAY)), SHUT),
    "from a later day on": (BEFORE + posting(**on(OPEN_DAY, "2999-01-01")), ACCEPTED),
    "one of two on the closed day": (
        BEFORE
        + together(
            posting(**on(OPEN_DAY), line="1"), posting(**on(CLOSED_DAY, OPEN_DAY), line="2")
        ),
        SHUT,
    ),
    "before and after a closing in one statement": (
        CLOSED
        + BEFORE
        + AFTER
        + together(posting(**on(OPEN_DAY)), posting(**on(NEXT_DAY), **THIRD)),
        ACCEPTED,
    ),
    "on the day that was closed before it": (
        CLOSED + AFTER + posting(**on(OPEN_DAY), **THIRD),
        SHUT,
    ),
    "from the day that was closed before it": (
        CLOSED + AFTER + posting(**on(NEXT_DAY, OPEN_DAY), **THIRD),
        SHUT,
    ),
    "on the day after, before the closing": (CLOSED + BEFORE + posting(**on(NEXT_DAY)), SHUT),
    "on the closed day, before a closing": (
        CLOSED + BEFORE + posting(**on(CLOSED_DAY, OPEN_DAY)),
        SHUT,
    ),
    "the open day is closed": (CLOSED, ACCEPTED),
    "a weekend is left out": (closing(OPEN_DAY, "2001-01-08"), ACCEPTED),
    "a closed day is closed": (closing(CLOSED_DAY), OUT_OF_ORDER),
    "a day to come is closed": (closing(NEXT_DAY), OUT_OF_ORDER),
    "the open day is closed twice": (
        CLOSED + closing(OPEN_DAY, number="1000005"),
        OUT_OF_ORDER,
    ),
    "a closing before the last one": (closing(OPEN_DAY, number="1"), OUT_OF_ORDER),
    "a closing before what is posted": (
        BEFORE + posting(**on(OPEN_DAY)) + closing(OPEN_DAY, number="999999"),
        (CHECK, "closing_is_last"),
    ),
    "a next day that is the same": (closing(OPEN_DAY, OPEN_DAY), (CHECK, "days_go_forward")),
    "a next day that is before": (closing(OPEN_DAY, CLOSED_DAY), (CHECK, "days_go_forward")),
}


@pytest.mark.parametrize("role", [WORKER, OWNER])
@pytest.mark.parametrize("what", DAYS)
async def test_closed_days_are_closed(filled_url: str, role: str, what: str) -> None:
    """Nothing is booked on them or counts from them; they are closed once, and in their order."""
    sql, expected = DAYS[what]

    assert await attempt(filled_url, role, sql) == expected


@pytest.mark.parametrize(("role", "refused"), [(WORKER, NOT_ALLOWED), (OWNER, BY_HAND)])
async def test_no_hand_closes_a_day(
    filled_url: str, role: str, refused: tuple[str, str | None]
) -> None:
    """Only a command does, whose row says so."""
    sql = f"INSERT INTO ledger.closing VALUES (1000000, '{OPEN_DAY}', '{NEXT_DAY}')"

    assert await attempt(filled_url, role, sql) == refused


@pytest.mark.parametrize("is_closing_first", [True, False])
async def test_whoever_took_no_lock_is_waited_for(
    filled_url: str, *, is_closing_first: bool
) -> None:
    """A worker with a bug that takes no lock can't post behind a closing: the triggers take it."""
    steps = [CLOSED, BEFORE + posting(**on(OPEN_DAY))]
    first, second = steps if is_closing_first else steps[::-1]
    one, two = [await asyncpg.connect(filled_url) for _ in range(2)]
    try:
        ours, theirs = one.transaction(), two.transaction()
        await ours.start()
        await theirs.start()
        await one.execute(first)
        other = asyncio.create_task(two.execute(second))
        _, waiting = await asyncio.wait([other], timeout=WAIT_S)
        assert waiting == {other}
        await ours.rollback()
        await other
        await theirs.rollback()
    finally:
        await one.close()
        await two.close()
