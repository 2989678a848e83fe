"""The topics' data against each other, the schemas and the AsyncAPI document."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from processor.contracts import contract_folders, load_contract

CONTRACT = load_contract()
SCHEMAS, TOPICS = contract_folders()
ASYNCAPI = yaml.safe_load((SCHEMAS / "asyncapi.yaml").read_text())


@pytest.mark.parametrize(
    ("role", "name"),
    [
        ("commands", "payments.commands.v1"),
        ("outcomes", "payments.outcomes.v1"),
        ("dead_letters", "payments.dead-letters.v1"),
        ("internal", "payments.internal.v1"),
    ],
)
def test_names_and_partitions_are_fixed(role: str, name: str) -> None:
    """Clients everywhere rely on them."""
    topic = CONTRACT.topics[role]

    assert (name, 8) == (topic.name, topic.partitions)
    assert topic.config["cleanup.policy"] == "delete"


ON_HOLDS = {"hold.capture", "hold.release", "hold.expire"}
RULES = {"tariff.set", "tariff.end", "limit.set", "limit.end"}


def test_the_key_field_of_each_type_is_one_of_its_fields() -> None:
    """
    Of what gives back, the original knows the key, or the hold; of a journal the channel; all
    tariffs share one, and so do all limits.
    """
    key_fields = CONTRACT.topics["commands"].key_fields
    keyless = {"reversal", "refund", "journal"} | ON_HOLDS | RULES

    assert set(CONTRACT.commands) - keyless - {"day.close"} == set(key_fields)
    for kind, field in {**key_fields, **CONTRACT.topics["internal"].key_fields}.items():
        assert field in CONTRACT.command_schemas[kind]["required"]


def test_a_dead_letter_of_the_largest_record_fits() -> None:
    """Any record that the commands topic takes, all value or all key, fits with its envelope."""
    largest = CONTRACT.topics["commands"].record_bytes_max
    envelope = json.dumps(
        {
            "event_id": "0" * 36,
            "reason": "unknown_type",
            "pointer": "x" * 256,
            "detail": "x" * 200,
            "source": {"topic": "x" * 249, "partition": 10**9, "offset": 10**18},
            "transaction_id": "0" * 36,
            "key_base64": base64.b64encode(b"\xff" * largest).decode(),
            "value_base64": None,
            "headers": [],
            "received_at": "2026-11-21T10:00:00.000000Z",
        }
    )
    headers_bytes_max = 4096

    needed = len(envelope) + largest + headers_bytes_max
    assert needed <= CONTRACT.topics["dead_letters"].record_bytes_max


def test_an_outcome_with_the_largest_key_fits() -> None:
    """The key comes back; a journal shows its lines, and in a conflict both commands' beside."""
    room = (
        CONTRACT.topics["outcomes"].record_bytes_max - CONTRACT.topics["commands"].record_bytes_max
    )
    canonical_bytes = 100 * len(".000")
    envelope = 8192

    assert room >= 3 * (65_536 + canonical_bytes) + envelope


def test_the_asyncapi_document_is_of_version_three() -> None:
    """Tools look at this first."""
    assert ASYNCAPI["asyncapi"].startswith("3.")
    assert set(CONTRACT.topics) == set(ASYNCAPI["channels"])


@pytest.mark.parametrize("role", sorted(CONTRACT.topics))
def test_the_asyncapi_document_agrees_with_the_topics(role: str) -> None:
    """Address, partitions and configuration are those of the TOML file."""
    topic, channel = CONTRACT.topics[role], ASYNCAPI["channels"][role]
    binding = channel["bindings"]["kafka"]
    configured = {
        name: [value] if name == "cleanup.policy" else int(value)
        for name, value in topic.config.items()
        if name in binding["topicConfiguration"]
    }
    (message,) = channel["messages"].values()
    payload = resolve(message["$ref"])["payload"]

    assert topic.name == channel["address"] == binding["topic"]
    assert topic.partitions == binding["partitions"]
    assert configured == binding["topicConfiguration"]
    assert {"cleanup.policy", "retention.ms", "max.message.bytes"} <= set(configured)
    assert f"./{topic.schema}" == payload["schema"]["$ref"]
    assert "2020-12" in payload["schemaFormat"]


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    """Inside the document and to the schema files."""
    found = references(ASYNCAPI)

    assert len(found) > 10
    for reference in found:
        assert resolve(reference)


def references(node: object) -> list[str]:
    """Collect every `$ref` below a node."""
    if isinstance(node, list):
        return [found for part in node for found in references(part)]
    if not isinstance(node, dict):
        return []
    own = [node["$ref"]] if "$ref" in node else []
    return own + [found for part in node.values() for found in references(part)]


def resolve(reference: str) -> dict[str, Any]:
    """Follow a reference from the AsyncAPI document."""
    file, _, pointer = reference.partition("#")
    node: Any = ASYNCAPI if not file else json.loads(Path(SCHEMAS, file).read_bytes())
    for part in pointer.split("/")[1:]:
        node = node[part]
    assert isinstance(node, dict)
    return node


def test_the_page_for_channels_shows_messages_that_are_valid() -> None:
    """Whoever copies the first command and reads the first outcome finds them true."""
    page = (TOPICS / "README.md").read_text()
    blocks = [json.loads(block.split("```")[0]) for block in page.split("```json\n")[1:]]
    piped = next(line for line in page.splitlines() if line.startswith("echo '"))
    key, _, value = piped.removeprefix("echo '").rpartition("'")[0].partition("|")
    by_hand = json.loads(value)

    assert CONTRACT.commands["transfer"].is_valid(blocks[0])
    assert CONTRACT.validators["payment_outcome"].is_valid(blocks[1])
    assert CONTRACT.commands["transfer"].is_valid(by_hand)
    assert by_hand[CONTRACT.topics["commands"].key_fields["transfer"]] == key


def test_the_page_for_channels_names_everything() -> None:
    """Each topic, field, type, outcome and reason has its line."""
    page = (TOPICS / "README.md").read_text()
    outcome = CONTRACT.schemas["payment_outcome"]
    names = {
        *(topic.name for topic in CONTRACT.topics.values()),
        *CONTRACT.commands,
        *(name for schema in CONTRACT.command_schemas.values() for name in schema["properties"]),
        *outcome["properties"]["outcome"]["enum"],
        *outcome["$defs"]["rejection"]["enum"],
        *outcome["$defs"]["invalidity"]["enum"],
    }

    assert set() == {name for name in names if f"`{name}`" not in page}


def test_reasons_stand_on_the_page_for_channels_in_their_order() -> None:
    """The page says that they are checked in this order."""
    page = (TOPICS / "README.md").read_text()
    reasons = CONTRACT.schemas["payment_outcome"]["$defs"]["rejection"]["enum"]
    places = [page.index(f"| `{reason}` |") for reason in reasons]

    assert sorted(places) == places
