"""Holds the broker's topics against `topics/*.toml`: shows the difference, or applies it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import msgspec
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code

from processor.contracts import OUTCOMES, Contract, TopicSpec
from processor.errors import SettingsError
from processor.kafka import client_options, reaching

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from processor.settings import Settings

UNKNOWN_TOPIC: Final = 3
NO_LEADER_YET: Final = 5
ALREADY_EXISTS: Final = 36
CREATION_TIMEOUT_S: Final = 15.0
"""How long a created topic may take to be known."""

CREATION_POLL_S: Final = 0.05
REPLICAS_MAX: Final = 3
"""Copies of each new topic, where there are as many brokers."""

REQUEST_TIMEOUT_MS: Final = 15_000


class TopicsError(SettingsError):
    """Topics are not as they must be."""


@asynccontextmanager
async def admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """Open an admin client. Raises BrokerUnavailableError."""
    client = AIOKafkaAdminClient(
        **client_options(settings), request_timeout_ms=REQUEST_TIMEOUT_MS, client_id="processor"
    )
    try:
        with reaching(settings):
            await client.start()
            yield client
    finally:
        await client.close()


class Reconciled(msgspec.Struct, frozen=True):
    """A line for each difference: what was made good, and what is still different."""

    done: list[str]
    left: list[str]


async def reconcile(settings: Settings, contract: Contract, *, apply: bool) -> Reconciled:
    """Find how the broker's topics differ; with `apply` make good what can be made good."""
    mended: list[str] = []
    unmendable: list[str] = []
    async with admin(settings) as client:
        names = [settings.topic(spec.name) for spec in contract.topics.values()]
        found = await partitions_of(client, names)
        for spec, name in zip(contract.topics.values(), names, strict=True):
            if name not in found:
                mended.append(await _create(client, spec, name, apply=apply))
                continue
            if found[name] != spec.partitions:
                unmendable.append(
                    f"{name}: has {found[name]} partitions, not {spec.partitions}; "
                    "a change is a drain, see topics/README.md"
                )
            mended += await _align(client, spec, name, apply=apply)
        if apply:
            await _wait_for(client, names)
    return Reconciled(mended, unmendable) if apply else Reconciled([], mended + unmendable)


async def partitions_of(client: AIOKafkaAdminClient, names: list[str]) -> dict[str, int]:
    """Give the number of partitions of each topic that exists."""
    described = await client.describe_topics(names)
    found = {}
    for topic in described:
        if topic["error_code"] in {UNKNOWN_TOPIC, NO_LEADER_YET}:
            continue
        if topic["error_code"]:
            raise for_code(topic["error_code"])(topic["topic"])
        found[topic["topic"]] = len(topic["partitions"])
    return found


async def check(settings: Settings, contract: Contract) -> None:
    """
    Check at a worker's start that the topics exist and that outcomes have as many partitions as
    commands.

    Raises TopicsError with one line; BrokerUnavailableError where Kafka is away.
    """
    async with admin(settings) as client:
        names = {role: settings.topic(spec.name) for role, spec in contract.topics.items()}
        found = await partitions_of(client, list(names.values()))
    missing = sorted(set(names.values()) - found.keys())
    if missing:
        raise TopicsError(f"topic {missing[0]} does not exist; `processor topics --apply` makes it")
    outcomes = found[names[OUTCOMES]]
    for role in contract.types:
        if found[names[role]] > outcomes:
            raise TopicsError(
                f"{names[role]} has {found[names[role]]} partitions, "
                f"{names[OUTCOMES]} only {outcomes}: "
                "an outcome goes to the partition of its command's number"
            )


async def _wait_for(client: AIOKafkaAdminClient, names: list[str]) -> None:
    """Wait until the broker that answers knows the topics: it learns of them a moment later."""
    async with asyncio.timeout(CREATION_TIMEOUT_S):
        while True:
            if len(await partitions_of(client, names)) == len(names):
                return
            await asyncio.sleep(CREATION_POLL_S)


async def _create(client: AIOKafkaAdminClient, spec: TopicSpec, name: str, *, apply: bool) -> str:
    if not apply:
        return f"{name}: missing"
    cluster = await client.describe_cluster()
    response = await client.create_topics(
        [
            NewTopic(
                name,
                spec.partitions,
                min(REPLICAS_MAX, len(cluster["brokers"])),
                topic_configs=dict(spec.config),
            )
        ]
    )
    for _, code, *rest in response.topic_errors:
        if code == ALREADY_EXISTS:
            return f"{name}: created by someone else meanwhile"
        if code:
            raise TopicsError(
                f"{name} can't be created: {rest[0] if rest else for_code(code).__name__}"
            )
    return f"{name}: created with {spec.partitions} partitions"


async def _align(
    client: AIOKafkaAdminClient, spec: TopicSpec, name: str, *, apply: bool
) -> list[str]:
    resource = ConfigResource(ConfigResourceType.TOPIC, name)
    (response,) = await client.describe_configs([resource])
    entries: dict[str, Any] = {entry[0]: entry[1] for entry in response.resources[0][4]}
    wrong = {key: value for key, value in spec.config.items() if entries.get(key) != value}
    if not wrong:
        return []
    if apply:
        # alter_configs replaces a topic's whole configuration, and what is not named here falls
        # back to the broker's.
        await client.alter_configs(
            [ConfigResource(ConfigResourceType.TOPIC, name, configs=dict(spec.config))]
        )
    said = "set to" if apply else "should be"
    return [f"{name}: {key} is {entries.get(key)}, {said} {value}" for key, value in wrong.items()]
