"""The command line beside a live worker: journals, exchanges and refunds, sent and shown."""

from __future__ import annotations

import uuid

from tests.integration.bank import Bank
from tests.integration.command_line import command, deposit, opening


def test_a_journal_and_an_exchange_are_sent_and_shown(bank: Bank) -> None:
    """Every line with its account, amount and currency; no sides of the whole; books hold."""
    name = f"j-{uuid.uuid4().hex[:8]}"
    dollars = f"{name}-usd"
    lines = [
        {"account": name, "direction": "debit", "amount": "30", "currency": "EUR"},
        {"account": "bert", "direction": "credit", "amount": "30.00", "currency": "EUR"},
    ]
    split = command("journal", lines=lines)
    amounts = {"amount": "10.00", "currency": "EUR", "credit_amount": "10.82"}
    exchange = command(
        "fx.transfer",
        debit_account=name,
        credit_account=dollars,
        credit_currency="USD",
        rate="1.0825",
        **amounts,
    )
    for one in (opening(name), opening(dollars) | {"currency": "USD"}, deposit(name, "40.00")):
        bank.send(one)
    told = bank.send(split).out + bank.send(exchange).out

    text = bank.line.run("payment", split["transaction_id"]).out
    shown = bank.line.run("payment", split["transaction_id"], "--json").document
    exchanged = bank.line.run("payment", exchange["transaction_id"], "--json").document
    newest = bank.line.run("account", name, "--entries", "2", "--json").document["entries"]

    assert told.count(" posted ") == 2
    assert (shown["outcome"], shown["amount"], shown["debit_account"]) == ("posted", None, None)
    assert shown["asked"]["lines"][0] == lines[0] | {"amount": "30.00"}
    assert (shown["reversals"], shown["left_to_reverse"]) == ([], None)
    assert [(e["line"], e["account"], e["direction"]) for e in shown["entries"]] == [
        (1, name, "debit"),
        (2, "clearing-EUR", "credit"),
        (3, "clearing-EUR", "debit"),
        (4, "bert", "credit"),
    ]
    assert f"debit        {name}: 30.00, balance after it 10.00 EUR" in text
    assert (exchanged["amount"], exchanged["credit_account"]) == ("10.00", dollars)
    assert [(e["account"], e["amount"], e["currency"]) for e in exchanged["entries"]] == [
        (name, "10.00", "EUR"),
        ("position-EUR", "10.00", "EUR"),
        ("position-USD", "10.82", "USD"),
        (dollars, "10.82", "USD"),
    ]
    assert [(e["type"], e["balance_after"], e["other_account"]) for e in newest] == [
        ("fx.transfer", "0.00", "position-EUR"),
        ("journal", "10.00", "clearing-EUR"),
    ]
    assert bank.faults() == {}


def test_a_payment_shows_its_refunds(bank: Bank) -> None:
    """By type, beside reversals, with what is left of it."""
    shop = f"shop-{uuid.uuid4().hex[:8]}"
    bank.send(opening(shop) | {"kind": "merchant"})
    sides = {"debit_account": "anna", "credit_account": shop}
    paid = command("payment", amount="9.00", currency="EUR", **sides)
    original = {"original_transaction_id": paid["transaction_id"]}
    for one in (
        paid,
        command("refund", amount="2.00", **original),
        command("reversal", amount="3.00", **original),
    ):
        assert " posted " in bank.send(one).out

    found = bank.line.run("payment", paid["transaction_id"], "--json").document
    assert [(one["type"], one["amount"]) for one in found["reversals"]] == [
        ("refund", "2.00"),
        ("reversal", "3.00"),
    ]
    assert found["left_to_reverse"] == "4.00"
