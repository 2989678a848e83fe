"""Division of integers where it does not come out even."""

from __future__ import annotations


def half_even(numerator: int, denominator: int) -> int:
    """
    Divide, and round to the nearest integer; a half goes to the even neighbour.

    Half to even ("bankers' rounding", IEEE 754 roundTiesToEven) favours neither side in the long
    run. `denominator` is above zero.
    """
    quotient, rest = divmod(numerator, denominator)
    twice = 2 * rest
    if twice > denominator or (twice == denominator and quotient % 2):
        quotient += 1
    return quotient
