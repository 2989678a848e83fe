"""
Fees: what a command costs by the tariffs, and the moves that pay it.

They are posted with what they are for, or nothing is. A refund or a reversal does not give them
back. The bank's own accounts pay none.
"""

from __future__ import annotations

from typing import Final

import msgspec

from processor.core.books import Account, Books
from processor.core.currencies import DIGITS
from processor.core.money import to_major
from processor.core.own_accounts import FEES_PREFIX, kind_of_own
from processor.core.shown import Fee

SIDES: Final = ("debit", "credit")

Move = tuple[Account, Account, int]
"""Debit account, credit account, minor units."""


class Charge(msgspec.Struct, frozen=True):
    """What an account pays under a tariff, in minor units of its currency."""

    payer: Account
    tariff: str
    amount: int

    def shown(self) -> Fee:
        """Show it as the outcome does."""
        currency = self.payer.currency
        return Fee(self.payer.name, to_major(self.amount, DIGITS[currency]), currency, self.tariff)


def charges_for(
    books: Books, kind: str, channel: str, debit: tuple[Account, int], credit: tuple[Account, int]
) -> list[Charge]:
    """Find what either side pays; each is given with the amount that it gives or gets."""
    found: list[Charge] = []
    for side, (account, amount) in zip(SIDES, (debit, credit), strict=True):
        if kind_of_own(account.name) is not None:
            continue
        tariff = books.tariff(kind, channel, account, side)
        fee = 0 if tariff is None else tariff.fee(amount)
        if tariff is not None and fee:
            found.append(Charge(account, tariff.name, fee))
    return found


def fee_of(books: Books, charge: Charge) -> Move:
    """Give the move of a fee to what the bank has earned in its currency."""
    earned = books.account(FEES_PREFIX + charge.payer.currency)
    assert earned is not None, "every currency has an account of fees"
    return (charge.payer, earned, charge.amount)
