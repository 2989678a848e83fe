"""Commands for those who run it: migrate, topics, worker."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from deploy.local import KafkaBroker
from tests.integration.command_line import CHECKOUT, CommandLine, on, only_line

COMMANDS = "payments.commands.v1"
MIGRATIONS = len(list((CHECKOUT / "schemas" / "ledger").glob("[0-9]*.sql")))


async def execute(url: str, sql: str) -> None:
    """Run a statement as nobody may: as a superuser for whom triggers are off."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f"SET session_replication_role = replica; {sql}")
    finally:
        await connection.close()


def test_migrate_makes_a_ledger_once(database_url: str) -> None:
    """The first run applies every migration, the second none; the mark of a test ledger stays."""
    line = CommandLine(database_url=database_url)
    first = line.run("migrate", "--test-ledger")
    second = line.run("migrate")

    assert (first.status, second.status) == (0, 0)
    assert first.out.startswith("test ledger: applied 0000_migrations.sql, 0001_ledger.sql, ")
    assert second.out == f"test ledger: up to date ({MIGRATIONS} migrations)\n"


def test_a_real_ledger_never_becomes_a_test_ledger(database_url: str) -> None:
    """The mark is given at birth: asking for it later is refused in one line."""
    line = CommandLine(database_url=database_url)
    assert line.run("migrate").status == 0
    ran = line.run("migrate", "--test-ledger")

    assert only_line(ran) == "processor: this is a real ledger: it can't become a test ledger"
    assert ran.status == 1


async def test_a_changed_migration_is_refused_by_name(database_url: str) -> None:
    """A file that differs from what was applied is named, and nothing is applied."""
    line = CommandLine(database_url=database_url)
    line.run("migrate")
    await execute(
        database_url, "UPDATE ledger.migration SET sha256 = '' WHERE name = '0001_ledger.sql'"
    )
    ran = line.run("migrate")

    assert only_line(ran) == "processor: 0001_ledger.sql was changed after it was applied"
    assert ran.status == 1


def test_two_migrations_at_once_take_turns(database_url: str) -> None:
    """Of two deployments that migrate together one applies and the other finds it done."""
    environment = CommandLine(database_url=database_url).environment()
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "processor", "migrate"],
            cwd=CHECKOUT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(2)
    ]
    said = sorted(one.communicate(timeout=60)[0] for one in running)

    assert [one.returncode for one in running] == [0, 0]
    assert said[0].startswith("ledger: applied ")
    assert said[1] == f"ledger: up to date ({MIGRATIONS} migrations)\n"


def test_topics_are_shown_then_made(broker: KafkaBroker, ledger_url: str, tmp_path: Path) -> None:
    """What is missing is shown with status 1, made by --apply, and then nothing is left."""
    line = on(broker, ledger_url, tmp_path)
    prefix = line.settings["topic_prefix"]
    shown, applied, again = (
        line.run("topics", *words) for words in ((), ("--apply",), ("--apply",))
    )

    assert (shown.status, applied.status, again.status) == (1, 0, 0), again.err
    assert sorted(shown.out.splitlines()) == [
        f"{prefix}payments.{name}.v1: missing"
        for name in ("commands", "dead-letters", "internal", "outcomes")
    ]
    assert f"{prefix}{COMMANDS}: created with 8 partitions" in applied.out.splitlines()
    assert again.out == "topics are as topics/*.toml say\n"


async def test_what_can_be_mended_is_mended_and_the_rest_stays_an_error(
    broker: KafkaBroker, ledger_url: str, tmp_path: Path
) -> None:
    """A wrong setting is set right; a wrong number of partitions is a drain, and stays status 1."""
    line = on(broker, ledger_url, tmp_path)
    name = line.settings["topic_prefix"] + COMMANDS
    client = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
    await client.start()
    try:
        await client.create_topics([NewTopic(name, 3, 1, topic_configs={"retention.ms": "1"})])
        applied = line.run("topics", "--apply")
        resource = ConfigResource(ConfigResourceType.TOPIC, name)
        (described,) = await client.describe_configs([resource])
    finally:
        await client.close()
    shown = line.run("topics")
    drain = f"{name}: has 3 partitions, not 8; a change is a drain, see topics/README.md"

    assert (applied.status, shown.status) == (1, 1)
    assert f"{name}: retention.ms is 1, set to 1209600000" in applied.out.splitlines()
    assert drain in applied.out.splitlines()
    assert shown.out == f"{drain}\n"
    values = {entry[0]: entry[1] for entry in described.resources[0][4]}
    assert values["retention.ms"] == "1209600000"


def test_help_names_every_command(tmp_path: Path) -> None:
    """`processor --help` is the way in: each command with a line of its own."""
    ran = CommandLine(data_dir=str(tmp_path)).run("--help")
    commands = ran.out.partition("Commands:\n")[2].splitlines()

    assert ran.status == 0
    assert {line.split()[0] for line in commands} == {
        "account", "balance", "config", "day-end", "limits", "migrate", "outcomes", "payment",
        "position", "send", "statement", "tariffs", "topics", "trial-balance", "verify", "worker",
    }  # fmt: skip
    assert all(len(line.split()) > 1 for line in commands)
