"""Settings: read from the environment alone, checked at the start, told without secrets."""

from __future__ import annotations

import pytest

from processor import settings as settings_module
from processor.errors import SettingsError
from processor.settings import Settings


def told(**values: str) -> str:
    """Give the error of settings that can't be."""
    with pytest.raises(SettingsError) as caught:
        settings_module.read({f"PROCESSOR_{name.upper()}": one for name, one in values.items()})
    return str(caught.value)


def test_nothing_set_is_a_working_default() -> None:
    """An empty environment gives the defaults, and they fit each other."""
    assert settings_module.read({}) == Settings()


def test_other_programs_variables_are_left_alone() -> None:
    """Only what begins with PROCESSOR_ is read."""
    assert settings_module.read({"PATH": "/bin", "HTTP_PORT": "x"}) == Settings()


def test_values_are_read_as_their_types() -> None:
    """Numbers are numbers, texts stay texts."""
    found = settings_module.read(
        {
            "PROCESSOR_HTTP_PORT": "0",
            "PROCESSOR_CONNECT_TIMEOUT_S": "2.5",
            "PROCESSOR_LOG_LEVEL": "debug",
        }
    )

    assert (found.http_port, found.connect_timeout_s, found.log_level) == (0, 2.5, "debug")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("http_port", "x", "must be a whole number"),
        ("http_port", "1.5", "must be a whole number"),
        ("http_port", "70000", "must be at most 65535"),
        ("http_port", "-1", "must be at least 0"),
        ("batch_records_max", "0", "must be at least 1"),
        ("session_timeout_s", "soon", "must be a number"),
        ("session_timeout_s", "0", "must be above 0"),
        ("session_timeout_s", "nan", "must be above 0"),
        ("trace_sample_ratio", "2", "must be at most 1"),
        ("event_loop", "trio", "must be uvloop or asyncio"),
        ("log_level", "loud", "must be debug, info, warning or error"),
        ("database_url", "mysql://h/x", "must begin with postgresql://"),
        ("database_url", "postgresql://h:99999/x", "has a port that is none"),
        ("database_url", "postgresql://u:p@h:five/x", "has a port that is none"),
        ("kafka_bootstrap_servers", "", "must be HOST:PORT, more of them after commas"),
        ("kafka_bootstrap_servers", "a:1,", "must be HOST:PORT, more of them after commas"),
        ("kafka_bootstrap_servers", "a:x", "must be HOST:PORT, more of them after commas"),
        ("kafka_bootstrap_servers", "a:0", "must be HOST:PORT, more of them after commas"),
        ("kafka_security_protocol", "tls", "must be PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"),
        ("kafka_sasl_mechanism", "MD5", "must be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"),
        ("heartbeat_interval_s", "9", "must be at most a third of SESSION_TIMEOUT_S"),
        ("settle_deadline_s", "30", "must be below REBALANCE_TIMEOUT_S"),
        ("stop_deadline_s", "1", ""),
    ],
)
def test_a_value_that_cannot_be_is_told_by_its_name(name: str, value: str, said: str) -> None:
    """The line names the variable and what it must be."""
    line = told(**{name: value})

    assert line.startswith("PROCESSOR_")
    assert said in line
    assert name.upper() in line
    assert "\n" not in line


@pytest.mark.parametrize(
    "servers",
    ["localhost", "localhost:9092", "a:1,b:2", "[::1]:9092", "10.0.0.1:9092, b.example:1"],
)
def test_bootstrap_servers_may_be_several(servers: str) -> None:
    """Hosts, IPv4 and IPv6 addresses, with or without a port."""
    found = settings_module.read({"PROCESSOR_KAFKA_BOOTSTRAP_SERVERS": servers})

    assert found.kafka_bootstrap_servers == servers


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("http_prot", "PROCESSOR_HTTP_PROT is no setting; did you mean PROCESSOR_HTTP_PORT?"),
        ("zzz", "PROCESSOR_ZZZ is no setting"),
    ],
)
def test_an_unknown_variable_is_an_error(name: str, said: str) -> None:
    """A misspelt variable is told, with the nearest name where there is one."""
    assert told(**{name: "1"}) == said


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://h/x", "postgresql://h/x"),
        ("postgresql://u@h/x", "postgresql://u@h/x"),
        ("postgresql://u:p@h:1/x", "postgresql://u:***@h:1/x"),
        ("postgresql://u:p:%40@h,i:2/x?a=b", "postgresql://u:***@h,i:2/x?a=b"),
        ("postgresql:///x?host=/tmp&password=p", "postgresql:///x?host=/tmp&password=***"),
        ("postgresql://h/x?sslpassword=p&user=u", "postgresql://h/x?sslpassword=***&user=u"),
    ],
)
def test_secrets_are_masked(url: str, shown: str) -> None:
    """What is shown of the settings holds no password, wherever a URL may carry it."""
    given = {"PROCESSOR_DATABASE_URL": url, "PROCESSOR_KAFKA_SASL_PASSWORD": "p"}
    masked = settings_module.read(given).masked()

    assert masked["database_url"] == shown
    assert masked["kafka_sasl_password"] == "***"  # noqa: S105 - what stands for a secret


def test_every_setting_is_shown() -> None:
    """`processor config` leaves nothing out."""
    assert list(Settings().masked()) == list(Settings.__struct_fields__)
