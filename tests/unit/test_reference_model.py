"""The reference model against cases worked out by hand."""

import json
from datetime import date
from typing import Any

import pytest

from loadtest.reference.amounts import major_of, minor_of
from loadtest.reference.answer import Account, Answer, Entry
from loadtest.reference.contract import INTERNAL, Command, Fault, read
from loadtest.reference.model import BALANCE_MINOR_MAX, Books
from loadtest.reference.times import time_us

DIGITS = {"EUR": 2, "USD": 2, "JPY": 0, "KWD": 3}
NOW_US = 1_795_255_200_000_000
TODAY = date(2026, 11, 21)
FIELDS = {
    "transaction_id": "0193e8a0-0000-7000-8000-000000000001",
    "requested_at": "2026-11-21T10:00:00Z",
    "channel": "mobile",
}
TRANSFER = FIELDS | {
    "type": "transfer",
    "debit_account": "a",
    "credit_account": "b",
    "amount": "10.00",
    "currency": "EUR",
}


def id_of(number: int) -> str:
    """Return the transaction id with this number."""
    return f"0193e8a0-0000-7000-8000-{number:012d}"


class Bank:
    """Books with accounts a, b (EUR, 100.00 and 0) and j (JPY), and commands by short names."""

    def __init__(self) -> None:
        self.books = Books(DIGITS)
        self.ids = 0
        for name, currency in (("a", "EUR"), ("b", "EUR"), ("j", "JPY")):
            self.ask("account.open", account=name, currency=currency, kind="customer")
        self.ask("deposit", credit_account="a", amount="100", currency="EUR")

    def ask(self, type_: str, **fields: Any) -> Answer:
        """Send a command with an id of its own."""
        self.ids += 1
        body = FIELDS | {"type": type_, "transaction_id": id_of(self.ids)} | fields
        value, is_internal = json.dumps(body).encode(), type_ in INTERNAL
        meaning = read(value, DIGITS, is_internal=is_internal)
        assert isinstance(meaning, Command), meaning
        return self.books.decide(meaning, NOW_US)

    def pay(self, amount: str, debit: str = "a", credit: str = "b", **fields: Any) -> Answer:
        """Send a transfer in EUR unless said otherwise."""
        sides = {"debit_account": debit, "credit_account": credit}
        return self.ask("transfer", **{"amount": amount, "currency": "EUR"} | sides | fields)

    def take_back(self, number: int, **fields: Any) -> Answer:
        """Send a reversal of the command with this number."""
        return self.ask("reversal", original_transaction_id=id_of(number), **fields)


@pytest.fixture
def bank() -> Bank:
    """Return a bank with three accounts."""
    return Bank()


def test_a_transfer_moves_money(bank: Bank) -> None:
    """Both balances change by the amount, and the answer shows it with the currency's digits."""
    answer = bank.pay("30.5")
    assert answer == Answer(
        "transfer",
        None,
        "30.50",
        3050,
        "EUR",
        "a",
        "b",
        None,
        (Entry("a", "debit", 3050, 6950, "EUR"), Entry("b", "credit", 3050, 3050, "EUR")),
        dates=(TODAY, TODAY),
    )
    assert bank.books.posted == {"a": 6950, "b": 3050, "j": 0, "cash-EUR": -10000}


PAST = "2026-11-21T09:59:59.999999Z"
REFUSALS: list[tuple[str, dict[str, Any]]] = [
    ("expired", {"valid_until": PAST}),
    ("expired", {"valid_until": PAST, "debit_account": "nobody"}),
    ("account_not_found", {"debit_account": "nobody"}),
    ("account_not_found", {"credit_account": "nobody", "currency": "USD"}),
    ("account_not_found", {"debit_account": "cash-XXX"}),
    ("currency_mismatch", {"currency": "USD"}),
    ("currency_mismatch", {"credit_account": "j"}),
    ("currency_mismatch", {"currency": "USD", "credit_account": "a"}),
    ("same_account", {"credit_account": "a"}),
    ("same_account", {"credit_account": "a", "amount": "100.01"}),
    ("insufficient_funds", {"amount": "100.01"}),
]


@pytest.mark.parametrize(("reason", "fields"), REFUSALS)
def test_transfers_are_refused_for_the_first_reason(
    bank: Bank, reason: str, fields: dict[str, Any]
) -> None:
    """A transfer with two faults is refused for the one that is checked first; nothing moves."""
    before = dict(bank.books.posted)
    body = {"debit_account": "a", "credit_account": "b", "amount": "1.00", "currency": "EUR"}
    assert bank.ask("transfer", **body | fields).reason == reason
    assert bank.books.posted == before


def test_a_command_may_be_decided_in_its_last_microsecond(bank: Bank) -> None:
    """Only a decision later than `valid_until` is too late."""
    assert bank.pay("1.00", valid_until="2026-11-21T11:00:00+01:00").reason is None


