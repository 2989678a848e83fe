"""What an amount is worth in another currency, by hand and against exact fractions."""

import json
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from processor.core.commands import FxTransfer
from processor.core.currencies import DIGITS
from processor.core.decode import Invalid
from processor.core.money import AMOUNT_MINOR_MAX, to_major
from processor.core.rates import to_credit, to_debit
from tests.builders import DECODER, fx


@pytest.mark.parametrize(
    ("debit_minor", "debit", "rate", "credit", "credit_minor"),
    [
        (100_00, "EUR", "1.0825", "USD", 108_25),
        (100_00, "EUR", "1.08250000", "USD", 108_25),
        (1, "EUR", "1", "USD", 1),
        # Yen have no decimals: 12.34 x 162.345 = 2003.3373.
        (12_34, "EUR", "162.345", "JPY", 2003),
        (25, "EUR", "10", "JPY", 2),
        (35, "EUR", "10", "JPY", 4),
        (45, "EUR", "10", "JPY", 4),
        (26, "EUR", "10", "JPY", 3),
        (1, "EUR", "49.999999999999", "JPY", 0),
        (1, "EUR", "50", "JPY", 0),
        (1, "EUR", "50.000000000001", "JPY", 1),
        (1000, "JPY", "0.0061597", "EUR", 6_16),
        # Dinars have three: 10.00 x 0.3325 = 3.325.
        (10_00, "EUR", "0.3325", "KWD", 3_325),
        (1, "EUR", "0.25", "KWD", 2),
        (3, "EUR", "0.25", "KWD", 8),
        (1_001, "KWD", "3", "EUR", 3_00),
        (1_005, "KWD", "3", "EUR", 3_02),
        (1_005, "KWD", "1", "EUR", 1_00),
        (1_015, "KWD", "1", "EUR", 1_02),
        (7, "JPY", "0.0021", "KWD", 15),
        # The smallest and the largest that can be written.
        (1, "EUR", "0.000000000001", "USD", 0),
        (AMOUNT_MINOR_MAX, "EUR", "999999999999.999999999999", "USD", 10**27 - 1000),
    ],
)
def test_what_a_debit_is_worth(
    debit_minor: int, debit: str, rate: str, credit: str, credit_minor: int
) -> None:
    """By the rate, in the minor units of ISO 4217, half to even."""
    assert to_credit(debit_minor, debit, rate, credit) == credit_minor


@pytest.mark.parametrize(
    ("credit_minor", "debit", "rate", "credit", "debit_minor"),
    [
        (108_25, "EUR", "1.0825", "USD", 100_00),
        (108_26, "EUR", "1.0825", "USD", 100_01),
        (100_00, "JPY", "0.00615972", "EUR", 16235),
        (5, "JPY", "0.02", "EUR", 2),
        (7, "JPY", "0.02", "EUR", 4),
        (5, "EUR", "2.000000000001", "USD", 2),
        (5, "EUR", "2", "USD", 2),
        (7, "EUR", "2", "USD", 4),
        (3_325, "EUR", "0.3325", "KWD", 10_00),
        (1, "KWD", "4", "EUR", 2),
        (3, "KWD", "4", "EUR", 8),
        (2003, "EUR", "162.345", "JPY", 12_34),
        (1, "USD", "0.000000000001", "EUR", 10**12),
    ],
)
def test_what_a_credit_costs(
    credit_minor: int, debit: str, rate: str, credit: str, debit_minor: int
) -> None:
    """The same the other way round."""
    assert to_debit(credit_minor, debit, rate, credit) == debit_minor


CURRENCIES = st.sampled_from(["JPY", "EUR", "USD", "KWD", "UYW"])
RATES = st.from_regex(r"(0|[1-9][0-9]{0,5})(\.[0-9]{1,12})?", fullmatch=True).filter(
    lambda rate: rate.strip("0.") != ""
)
AMOUNTS = st.integers(1, 10**9)


@given(AMOUNTS, CURRENCIES, RATES, CURRENCIES)
def test_it_agrees_with_exact_fractions(amount: int, debit: str, rate: str, credit: str) -> None:
    """Both ways, whatever the currencies and however long the rate."""
    one_credit, one_debit = 10 ** DIGITS[credit], 10 ** DIGITS[debit]

    assert to_credit(amount, debit, rate, credit) == round(
        Fraction(amount, one_debit) * Fraction(rate) * one_credit
    )
    assert to_debit(amount, debit, rate, credit) == round(
        Fraction(amount, one_credit) / Fraction(rate) * one_debit
    )


@given(AMOUNTS, CURRENCIES, RATES, CURRENCIES, st.sampled_from(["debit", "credit"]))
def test_only_what_follows_from_the_rate_is_a_command(
    fixed: int, debit: str, rate: str, credit: str, side: str
) -> None:
    """The amount that exact fractions give is taken, its neighbours are refused where it stands."""
    assume(debit != credit)
    if side == "debit":
        value = Fraction(fixed, 10 ** DIGITS[debit]) * Fraction(rate)
        other, field = round(value * 10 ** DIGITS[credit]), "credit_amount"
    else:
        value = Fraction(fixed, 10 ** DIGITS[credit]) / Fraction(rate)
        other, field = round(value * 10 ** DIGITS[debit]), "amount"
    assume(1 < other < AMOUNT_MINOR_MAX)

    def asked(other_minor: int) -> FxTransfer | str:
        minor = (fixed, other_minor) if side == "debit" else (other_minor, fixed)
        amount, credit_amount = (
            to_major(one, DIGITS[currency])
            for one, currency in zip(minor, (debit, credit), strict=True)
        )
        sides = {"currency": debit, "credit_currency": credit, "rate": rate, "fixed_side": side}
        document = fx("anna", "bert", amount, credit_amount, **sides)
        found = DECODER.decode(json.dumps(document).encode())
        if isinstance(found, Invalid):
            return found.pointer
        assert isinstance(found, FxTransfer)
        return found

    assert isinstance(asked(other), FxTransfer)
    assert [asked(other - 1), asked(other + 1)] == [f"/{field}"] * 2
