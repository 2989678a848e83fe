"""Steps that lean on each other, with too little money and every kind of mistake."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import msgspec
from hypothesis import strategies as st

from processor.core.currencies import DIGITS
from processor.core.money import to_major

OWN = [
    f"{kind}-{code}" for kind in ("cash", "clearing", "position", "fees") for code in ("EUR", "JPY")
]
HOLDERS = {
    "EUR": ["anna", "bert", "carl", "shop", "anna", "bert", "cash-EUR", "position-EUR"],
    "JPY": ["yoko", "bank", "yoko", "cash-JPY"],
}
ACCOUNTS = ["anna", "bert", "carl", "bank", "shop", "yoko", *OWN, "cash-USD", "nobody"]
ACCOUNTS += 3 * ["anna", "bert"]  # the two that have money meet most often
CURRENCIES = ["EUR", "JPY"]
CUSTOMERS = ["one", "two"]
AMOUNTS = ["1", "2", "5", "10", "40", "0.5", "1.50", "9999999999999"]
CHARGED = ["deposit", "withdrawal", "transfer", "payment", "fx.transfer", "hold.capture"]
RATES = ["1", "160", "162.345", "0.0061597", "0.125"]
OVERDRAW = {"on_shortfall": st.sampled_from(["overdraw", "refuse"])}
DAYS = [f"2001-01-0{number}" for number in range(1, 6)]
"""Days that may be closed, one after the other, whatever the clock says."""

VALUE_DATES = st.sampled_from(["2000-12-31", *DAYS, "2026-11-21", "2999-01-01"])
PAST, FUTURE = "2001-01-01T00:00:00Z", "2999-01-01T00:00:00Z"


class Step(msgspec.Struct, frozen=True):
    """One record to come: `kind` with own fields; `back` points at an earlier record."""

    kind: str
    fields: dict[str, Any]
    back: int = 0


def _movements(kind: str, *sides: str) -> st.SearchStrategy[Step]:
    fields = {
        "amount": st.sampled_from(AMOUNTS),
        "currency": st.sampled_from([*CURRENCIES, "EUR", "EUR"]),
        **{side: st.sampled_from(ACCOUNTS) for side in sides},
    }
    maybe = {"valid_until": st.sampled_from([PAST, FUTURE]), "reference": st.just("rent")}
    maybe["value_date"] = VALUE_DATES
    return st.fixed_dictionaries(fields, optional=maybe).map(lambda found: Step(kind, found))


OPENINGS = st.fixed_dictionaries(
    {
        "account": st.sampled_from(ACCOUNTS),
        "currency": st.sampled_from(CURRENCIES),
        "kind": st.sampled_from(["customer", "customer", "internal", "merchant", "income"]),
    },
    optional={"metadata": st.just({"a": "b"}), "customer": st.sampled_from(CUSTOMERS)},
).map(lambda found: Step("account.open", found))

LIMITED = st.sampled_from(["5", "50"]).map(
    lambda limit: Step(
        "account.open",
        {"account": "carl", "currency": "EUR", "kind": "customer", "overdraft_limit": limit},
    )
)

TERMS = st.one_of(
    st.builds(
        lambda kind, account, side: Step(
            kind, {"account": account, "side": side, "reason": "a case"}
        ),
        st.sampled_from(["account.freeze", "account.unfreeze", "account.unfreeze"]),
        st.sampled_from(ACCOUNTS),
        st.sampled_from(["debit", "credit", "both"]),
    ),
    st.builds(
        lambda account, currency, limit: Step(
            "account.limit",
            {"account": account, "currency": currency, "overdraft_limit": limit},
        ),
        st.sampled_from(ACCOUNTS),
        st.sampled_from([*CURRENCIES, "EUR", "EUR"]),
        st.sampled_from(["0", "1", "5", "40", "50"]),
    ),
    st.sampled_from(ACCOUNTS).map(lambda account: Step("account.close", {"account": account})),
)
"""What changes an account without moving money."""

REVERSALS = st.builds(
    Step,
    st.just("reversal"),
    st.fixed_dictionaries(
        {}, optional={"amount": st.sampled_from(AMOUNTS), "value_date": VALUE_DATES, **OVERDRAW}
    ),
    st.integers(1, 12),
)
REFUNDS = st.builds(
    Step,
    st.just("refund"),
    st.fixed_dictionaries(
        {}, optional={"amount": st.sampled_from(AMOUNTS), "value_date": VALUE_DATES}
    ),
    st.integers(1, 12),
)
PAYMENTS = st.builds(
    lambda debit, credit, amount: Step(
        "payment",
        {"debit_account": debit, "credit_account": credit, "amount": amount, "currency": "EUR"},
    ),
    st.sampled_from(["anna", "anna", "bert", "shop", "nobody"]),
    st.sampled_from(["shop", "shop", "shop", "bert", "cash-EUR"]),
    st.sampled_from(AMOUNTS),
)


@st.composite
def _moves(draw: st.DrawFn) -> list[dict[str, str]]:
    """Draw both sides of money that moves within one currency, seldom of an account elsewhere."""
    currency = draw(st.sampled_from(["EUR", "EUR", "JPY"]))
    anyone = st.sampled_from([*4 * HOLDERS[currency], *ACCOUNTS])
    amount = draw(st.sampled_from(["1", "2", "5", "10", "40"]))
    return [
        {"account": draw(anyone), "direction": side, "amount": amount, "currency": currency}
        for side in ("debit", "credit")
    ]


@st.composite
def _journals(draw: st.DrawFn) -> Step:
    """Draw a journal in one or two currencies, its lines in any order; one in ten lacks a line."""
    moves = draw(st.lists(_moves(), min_size=1, max_size=4))
    lines = draw(st.permutations([line for move in moves for line in move]))
    lacks = draw(st.sampled_from([0] * 9 + [1]))
    fields = draw(st.fixed_dictionaries({}, optional={"value_date": VALUE_DATES, **OVERDRAW}))
    return Step("journal", {"lines": lines[lacks:], **fields})


@st.composite
def _exchanges(draw: st.DrawFn) -> Step:
    """Draw an exchange between the two currencies; what follows from the rate is seldom wrong."""
    sold, bought = draw(st.permutations(CURRENCIES))
    rate, fixed_side = draw(st.sampled_from(RATES)), draw(st.sampled_from(["debit", "credit"]))
    fixed = draw(st.sampled_from(["1", "2", "5", "33", "1000"]))
    value = Fraction(fixed) * Fraction(rate) ** (1 if fixed_side == "debit" else -1)
    digits = DIGITS[bought if fixed_side == "debit" else sold]
    wrong = draw(st.sampled_from([0] * 9 + [1]))
    other = to_major(round(value * 10**digits) + wrong, digits)
    amount, credit_amount = (fixed, other) if fixed_side == "debit" else (other, fixed)
    fields = {
        "debit_account": draw(st.sampled_from([*3 * HOLDERS[sold], *ACCOUNTS])),
        "credit_account": draw(st.sampled_from([*3 * HOLDERS[bought], *ACCOUNTS])),
        "amount": amount,
        "currency": sold,
        "credit_amount": credit_amount,
        "credit_currency": bought,
        "rate": rate,
        "fixed_side": fixed_side,
        **draw(st.fixed_dictionaries({}, optional={"value_date": VALUE_DATES})),
    }
    return Step("fx.transfer", fields)


JOURNALS, EXCHANGES = _journals(), _exchanges()
HOLDS = st.one_of(
    st.fixed_dictionaries(
        {
            "debit_account": st.sampled_from(ACCOUNTS),
            "credit_account": st.sampled_from(ACCOUNTS),
            "amount": st.sampled_from(AMOUNTS),
            "currency": st.sampled_from([*CURRENCIES, "EUR", "EUR"]),
        },
        optional={
            "capture_max": st.sampled_from(["10", "45", "9999999999999"]),
            "expires_at": st.sampled_from([PAST, FUTURE, FUTURE]),
        },
    ).map(lambda found: Step("hold.place", found)),
    st.sampled_from(["10", "20", "40"]).map(
        lambda amount: Step(
            "hold.place",
            {
                "debit_account": "anna",
                "credit_account": "bert",
                "amount": amount,
                "currency": "EUR",
                "capture_max": "40",
            },
        )
    ),
)
ON_HOLDS = st.builds(
    Step,
    st.sampled_from(["hold.capture", "hold.capture", "hold.release", "hold.expire"]),
    st.fixed_dictionaries({}, optional={"amount": st.sampled_from(AMOUNTS)}),
    st.integers(1, 4),
).map(lambda step: Step(step.kind, {} if step.kind == "hold.expire" else step.fields, step.back))
"""Something done to one of the commands just before, most often to no hold."""

TARIFFS = st.fixed_dictionaries(
    {
        "tariff": st.sampled_from(["a", "b", "c"]),
        "command": st.sampled_from([*CHARGED, "transfer", "hold.capture"]),
        "currency": st.sampled_from([*CURRENCIES, "EUR", "EUR"]),
        "payer": st.sampled_from(["debit", "credit"]),
        "tiers": st.sampled_from(
            [
                [{"from": "0", "fixed": "1", "basis_points": "0"}],
                [{"from": "0", "fixed": "0", "basis_points": "250"}],
                [{"from": "0", "fixed": "0", "basis_points": "0"}],
                [
                    {"from": "0", "fixed": "0", "basis_points": "5000"},
                    {"from": "2", "fixed": "3", "basis_points": "12.5"},
                    {"from": "10", "fixed": "0", "basis_points": "10000"},
                ],
            ]
        ),
    },
    optional={
        "for_channel": st.sampled_from(["mobile", "atm"]),
        "product": st.sampled_from(["customer", "merchant", "internal"]),
        "minimum": st.sampled_from(["0", "1"]),
        "maximum": st.sampled_from(["1", "20"]),
    },
).map(lambda found: Step("tariff.set", found))
TARIFF_ENDS = st.sampled_from(["a", "b", "c"]).map(
    lambda name: Step("tariff.end", {"tariff": name})
)

CLOSINGS = st.builds(
    Step,
    st.just("day.close"),
    st.fixed_dictionaries(
        {"business_date": st.sampled_from([*DAYS, *DAYS[:2], "2999-01-01"])},
        optional={
            "next_date": st.sampled_from(DAYS),
            "valid_until": st.sampled_from([PAST, FUTURE, FUTURE]),
        },
    ),
)
REPEATS = st.builds(Step, st.just("repeat"), st.just({}), st.integers(1, 12))
CONFLICTS = st.builds(
    Step,
    st.just("conflict"),
    st.sampled_from(
        [{"channel": "atm"}, {"reference": "other"}, {"amount": "3"}, {"value_date": DAYS[1]}]
    ),
    st.integers(1, 12),
)
INVALID = st.sampled_from([{"more": "1"}, {"channel": "?"}, {"transaction_id": "x"}]).map(
    lambda found: Step("invalid", found)
)

STEPS = st.one_of(
    OPENINGS,
    OPENINGS,
    LIMITED,
    _movements("deposit", "credit_account"),
    _movements("deposit", "credit_account"),
    _movements("withdrawal", "debit_account"),
    _movements("transfer", "debit_account", "credit_account"),
    _movements("transfer", "debit_account", "credit_account"),
    PAYMENTS,
    PAYMENTS,
    JOURNALS,
    JOURNALS,
    JOURNALS,
    EXCHANGES,
    TERMS,
    TERMS,
    REVERSALS,
    REVERSALS,
    REFUNDS,
    REFUNDS,
    HOLDS,
    ON_HOLDS,
    ON_HOLDS,
    TARIFFS,
    TARIFFS,
    TARIFF_ENDS,
    CLOSINGS,
    CLOSINGS,
    REPEATS,
    CONFLICTS,
    INVALID,
)


OPENED = [
    Step("account.open", {"account": name, "currency": currency, "kind": kind, **owner})
    for name, currency, kind, owner in [
        ("anna", "EUR", "customer", {"customer": "one"}),
        ("bert", "EUR", "customer", {"customer": "one"}),
        ("bank", "JPY", "internal", {}),
        ("shop", "EUR", "merchant", {}),
        ("yoko", "JPY", "customer", {"customer": "two"}),
    ]
]
FUNDED = [
    Step("deposit", {"credit_account": name, "amount": "40", "currency": currency})
    for name, currency in (("anna", "EUR"), ("yoko", "JPY"))
]
