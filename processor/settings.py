"""All settings, each with its unit and limit. The only module that reads the environment."""

from __future__ import annotations

import difflib
import os
import re
import socket
from collections.abc import Mapping
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from processor.errors import SettingsError

PREFIX: Final = "PROCESSOR_"
PORT_MAX: Final = 65_535
_SERVER: Final = re.compile(r"(?:\[[0-9A-Fa-f:]+\]|[^\s:@/,\[\]]+)(?::([0-9]{1,5}))?")
_PASSWORD: Final = re.compile(r"(\b(?:ssl)?password=)[^&]*")
_BOUND: Final = re.compile(r"Expected `(?:int|float)` (>=|<=|>|<) (\S+)")
_BOUNDS: Final = {">=": "at least", "<=": "at most", ">": "above", "<": "below"}
SECRET_FIELDS: Final = frozenset({"kafka_sasl_password"})

Positive = Annotated[int, Meta(ge=1)]
PositiveSeconds = Annotated[float, Meta(gt=0)]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """
    Effective settings; `PROCESSOR_X` in the environment sets field `x`.

    Texts are empty where nothing is set. Every `_max` is a limit, every `_s`, `_ms` and `_bytes` a
    unit.
    """

    kafka_bootstrap_servers: str = "127.0.0.1:9092"
    kafka_security_protocol: str = "PLAINTEXT"
    kafka_sasl_mechanism: str = "SCRAM-SHA-512"
    kafka_sasl_username: str = ""
    kafka_sasl_password: str = ""
    kafka_tls_ca_file: str = ""
    database_url: str = "postgresql://127.0.0.1:5432/payments"
    data_dir: str = "build/data"
    topic_prefix: str = ""
    consumer_group: str = "payments-processor"
    worker_name: str = ""
    http_host: str = "127.0.0.1"
    http_port: Annotated[int, Meta(ge=0, le=65535)] = 6066
    log_level: str = "info"
    event_loop: str = "uvloop"
    otlp_endpoint: str = ""
    trace_sample_ratio: Annotated[float, Meta(ge=0, le=1)] = 1.0

    command_bytes_max: Positive = 65_536
    batch_records_max: Positive = 2_000
    run_records_max: Positive = 1_000
    held_records_max: Positive = 12_000
    fetch_partition_bytes_max: Positive = 1_048_576
    unpostable_per_minute_max: Positive = 100

    connect_timeout_s: PositiveSeconds = 5.0
    statement_timeout_ms: Positive = 30_000
    lock_timeout_ms: Positive = 20_000
    idle_transaction_timeout_ms: Positive = 5_000
    delivery_timeout_s: PositiveSeconds = 30.0
    commit_interval_s: PositiveSeconds = 0.5
    delivered_interval_s: PositiveSeconds = 1.0
    session_timeout_s: PositiveSeconds = 10.0
    heartbeat_interval_s: PositiveSeconds = 2.0
    poll_interval_max_s: PositiveSeconds = 60.0
    rebalance_timeout_s: PositiveSeconds = 30.0
    settle_deadline_s: PositiveSeconds = 10.0
    fenced_wait_s: PositiveSeconds = 5.0
    stop_deadline_s: PositiveSeconds = 25.0
    stuck_after_s: PositiveSeconds = 60.0
    expiry_lag_s: PositiveSeconds = 10.0

    table_memory_bytes_max: Positive = 64 * 1_048_576
    table_entry_ttl_s: Positive = 7 * 86_400

    @property
    def name(self) -> str:
        """This worker's name, as claims and logs show it."""
        return self.worker_name or f"{socket.gethostname()}:{os.getpid()}"

    def topic(self, name: str) -> str:
        """Give the full name of a topic."""
        return self.topic_prefix + name

    def masked(self) -> dict[str, Any]:
        """Give all settings with secrets masked, for people."""
        shown: dict[str, Any] = msgspec.to_builtins(self)
        for field in SECRET_FIELDS:
            if shown[field]:
                shown[field] = "***"
        shown["database_url"] = _masked_url(self.database_url)
        return shown


