"""The command of the day end."""

from __future__ import annotations

from typing import ClassVar

from processor.core.commands import Command
from processor.core.dates import day_after


class DayClose(Command, frozen=True, gc=False):
    """Close the open business date; `next_date` is open from here on."""

    business_date: str
    next_date: str

    TYPE: ClassVar[str] = "day.close"

    def own_content(self) -> dict[str, object]:
        """Leave out a next date that is the following calendar day, which is the default."""
        is_default = self.next_date == day_after(self.business_date)
        return {
            "business_date": self.business_date,
            "next_date": None if is_default else self.next_date,
        }
