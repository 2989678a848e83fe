"""The command line beside a live worker: send, outcomes, account, payment, position."""

from __future__ import annotations

import json
import signal
import uuid
from pathlib import Path

from tests.integration.bank import COMMANDS, PAID, REFUSED, Bank
from tests.integration.command_line import command, only_line, opening, transfer


def test_a_single_command_says_where_it_went_and_what_came_of_it(bank: Bank) -> None:
    """`send JSON --wait` prints topic, partition and offset, then the outcome."""
    one = opening(f"a-{uuid.uuid4().hex[:8]}")
    ran = bank.line.run("send", json.dumps(one), "--wait")
    place, outcome = ran.out.splitlines()

    assert (ran.status, ran.err) == (0, "")
    assert place.startswith(f"{bank.topic(COMMANDS)}/")
    partition, offset = place.rpartition("/")[2].split("@")
    assert outcome.split() == [
        f"{partition}@{offset}",
        "posted",
        "account.open",
        one["account"],
        one["transaction_id"],
    ]


def test_commands_of_an_account_go_to_one_partition(bank: Bank) -> None:
    """The key is the contract's field and the partition murmur2 of it, so order is kept."""
    account = f"a-{uuid.uuid4().hex[:8]}"
    first, second = (
        opening(account),
        command("withdrawal", debit_account=account, amount="1.00", currency="EUR"),
    )
    lines = bank.send(first, second).out.splitlines()
    partitions = {line.split("@")[0].strip() for line in lines if "@" in line}

    assert len(partitions) == 1


def test_key_and_partition_can_be_given(bank: Bank) -> None:
    """`--partition` overrides the key's partition; one that does not exist is refused."""
    one = json.dumps(transfer("anna", "nobody", "1.00"))
    there = bank.line.run("send", one, "--partition", "6", "--key", "k")
    beyond = bank.line.run("send", one, "--partition", "8")

    assert there.out.startswith(f"{bank.topic(COMMANDS)}/6@")
    assert only_line(beyond) == f"processor: {bank.topic(COMMANDS)} has partitions 0 to 7"


def test_a_file_is_summed_up(bank: Bank, tmp_path: Path) -> None:
    """Many commands get one summary, by partition, and with --wait a count of each outcome."""
    refused = [transfer(f"x{n}", "anna", "1.00") for n in range(30)]
    file = tmp_path / "many.jsonl"
    file.write_text("".join(json.dumps(one) + "\n\n" for one in refused))
    ran = bank.line.run("send", str(file), "--wait")
    sent, spread, *counts = ran.out.splitlines()

    assert ran.status == 0
    assert sent.startswith(f"sent 30 commands to {bank.topic(COMMANDS)} (")
    assert sum(int(one.split(": ")[1]) for one in spread.split(": ", 1)[1].split(", ")) == 30
    assert [line.split(None, 1) for line in counts] == [["30", "rejected account_not_found"]]


def test_a_changed_account_shows_what_became_of_it(bank: Bank) -> None:
    """A limit set below what is used says how far below zero the account then is."""
    used = command("withdrawal", debit_account="lena", amount="45.00", currency="EUR")
    lowered = {"account": "lena", "currency": "EUR", "overdraft_limit": "20.00"}
    for one in (opening("lena", overdraft_limit="50.00"), used):
        assert " posted " in bank.line.run("send", json.dumps(one), "--wait").out
    ran = bank.line.run("send", json.dumps(command("account.limit", **lowered)), "--wait")

    assert ran.out.endswith("open, -25.00 EUR available\n")


def test_standard_input_stops_at_what_is_no_command(bank: Bank) -> None:
    """What came before a bad line was sent, and the error says how much that was."""
    good, bad = transfer("anna", "nobody", "1.00"), {"type": "gift"}
    text = "".join(json.dumps(one) + "\n" for one in (good, bad, good))
    ran = bank.line.run("send", "-", stdin=text)

    assert only_line(ran) == (
        "processor: line 2: unknown_type at /type: "
        "no command has the type 'gift' (1 sent before it)"
    )


def test_what_is_no_command_can_be_sent_and_becomes_a_dead_letter(bank: Bank) -> None:
    """`--no-validate` sends anything; its answer is a dead letter, which `outcomes` can show."""
    one = opening("x", kind="friend")
    ran = bank.line.run("send", json.dumps(one), "--no-validate", "--wait")
    shown = bank.line.run(
        "outcomes", "--no-follow", "--dead-letters", "--transaction", one["transaction_id"]
    )
    invalid = bank.line.run("outcomes", "--no-follow", "--transaction", one["transaction_id"])

    assert ran.status == 0
    assert "schema" in ran.out
    assert shown.out.endswith("refused by the schema's 'enum' at /kind\n")
    assert invalid.out.split()[1] == "invalid"
    assert invalid.out.endswith("schema, at /kind\n")


def test_waiting_ends_when_nobody_answers(bank: Bank) -> None:
    """Without an outcome in time `--wait` fails in one line."""
    bank.worker.send(signal.SIGSTOP)
    try:
        one = json.dumps(transfer("anna", "nobody", "1.00"))
        ran = bank.line.run("send", one, "--wait", "--timeout", "1")
    finally:
        bank.worker.send(signal.SIGCONT)

    assert only_line(ran) == (
        "processor: 1 of 1 are not answered: no outcome for 1 s; does a worker run?"
    )


