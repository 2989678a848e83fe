"""Commands that cost something, and those that say what: what is posted, shown and refused."""

from __future__ import annotations

from typing import Any

import pytest

from processor.core.books import Account, Ruling
from processor.core.shown import Fee
from tests.builders import (
    Bank,
    Document,
    capture,
    deposit,
    freeze,
    fx,
    hold,
    journal,
    line,
    payment,
    refund,
    reversal,
    tariff,
    tariff_end,
    tier,
    transfer,
    withdrawal,
)

LATE = {"valid_until": "2026-11-21T09:59:59.999999Z"}


def bank(*rules: Document) -> Bank:
    """Give a bank in which anna has 100.00 and may overdraw by 20.00, and that charges."""
    books = Bank(
        Account("anna", "EUR", "current", posted=100_00, overdraft_limit=20_00, account_id=1),
        Account("bert", "EUR", "savings", overdraft_limit=0, account_id=2),
        Account("shop", "EUR", "merchant", overdraft_limit=0, account_id=3),
        Account("dora", "USD", "current", overdraft_limit=0, account_id=4),
        Account("gone", "EUR", "current", status="closed", overdraft_limit=0, account_id=5),
        Account("ice", "EUR", "current", status="debits_frozen", overdraft_limit=0, account_id=6),
    )
    assert books.tell(*rules) == ["posted"] * len(rules)
    return books


def moved(ruling: Ruling) -> list[tuple[str, str, int]]:
    """Give what was posted: debit account, credit account, minor units."""
    return [(one.debit.name, one.credit.name, one.amount) for one in ruling.postings]


def fees(ruling: Ruling) -> Any:
    """Give the fees that the outcome shows."""
    return None if ruling.shown is None else ruling.shown.fields().get("fees")


def paid(account: str, amount: str, name: str = "t", currency: str = "EUR") -> list[Fee]:
    """Give one fee as it is shown."""
    return [Fee(account, amount, currency, name)]


CHARGED: list[tuple[str, str, Document, list[tuple[str, str, int]], list[Fee]]] = [
    (
        "deposit",
        "credit",
        deposit("bert", "10.00"),
        [("cash-EUR", "bert", 10_00), ("bert", "fees-EUR", 1_00)],
        paid("bert", "1.00"),
    ),
    (
        "withdrawal",
        "debit",
        withdrawal("anna", "10.00"),
        [("anna", "cash-EUR", 10_00), ("anna", "fees-EUR", 1_00)],
        paid("anna", "1.00"),
    ),
    (
        "transfer",
        "debit",
        transfer("anna", "bert", "10.00"),
        [("anna", "bert", 10_00), ("anna", "fees-EUR", 1_00)],
        paid("anna", "1.00"),
    ),
    (
        "transfer",
        "credit",
        transfer("anna", "bert", "10.00"),
        [("anna", "bert", 10_00), ("bert", "fees-EUR", 1_00)],
        paid("bert", "1.00"),
    ),
    (
        "payment",
        "credit",
        payment("anna", "shop", "10.00"),
        [("anna", "shop", 10_00), ("shop", "fees-EUR", 1_00)],
        paid("shop", "1.00"),
    ),
    (
        "fx.transfer",
        "debit",
        fx("anna", "dora", "100.00", "108.25"),
        [
            ("anna", "position-EUR", 100_00),
            ("position-USD", "dora", 108_25),
            ("anna", "fees-EUR", 1_00),
        ],
        paid("anna", "1.00"),
    ),
]


@pytest.mark.parametrize(("command", "payer", "document", "postings", "shown"), CHARGED)
def test_a_fee_is_posted_behind_what_it_is_for(
    command: str,
    payer: str,
    document: Document,
    postings: list[tuple[str, str, int]],
    shown: list[Fee],
) -> None:
    """As a further line to what the bank earns; amount and sides shown are those asked for."""
    ruling = bank(tariff(command, payer, tier("1.00"))).ruling(document)

    assert (ruling.reason, moved(ruling), fees(ruling)) == (None, postings, shown)
    assert (ruling.amount, ruling.currency) == (document["amount"], "EUR")


def test_both_sides_may_pay() -> None:
    """Each by its tariff, the giving side first, in its own currency, for its own amount."""
    books = bank(
        tariff("fx.transfer", "credit", tier("0", "100"), tariff="in", currency="USD"),
        tariff("fx.transfer", "debit", tier("0", "100"), tariff="out"),
    )

    ruling = books.ruling(fx("anna", "dora", "100.00", "108.25"))

    assert moved(ruling)[2:] == [("anna", "fees-EUR", 1_00), ("dora", "fees-USD", 1_08)]
    assert fees(ruling) == [*paid("anna", "1.00", "out"), *paid("dora", "1.08", "in", "USD")]


