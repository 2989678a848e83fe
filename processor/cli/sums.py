"""What accountants add up, in minor units: the entries of a page, the sides of a trial balance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from processor.core.currencies import DIGITS
from processor.core.money import to_major, to_minor

SIDES: Final = ("debits", "credits", "debit_balance", "credit_balance")

Row = Mapping[str, Any]


def signed_minor(text: str, digits: int) -> int:
    """Read an amount in major units, which may be below zero, as minor units."""
    minor = to_minor(text.removeprefix("-"), digits)
    return -minor if text.startswith("-") else minor


class PageSums:
    """
    Sums of the entries shown, and the balances before the first and after the last of them.

    `brought_forward + credits - debits = carried_forward`, on each page and on the whole.
    """

    def __init__(self, currency: str, standing: str) -> None:
        """`standing` is the balance where there is no entry."""
        self._digits = DIGITS[currency]
        self._brought = self._carried = signed_minor(standing, self._digits)
        self._debits = self._credits = 0
        self._cursor: str | None = None
        self.entries = 0
        self.is_whole = True
        """Whether there is nothing after the entries shown."""

    def add(self, entry: Row) -> None:
        """Add an entry."""
        amount = to_minor(entry["amount"], self._digits)
        is_debit = entry["direction"] == "debit"
        self._carried = signed_minor(entry["balance_after"], self._digits)
        if self.entries == 0:
            self._brought = self._carried + (amount if is_debit else -amount)
        if is_debit:
            self._debits += amount
        else:
            self._credits += amount
        self._cursor = entry["cursor"]
        self.entries += 1

    def foot(self) -> dict[str, Any]:
        """Give what stands below the entries; `next` is the cursor of the next page, if any."""
        amounts = {
            "brought_forward": self._brought,
            "debits": self._debits,
            "credits": self._credits,
            "carried_forward": self._carried,
        }
        return {
            "entry_count": self.entries,
            **{name: to_major(minor, self._digits) for name, minor in amounts.items()},
            "next": None if self.is_whole else self._cursor,
        }


class TrialSums:
    """The columns of a trial balance, added up for each currency."""

    def __init__(self) -> None:
        self._sums: dict[str, dict[str, int]] = {}

    def add(self, row: Row) -> None:
        """Add a row."""
        currency = row["currency"]
        sums = self._sums.setdefault(currency, dict.fromkeys(SIDES, 0))
        for side in SIDES:
            sums[side] += to_minor(row[side], DIGITS[currency])

    @property
    def hold(self) -> bool:
        """Whether both sides are equal in each currency."""
        return all(self._holds(currency) for currency in self._sums)

    def _holds(self, currency: str) -> bool:
        debits, credits_, debit_balance, credit_balance = self._sums[currency].values()
        return debits == credits_ and debit_balance == credit_balance

    def foot(self) -> dict[str, Any]:
        """Give the sums as a document has them."""
        totals = [
            {"currency": currency, **self._major(currency), "holds": self._holds(currency)}
            for currency in sorted(self._sums)
        ]
        return {"totals": totals, "holds": self.hold}

    def _major(self, currency: str) -> dict[str, str]:
        return {
            side: to_major(minor, DIGITS[currency]) for side, minor in self._sums[currency].items()
        }

    def lines(self) -> Iterator[str]:
        """Say for each currency what both sides add up to, and whether that is the same."""
        for currency in sorted(self._sums):
            sums = self._major(currency)
            verdict = "both sides are equal" if self._holds(currency) else "THE SIDES DIFFER"
            yield (
                f"{currency}: debits {sums['debits']}, credits {sums['credits']}; "
                f"debit balances {sums['debit_balance']}, "
                f"credit balances {sums['credit_balance']}: {verdict}"
            )