def test_outcomes_of_one_id_tell_its_story(bank: Bank) -> None:
    """An id's outcome, its repeat and its conflict are shown in order, each in one line."""
    ran = bank.line.run("outcomes", "--no-follow", "--transaction", PAID["transaction_id"])
    first, repeat, conflict = ran.out.splitlines()

    assert "posted   transfer" in first
    assert "30.00 EUR  anna -> bert" in first
    assert repeat.endswith(f"{PAID['transaction_id']}  repeat")
    assert conflict.endswith(
        'amount: "30.00" first, "31.00" now, reference: none first, "other" now'
    )


def test_outcomes_as_json_are_the_events_as_they_are(bank: Bank) -> None:
    """`--json` gives each event's own bytes, one in a line, for other programs."""
    ran = bank.line.run("outcomes", "--no-follow", "--json")
    events = [json.loads(line) for line in ran.out.splitlines()]
    by_outcome = {
        one["outcome"] for one in events if one["transaction_id"] == PAID["transaction_id"]
    }

    assert by_outcome == {"posted", "conflict"}


def test_an_account_shows_its_money_and_newest_entries(bank: Bank) -> None:
    """Balance, what is available with the limit, and entries from the newest on."""
    found = bank.line.run("account", "anna", "--json").document
    entries = [
        (e["type"], e["direction"], e["amount"], e["balance_after"]) for e in found["entries"]
    ]
    text = bank.line.run("account", "anna", "--entries", "1").out.splitlines()

    assert {name: found[name] for name in ("balance", "held", "overdraft_limit", "available")} == {
        "balance": "80.00",
        "held": "0.00",
        "overdraft_limit": "50.00",
        "available": "130.00",
    }
    assert entries == [
        ("reversal", "credit", "10.00", "80.00"),
        ("transfer", "debit", "30.00", "70.00"),
        ("deposit", "credit", "100.00", "100.00"),
    ]
    assert text[0] == "anna"
    assert "+10.00" in text[-1]
    assert text[-1].endswith("from bert")


def test_what_does_not_exist_is_one_line(bank: Bank) -> None:
    """An unknown account, payment or position is said so, status 1."""
    nothing = str(uuid.uuid4())

    assert only_line(bank.line.run("account", "zoe")) == "processor: there is no account zoe"
    assert only_line(bank.line.run("payment", nothing)) == (
        f"processor: nothing is recorded under the transaction id {nothing}"
    )
    assert only_line(bank.line.run("position", COMMANDS, "9")) == (
        f"processor: the ledger has no position in {bank.topic(COMMANDS)}/9"
    )


def test_a_payment_shows_all_that_is_known_of_it(bank: Bank) -> None:
    """What was asked and decided, both entries, repeat, conflict, reversal and what is left."""
    found = bank.line.run("payment", PAID["transaction_id"], "--json").document
    text = bank.line.run("payment", PAID["transaction_id"]).out

    assert (found["outcome"], found["amount"], found["currency"]) == ("posted", "30.00", "EUR")
    assert [(e["account"], e["direction"], e["balance_after"]) for e in found["entries"]] == [
        ("anna", "debit", "70.00"),
        ("bert", "credit", "30.00"),
    ]
    assert found["asked"]["debit_account"] == "anna"
    assert (len(found["repeats"]), len(found["conflicts"])) == (1, 1)
    assert [one["amount"] for one in found["reversals"]] == ["10.00"]
    assert found["left_to_reverse"] == "20.00"
    (reversal,) = found["family"]["members"]
    assert (found["family"]["transaction_id"], found["family"]["left_to_reverse"]) == (
        PAID["transaction_id"],
        "20.00",
    )
    assert (reversal["type"], reversal["amount"], reversal["members"]) == ("reversal", "10.00", [])
    assert f"\n    └─ reversal 10.00 EUR posted, {reversal['decided_at']}, " in text
    for line in ("  outcome      posted", "  left         20.00", "  repeat ", "  conflict "):
        assert f"\n{line}" in text


def test_a_refused_payment_shows_its_reason(bank: Bank) -> None:
    """A refusal is an answer like any other, with what was asked for."""
    found = bank.line.run("payment", REFUSED["transaction_id"], "--json").document

    assert (found["outcome"], found["reason"]) == ("rejected", "account_not_found")
    assert found["credit_account"] == "nobody"
    assert "entries" not in found


async def test_an_operators_decision_is_recorded_and_moves_the_position(bank: Bank) -> None:
    """`position --accept` begins another source at the offset, and the books still hold."""
    before = bank.line.run("position", COMMANDS, "3", "--json").document
    words = ("position", COMMANDS, "3", "--accept", str(before["next_offset"]), "--json")
    after = bank.line.run(*words, "--reason", "the topic was made anew").document

    assert after["source_id"] != before["source_id"]
    assert after["first_offset"] == after["next_offset"] == before["next_offset"]
    (decision,) = after["decisions"]
    assert decision["reason"] == "the topic was made anew"
    assert decision["old_next"] == decision["new_next"] == before["next_offset"]
    assert bank.faults("--offline") == {}


async def test_after_a_decision_the_worker_goes_on(bank: Bank) -> None:
    """The fresh claim fences the worker, which claims anew and answers again."""
    place = bank.line.run("position", COMMANDS, "5", "--json").document
    accept = ("--accept", str(place["next_offset"]), "--reason", "a test")
    assert bank.line.run("position", COMMANDS, "5", *accept).status == 0
    ran = bank.send(transfer("x", "y", "1.00"), words=("--partition", "5"))

    assert "account_not_found" in ran.out
