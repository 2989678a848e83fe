"""
Amounts of money as texts in major units ("125.50") and as integers of minor units (12550).

How many digits lie between the two is the currency's affair, see `currencies.DIGITS`.
"""

from typing import Final

AMOUNT_MINOR_MAX: Final = 10**15
"""The largest amount of one command, in minor units."""


def to_minor(text: str, digits: int) -> int:
    """
    Read a decimal text in major units as minor units.

    Raises ValueError for what is no plain decimal number or has more than `digits` decimals.
    """
    whole, point, fraction = text.partition(".")
    figures = whole + fraction
    plain = whole and figures.isascii() and figures.isdecimal() and (fraction or not point)
    if not plain or len(fraction) > digits:
        raise ValueError(f"not an amount with at most {digits} decimals")
    return int(whole + fraction.ljust(digits, "0"))


def minor_in(text: str, digits: int) -> int | None:
    """
    Read an amount that has the form of one as minor units; None where it is written with more
    decimals than `digits`.
    """
    return None if len(text.partition(".")[2]) > digits else to_minor(text, digits)


def to_major(minor: int, digits: int) -> str:
    """Write minor units in major units with exactly `digits` decimals."""
    if digits == 0:
        return str(minor)
    sign, figures = ("-", str(-minor)) if minor < 0 else ("", str(minor))
    figures = figures.rjust(digits + 1, "0")
    return f"{sign}{figures[:-digits]}.{figures[-digits:]}"