def read(environment: Mapping[str, str] | None = None) -> Settings:
    """
    Read settings from the environment. Raises SettingsError with one line naming the variable.
    """
    source = os.environ if environment is None else environment
    given = {
        name[len(PREFIX) :].lower(): value
        for name, value in source.items()
        if name.startswith(PREFIX)
    }
    unknown = sorted(given.keys() - set(Settings.__struct_fields__))
    if unknown:
        raise SettingsError(_unknown(unknown[0]))
    try:
        settings = msgspec.convert(given, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(_told(str(error))) from error
    _check(settings)
    return settings


def _check(settings: Settings) -> None:
    """Hold settings against one another."""
    rules = (
        (
            settings.heartbeat_interval_s * 3 <= settings.session_timeout_s,
            "HEARTBEAT_INTERVAL_S must be at most a third of SESSION_TIMEOUT_S",
        ),
        (
            settings.settle_deadline_s < settings.rebalance_timeout_s,
            "SETTLE_DEADLINE_S must be below REBALANCE_TIMEOUT_S",
        ),
        (
            settings.settle_deadline_s < settings.stop_deadline_s,
            "SETTLE_DEADLINE_S must be below STOP_DEADLINE_S",
        ),
        (
            settings.run_records_max <= settings.batch_records_max <= settings.held_records_max,
            "RUN_RECORDS_MAX, BATCH_RECORDS_MAX and HELD_RECORDS_MAX must grow in this order",
        ),
        (
            settings.heartbeat_interval_s * 2 <= settings.fenced_wait_s,
            "FENCED_WAIT_S must be at least twice HEARTBEAT_INTERVAL_S",
        ),
        (
            settings.event_loop in {"uvloop", "asyncio"},
            "EVENT_LOOP must be uvloop or asyncio",
        ),
        (
            settings.log_level in {"debug", "info", "warning", "error"},
            "LOG_LEVEL must be debug, info, warning or error",
        ),
        (
            settings.database_url.startswith(("postgresql://", "postgres://")),
            "DATABASE_URL must begin with postgresql://",
        ),
        (
            _has_port(settings.database_url),
            "DATABASE_URL has a port that is none",
        ),
        (
            all(_is_server(one) for one in settings.kafka_bootstrap_servers.split(",")),
            "KAFKA_BOOTSTRAP_SERVERS must be HOST:PORT, more of them after commas",
        ),
        (
            settings.kafka_security_protocol in {"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"},
            "KAFKA_SECURITY_PROTOCOL must be PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL",
        ),
        (
            settings.kafka_sasl_mechanism in {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"},
            "KAFKA_SASL_MECHANISM must be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
        ),
    )
    for holds, line in rules:
        if not holds:
            raise SettingsError(PREFIX + line)


def _unknown(field: str) -> str:
    near = difflib.get_close_matches(field, Settings.__struct_fields__, n=1)
    hint = f"; did you mean {PREFIX}{near[0].upper()}?" if near else ""
    return f"{PREFIX}{field.upper()} is no setting{hint}"


def _told(error: str) -> str:
    """Say in plain words what msgspec says of a value, without the value: it may be a secret."""
    what, _, where = error.partition(" - at `$.")
    name = PREFIX + where.rstrip("`").upper()
    bound = _BOUND.fullmatch(what)
    if bound is not None:
        return f"{name} must be {_BOUNDS[bound[1]]} {bound[2].removesuffix('.0')}"
    kind = "a whole number" if "`int`" in what else "a number"
    return f"{name} must be {kind}"


def _is_server(server: str) -> bool:
    found = _SERVER.fullmatch(server.strip())
    return found is not None and (found[1] is None or 1 <= int(found[1]) <= PORT_MAX)


def _has_port(url: str) -> bool:
    """Whether the port of a database URL, if it has one, can be one."""
    places = urlsplit(url).netloc.rpartition("@")[2]
    return not places or all(_is_server(place) for place in places.split(","))


def _masked_url(url: str) -> str:
    parts = urlsplit(url)
    netloc = parts.netloc
    if parts.password is not None:
        user, _, place = netloc.rpartition("@")
        netloc = f"{user.partition(':')[0]}:***@{place}"
    query = "?" + _PASSWORD.sub(r"\1***", parts.query) if parts.query else ""
    return f"{parts.scheme}://{netloc}{parts.path}{query}"
