"""The reference model's spending limits, by hand."""

import json
from typing import Any

import pytest

from loadtest.reference.answer import Answer
from loadtest.reference.contract import Command, Fault, read
from loadtest.reference.limits import Spent
from tests.unit.test_reference_model import DIGITS, FIELDS, PAST, Bank, id_of

TO_YEN = {
    "debit_account": "a",
    "credit_account": "j",
    "amount": "0.25",
    "currency": "EUR",
    "credit_amount": "2",
    "credit_currency": "JPY",
    "rate": "10",
}


class Limited(Bank):
    """A bank whose customer `one` has the accounts c and d with 100.00 EUR each."""

    def __init__(self) -> None:
        super().__init__()
        for name in ("c", "d"):
            self.open(name, customer="one")
            self.ask("deposit", credit_account=name, amount="100", currency="EUR")
        self.open("shop", kind="merchant")

    def open(self, name: str, **fields: Any) -> Answer:
        """Open an account in EUR."""
        own = {"account": name, "currency": "EUR", "kind": "customer"}
        return self.ask("account.open", **own | fields)

    def limit(self, scope: str = "account", subject: str | None = "c", **fields: Any) -> str | None:
        """Set the limit `l` in EUR, for the account c unless said otherwise."""
        own = {"limit": "l", "scope": scope, "currency": "EUR"}
        own |= {} if subject is None else {"subject": subject}
        return self.ask("limit.set", **own | fields).reason

    def out(self, amount: str, debit: str = "c", **fields: Any) -> str | None:
        """Withdraw, from c unless said otherwise; give the reason of a refusal."""
        own = {"debit_account": debit, "amount": amount, "currency": "EUR"}
        return self.ask("withdrawal", **own | fields).reason

    def exceeding(self, amount: str, debit: str = "c", **fields: Any) -> tuple[str, ...]:
        """Withdraw in vain; give scope, subject, measure, maximum and left of what is exceeded."""
        own = {"debit_account": debit, "amount": amount, "currency": "EUR"}
        answer = self.ask("withdrawal", **own | fields)
        assert answer.reason == "limit_exceeded"
        shown = answer.shown["exceeded"]
        return tuple(shown[name] for name in ("scope", "subject", "measure", "maximum", "left"))

    def lines(self, *lines: tuple[str, str, str], **fields: Any) -> Answer:
        """Post lines of account, direction and amount in EUR."""
        names = ("account", "direction", "amount")
        written = [dict(zip(names, one, strict=True)) | {"currency": "EUR"} for one in lines]
        return self.ask("journal", lines=written, **fields)

    def place(self, amount: str, **fields: Any) -> str:
        """Hold money of c for the shop; give the id."""
        own = {"debit_account": "c", "credit_account": "shop", "currency": "EUR"}
        assert self.ask("hold.place", **own, amount=amount, **fields).reason is None
        return id_of(self.ids)

    def capture(self, hold: str, **fields: Any) -> str | None:
        """Take of a hold; give the reason of a refusal."""
        return self.ask("hold.capture", hold_transaction_id=hold, **fields).reason


@pytest.fixture
def bank() -> Limited:
    """Return a bank with a customer."""
    return Limited()


def test_each_measure_is_held(bank: Limited) -> None:
    """To the last minor unit and command; what is left is shown; what is refused does not count."""
    assert bank.limit(single_amount="40", daily_amount="70.5", daily_count="3") is None

    assert bank.exceeding("40.01") == ("account", "c", "single_amount", "40.00", "40.00")
    assert bank.out("40") is None
    assert bank.exceeding("30.51") == ("account", "c", "daily_amount", "70.50", "30.50")
    assert bank.out("30.49") is None
    assert bank.out("0.01") is None
    assert bank.exceeding("0.01") == ("account", "c", "daily_amount", "70.50", "0.00")
    assert bank.limit(daily_amount="100", daily_count="3") is None
    assert bank.exceeding("0.01") == ("account", "c", "daily_count", "3", "0")


