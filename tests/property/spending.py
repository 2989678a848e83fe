"""Steps and stories of spending limits, with limits that are too small for what comes next."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.property.steps import (
    ACCOUNTS,
    AMOUNTS,
    CURRENCIES,
    CUSTOMERS,
    DAYS,
    FUTURE,
    PAST,
    STEPS,
    Step,
)

NAMES = st.sampled_from(["a", "b", "c"])
CHANNELS = ["mobile", "mobile", "atm"]
SUBJECTS = {
    "account": [*["anna", "bert"] * 6, *ACCOUNTS],
    "customer": ["one", *CUSTOMERS],
    "channel": CHANNELS,
}
BOUNDS = {
    "single_amount": st.sampled_from(["1", "5", "20", "20", "9999999999999"]),
    "daily_amount": st.sampled_from(["2", "10", "10", "45"]),
    "daily_count": st.sampled_from(["1", "2", "2", "5"]),
}


@st.composite
def _limits(draw: st.DrawFn, currencies: tuple[str, ...] = (*CURRENCIES, "EUR", "EUR")) -> Step:
    """Draw a limit with one bound or more, of one subject or of all that have none."""
    scope = draw(st.sampled_from(list(SUBJECTS)))
    fields = {"limit": draw(NAMES), "scope": scope, "currency": draw(st.sampled_from(currencies))}
    if draw(st.booleans()):
        fields["subject"] = draw(st.sampled_from(SUBJECTS[scope]))
    measures = draw(st.sets(st.sampled_from(list(BOUNDS)), min_size=1))
    fields |= {measure: draw(BOUNDS[measure]) for measure in BOUNDS if measure in measures}
    until = draw(st.sampled_from([*[None] * 6, PAST, FUTURE]))
    fields |= {} if until is None else {"valid_until": until}
    return Step("limit.set", fields)


LIMITS = _limits()
LIMIT_ENDS = NAMES.map(lambda name: Step("limit.end", {"limit": name}))


@st.composite
def _spending(draw: st.DrawFn) -> list[Step]:
    """Draw one way to spend EUR that may succeed, in a channel or another."""
    debit = draw(st.sampled_from(["anna", "anna", "bert"]))
    amount = draw(st.sampled_from(["0.5", "1", "1", "2", "5"]))
    own = {"amount": amount, "currency": "EUR", "channel": draw(st.sampled_from(CHANNELS))}
    sides = {"debit_account": debit, "credit_account": "shop"}
    kind = draw(
        st.sampled_from(
            [
                "withdrawal",
                "deposit",
                "transfer",
                "payment",
                "hold.place",
                "journal",
                "hold.capture",
            ]
        )
    )
    if kind == "withdrawal":
        return [Step(kind, {**own, "debit_account": debit})]
    if kind == "journal":
        return [Step(kind, {"lines": _lines(amount, debit), "channel": own["channel"]})]
    if kind != "hold.capture":
        return [Step(kind, {**own, **sides})]
    placed = Step("hold.place", {**own, **sides, "capture_max": "40"})
    beyond = draw(st.sampled_from(AMOUNTS))
    rest = draw(st.sampled_from(["keep", "release"]))
    return [placed, Step(kind, {"amount": beyond, "remainder": rest}, 1)]


def _lines(amount: str, debit: str) -> list[dict[str, str]]:
    """Let both accounts of a customer pay the same, and one of them get some of it back."""
    sides = [("anna", "debit"), ("bert", "debit"), (debit, "credit"), ("cash-EUR", "credit")]
    return [
        {"account": account, "direction": side, "amount": amount, "currency": "EUR"}
        for account, side in sides
    ]


@st.composite
def limited(draw: st.DrawFn) -> list[Step]:
    """
    Draw a limit and what is spent under it, changed, ended or followed by a new day on the way.
    """
    steps = [draw(_limits(("EUR",)))]
    name = steps[0].fields["limit"]
    turns = [
        *[_spending()] * 6,
        _limits(("EUR",)).map(lambda step: [step]),
        st.just([Step("limit.end", {"limit": name})]),
        st.sampled_from(DAYS).map(lambda day: [Step("day.close", {"business_date": day})]),
        STEPS.map(lambda step: [step]),
    ]
    # Not one_of, in which each of the many steps would count as much as all spending.
    for turn in draw(st.lists(st.integers(0, len(turns) - 1), min_size=3, max_size=8)):
        steps += draw(turns[turn])
    return steps
