"""The rules of business dates a second time, for the contract and the books of `model.py`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from loadtest.reference.answer import Answer
from loadtest.reference.times import EPOCH

if TYPE_CHECKING:
    from loadtest.reference.model import Books

Asked = Mapping[str, Any]

DATE_FORM = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
FIRST_YEAR = 1970


def date_of(value: object) -> date | None:
    """Read a date of the years 1970 to 9999; None where it is none."""
    if not isinstance(value, str) or DATE_FORM.fullmatch(value) is None:
        return None
    try:
        found = date.fromisoformat(value)
    except ValueError:
        return None
    return found if found.year >= FIRST_YEAR else None


def follows(day: date, other: date) -> bool:
    """Say whether a day is the one after another."""
    return day.toordinal() == other.toordinal() + 1


def faults(found: Asked) -> Iterator[str]:
    """Name what is wrong with a closing beside the forms of its fields."""
    day, after = date_of(found.get("business_date")), date_of(found.get("next_date"))
    if day == date.max and after is None:
        yield "/business_date"
    if day is not None and after is not None and after <= day:
        yield "/next_date"
        if day == date.max:
            yield "/business_date"


def leave_out_default(content: dict[str, Any]) -> None:
    """Leave out of a closing a next date that it has anyway."""
    day, after = date_of(content.get("business_date")), date_of(content.get("next_date"))
    if day is not None and after is not None and follows(after, day):
        del content["next_date"]


def shown_of(content: Asked) -> dict[str, Any]:
    """Show the days of a closing, the one that is open from there on also where it is left out."""
    day = date.fromisoformat(content["business_date"])
    following = content.get("next_date") or str(day + timedelta(days=1))
    return {"business_date": str(day), "next_date": following}


@lru_cache(maxsize=1024)
def today(now_us: int) -> date:
    """Give the UTC date of a moment."""
    return (EPOCH + timedelta(microseconds=now_us)).date()


def close(books: Books, asked: Asked, reason: str | None) -> Answer:
    """Close a day."""
    shown = shown_of(asked)
    day = date.fromisoformat(shown["business_date"])
    is_open = day <= today(books.now_us) if books.open_day is None else day == books.open_day
    if reason is None and not is_open:
        reason = "day_not_open"
    if reason is None:
        books.open_day = date.fromisoformat(shown["next_date"])
    return Answer(asked["type"], reason, None, None, None, None, None, None, shown=shown)


def dated(asked: Asked, answer: Answer, open_day: date) -> Answer:
    """Date an answer that was decided while a day was open."""
    wanted = asked.get("value_date")
    if wanted is None:
        return answer._replace(dates=(open_day, open_day))
    late = date.fromisoformat(wanted) < open_day
    value_date = open_day if late else date.fromisoformat(wanted)
    shown = {**answer.shown, "value_date": str(value_date), "late": late}
    return answer._replace(dates=(open_day, value_date), shown=shown)