def test_the_first_that_is_exceeded_is_shown(bank: Limited) -> None:
    """The account's before the customer's before the channel's; of each its measures in order."""
    limits = (("channel", "mobile", "1"), ("customer", "one", "2"), ("account", "c", "3"))
    found = []
    for scope, subject, amount in limits:
        assert bank.limit(scope, subject, limit=scope, single_amount=amount) is None
        found.append(bank.exceeding("3.01")[:2])

    assert found == [("channel", "mobile"), ("customer", "one"), ("account", "c")]
    assert bank.exceeding("3.00")[0] == "customer"
    assert bank.exceeding("2.00")[0] == "channel"
    assert bank.out("2.00", channel="atm") is None


def test_a_subjects_own_limit_stands_for_the_one_of_all(bank: Limited) -> None:
    """Each subject counts by itself, and what was counted is the same under either limit."""
    assert bank.limit(subject=None, limit="all", daily_amount="10") is None
    assert bank.limit(daily_amount="30") is None

    assert bank.out("10", "d") is None
    assert bank.out("10") is None
    assert bank.exceeding("0.01", "d")[1:] == ("d", "daily_amount", "10.00", "0.00")
    assert bank.out("19") is None
    assert bank.ask("limit.end", limit="l").reason is None
    assert bank.exceeding("1") == ("account", "c", "daily_amount", "10.00", "0.00")


def test_a_customers_accounts_count_together(bank: Limited) -> None:
    """A command counts once, with the sum of what it takes from all of them."""
    assert bank.limit("customer", "one", daily_amount="20", daily_count="2") is None

    both = (("c", "debit", "10"), ("d", "debit", "11"), ("a", "credit", "21"))
    refused = bank.lines(*both)
    assert refused.reason == "limit_exceeded"
    assert refused.shown["exceeded"] == {
        "limit": "l",
        "scope": "customer",
        "subject": "one",
        "currency": "EUR",
        "measure": "daily_amount",
        "maximum": "20.00",
        "left": "20.00",
    }
    assert (
        bank.lines(("c", "debit", "9"), ("d", "debit", "9"), ("a", "credit", "18")).reason is None
    )
    assert bank.out("1", "d") is None
    assert bank.exceeding("1")[2:] == ("daily_count", "2", "0")
    assert bank.out("50", "a") is None


def test_a_journal_counts_what_it_takes_from_each_account(bank: Limited) -> None:
    """The net debit; nothing where lines give more than they take, or where it overdraws."""
    assert bank.limit(subject=None, daily_amount="5") is None
    turned = [
        ("c", "debit", "60"),
        ("a", "credit", "55"),
        ("c", "credit", "55"),
        ("a", "debit", "55"),
    ]
    evenly = [*turned[:3], ("a", "debit", "50")]

    assert bank.lines(*evenly).reason is None
    assert bank.lines(("c", "debit", "1"), ("d", "credit", "1")).reason == "limit_exceeded"
    assert bank.lines(("c", "debit", "1"), ("c", "credit", "2"), ("a", "debit", "1")).reason is None
    forced = {"on_shortfall": "overdraw"}
    assert bank.lines(("c", "debit", "90"), ("d", "credit", "90"), **forced).reason is None
    assert bank.lines(("d", "debit", "4"), ("c", "credit", "4")).reason is None
    assert bank.exceeding("1.01", "d")[2:] == ("daily_amount", "5.00", "1.00")


def test_the_first_account_of_a_journal_is_shown(bank: Limited) -> None:
    """In the order in which the lines first name them."""
    assert bank.limit(subject=None, single_amount="1") is None
    lines = [("b", "credit", "4"), ("d", "debit", "2"), ("c", "debit", "2")]

    assert bank.lines(*lines).shown["exceeded"]["subject"] == "d"


def test_holds_count_when_they_are_placed(bank: Limited) -> None:
    """And captures what goes beyond what they free; a release gives nothing back."""
    assert bank.limit(daily_amount="30") is None
    hold = bank.place("20", capture_max="45")

    assert bank.capture(hold, amount="15") is None
    assert bank.capture(hold, amount="15.01") == "limit_exceeded"
    assert bank.capture(hold, amount="15") is None
    assert bank.capture(hold, amount="0.01") == "limit_exceeded"
    assert bank.limit(daily_amount="40") is None
    freed = bank.place("10")
    assert bank.capture(freed, amount="4", remainder="release") is None
    assert bank.exceeding("0.01")[2:] == ("daily_amount", "40.00", "0.00")