def test_what_costs_nothing_shows_nothing() -> None:
    """Another type, another channel, or a tariff that comes to nothing."""
    books = bank(
        tariff("transfer", "debit", tier("0", "1")),
        tariff("withdrawal", "debit", tier("1.00"), tariff="atm", for_channel="atm"),
    )

    for document in (transfer("anna", "bert", "10.00"), withdrawal("anna", "10.00")):
        ruling = books.ruling(document)
        assert (ruling.reason, len(ruling.postings), ruling.shown) == (None, 1, None)


@pytest.mark.parametrize(
    "document",
    [
        deposit("anna", "5.00"),
        transfer("fees-EUR", "anna", "5.00"),
        deposit("anna", "5.00", debit_account="position-EUR"),
    ],
)
def test_the_banks_own_accounts_pay_nothing(document: Document) -> None:
    """They would pay themselves."""
    books = bank(
        tariff(document["type"], "debit", tier("1.00")),
        tariff(document["type"], "credit", tier("1.00"), tariff="u", for_channel="cards"),
    )

    ruling = books.ruling(document)
    assert (ruling.reason, len(ruling.postings), fees(ruling)) == (None, 1, None)


FUNDS: list[tuple[str, Document]] = [
    ("posted", transfer("anna", "bert", "119.00")),
    ("insufficient_funds", transfer("anna", "bert", "119.01")),
    ("insufficient_funds", transfer("anna", "bert", "120.00")),
    ("account_not_found", transfer("anna", "nobody", "120.00")),
    ("account_closed", transfer("anna", "gone", "120.00")),
    ("account_frozen", transfer("ice", "bert", "120.00")),
    ("currency_mismatch", transfer("anna", "dora", "120.00")),
]


@pytest.mark.parametrize(("told", "document"), FUNDS)
def test_who_gives_needs_funds_for_the_fee_as_well(told: str, document: Document) -> None:
    """All other reasons come first; of a refused command nothing is posted or shown."""
    books = bank(tariff("transfer", "debit", tier("1.00")))
    before = books.posted()

    ruling = books.ruling(document)

    assert (ruling.reason or "posted") == told
    if ruling.reason is not None:
        assert (ruling.postings, ruling.shown, books.posted()) == ((), None, before)


@pytest.mark.parametrize(
    ("amount", "told", "left"),
    [("1.01", "posted", 1), ("1.00", "posted", 0), ("0.99", "insufficient_funds", None)],
)
@pytest.mark.parametrize("payee", ["bert", "ice"])
def test_who_gets_pays_out_of_what_comes_in(
    payee: str, amount: str, told: str, left: int | None
) -> None:
    """A fee above it needs funds, which an account whose debits are frozen can't give."""
    books = bank(tariff("deposit", "credit", tier("1.00")))
    if payee == "ice":
        books.books.accounts["ice"].posted = 5_00
    had = books.books.accounts[payee].posted

    assert books.tell(deposit(payee, amount)) == [told]
    assert books.books.accounts[payee].posted == had + (left or 0)


def test_a_fee_above_the_amount_is_paid_from_what_is_there() -> None:
    """Together they are held to the limit."""
    books = bank(tariff("deposit", "credit", tier("30.00")))

    assert books.tell(deposit("anna", "1.00"), withdrawal("anna", "51.00")) == ["posted"] * 2
    assert books.tell(deposit("bert", "30.00"), deposit("bert", "29.99")) == [
        "posted",
        "insufficient_funds",
    ]


CAPTURES: list[tuple[str, dict[str, Any], str]] = [
    ("100.00", {}, "posted"),
    ("119.00", {}, "posted"),
    ("119.01", {}, "insufficient_funds"),
    ("120.00", {"amount": "119.00"}, "insufficient_funds"),
    (
        "120.00",
        {"amount": "119.00", "remainder": "release"},
        "posted",
    ),
]


@pytest.mark.parametrize(("held", "fields", "told"), CAPTURES)
def test_the_fee_of_a_capture_needs_funds_beyond_what_is_held(
    held: str, fields: dict[str, Any], told: str
) -> None:
    """But for what the capture itself frees."""
    books, placed = bank(tariff("hold.capture", "debit", tier("1.00"))), hold("anna", "bert", held)

    assert books.tell(placed) == ["posted"]
    assert books.tell(capture(placed, **fields)) == [told]


