"""Stories: steps that belong together, and must be told in order to get anywhere."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.property.spending import LIMIT_ENDS, LIMITS, limited
from tests.property.steps import CHARGED, DAYS, ON_HOLDS, STEPS, TARIFFS, VALUE_DATES, Step


@st.composite
def _given_back(draw: st.DrawFn) -> list[Step]:
    """Draw a payment that can be made, and a few attempts to give it back."""
    sides = {"debit_account": "anna", "credit_account": "shop"}
    paid = draw(st.sampled_from(["1", "2", "5"]))
    steps = [
        Step("payment", {**sides, "amount": paid, "currency": "EUR"}),
    ]
    for back in range(1, draw(st.integers(2, 4))):
        amount = draw(st.sampled_from([None, "0.5", "1", "2", "4"]))
        fields = {} if amount is None else {"amount": amount}
        steps.append(Step(draw(st.sampled_from(["refund", "reversal"])), fields, back))
    return steps


@st.composite
def _overdrawn(draw: st.DrawFn) -> list[Step]:
    """Draw a journal that takes more than is there, and what the account tries to give then."""
    name = draw(st.sampled_from(["anna", "bert", "shop"]))
    amount = draw(st.sampled_from(["2", "40", "100"]))
    lines = [
        {"account": account, "direction": side, "amount": amount, "currency": "EUR"}
        for account, side in ((name, "debit"), ("cash-EUR", "credit"))
    ]
    out = {"debit_account": name, "amount": "1", "currency": "EUR"}
    back = draw(st.sampled_from(["1", "40", "100"]))
    return [
        Step("journal", {"lines": lines, "on_shortfall": "overdraw"}),
        Step("withdrawal", out),
        Step("deposit", {"credit_account": name, "amount": back, "currency": "EUR"}),
        Step("withdrawal", out),
    ]


@st.composite
def _held(draw: st.DrawFn) -> list[Step]:
    """Draw a hold that can be placed, and a few attempts at it."""
    fields = {
        "debit_account": "anna",
        "credit_account": "shop",
        "amount": draw(st.sampled_from(["2", "5", "40"])),
        "currency": "EUR",
    }
    if draw(st.booleans()):
        fields["capture_max"] = draw(st.sampled_from(["40", "100"]))
    steps = [Step("hold.place", fields)]
    for back in range(1, draw(st.integers(2, 6))):
        own = draw(ON_HOLDS)
        rest = draw(st.sampled_from(["keep", "keep", "release"]))
        more = {"remainder": rest, "value_date": draw(VALUE_DATES)}
        more = more if own.kind == "hold.capture" else {}
        steps.append(Step(own.kind, {**own.fields, **more}, back))
    return steps


@st.composite
def _charged(draw: st.DrawFn) -> list[Step]:
    """Draw a tariff for what comes next, until it is ended."""
    story = draw(st.one_of(_given_back(), _held(), STEPS.map(lambda step: [step])))
    charged = [step.kind for step in story if step.kind in CHARGED]
    tariff = draw(TARIFFS)
    if charged:
        tariff = Step(tariff.kind, {**tariff.fields, "command": charged[0], "currency": "EUR"})
    end = Step("tariff.end", {"tariff": tariff.fields["tariff"]})
    return [tariff, *story, *([end] if draw(st.booleans()) else [])]


@st.composite
def _days(draw: st.DrawFn) -> list[Step]:
    """Draw days that are closed one after the other, with deposits between for days around them."""
    steps: list[Step] = []
    for day in DAYS[: draw(st.integers(1, 4))]:
        for value_date in draw(st.lists(VALUE_DATES, max_size=2)):
            own = {"credit_account": "anna", "amount": "1", "currency": "EUR"}
            steps.append(Step("deposit", {**own, "value_date": value_date}))
        steps.append(Step("day.close", {"business_date": day}))
    return steps


STORIES = st.one_of(
    STEPS.map(lambda step: [step]),
    _given_back(),
    _overdrawn(),
    _held(),
    _charged(),
    _charged(),
    _days(),
    *[limited()] * 6,
    st.one_of(LIMITS, LIMIT_ENDS).map(lambda step: [step]),
)
"""Records that follow each other."""


def told_in_order(min_stories: int, max_stories: int) -> st.SearchStrategy[list[Step]]:
    """Draw so many stories, one after the other."""
    stories = st.lists(STORIES, min_size=min_stories, max_size=max_stories)
    return stories.map(lambda found: [step for story in found for step in story])
