"""What a tariff charges, against cases counted by hand, and which tariff holds."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from processor.core.decode import Invalid
from processor.core.rule_commands import TariffSet
from processor.core.rules import NO_RULES, Rules, Tariff, Tier
from tests.builders import DECODER, Document, command_of, tariff, tier


def set_by(document: Document) -> Tariff:
    """Give what a `tariff.set` says."""
    command = command_of(document)
    assert isinstance(command, TariffSet)
    return command.tariff


def of(*tiers: dict[str, str], **fields: Any) -> Tariff:
    """Give a tariff for transfers that the debit side pays."""
    return set_by(tariff("transfer", "debit", *tiers, **fields))


TIERED = of(
    tier("1.00", "0", "0"),
    tier("0", "100", "100.00"),
    tier("2.00", "12.5", "1000.00"),
)

CASES: list[tuple[str, Tariff, int, int]] = [
    ("nothing", of(tier()), 1_000_00, 0),
    ("a fixed part", of(tier("0.35")), 1, 35),
    ("one percent", of(tier("0", "100")), 250_00, 2_50),
    ("both", of(tier("0.10", "100")), 250_00, 2_60),
    ("hundredths of basis points", of(tier("0", "12.25")), 8_000_00, 9_80),
    ("the smallest share", of(tier("0", "0.01")), 10_000_00, 1),
    ("a tie goes down to even", of(tier("0", "50")), 1_00, 0),
    ("a tie goes up to even", of(tier("0", "50")), 3_00, 2),
    ("a tie goes down to even again", of(tier("0", "50")), 5_00, 2),
    ("just below a tie", of(tier("0", "49.99")), 3_00, 1),
    ("all of it", of(tier("0", "10000")), 7, 7),
    ("more than all of it", of(tier("1.00", "10000")), 7, 1_07),
    ("the minimum", of(tier("0", "100"), minimum="0.50"), 1_00, 50),
    ("at the minimum", of(tier("0", "100"), minimum="0.50"), 50_00, 50),
    ("above the minimum", of(tier("0", "100"), minimum="0.50"), 51_00, 51),
    ("below the maximum", of(tier("0", "100"), maximum="5.00"), 499_00, 4_99),
    ("the maximum", of(tier("0", "100"), maximum="5.00"), 501_00, 5_00),
    ("a maximum of nothing", of(tier("1.00", "100"), maximum="0"), 501_00, 0),
    ("the bounds are one", of(tier("0", "100"), minimum="2", maximum="2.00"), 1, 2_00),
    ("the first tier", TIERED, 99_99, 1_00),
    ("the second tier from its edge", TIERED, 100_00, 1_00),
    ("the second tier to its end", TIERED, 999_99, 10_00),
    ("the third tier from its edge", TIERED, 1_000_00, 3_25),
    ("no decimals", of(tier("30", "25"), currency="JPY"), 999, 32),
    ("no decimals, a tie to even", of(tier("0", "25"), currency="JPY"), 1_000, 2),
    ("three decimals", of(tier("0.125", "25"), currency="KWD"), 10_000, 150),
    ("three decimals, a tie to even", of(tier("0", "25"), currency="KWD"), 1_400, 4),
    ("the largest amount", of(tier("0", "10000")), 10**15, 10**15),
]


@pytest.mark.parametrize(
    ("tariff", "amount", "fee"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_a_fee_is_what_a_person_counts(tariff: Tariff, amount: int, fee: int) -> None:
    """Fixed part and share of the tier, rounded half to even, within minimum and maximum."""
    assert tariff.fee(amount) == fee


AMOUNTS = st.integers(0, 10**6) | st.integers(0, 10**15)


@st.composite
def tariffs(draw: st.DrawFn) -> Tariff:
    """Draw any tariff that a command can set."""
    begins = [0, *sorted(draw(st.sets(st.integers(1, 10**7), max_size=5)))]
    tiers = tuple(Tier(one, draw(AMOUNTS), draw(st.integers(0, 10_000_00))) for one in begins)
    least = draw(AMOUNTS)
    most = draw(st.none() | AMOUNTS.map(lambda more: least + more))
    return Tariff("t", "transfer", None, None, "EUR", "debit", tiers, least, most)


@given(tariffs(), st.integers(1, 10**8) | st.integers(1, 10**15))
@example(
    Tariff("t", "transfer", None, None, "EUR", "debit", (Tier(0, 1, 60_000),), 0, None), 410_975
)
def test_a_fee_is_the_fraction_rounded_within_its_bounds(one: Tariff, amount: int) -> None:
    """For any tariff: between minimum and maximum, and there what exact fractions come to."""
    tier_at = max((t for t in one.tiers if t.from_minor <= amount), key=lambda t: t.from_minor)
    exact = tier_at.fixed_minor + round(Fraction(amount * tier_at.share, 1_000_000))
    fee = one.fee(amount)

    assert fee >= one.minimum_minor
    assert one.maximum_minor is None or fee <= one.maximum_minor
    assert fee == exact or fee in (one.minimum_minor, one.maximum_minor)
    if exact >= one.minimum_minor and (one.maximum_minor is None or exact <= one.maximum_minor):
        assert fee == exact


NAMES = ("channel and product", "channel", "product", "any")
SCOPES: dict[str, dict[str, str]] = {
    "channel and product": {"for_channel": "mobile", "product": "current"},
    "channel": {"for_channel": "mobile"},
    "product": {"product": "current"},
    "any": {},
}


@pytest.mark.parametrize("first", range(len(NAMES)))
@pytest.mark.parametrize("backwards", [False, True])
def test_the_most_specific_tariff_holds(first: int, *, backwards: bool) -> None:
    """Channel and product, else channel, else product, else any; in whatever order they came."""
    rules = NO_RULES
    for name in sorted(NAMES[first:], reverse=backwards):
        words = name.replace(" ", "-")
        rules = rules.with_tariff(of(tier("1"), tariff=words, **SCOPES[name]))

    found = rules.tariff("transfer", "mobile", "current", "EUR", "debit")
    assert found is not None
    assert found.name == NAMES[first].replace(" ", "-")


@pytest.mark.parametrize(
    "asked",
    [
        ("payment", "mobile", "current", "EUR", "debit"),
        ("transfer", "cards", "current", "EUR", "debit"),
        ("transfer", "mobile", "savings", "EUR", "debit"),
        ("transfer", "mobile", "current", "USD", "debit"),
        ("transfer", "mobile", "current", "EUR", "credit"),
    ],
)
def test_a_tariff_holds_for_nothing_else(asked: tuple[str, str, str, str, str]) -> None:
    """Each part of what it is for counts."""
    rules = NO_RULES.with_tariff(of(tier("1"), for_channel="mobile", product="current"))

    assert rules.tariff("transfer", "mobile", "current", "EUR", "debit") is not None
    assert rules.tariff(*asked) is None


def test_a_tariff_takes_the_place_of_one_of_its_name() -> None:
    """What it was for before costs nothing any more."""
    rules = NO_RULES.with_tariff(of(tier("1"))).with_tariff(of(tier("2"), product="current"))

    assert [one.product for one in rules.tariffs.values()] == ["current"]
    assert rules.tariff("transfer", "mobile", "savings", "EUR", "debit") is None
    assert rules.without_tariff("t") == Rules()


MISFITS: list[tuple[str, Document]] = [
    ("/tiers", tariff("transfer", "debit")),
    ("/tiers/0/from", tariff("transfer", "debit", tier(begins="0.01"))),
    ("/tiers/1/from", tariff("transfer", "debit", tier(), tier(begins="0.00"))),
    ("/tiers/2/from", tariff("transfer", "debit", tier(), tier(begins="2"), tier(begins="1.99"))),
    ("/tiers/0/fixed", tariff("transfer", "debit", tier("0.001"))),
    ("/tiers/0/fixed", tariff("transfer", "debit", tier("10000000000000.01"))),
    ("/tiers/0/basis_points", tariff("transfer", "debit", tier("0", "10000.01"))),
    ("/tiers/0/basis_points", tariff("transfer", "debit", tier("0", "0.001"))),
    ("/minimum", tariff("transfer", "debit", tier(), minimum="1.5", currency="JPY")),
    ("/maximum", tariff("transfer", "debit", tier(), minimum="2.00", maximum="1.99")),
    ("/product", tariff("transfer", "debit", tier(), product="position")),
    ("/command", tariff("refund", "debit", tier())),
    ("/payer", tariff("transfer", "both", tier())),
]


@pytest.mark.parametrize(("pointer", "document"), MISFITS)
def test_a_tariff_that_can_not_be_is_no_command(pointer: str, document: Document) -> None:
    """The field that is to blame is named."""
    invalid = DECODER.decode(json.dumps(document).encode())

    assert isinstance(invalid, Invalid)
    assert (invalid.reason, invalid.pointer) == ("schema", pointer)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (of(tier("1", "12.50")), of(tier("1.00", "12.5"))),
        (of(tier("0.1", "0.00"), minimum="0"), of(tier("0.10", "0"))),
        (of(tier("1"), maximum="3"), of(tier("1.0"), maximum="3.00")),
    ],
)
def test_a_tariff_written_differently_is_the_same(one: Tariff, other: Tariff) -> None:
    """Zeros that say nothing say nothing."""
    assert one == other
