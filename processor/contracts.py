"""
The contract as data: `topics/*.toml` and `schemas/messages/*.json`, read and checked at start.

What is published is what is executed: the validators here are compiled from the very files that
channels read.
"""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import jsonschema_rs

_PACKAGE: Final = Path(__file__).resolve().parent
_COMMAND_SCHEMAS: Final = ("payment_command", "internal_command")
_BASE_URI: Final = "contract:///messages/"
_SUFFIX: Final = ".v1.json"
_COMMAND_FILES: Final = {f"messages/{name}{_SUFFIX}": name for name in _COMMAND_SCHEMAS}

COMMANDS: Final = "commands"
INTERNAL: Final = "internal"
OUTCOMES: Final = "outcomes"
DEAD_LETTERS: Final = "dead_letters"

_TOPIC_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")
_TOPIC_FIELDS: Final = {
    "name": str,
    "description": str,
    "key": str,
    "key_fields": dict,
    "partitions": int,
    "schema": str,
    "config": dict,
}

Schema = dict[str, Any]


class ContractError(Exception):
    """A file of the contract is missing or wrong; the message is one line that names it."""


@dataclass(frozen=True)
class TopicSpec:
    """
    One topic, as its TOML file states it.

    `role` is the file's name, `key` says what the key of a record is, `key_fields` names the
    field that is the key for each type of command (none: it isn't in the command). `schema` is a
    file below `schemas/`; `config` is Kafka's.
    """

    role: str
    name: str
    description: str
    key: str
    key_fields: Mapping[str, str]
    partitions: int
    schema: str
    config: Mapping[str, str]

    @property
    def record_bytes_max(self) -> int:
        """The largest record that the broker takes, key, value and headers together."""
        return int(self.config["max.message.bytes"])


@dataclass(frozen=True)
class Contract:
    """
    Everything that is agreed with channels.

    `topics` by role, `schemas` (references resolved) and `validators` by file name without
    version, `commands` holds the validator of each type of command. `types` names for each topic
    of commands, by role, the types that it takes.
    """

    topics: Mapping[str, TopicSpec]
    schemas: Mapping[str, Schema]
    validators: Mapping[str, jsonschema_rs.Validator]
    commands: Mapping[str, jsonschema_rs.Validator]
    command_schemas: Mapping[str, Schema]
    types: Mapping[str, frozenset[str]]

    @property
    def command_topics(self) -> tuple[TopicSpec, ...]:
        """Every topic that holds commands: the line serves them all."""
        return tuple(topic for role, topic in self.topics.items() if role in self.types)


def contract_folders() -> tuple[Path, Path]:
    """Find `schemas/` and `topics/`: inside an installed package, else beside it in a checkout."""
    installed = _PACKAGE / "_contract"
    root = installed if installed.is_dir() else _PACKAGE.parent
    return root / "schemas", root / "topics"


def load_contract(schemas: Path | None = None, topics: Path | None = None) -> Contract:
    """Read and check the contract, from the folders given or its own. Raises ContractError."""
    found_schemas, found_topics = contract_folders()
    schemas, topics = schemas or found_schemas, topics or found_topics
    documents = _read_schemas(schemas / "messages")
    by_schema = {name: _types(documents, name) for name in _COMMAND_SCHEMAS}
    types = {kind: name for found in by_schema.values() for kind, name in found.items()}
    registry = _registry(documents)
    validators = {name: _compile(name, documents[name], registry) for name in documents}
    resolved = {name: _resolve(documents[name], name, documents) for name in documents}
    specs = _read_topics(topics, schemas)
    return Contract(
        topics=specs,
        schemas=resolved,
        validators=validators,
        commands={kind: validators[name] for kind, name in types.items()},
        command_schemas={kind: resolved[name] for kind, name in types.items()},
        types={
            role: frozenset(by_schema[_COMMAND_FILES[topic.schema]])
            for role, topic in specs.items()
            if topic.schema in _COMMAND_FILES
        },
    )


def _read_schemas(folder: Path) -> dict[str, Schema]:
    documents = {}
    for path in sorted(folder.glob("*" + _SUFFIX)):
        document = _read_json(path)
        if not isinstance(document, dict) or not jsonschema_rs.meta.is_valid(document):
            raise ContractError(f"{path}: not a JSON Schema of 2020-12")
        documents[path.name.removesuffix(_SUFFIX)] = document
    for name in _COMMAND_SCHEMAS:
        if name not in documents:
            raise ContractError(f"{folder / (name + _SUFFIX)}: not there")
    return documents


