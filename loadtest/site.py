"""Where a run takes place: on a stack of its own, or where the user says."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

from aiokafka.admin import AIOKafkaAdminClient

from deploy.local import Stack
from deploy.local.jars import Report
from deploy.local.ports import LOOPBACK
from loadtest.errors import LoadTestError
from loadtest.reporting import holds_payments, is_test_ledger

BOOTSTRAP_SERVERS = "PROCESSOR_KAFKA_BOOTSTRAP_SERVERS"
DATABASE_URL = "PROCESSOR_DATABASE_URL"
TOPIC_PREFIX = "PROCESSOR_TOPIC_PREFIX"
CONSUMER_GROUP = "PROCESSOR_CONSUMER_GROUP"
KEPT = frozenset(
    {
        "PROCESSOR_EVENT_LOOP",
        "PROCESSOR_SESSION_TIMEOUT_S",
        "PROCESSOR_HEARTBEAT_INTERVAL_S",
    }
)
"""Settings of the user's that hold for a run as well; the others say where and how they serve."""


class Site(NamedTuple):
    """Addresses of a run, the prefix of its topics, and the product's environment."""

    bootstrap_servers: str
    database_url: str
    prefix: str
    environment: Mapping[str, str]

    def topic(self, name: str) -> str:
        """Name a topic of this run."""
        return self.prefix + name

    def through(self, kafka_port: int | None, postgres_port: int | None) -> Site:
        """Give the same by way of other ports of this machine, where there are some."""
        servers, url = self.bootstrap_servers, self.database_url
        if kafka_port is not None:
            servers = f"{LOOPBACK}:{kafka_port}"
        if postgres_port is not None:
            parts = urlsplit(url)
            login = parts.netloc.rpartition("@")[0]
            url = urlunsplit(parts._replace(netloc=f"{login}@{LOOPBACK}:{postgres_port}"))
        addresses = {BOOTSTRAP_SERVERS: servers, DATABASE_URL: url}
        return Site(servers, url, self.prefix, {**self.environment, **addresses})


def given() -> bool:
    """Say whether the user names a cluster and a database; naming only one of them is refused."""
    named = [bool(os.environ.get(name)) for name in (BOOTSTRAP_SERVERS, DATABASE_URL)]
    if any(named) and not all(named):
        raise LoadTestError(f"set both {BOOTSTRAP_SERVERS} and {DATABASE_URL}, or neither")
    return all(named)


def the_users(run: str) -> Site:
    """Take the user's cluster and database, with topics and a consumer group of this run's own."""
    prefix = os.environ.get(TOPIC_PREFIX, "") + f"{run}."
    return _site(os.environ[BOOTSTRAP_SERVERS], os.environ[DATABASE_URL], prefix)


def start_stack(stack: Stack, report: Report | None) -> Site:
    """Start a stack for this run alone."""
    stack.start(report)
    found = stack.env()
    return _site(found[BOOTSTRAP_SERVERS], found[DATABASE_URL], "")


def _site(bootstrap_servers: str, database_url: str, prefix: str) -> Site:
    environment = {
        name: value
        for name, value in os.environ.items()
        if name in KEPT or not name.startswith("PROCESSOR_")
    }
    environment |= {
        BOOTSTRAP_SERVERS: bootstrap_servers,
        DATABASE_URL: database_url,
        TOPIC_PREFIX: prefix,
        CONSUMER_GROUP: f"{prefix}payments-processor",
    }
    return Site(bootstrap_servers, database_url, prefix, environment)


async def remove_topics(place: Site, names: Sequence[str]) -> None:
    """Remove the topics that this run made on the user's cluster."""
    assert place.prefix, "only topics of this run's own are removed"
    admin = AIOKafkaAdminClient(bootstrap_servers=place.bootstrap_servers)
    await admin.start()
    try:
        await admin.delete_topics([place.topic(name) for name in names])
    finally:
        await admin.close()


async def refuse_unless_for_tests(database_url: str, *, may_be_new: bool) -> None:
    """
    Refuse a ledger that is not marked as a test ledger, or that holds payments of others.

    The sample invents money. `may_be_new` lets a database pass that holds no ledger yet.
    """
    marked = await is_test_ledger(database_url)
    if marked is None and may_be_new:
        return
    if marked is not True:
        raise LoadTestError(
            "this ledger is not marked as a test ledger, and the sample invents money: "
            "name a new database, or make one with `processor migrate --test-ledger`"
        )
    if await holds_payments(database_url):
        raise LoadTestError(
            "this test ledger holds payments already: name an empty database for each run"
        )
