"""The command line beside a live worker: what is charged, and a file of tariffs applied."""

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