def test_a_capture_shows_its_fee_beside_what_it_took() -> None:
    """The fee counts to neither what was captured nor what is held."""
    books = bank(tariff("hold.capture", "credit", tier("1.00")))
    placed = hold("anna", "shop", "50.00")

    assert books.tell(placed) == ["posted"]
    ruling = books.ruling(capture(placed, "20.00"))
    assert moved(ruling) == [("anna", "shop", 20_00), ("shop", "fees-EUR", 1_00)]
    assert ruling.shown is not None
    assert ruling.shown.fields() == {
        "hold_transaction_id": placed["transaction_id"],
        "held": "30.00",
        "captured": "20.00",
        "fees": paid("shop", "1.00"),
    }


@pytest.mark.parametrize("back", [refund, reversal])
def test_what_is_given_back_is_the_amount_and_never_the_fee(back: Any) -> None:
    """A fee is given back by a journal."""
    books = bank(tariff("payment", "debit", tier("1.00")))
    bought = payment("anna", "shop", "10.00")

    assert books.tell(bought, back(bought), back(bought, "0.01")) == [
        "posted",
        "posted",
        "exceeds_original",
    ]
    assert books.posted() == {"anna": 99_00, "fees-EUR": 1_00}
    gift = journal(line("fees-EUR", "debit", "1.00"), line("anna", "credit", "1.00"))
    assert books.tell(gift) == ["posted"]
    assert books.posted() == {"anna": 100_00}


def test_a_tariff_holds_for_what_comes_behind_it() -> None:
    """Within a batch too: set, replaced, ended."""
    books = bank()

    answers = books.ask(
        transfer("anna", "bert", "1.00"),
        tariff("transfer", "debit", tier("1.00")),
        transfer("anna", "bert", "1.00"),
        tariff("transfer", "debit", tier("2.00")),
        transfer("anna", "bert", "1.00"),
        tariff_end(),
        transfer("anna", "bert", "1.00"),
    )

    assert len(answers) == 7
    assert books.posted() == {"anna": 93_00, "bert": 4_00, "fees-EUR": 3_00}


MERCHANTS = tariff("payment", "credit", tier("0", "120"), tariff="m")
DECIDED: list[tuple[str, Document]] = [
    ("posted", tariff("payment", "debit", tier("0", "120"), tariff="n")),
    ("posted", tariff("payment", "credit", tier("0", "121"), tariff="m")),
    ("posted", tariff("transfer", "debit", tier("0", "120"), tariff="m")),
    ("posted", tariff("payment", "credit", tier("0", "120"), tariff="n", currency="USD")),
    ("posted", tariff("payment", "credit", tier("0", "120"), tariff="n", product="merchant")),
    ("posted", tariff("payment", "credit", tier("0", "120"), tariff="n", for_channel="cards")),
    ("tariff_overlaps", tariff("payment", "credit", tier("0", "1"), tariff="n")),
    ("nothing_to_change", tariff("payment", "credit", tier("0.00", "120.0"), tariff="m")),
    ("expired", tariff("payment", "credit", tier("0", "1"), tariff="n", **LATE)),
    ("expired", tariff("payment", "credit", tier("0", "120"), tariff="m", **LATE)),
    ("posted", tariff_end("m")),
    ("tariff_not_found", tariff_end("n")),
    ("expired", tariff_end("n", **LATE)),
]


@pytest.mark.parametrize(("told", "document"), DECIDED)
def test_reasons_against_a_tariff_come_in_their_order(told: str, document: Document) -> None:
    """No two tariffs are for the same; a refused one changes nothing."""
    books = bank(MERCHANTS)
    before = books.books.rules

    ruling = books.ruling(document)

    assert (ruling.reason or "posted") == told
    assert ruling.changes_rules == (told == "posted") == (books.books.rules != before)
    assert (ruling.amount, ruling.debit_account, ruling.account) == (None, None, None)
    assert ruling.currency == document.get("currency")
    assert ruling.shown is not None
    assert ruling.shown.fields() == {"tariff": document["tariff"]}


def test_a_tariff_can_be_ended_once_and_set_again() -> None:
    """Its name and what it was for are free then."""
    books = bank(MERCHANTS, tariff_end("m"))

    assert books.tell(tariff_end("m")) == ["tariff_not_found"]
    again = {"transaction_id": "01933a5e-0000-7000-8000-aaaaaaaaaaaa"}
    assert books.tell({**MERCHANTS, **again, "tariff": "n"}) == ["posted"]


def test_a_frozen_payer_is_refused_before_the_fee() -> None:
    """Whatever it costs."""
    books = bank(tariff("withdrawal", "debit", tier("500.00")))

    assert books.tell(freeze("anna"), withdrawal("anna", "1.00")) == ["posted", "account_frozen"]