def test_all_that_leaves_on_order_counts(bank: Limited) -> None:
    """Each kind of command once, with its amount and without fees."""
    fee = [{"from": "0", "fixed": "1", "basis_points": "0"}]
    tariff = {"tariff": "t", "command": "withdrawal", "currency": "EUR", "payer": "debit"}
    bank.ask("tariff.set", **tariff, tiers=fee)
    assert bank.limit(subject=None, daily_amount="6", daily_count="5") is None

    moved = {"amount": "1", "currency": "EUR"}
    to = {"credit_account": "b", "debit_account": "a"}
    assert bank.out("1", "a") is None
    assert bank.ask("transfer", **moved, **to).reason is None
    assert bank.ask("deposit", **moved, **to).reason is None
    assert bank.ask("payment", **moved, **to | {"credit_account": "shop"}).reason is None
    paid = id_of(bank.ids)
    assert bank.ask("fx.transfer", **TO_YEN).reason is None
    assert bank.exceeding("1", "a")[2:] == ("daily_count", "5", "0")
    assert bank.limit(subject=None, daily_amount="6") is None
    assert bank.exceeding("1.76", "a")[2:] == ("daily_amount", "6.00", "1.75")
    assert bank.ask("refund", original_transaction_id=paid, amount="0.5").reason is None
    assert bank.ask("reversal", original_transaction_id=paid).reason is None
    assert bank.exceeding("1.76", "a")[4] == "1.75"
    assert bank.exceeding("6.01", "shop")[4] == "6.00"


def test_the_banks_own_accounts_are_not_limited(bank: Limited) -> None:
    """Cash may leave, whoever orders it."""
    assert bank.limit(subject=None, limit="all", single_amount="1") is None
    assert bank.limit("channel", None, daily_count="1") is None

    paid_in = {"credit_account": "b", "amount": "50", "currency": "EUR"}
    assert bank.ask("deposit", **paid_in).reason is None
    assert bank.ask("deposit", **paid_in).reason is None
    assert bank.ask("transfer", debit_account="position-EUR", **paid_in).reason is None
    assert bank.out("1", "b") is None
    assert bank.out("1", "b") == "limit_exceeded"


def test_limits_come_before_funds_and_after_accounts(bank: Limited) -> None:
    """And without funds nothing is counted."""
    assert bank.limit(subject=None, single_amount="150", daily_amount="150") is None

    assert bank.out("150.01", "b") == "limit_exceeded"
    assert bank.out("150", "b") == "insufficient_funds"
    assert bank.out("150.01", "b", credit_account="j") == "currency_mismatch"
    assert bank.out("99") is None
    assert bank.exceeding("51.01")[4] == "51.00"


def test_a_date_starts_at_zero(bank: Limited) -> None:
    """What was counted stays over a change, an end and another name, until the day is closed."""
    assert bank.out("50") is None
    assert bank.limit(daily_amount="10") is None
    assert bank.out("9") is None
    assert bank.ask("limit.end", limit="l").reason is None
    assert bank.out("9") is None
    assert bank.limit(limit="other", daily_amount="11") is None
    assert bank.exceeding("3")[2:] == ("daily_amount", "11.00", "2.00")
    assert bank.limit(limit="other", daily_amount="8") is None
    assert bank.exceeding("3")[2:] == ("daily_amount", "8.00", "0.00")

    assert bank.ask("day.close", business_date="2026-11-21").reason is None
    assert bank.out("3", value_date="2026-11-21") is None
    assert bank.exceeding("6")[2:] == ("daily_amount", "8.00", "5.00")


def test_days_are_bounded_also_without_a_bound(bank: Limited) -> None:
    """No sum grows beyond what a balance may be."""
    assert bank.limit(single_amount="9999999999999.99") is None
    bank.ask("account.limit", account="c", currency="EUR", overdraft_limit="9999999999999")
    key = (bank.books.day, ("account", "c", "EUR"))
    bank.books.spent[key] = Spent(9 * 10**18 - 50, 1)

    assert bank.exceeding("0.51")[2:] == ("daily_amount", "90000000000000000.00", "0.50")
    assert bank.out("0.50") is None