def test_an_account_opens_once(bank: Bank) -> None:
    """A name that is taken, or a cash account's, is refused."""
    opening = {"currency": "EUR", "kind": "customer"}
    assert bank.ask("account.open", account="a", **opening).reason == "account_exists"
    assert bank.ask("account.open", account="cash-KWD", **opening).reason == "account_exists"
    assert bank.ask("account.open", account="cash-XXX", **opening).reason is None


def test_limits_bound_customers_only(bank: Bank) -> None:
    """An overdraft may be used to its last minor unit, an internal account without end."""
    opening = {"currency": "EUR"}
    bank.ask("account.open", account="o", kind="customer", overdraft_limit="5", **opening)
    bank.ask("account.open", account="i", kind="internal", **opening)
    assert bank.pay("5.01", debit="o").reason == "insufficient_funds"
    assert bank.pay("5.00", debit="o").reason is None
    assert bank.pay("9999999999999.00", debit="i").reason is None


def test_balances_have_a_bound(bank: Bank) -> None:
    """A balance may reach the bound, and not pass it, on either side."""
    bank.books.posted["b"] = BALANCE_MINOR_MAX - 100
    assert bank.pay("1.01").reason == "balance_overflow"
    assert bank.pay("1.00").reason is None
    bank.books.opened["i"] = Account("EUR", None)
    bank.books.posted["i"] = -BALANCE_MINOR_MAX
    assert bank.pay("0.01", debit="i", credit="a").reason == "balance_overflow"


def test_reversals_give_back_no_more_than_the_original(bank: Bank) -> None:
    """Parts may go back until nothing is left; without an amount all that is left goes."""
    bank.pay("30.00")
    number = bank.ids
    assert bank.take_back(number, amount="30.01").reason == "exceeds_original"
    assert bank.take_back(number, amount="10.0").amount == "10.00"
    rest = bank.take_back(number)
    assert (rest.amount, rest.debit_account, rest.credit_account) == ("20.00", "b", "a")
    assert bank.take_back(number).reason == "exceeds_original"
    assert bank.books.posted["a"] == 10_000


def test_reversals_are_refused_for_the_first_reason(bank: Bank) -> None:
    """Each reason of its own comes up, and what is shown is what is known."""
    bank.pay("30.00")
    paid = bank.ids
    bank.pay("1000.00")
    refused = bank.ids
    unknown = bank.take_back(999, amount="1.50")
    assert (unknown.reason, unknown.amount) == ("original_not_found", "1.50")
    assert bank.take_back(bank.ids + 1).reason == "original_not_found"
    assert bank.take_back(refused, amount="0.001").reason == "original_not_posted"
    assert bank.take_back(1, amount="1").reason == "not_reversible"
    assert bank.take_back(paid, amount="99.001").reason == "currency_mismatch"
    assert bank.take_back(paid, amount="1.000").reason == "currency_mismatch"
    bank.pay("30.00", debit="b", credit="a")
    assert bank.take_back(paid, amount="31.00").reason == "exceeds_original"
    assert bank.take_back(paid).reason == "insufficient_funds"
    bank.pay("30.00")
    assert bank.take_back(paid).reason is None
    assert bank.take_back(bank.ids).reason == "not_reversible"
    assert bank.take_back(paid, valid_until=PAST).reason == "expired"


FAULTS: list[tuple[bytes | None, str, set[str]]] = [
    (None, "empty", {""}),
    (b"", "empty", {""}),
    (b" \r\n\t", "empty", {""}),
    (b"x" * 65_537, "too_large", {""}),
    (b" " * 65_537, "too_large", {""}),
    (b"{", "not_json", {""}),
    (b'\xef\xbb\xbf{"a":"b"}', "not_json", {""}),
    (b'{"a":"\xff"}', "not_json", {""}),
    (b'{"a":"\x00"}', "not_json", {""}),
    (b'{"a":"\\ud800"}', "not_json", {""}),
    (b'{"a":NaN}', "not_json", {""}),
    (b'{"a":01}', "not_json", {""}),
    (b'{"a":"1","a":"1"}', "not_json", {""}),
    (b'{"a":"1","\\u0061":"1"}', "not_json", {""}),
    (b"[" * 33 + b"]" * 33, "not_json", {""}),
    (b"[" * 5000 + b"]" * 5000, "not_json", {""}),
    (b"[" * 32 + b"]" * 32, "schema", {""}),
    (b"1" * 5000, "schema", {""}),
    (b"null", "schema", {""}),
    (b'{"type":"nothing"}', "unknown_type", {"/type"}),
    (b'{"type":7}', "schema", {"/type"}),
    (b"{}", "schema", {""}),
]


