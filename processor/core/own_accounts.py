"""
The accounts that the bank itself needs in each currency, by the beginning of their names.

They are there from the first moment, whenever their rows are made, and no command opens, freezes or
closes one.
"""

from __future__ import annotations

from typing import Final

from processor.core.currencies import DIGITS

CASH_PREFIX: Final = "cash-"
"""The cash account of a currency is `cash-EUR`: the other side of deposits and withdrawals."""

CLEARING_PREFIX: Final = "clearing-"
"""The other side of each line of a journal; after each journal it holds nothing."""

POSITION_PREFIX: Final = "position-"
"""What the bank has bought (above zero) or sold of a currency by exchanging it."""

FEES_PREFIX: Final = "fees-"
"""What the bank has earned by fees in a currency."""

CLEARING: Final = "clearing"
"""The kind of clearing accounts: nothing but journals moves money through them."""

_KINDS: Final = {
    CASH_PREFIX: "internal",
    CLEARING_PREFIX: CLEARING,
    POSITION_PREFIX: "position",
    FEES_PREFIX: "income",
}
_CODE_CHARACTERS: Final = 3


def kind_of_own(name: str) -> str | None:
    """Give the kind of an account of the bank's own, None for every other name."""
    kind = _KINDS.get(name[:-_CODE_CHARACTERS])
    return kind if kind is not None and currency_of_own(name) in DIGITS else None


def currency_of_own(name: str) -> str:
    """Give the currency in the name of an account of the bank's own."""
    return name[-_CODE_CHARACTERS:]
