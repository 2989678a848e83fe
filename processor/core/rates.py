"""
Rates of exchange as texts: how many units of the credit currency one unit of the debit currency is
worth, in major units, with at most 12 decimals.
"""

from __future__ import annotations

from typing import Final

from processor.core.currencies import DIGITS
from processor.core.rounding import half_even

RATE_DECIMALS: Final = 12


def to_credit(debit_minor: int, debit: str, rate: str, credit: str) -> int:
    """Give what an amount of the debit currency is worth, in minor units, half to even."""
    scaled = _scaled(rate)
    return half_even(
        debit_minor * scaled * 10 ** DIGITS[credit], 10 ** (DIGITS[debit] + RATE_DECIMALS)
    )


def to_debit(credit_minor: int, debit: str, rate: str, credit: str) -> int:
    """Give what an amount of the credit currency costs, in minor units, half to even."""
    scaled = _scaled(rate)
    return half_even(
        credit_minor * 10 ** (DIGITS[debit] + RATE_DECIMALS), scaled * 10 ** DIGITS[credit]
    )


def _scaled(rate: str) -> int:
    whole, _, fraction = rate.partition(".")
    return int(whole + fraction.ljust(RATE_DECIMALS, "0"))
