"""`day.close`: the business date that is open ends, and another one is open from here on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from processor.core.books import Books, Ruling
from processor.core.reasons import Reason
from processor.core.shown import Shown

if TYPE_CHECKING:
    from processor.core.day_commands import DayClose


def decide_close(command: DayClose, books: Books, refused: Reason | None) -> Ruling:
    """
    Close the day if it is the open one; the first time, any day that has begun in UTC.
    """
    day, open_date = command.business_date, books.rules.open_date
    reason = refused
    if reason is None and (day > books.today if open_date is None else day != open_date):
        reason = Reason.DAY_NOT_OPEN
    if reason is None:
        books.rules = books.rules.with_open_date(command.next_date)
    return replace(as_asked_close(command), reason=reason, changes_rules=reason is None)


def as_asked_close(command: DayClose) -> Ruling:
    """Show what the command asks for."""
    shown = Shown(business_date=command.business_date, next_date=command.next_date)
    return Ruling(None, shown=shown)