@pytest.mark.parametrize(("value", "reason", "pointers"), FAULTS)
def test_what_is_no_command(value: bytes | None, reason: str, pointers: set[str]) -> None:
    """Messages that are no commands are told apart as the contract says."""
    fault = read(value, DIGITS)
    assert isinstance(fault, Fault)
    assert (fault.reason, fault.pointers) == (reason, frozenset(pointers))


WRONG: list[tuple[str, object]] = [
    ("amount", "0.00"),
    ("amount", "1.000"),
    ("amount", "01"),
    ("amount", "1."),
    ("amount", "10000000000000.01"),
    ("amount", "\u0661"),
    ("amount", 1),
    ("currency", "XAU"),
    ("currency", "eur"),
    ("debit_account", "a b"),
    ("debit_account", "a" * 65),
    ("credit_account", None),
    ("channel", "Mobile"),
    ("requested_at", "2026-02-29T10:00:00Z"),
    ("requested_at", "2026-11-21T10:00:00z"),
    ("requested_at", "2026-11-21T10:00:00.1234567Z"),
    ("requested_at", "2026-11-21T10:00:00+24:00"),
    ("valid_until", ""),
    ("reference", ""),
    ("reference", "x" * 141),
    ("reference", "a\u0000b"),
    ("metadata", []),
    ("metadata", {"": "x"}),
    ("metadata", {"a": 1}),
    ("metadata", {str(number): "" for number in range(33)}),
    ("metadata", {"a": "\u20ac" * 1366}),
    ("transaction_id", "0193e8a0000070008000000000000001"),
]


@pytest.mark.parametrize(("field", "value"), WRONG)
def test_values_that_the_contract_refuses(field: str, value: object) -> None:
    """Each wrong value is a fault of its field, and the id can be read unless it is the fault."""
    fault = read(json.dumps(TRANSFER | {field: value}).encode(), DIGITS)
    assert isinstance(fault, Fault)
    assert (fault.reason, fault.pointers) == ("schema", frozenset({f"/{field}"}))
    assert fault.transaction_id == (None if field == "transaction_id" else id_of(1))


def test_unknown_and_missing_fields_are_faults_of_the_object() -> None:
    """The pointer names the object around a field that is missing or unknown."""
    more = read(json.dumps(TRANSFER | {"x": "y"}).encode(), DIGITS)
    less = read(json.dumps({k: v for k, v in TRANSFER.items() if k != "amount"}).encode(), DIGITS)
    assert more == less == Fault("schema", frozenset({""}), id_of(1), "mobile")


@pytest.mark.parametrize(
    "other",
    [
        {"amount": "10"},
        {"amount": "10.0"},
        {"transaction_id": id_of(1).upper()},
        {"requested_at": "2020-01-01T00:00:00+09:00"},
        {"valid_until": "2030-01-01T00:00:00Z"},
        {"metadata": {}},
    ],
)
def test_spelling_is_no_content(other: dict[str, Any]) -> None:
    """What is only written differently, or outside the content, is the same command."""
    one, two = (read(json.dumps(body).encode(), DIGITS) for body in (TRANSFER, TRANSFER | other))
    assert isinstance(one, Command)
    assert isinstance(two, Command)
    assert one.content == two.content


def test_a_default_written_out_is_no_content() -> None:
    """Naming the cash account of the currency says nothing, naming another does."""
    body = {k: v for k, v in TRANSFER.items() if k != "debit_account"} | {"type": "deposit"}
    plain, named, other = (
        read(json.dumps(one).encode(), DIGITS)
        for one in (body, body | {"debit_account": "cash-EUR"}, body | {"debit_account": "a"})
    )
    assert isinstance(plain, Command)
    assert isinstance(named, Command)
    assert isinstance(other, Command)
    assert plain.content == named.content != other.content


@pytest.mark.parametrize(
    ("text", "digits", "minor"),
    [("1", 2, 100), ("1.5", 2, 150), ("1.555", 2, None), ("0.001", 3, 1), ("7", 0, 7)],
)
def test_money_is_counted_in_minor_units(text: str, digits: int, minor: int | None) -> None:
    """A decimal string is read by the digits of its currency, exactly or not at all."""
    assert minor_of(text, digits) == minor


@pytest.mark.parametrize(
    ("minor", "digits", "text"), [(-5, 2, "-0.05"), (0, 3, "0.000"), (-12, 0, "-12")]
)
def test_money_is_written_with_its_currencys_digits(minor: int, digits: int, text: str) -> None:
    """Amounts are written in major units with exactly the currency's digits."""
    assert major_of(minor, digits) == text


def test_times_are_microseconds() -> None:
    """Offsets and fractions are taken into account."""
    assert time_us("1970-01-01T00:00:01.5Z") == 1_500_000
    assert time_us("1970-01-01T01:00:00+01:00") == 0
    assert time_us("1969-12-31T23:59:59.999999Z") == -1
