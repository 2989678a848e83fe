"""What people see when something is missing, away or wrong: one line, and a telling status."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from deploy.local import KafkaBroker, PostgresServer
from deploy.local.ports import free_port
from tests.integration.command_line import CommandLine, on, only_line

CONFIG, UNAVAILABLE, FAILED, USAGE = 78, 69, 1, 2
ID = "0193a1b2-0000-7000-8000-000000000001"


@pytest.fixture
def away(tmp_path: Path) -> CommandLine:
    """Return commands whose Kafka and PostgreSQL are not there."""
    port = free_port()
    return CommandLine(
        kafka_bootstrap_servers=f"127.0.0.1:{port}",
        database_url=f"postgresql://nobody:hunter2@127.0.0.1:{port}/none",
        data_dir=str(tmp_path),
    )


@pytest.mark.parametrize(
    "words",
    [
        ("migrate",),
        ("account", "anna"),
        ("payment", ID),
        ("balance", "anna"),
        ("statement", "anna", "--from", "2026-11-01"),
        ("trial-balance",),
        ("position", "payments.commands.v1", "0"),
        ("verify", "--offline"),
    ],
    ids=lambda words: words[0],
)
def test_postgresql_away_is_one_line(away: CommandLine, words: tuple[str, ...]) -> None:
    """Whoever needs the database is told that it does not answer, status 69."""
    ran = away.run(*words)

    assert only_line(ran).startswith("processor: PostgreSQL does not answer: ")
    assert (ran.status, ran.out) == (UNAVAILABLE, "")
    assert "hunter2" not in ran.err


@pytest.mark.parametrize(
    "words",
    [("topics",), ("topics", "--apply"), ("outcomes",), ("send", "{}", "--no-validate")],
    ids=" ".join,
)
def test_kafka_away_is_one_line(away: CommandLine, words: tuple[str, ...]) -> None:
    """Whoever needs Kafka is told that it does not answer, and where it was looked for."""
    ran = away.run(*words)

    servers = away.settings["kafka_bootstrap_servers"]
    assert only_line(ran) == f"processor: Kafka at {servers} does not answer"
    assert (ran.status, ran.out) == (UNAVAILABLE, "")


def test_verify_tells_kafka_away_from_books_that_do_not_hold(
    away: CommandLine, ledger_url: str
) -> None:
    """What the ledger proves by itself is shown; then the status is 69, not 1."""
    ran = away.run("verify", database_url=ledger_url)

    assert only_line(ran).endswith("does not answer")
    assert ran.status == UNAVAILABLE
    assert "✓ books balance" in ran.out


@pytest.mark.parametrize("words", [("migrate",), ("account", "anna"), ("verify", "--offline")])
def test_wrong_password_names_the_setting(
    away: CommandLine, postgres: PostgresServer, words: tuple[str, ...]
) -> None:
    """A refused login is a wrong setting, status 78, and the password is not shown."""
    user, _, place = postgres.url().partition("@")
    url = f"{user.rpartition(':')[0]}:a-wrong-password@{place}"
    ran = away.run(*words, database_url=url)

    assert only_line(ran).startswith("processor: PROCESSOR_DATABASE_URL: PostgreSQL says: ")
    assert ran.status == CONFIG
    assert "a-wrong-password" not in ran.err


@pytest.mark.parametrize("words", [("account", "anna"), ("payment", ID), ("verify", "--offline")])
def test_a_database_without_a_ledger_says_what_to_do(
    away: CommandLine, database_url: str, words: tuple[str, ...]
) -> None:
    """An empty database is told from a wrong ledger: run `processor migrate`."""
    ran = away.run(*words, database_url=database_url)

    assert only_line(ran).endswith("run `processor migrate`")
    assert ran.status == CONFIG


def test_a_database_that_does_not_exist_names_the_setting(
    away: CommandLine, postgres: PostgresServer
) -> None:
    """A database that is not there is a wrong setting."""
    ran = away.run("verify", database_url=postgres.url(f"no_{uuid.uuid4().hex[:8]}"))

    assert only_line(ran).endswith("does not exist")
    assert ran.status == CONFIG


def test_an_unknown_setting_is_named(away: CommandLine) -> None:
    """A misspelt variable does nothing silently: it is an error, with the nearest name."""
    ran = away.run("config", http_prot="6066")

    assert only_line(ran) == (
        "processor: PROCESSOR_HTTP_PROT is no setting; did you mean PROCESSOR_HTTP_PORT?"
    )
    assert ran.status == CONFIG


def test_config_masks_secrets(away: CommandLine) -> None:
    """`processor config` shows every setting and no secret."""
    ran = away.run("config", kafka_sasl_password="hush")  # noqa: S106 - a secret made up here

    assert ran.status == 0
    assert "PROCESSOR_KAFKA_SASL_PASSWORD=***" in ran.out.splitlines()
    assert "postgresql://nobody:***@127.0.0.1" in ran.out
    assert "hush" not in ran.out
    assert "hunter2" not in ran.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("send", "no/such/file"), "processor: no/such/file: not there; "),
        (("send", "processor"), "processor: processor: a folder; "),
        (("send", "{"), "processor: the command: not_json: "),
        (("send", '{"type":"transfer"}'), "processor: the command: schema: "),
        (("send", '{"type":"gift"}'), "processor: the command: unknown_type at /type: "),
    ],
    ids=lambda one: one[-1] if isinstance(one, tuple) else "",
)
def test_send_refuses_before_anything_is_sent(
    away: CommandLine, words: tuple[str, ...], said: str
) -> None:
    """A missing file and a command that the worker would not take are told before Kafka."""
    ran = away.run(*words)

    assert only_line(ran).startswith(said)
    assert ran.status == FAILED


def test_send_names_the_line_of_a_file(away: CommandLine, tmp_path: Path) -> None:
    """A bad line of a file is named with reason and pointer, and nothing of the file is sent."""
    file = tmp_path / "commands.jsonl"
    good = (
        f'{{"transaction_id":"{ID}","type":"account.open","account":"a","currency":"EUR",'
        '"kind":"customer","requested_at":"2026-11-21T10:00:00Z","channel":"mobile"}'
    )
    file.write_text(f"{good}\n\n{good.replace('customer', 'friend')}\n")
    ran = away.run("send", str(file))

    assert only_line(ran) == (
        "processor: line 3: schema at /kind: refused by the schema's 'enum' (nothing was sent)"
    )
    assert ran.status == FAILED


def test_a_topic_that_does_not_exist_is_named(
    broker: KafkaBroker, ledger_url: str, tmp_path: Path
) -> None:
    """Sending to a topic that is not there does not create it; it says how to."""
    line = on(broker, ledger_url, tmp_path)
    prefix = line.settings["topic_prefix"]
    sent = line.run("send", "{}", "--no-validate")
    shown = line.run("outcomes", "--no-follow")

    assert only_line(sent) == (
        f"processor: topic {prefix}payments.commands.v1 does not exist; "
        "`processor topics --apply` makes it"
    )
    assert only_line(shown).startswith(f"processor: topic {prefix}payments.outcomes.v1 does not")
    assert (sent.status, shown.status) == (FAILED, FAILED)


@pytest.mark.parametrize(
    "words",
    [
        ("payment", "not-an-id"),
        ("position", "payments.commands.v1", "-1"),
        ("position", "payments.commands.v1", "0", "--accept", "5"),
        ("verify", "--offline", "--drained"),
        ("no-such-command",),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_told_without_a_traceback(away: CommandLine, words: tuple[str, ...]) -> None:
    """Wrong words get a hint at the help and status 2."""
    ran = away.run(*words)

    assert ran.status == USAGE
    assert ran.err.startswith("Usage: ")
    assert "Traceback" not in ran.err
