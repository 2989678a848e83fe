"""Amounts as they are written, a second time: decimal strings and minor units."""

from __future__ import annotations

import re

AMOUNT_FORM = re.compile(r"(0|[1-9][0-9]{0,14})(\.[0-9]{1,4})?")
AMOUNT_MINOR_MAX = 10**15


def minor_of(text: str, digits: int) -> int | None:
    """Read a decimal string as minor units; None where it has more digits than the currency."""
    whole, _, rest = text.partition(".")
    if len(rest) > digits:
        return None
    return int(whole + rest.ljust(digits, "0"))


def major_of(minor: int, digits: int) -> str:
    """Write minor units with exactly the currency's digits."""
    if not digits:
        return str(minor)
    text = str(abs(minor)).zfill(digits + 1)
    sign = "-" if minor < 0 else ""
    return f"{sign}{text[:-digits]}.{text[-digits:]}"


def bare(amount: str) -> str:
    """Strip the zeros that say nothing."""
    return amount.rstrip("0").removesuffix(".") if "." in amount else amount


def fits(text: object, digits: int) -> bool:
    """Say whether a text is an amount, zero included, that a currency can hold."""
    if not isinstance(text, str) or AMOUNT_FORM.fullmatch(text) is None:
        return False
    minor = minor_of(text, digits)
    return minor is not None and minor <= AMOUNT_MINOR_MAX
