"""The contract is read and checked at start; what is off is named in one line."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from processor.contracts import ContractError, contract_folders, load_contract

SCHEMAS, TOPICS = contract_folders()


def edit(old: str, new: str) -> Callable[[Path], None]:
    """Make an edit that replaces a text in a file."""

    def apply(path: Path) -> None:
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return apply


def test_reads_what_lies_in_the_checkout() -> None:
    """Topics come by role, validators by the type of command."""
    contract = load_contract()

    assert sorted(contract.topics) == [
        "commands",
        "dead_letters",
        "internal",
        "outcomes",
    ]
    assert sorted(contract.commands) == [
        "account.close",
        "account.freeze",
        "account.limit",
        "account.open",
        "account.unfreeze",
        "day.close",
        "deposit",
        "fx.transfer",
        "hold.capture",
        "hold.expire",
        "hold.place",
        "hold.release",
        "journal",
        "limit.end",
        "limit.set",
        "payment",
        "refund",
        "reversal",
        "tariff.end",
        "tariff.set",
        "transfer",
        "withdrawal",
    ]
    assert contract.topics["commands"].key_fields["transfer"] == "debit_account"
    assert contract.topics["commands"].record_bytes_max == 1_048_576
    assert [contract.topics[role] for role in ("commands", "internal")] == list(
        contract.command_topics
    )
    assert contract.types["internal"] == {
        "hold.expire",
        "tariff.set",
        "tariff.end",
        "limit.set",
        "limit.end",
        "day.close",
    }
    assert contract.types["commands"] == set(contract.commands) - contract.types["internal"]


def test_every_topic_of_commands_is_served(tmp_path: Path) -> None:
    """A second topic of commands is one more file."""
    shutil.copytree(TOPICS, tmp_path / "topics")
    more = (TOPICS / "commands.toml").read_text().replace("payments.commands", "payments.partner")
    (tmp_path / "topics/partner_commands.toml").write_text(more)

    contract = load_contract(topics=tmp_path / "topics")

    assert sorted(topic.name for topic in contract.command_topics) == [
        "payments.commands.v1",
        "payments.internal.v1",
        "payments.partner.v1",
    ]
    assert contract.types["partner_commands"] == contract.types["commands"]


@pytest.mark.parametrize(
    ("file", "damage", "message"),
    [
        ("schemas/messages/payment_command.v1.json", Path.unlink, "not there"),
        ("schemas/messages/transfer.v1.json", Path.unlink, "payment_command.v1.json"),
        ("schemas/messages/command_fields.v1.json", Path.unlink, "command_fields.v1.json"),
        ("schemas/messages/transfer.v1.json", edit("{", ""), "not JSON"),
        ("schemas/messages/transfer.v1.json", edit('"object"', '"objekt"'), "not a JSON Schema"),
        ("schemas/messages/transfer.v1.json", edit("defs/amount", "defs/sum"), "defs/sum"),
        ("schemas/messages/transfer.v1.json", edit('"const"', '"title"'), "has no 'const'"),
        ("schemas/messages/command_fields.v1.json", edit("date-time", "moment"), "moment"),
        ("schemas/messages/command_fields.v1.json", edit("[A-Za-z0-9._:-]", "[z-a]"), "regex"),
        ("topics/commands.toml", Path.unlink, "not there"),
        ("topics/outcomes.toml", edit("partitions = 8", "partitions = 4"), "as many partitions"),
        ("topics/outcomes.toml", edit("1310720", "1048576"), "must exceed"),
        ("topics/dead_letters.toml", edit("4194304", "100"), "must exceed"),
        ("topics/commands.toml", edit("partitions = 8", 'partitions = "8"'), "partitions"),
        ("topics/commands.toml", edit("partitions = 8", "partitions = 0"), "Kafka"),
        ("topics/commands.toml", edit("partitions = 8", ""), "partitions"),
        ("topics/commands.toml", edit("partitions", "partition"), "partition, partitions"),
        ("topics/commands.toml", edit("payments.commands.v1", "payments/commands"), "Kafka"),
        ("topics/commands.toml", edit("payment_command.v1", "payment_order.v1"), "is not there"),
        ("topics/commands.toml", edit('"1048576"', "1048576"), "are strings"),
        ("topics/commands.toml", edit('"1048576"', '"1 MiB"'), "max.message.bytes"),
        ("topics/commands.toml", edit("[config]", "[config"), "commands.toml"),
    ],
)
def test_names_the_file_that_is_off(
    tmp_path: Path, file: str, damage: Callable[[Path], None], message: str
) -> None:
    """One line, so that a worker that can't start says why."""
    shutil.copytree(SCHEMAS / "messages", tmp_path / "schemas/messages")
    shutil.copytree(TOPICS, tmp_path / "topics")
    damage(tmp_path / file)

    with pytest.raises(ContractError) as caught:
        load_contract(tmp_path / "schemas", tmp_path / "topics")

    text = str(caught.value)
    assert message in text
    assert "\n" not in text
    assert any(ending in text for ending in (".json", ".toml"))


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are reported like any other fault."""
    shutil.copytree(SCHEMAS / "messages", tmp_path / "schemas/messages")
    shutil.copytree(TOPICS, tmp_path / "topics")
    (tmp_path / "topics/commands.toml").write_bytes(b"\xff")

    with pytest.raises(ContractError, match=r"commands\.toml"):
        load_contract(tmp_path / "schemas", tmp_path / "topics")


def test_references_are_resolved_for_readers() -> None:
    """A field's own description comes before that of what it refers to."""
    contract = load_contract()
    raw = json.loads((SCHEMAS / "messages/transfer.v1.json").read_bytes())
    field = contract.command_schemas["transfer"]["properties"]["debit_account"]

    assert raw["properties"]["debit_account"]["description"] == field["description"]
    assert field["pattern"] == "^[A-Za-z0-9._:-]{1,64}$"
