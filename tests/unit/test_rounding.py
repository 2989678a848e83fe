"""Division that does not come out even, against values worked out by hand and exact fractions."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.core.rounding import half_even


@pytest.mark.parametrize(
    ("numerator", "denominator", "expected"),
    [
        (0, 1, 0),
        (0, 7, 0),
        (6, 3, 2),
        (1, 3, 0),
        (2, 3, 1),
        # Halves, down to the even neighbour and up to it.
        (1, 2, 0),
        (3, 2, 2),
        (5, 2, 2),
        (7, 2, 4),
        (25, 10, 2),
        (35, 10, 4),
        # The nearest on either side of a half.
        (249, 100, 2),
        (251, 100, 3),
        (349, 100, 3),
        (351, 100, 4),
        # Beyond what a float can hold: the last unit counts.
        (2 * 10**30 + 1, 2, 10**30),
        (2 * 10**30 + 3, 2, 10**30 + 2),
        (10**30 + 1, 10**30, 1),
        (15 * 10**29 + 1, 10**30, 2),
        (25 * 10**29 + 1, 10**30, 3),
        (25 * 10**29 - 1, 10**30, 2),
    ],
)
def test_a_half_goes_to_the_even_neighbour(numerator: int, denominator: int, expected: int) -> None:
    """Everything else goes to the nearest integer, however large the numbers are."""
    assert half_even(numerator, denominator) == expected


@given(st.integers(0, 10**36), st.integers(1, 10**24))
def test_it_rounds_as_exact_fractions_do(numerator: int, denominator: int) -> None:
    """Python's fractions round half to even and lose nothing."""
    assert half_even(numerator, denominator) == round(Fraction(numerator, denominator))


@given(st.integers(0, 10**15), st.integers(1, 10**15))
def test_every_tie_is_even(whole: int, half: int) -> None:
    """A tie between two neighbours never gives an odd one."""
    found = half_even((2 * whole + 1) * half, 2 * half)

    assert found in (whole, whole + 1)
    assert found % 2 == 0