def _read_json(path: Path) -> object:
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise ContractError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise ContractError(f"{path}: not JSON: {error}") from error


def _registry(documents: Mapping[str, Schema]) -> jsonschema_rs.Registry:
    resources = [(_BASE_URI + name + _SUFFIX, document) for name, document in documents.items()]
    try:
        return jsonschema_rs.Registry(resources)
    except (jsonschema_rs.ReferencingError, ValueError) as error:
        raise ContractError(f"messages/: {_first_line(error)}") from error


def _compile(
    name: str, schema: Schema, registry: jsonschema_rs.Registry
) -> jsonschema_rs.Validator:
    try:
        return jsonschema_rs.Draft202012Validator(
            schema,
            registry=registry,
            base_uri=_BASE_URI + name + _SUFFIX,
            offline=True,
            validate_formats=True,
            ignore_unknown_formats=False,
            pattern_options=jsonschema_rs.RegexOptions(),
        )
    except (jsonschema_rs.ReferencingError, ValueError) as error:
        raise ContractError(f"messages/{name}{_SUFFIX}: {_first_line(error)}") from error


def _resolve(node: Any, name: str, documents: Mapping[str, Schema]) -> Any:
    """
    Put what references point at in their place; what stands beside a reference comes first.

    For readers alone: validators follow the references as they were written.
    """
    if isinstance(node, list):
        return [_resolve(part, name, documents) for part in node]
    if not isinstance(node, dict):
        return node
    own = {key: _resolve(value, name, documents) for key, value in node.items() if key != "$ref"}
    if "$ref" not in node:
        return own
    file, _, pointer = node["$ref"].partition("#")
    target_name = file.removesuffix(_SUFFIX) or name
    target: Any = documents[target_name]
    for part in pointer.split("/")[1:]:
        target = target[part]
    return own | {
        key: value
        for key, value in _resolve(target, target_name, documents).items()
        if key not in own
    }


def _types(documents: Mapping[str, Schema], one_of: str) -> dict[str, str]:
    """Map each type of command to the name of its schema: what the schema of a topic refers to."""
    types = {}
    for branch in documents[one_of].get("oneOf", []):
        name = branch.get("$ref", "").removesuffix(_SUFFIX)
        if name not in documents:
            raise ContractError(f"messages/{one_of}{_SUFFIX}: {name!r} is not there")
        kind = documents[name].get("properties", {}).get("type", {}).get("const")
        if not isinstance(kind, str):
            raise ContractError(f"messages/{name}{_SUFFIX}: its 'type' has no 'const'")
        types[kind] = name
    return types


def _read_topics(folder: Path, schemas: Path) -> dict[str, TopicSpec]:
    topics = {path.stem: _read_topic(path, schemas) for path in sorted(folder.glob("*.toml"))}
    for role in (COMMANDS, INTERNAL, OUTCOMES, DEAD_LETTERS):
        if role not in topics:
            raise ContractError(f"{folder / role}.toml: not there")
    for role, topic in topics.items():
        if topic.schema in _COMMAND_FILES and topic.partitions != topics[OUTCOMES].partitions:
            raise ContractError(f"{folder / role}.toml: not as many partitions as {OUTCOMES}.toml")
    for role in (OUTCOMES, DEAD_LETTERS):
        if topics[role].record_bytes_max <= topics[COMMANDS].record_bytes_max:
            raise ContractError(
                f"{folder / role}.toml: max.message.bytes must exceed that of {COMMANDS}.toml"
            )
    return topics


def _read_topic(path: Path, schemas: Path) -> TopicSpec:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ContractError(f"{path}: {_first_line(error)}") from error
    wrong = sorted(
        name
        for name in _TOPIC_FIELDS.keys() | values.keys()
        if type(values.get(name)) is not _TOPIC_FIELDS.get(name)
    )
    if wrong:
        raise ContractError(f"{path}: missing, unknown or of the wrong type: {', '.join(wrong)}")
    topic = TopicSpec(role=path.stem, **values)
    texts = [*topic.config.values(), *topic.key_fields.values()]
    if not all(isinstance(text, str) for text in texts):
        raise ContractError(f"{path}: the values of config and key_fields are strings")
    if not topic.config.get("max.message.bytes", "").isdecimal():
        raise ContractError(f"{path}: config has no number for max.message.bytes")
    if not _TOPIC_NAME.fullmatch(topic.name) or topic.partitions < 1:
        raise ContractError(f"{path}: no name or number of partitions that Kafka takes")
    if not (schemas / topic.schema).is_file():
        raise ContractError(f"{path}: its schema {topic.schema} is not there")
    return topic


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