REFUSALS: list[tuple[str | None, dict[str, Any]]] = [
    ("expired", {"limit": "m", "valid_until": PAST}),
    ("limit_overlaps", {"limit": "m"}),
    ("limit_overlaps", {"limit": "m", "daily_amount": "7"}),
    ("account_not_found", {"subject": "nobody"}),
    ("account_closed", {"subject": "gone", "currency": "USD"}),
    ("currency_mismatch", {"subject": "j"}),
    ("currency_mismatch", {"subject": "cash-USD"}),
    ("kind_not_allowed", {"subject": "cash-EUR"}),
    ("nothing_to_change", {"daily_amount": "5.0"}),
    (None, {"daily_amount": "6"}),
    (None, {"scope": "customer", "subject": "nobody"}),
    (None, {"scope": "channel"}),
    (None, {"limit": "m", "subject": "d"}),
    (None, {"limit": "m", "currency": "USD", "subject": None}),
]


@pytest.mark.parametrize(("reason", "fields"), REFUSALS)
def test_limits_are_refused_for_the_first_reason(
    bank: Limited, reason: str | None, fields: dict[str, Any]
) -> None:
    """A limit that is refused changes nothing; one of a known name takes its place."""
    bank.open("gone")
    bank.ask("account.close", account="gone")
    assert bank.limit(daily_amount="5") is None
    before = dict(bank.books.limits)

    assert bank.limit(**{"daily_amount": "5"} | fields) == reason
    assert (bank.books.limits != before) == (reason is None)
    names = [one["limit"] for one in bank.books.limits.values()]
    assert len(set(names)) == len(names)


def test_a_limit_ends_once(bank: Limited) -> None:
    """The answers show its name; where it is set, its currency."""
    own = {"limit": "l", "scope": "channel", "currency": "EUR", "daily_count": "1"}
    answers = [bank.ask("limit.set", **own)]
    answers += [bank.ask("limit.end", limit="l") for _ in range(2)]

    assert [one.reason for one in answers] == [None, None, "limit_not_found"]
    assert [one.currency for one in answers] == ["EUR", None, None]
    assert {one.shown["limit"] for one in answers} == {"l"}


SET = {"type": "limit.set", "limit": "l", "scope": "account", "currency": "EUR"}


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({}, ""),
        ({"daily_count": "0"}, "/daily_count"),
        ({"daily_count": "1000000000"}, "/daily_count"),
        ({"daily_amount": "0.001"}, "/daily_amount"),
        ({"single_amount": "10000000000000.01"}, "/single_amount"),
        ({"single_amount": "-1"}, "/single_amount"),
        ({"daily_count": "1", "scope": "bank"}, "/scope"),
        ({"daily_count": "1", "subject": ""}, "/subject"),
        ({"daily_count": "1", "amount": "1"}, ""),
    ],
)
def test_what_is_no_limit(fields: dict[str, Any], pointer: str) -> None:
    """A limit that bounds nothing, and bounds that can't be."""
    fault = read(json.dumps(FIELDS | SET | fields).encode(), DIGITS, is_internal=True)

    assert isinstance(fault, Fault)
    assert (fault.reason, pointer in fault.pointers) == ("schema", True)


def test_channels_set_no_limits() -> None:
    """Only the internal topic takes them; and an account of the bank's has no customer."""
    asked = FIELDS | SET | {"daily_count": "1"}
    unknown = read(json.dumps(asked).encode(), DIGITS)
    opening = {"type": "account.open", "account": "x", "currency": "EUR", "customer": "one"}
    income = read(json.dumps(FIELDS | opening | {"kind": "income"}).encode(), DIGITS)
    saving = read(json.dumps(FIELDS | opening | {"kind": "savings"}).encode(), DIGITS)

    assert isinstance(unknown, Fault)
    assert unknown.reason == "unknown_type"
    assert isinstance(income, Fault)
    assert "/customer" in income.pointers
    assert isinstance(saving, Command)
