"""Amounts between texts in major units and integers of minor units."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.core.money import minor_in, to_major, to_minor


@pytest.mark.parametrize(
    ("text", "digits", "minor"),
    [
        ("0", 0, 0),
        ("1", 0, 1),
        ("999999999999999", 0, 999_999_999_999_999),
        ("125.50", 2, 12_550),
        ("125.5", 2, 12_550),
        ("125", 2, 12_500),
        ("0.01", 2, 1),
        ("0.001", 3, 1),
        ("1.2", 3, 1_200),
        ("0.0001", 4, 1),
    ],
)
def test_reads_major_units_as_minor_units(text: str, digits: int, minor: int) -> None:
    """Missing decimals count as zeros."""
    assert minor == to_minor(text, digits)


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("1.0", 0),
        ("1.500", 2),
        ("0.00001", 4),
        ("", 2),
        (".5", 2),
        ("1.", 2),
        ("-1", 2),
        ("+1", 2),
        ("1e2", 2),
        ("1_0", 2),
        (" 1", 2),
        ("1\n", 2),
        ("1,5", 2),
        ("1.2.3", 4),
        ("١٢", 2),
        ("NaN", 2),
    ],
)
def test_refuses_what_is_no_plain_amount_of_the_currency(text: str, digits: int) -> None:
    """Written decimals beyond the currency's digits are refused even where they are zeros."""
    with pytest.raises(ValueError, match="not an amount"):
        to_minor(text, digits)


@pytest.mark.parametrize(
    ("text", "digits", "minor"),
    [
        ("1", 0, 1),
        ("1.0", 0, None),
        ("1.5", 2, 150),
        ("1.50", 2, 150),
        ("1.500", 2, None),
        ("0.001", 3, 1),
        ("0.0010", 3, None),
    ],
)
def test_an_amount_of_another_currency_may_have_too_many_digits(
    text: str, digits: int, minor: int | None
) -> None:
    """An amount is read in a recorded currency, and is None where it has more decimals."""
    assert minor == minor_in(text, digits)


def test_an_amount_in_another_currency_has_still_the_form_of_one() -> None:
    """What is no amount at all is a bug of whoever asks, not a currency with fewer digits."""
    with pytest.raises(ValueError, match="not an amount"):
        minor_in("1e2", 2)


@pytest.mark.parametrize(
    ("minor", "digits", "text"),
    [
        (12_550, 2, "125.50"),
        (1, 2, "0.01"),
        (0, 2, "0.00"),
        (0, 0, "0"),
        (-5, 2, "-0.05"),
        (-12_550, 2, "-125.50"),
        (-7, 0, "-7"),
        (1, 3, "0.001"),
        (9 * 10**18, 4, "900000000000000.0000"),
    ],
)
def test_writes_exactly_the_digits_of_the_currency(minor: int, digits: int, text: str) -> None:
    """Balances below zero keep their sign."""
    assert text == to_major(minor, digits)


@given(st.integers(min_value=0, max_value=10**18), st.integers(min_value=0, max_value=4))
def test_writing_and_reading_gives_the_same_amount(minor: int, digits: int) -> None:
    """Nothing is rounded in either direction."""
    assert minor == to_minor(to_major(minor, digits), digits)
