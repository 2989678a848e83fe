"""The command line beside a live worker: the bank's rules, and files of them applied."""

from __future__ import annotations

import csv
import io
import uuid
from pathlib import Path

from tests.integration.bank import Bank
from tests.integration.command_line import command, deposit, only_line, opening

FILE = """
[cash-out]
command = "withdrawal"
for_channel = "tariffs-test"
currency = "EUR"
payer = "debit"
tiers = [{from = "0", fixed = "1.50", basis_points = "0"}]
"""


def test_a_file_is_applied_once_and_charged_by(bank: Bank, tmp_path: Path) -> None:
    """The difference, the outcomes, the list; again it changes nothing; then it is taken back."""
    file = tmp_path / "tariffs.toml"
    file.write_text(FILE)
    path = str(file)
    before = bank.line.run("tariffs", path)
    applied = bank.line.run("tariffs", path, "--apply")
    again = bank.line.run("tariffs", path, "--apply")

    assert (before.status, before.err) == (1, "")
    assert before.out.startswith('+ cash-out: {"command":"withdrawal","for_channel"')
    assert (applied.status, applied.err) == (0, "")
    assert " posted   tariff.set " in applied.out
    assert (again.status, again.out) == (0, f"the ledger charges what {path} says\n")

    (listed,) = bank.line.run("tariffs", "--format", "json").document["tariffs"]
    (row,) = csv.DictReader(io.StringIO(bank.line.run("tariffs", "--format", "csv").out))
    table = bank.line.run("tariffs").out
    assert (listed["tariff"], listed["channel"], listed["minimum"]) == (
        "cash-out",
        "tariffs-test",
        None,
    )
    assert listed["tiers"] == [{"from": "0.00", "fixed": "1.50", "basis_points": "0"}]
    assert (row["tariff"], row["ledger_sequence"]) == ("cash-out", str(listed["ledger_sequence"]))
    assert "from 0.00: 1.50 + 0 bp" in table

    name = f"t-{uuid.uuid4().hex[:8]}"
    paid = command("withdrawal", debit_account=name, amount="5.00", currency="EUR")
    bank.send(opening(name), deposit(name, "10.00"))
    told = bank.send(paid | {"channel": "tariffs-test"}).out
    assert f"fee 1.50 EUR from {name}" in told
    assert bank.line.run("account", name, "--json").document["balance"] == "3.50"

    file.write_text("")
    ended = bank.line.run("tariffs", path, "--apply")
    assert (ended.status, " posted   tariff.end " in ended.out) == (0, True)
    assert bank.line.run("tariffs", "--format", "json").document["tariffs"] == []
    file.write_text(FILE)
    assert bank.line.run("tariffs", path, "--apply").status == 0
    file.write_text("")
    assert bank.line.run("tariffs", path, "--apply").status == 0
    assert bank.faults() == {}


def test_what_can_not_be_is_said_in_one_line(bank: Bank, tmp_path: Path) -> None:
    """A file that is not there, one that is wrong, and --apply without a file."""
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(FILE.replace('"debit"', '"both"'))

    missing = only_line(bank.line.run("tariffs", "no.toml"))
    assert missing == "processor: no.toml: No such file or directory"
    assert only_line(bank.line.run("tariffs", str(wrong), "--apply")).startswith(
        f"processor: {wrong}: tariff cash-out/payer: "
    )
    assert bank.line.run("tariffs", "--apply").status == 2


LIMITS = """
[spend-test]
scope = "customer"
subject = "CUSTOMER"
currency = "EUR"
single_amount = "30.00"
daily_amount = "40.00"
daily_count = "3"
"""


def test_a_file_of_limits_is_applied_and_held_to(bank: Bank, tmp_path: Path) -> None:
    """What is refused says why and what is left, everywhere; then the limit is taken back."""
    customer, name = f"c-{uuid.uuid4().hex[:8]}", f"l-{uuid.uuid4().hex[:8]}"
    file = tmp_path / "limits.toml"
    file.write_text(LIMITS.replace("CUSTOMER", customer))
    path = str(file)
    bank.send(opening(name) | {"customer": customer}, deposit(name, "100.00"))
    before = bank.line.run("limits", path)
    applied = bank.line.run("limits", path, "--apply")
    again = bank.line.run("limits", path, "--apply")

    assert (before.status, before.out.startswith('+ spend-test: {"scope":"customer"')) == (1, True)
    assert (applied.status, applied.err, " posted   limit.set " in applied.out) == (0, "", True)
    assert (again.status, again.out) == (0, f"the ledger limits what {path} says\n")

    (listed,) = bank.line.run("limits", "--format", "json").document["limits"]
    (row,) = csv.DictReader(io.StringIO(bank.line.run("limits", "--format", "csv").out))
    assert (listed["limit"], listed["subject"], listed["daily_count"]) == (
        "spend-test",
        customer,
        "3",
    )
    assert (row["single_amount"], row["daily_amount"]) == ("30.00", "40.00")

    paid = command("withdrawal", debit_account=name, amount="25.00", currency="EUR")
    more = command("withdrawal", debit_account=name, amount="15.01", currency="EUR")
    said = f"limit spend-test of customer {customer}: daily_amount 40.00, 15.00 EUR left"
    told = bank.send(paid, more).out
    assert f"limit_exceeded, {said}" in told
    assert f"  exceeded     {said}" in bank.line.run("payment", more["transaction_id"]).out
    shown = bank.line.run("account", name).out
    assert f"  customer     {customer}" in shown
    assert "30.00 at once; 40.00 a day, 15.00 left; 3 times a day, 2 left" in shown
    (limit,) = bank.line.run("account", name, "--json").document["limits"]
    assert (limit["spent_amount"], limit["spent_count"]) == ("25.00", 1)
    assert (limit["left_amount"], limit["left_count"]) == ("15.00", 2)

    file.write_text("")
    ended = bank.line.run("limits", path, "--apply")
    assert (ended.status, " posted   limit.end " in ended.out) == (0, True)
    assert bank.line.run("limits", "--format", "json").document["limits"] == []
    assert " posted " in bank.send({**more, "transaction_id": str(uuid.uuid4())}).out
    assert bank.faults() == {}
