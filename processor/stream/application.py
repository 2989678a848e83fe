"""
The Faust application: one agent on the command topics, our consumer of runs, and the dedupe table.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import faust
from faust.types import TP, AppT
from faust.types.auth import CredentialsT
from mode import CrashingSupervisor

from processor.batch import Run
from processor.kafka import tls_context
from processor.settings import Settings
from processor.stream.consumer import RunConsumer
from processor.stream.intake import Intake
from processor.stream.reader import Reader
from processor.stream.store import StoreSettings
from processor.stream.table import SeenTable

STREAM_BUFFER_RUNS: Final = 64
"""Runs that Faust's channel holds; the bound on records is the intake's."""

METADATA_AGE_MAX_MS: Final = 10_000
"""How soon it is noticed that a topic was made anew."""

REQUEST_TIMEOUT_LEAST_S: Final = 30.0
"""How long a request to the broker may take at least; Faust wants it above the session timeout."""

AGENT: Final = "commands"


class RunSchema(faust.Schema[None, Run]):
    """Hands a run through Faust as it is: what is in its records is decoded by the line, once."""

    def loads_key(self, *_arguments: Any, **_options: Any) -> None:
        """A run has no key."""

    def loads_value(self, app: AppT, message: Any, **_options: Any) -> Run:
        """Give the run."""
        del app
        run: Run = message.value
        return run


class PaymentsApp(faust.App):
    """Faust's App with a consumer that reads runs."""

    def __init__(self, *arguments: Any, reader: Reader, **options: Any) -> None:
        self.reader = reader
        super().__init__(*arguments, **options)

    def _new_consumer(self) -> RunConsumer:
        return RunConsumer(
            self.transport,
            callback=self.topics.on_message,
            on_partitions_revoked=self._on_partitions_revoked,
            on_partitions_assigned=self._on_partitions_assigned,
            beacon=self.beacon,
            reader=self.reader,
        )


def build(settings: Settings, topics: Sequence[str], reader: Reader, intake: Intake) -> PaymentsApp:
    """Build the application with its one agent on `topics`. Nothing is started."""
    app = PaymentsApp(
        settings.topic_prefix + settings.consumer_group,
        reader=reader,
        broker=[f"kafka://{server}" for server in settings.kafka_bootstrap_servers.split(",")],
        broker_credentials=credentials(settings),
        datadir=settings.data_dir,
        autodiscover=False,
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        table_standby_replicas=0,
        processing_guarantee="at_least_once",
        stream_buffer_maxsize=STREAM_BUFFER_RUNS,
        stream_wait_empty=True,
        consumer_auto_offset_reset="none",
        consumer_metadata_max_age_ms=METADATA_AGE_MAX_MS,
        consumer_max_fetch_size=settings.fetch_partition_bytes_max,
        broker_max_poll_records=settings.batch_records_max,
        broker_commit_interval=settings.commit_interval_s,
        broker_session_timeout=settings.session_timeout_s,
        broker_heartbeat_interval=settings.heartbeat_interval_s,
        broker_max_poll_interval=settings.poll_interval_max_s,
        broker_rebalance_timeout=settings.rebalance_timeout_s,
        broker_request_timeout=max(REQUEST_TIMEOUT_LEAST_S, settings.session_timeout_s),
        worker_redirect_stdouts=False,
        id_format="{id}",
    )
    topic = app.topic(*topics, schema=RunSchema(), internal=False, acks=True)

    async def receive(stream: Any) -> None:
        """Pass runs on. Were it to fail, the process ends: nobody reads on behind a lost run."""
        async for event in stream.noack().events():
            intake.put(event.value, event.message)

    app.agent(topic, name=AGENT, concurrency=1, supervisor_strategy=CrashingSupervisor)(receive)
    return app


def build_table(app: PaymentsApp, settings: StoreSettings) -> SeenTable:
    """
    Build the dedupe table; it is not registered with Faust's recovery, for it has no changelog.
    """
    return SeenTable(app, settings)


class Acknowledgements:
    """Where the line acknowledges: ranges of offsets to the consumer, messages to Faust."""

    def __init__(self, app: PaymentsApp) -> None:
        self._app = app

    def acknowledge(self, runs: Sequence[Run]) -> None:
        """Everything of these runs is done."""
        consumer = self._app.consumer
        assert isinstance(consumer, RunConsumer), "made by PaymentsApp"
        for run in runs:
            consumer.acknowledge(TP(run.log.topic, run.log.partition), run.end)

    def release(self, messages: Sequence[Any]) -> None:
        """Let Faust forget messages, done or dropped."""
        for message in messages:
            self._app.consumer.ack(message)


def credentials(settings: Settings) -> CredentialsT | None:
    """Give Faust's form of the credentials."""
    context = tls_context(settings)
    if settings.kafka_security_protocol.startswith("SASL"):
        return faust.SASLCredentials(
            username=settings.kafka_sasl_username,
            password=settings.kafka_sasl_password,
            mechanism=settings.kafka_sasl_mechanism,
            ssl_context=context,
        )
    return faust.SSLCredentials(context) if context is not None else None
