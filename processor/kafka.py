"""
How to reach Kafka: producers, consumers and admin clients of the command line, and what Faust must
know.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError, KafkaError

from processor.errors import BrokerUnavailableError, SettingsError
from processor.settings import Settings

PRODUCER_BATCH_BYTES_MAX: Final = 900_000
STOP_TIMEOUT_S: Final = 5.0
"""How long a producer may take to stop before it is left behind."""

METADATA_PAUSE_S: Final = 0.1
"""The least time between two questions of a client for metadata."""

PRODUCER_REQUEST_BYTES_MAX: Final = 4_194_304

_CLOSED: Final = "the handler is closed"
"""How uvloop names a transport that is no more."""


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """Give the TLS context where the protocol asks for one."""
    if "SSL" not in settings.kafka_security_protocol:
        return None
    try:
        return ssl.create_default_context(cafile=settings.kafka_tls_ca_file or None)
    except OSError as error:
        raise SettingsError(
            f"PROCESSOR_KAFKA_TLS_CA_FILE can't be read: {error.strerror}"
        ) from error


def client_options(settings: Settings) -> dict[str, Any]:
    """Give what every aiokafka client needs."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap_servers,
        "security_protocol": settings.kafka_security_protocol,
        "ssl_context": tls_context(settings),
    }
    if settings.kafka_security_protocol.startswith("SASL"):
        options["sasl_mechanism"] = settings.kafka_sasl_mechanism
        options["sasl_plain_username"] = settings.kafka_sasl_username
        options["sasl_plain_password"] = settings.kafka_sasl_password
    return options


@contextmanager
def reaching(settings: Settings) -> Iterator[None]:
    """Turn what Kafka's client raises into one line. Raises BrokerUnavailableError."""
    try:
        yield
    except (KafkaError, OSError, TimeoutError) as error:
        line = f"Kafka at {settings.kafka_bootstrap_servers} does not answer"
        if not isinstance(error, KafkaConnectionError | TimeoutError):
            line = f"{line}: {error}"
        raise BrokerUnavailableError(line) from error


def producer_maker(settings: Settings) -> Callable[[], AIOKafkaProducer]:
    """Give a maker of producers for events: idempotent, acknowledged by all in-sync replicas."""

    def make() -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            **client_options(settings),
            client_id=f"processor {settings.name}",
            acks="all",
            enable_idempotence=True,
            max_batch_size=PRODUCER_BATCH_BYTES_MAX,
            max_request_size=PRODUCER_REQUEST_BYTES_MAX,
            request_timeout_ms=int(settings.delivery_timeout_s * 1000),
        )
        pace(producer.client)
        return producer

    return make


async def started(make: Callable[[], AIOKafkaProducer]) -> AIOKafkaProducer:
    """Make a producer and start it; where that fails nothing is left behind."""
    producer = make()
    try:
        await producer.start()
    except BaseException:
        await stop(producer)
        raise
    return producer


async def stop(producer: AIOKafkaProducer) -> None:
    """Stop a producer, or leave it behind where that takes too long."""
    with suppress(KafkaError, OSError, TimeoutError, asyncio.CancelledError):
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await producer.stop()


def pace(client: Any) -> None:
    """
    Leave a pause between a client's questions for metadata: aiokafka asks thousands of times a
    second for what a broker that is away, or still starting, can't tell yet.
    """
    ask = client._metadata_update  # noqa: SLF001 - no public way
    asked_at = 0.0

    async def ask_and_pause(*arguments: Any) -> bool:
        nonlocal asked_at
        early_s = asked_at + METADATA_PAUSE_S - time.monotonic()
        if early_s > 0:
            await asyncio.sleep(early_s)
        asked_at = time.monotonic()
        is_updated: bool = await ask(*arguments)
        return is_updated

    client._metadata_update = ask_and_pause  # noqa: SLF001 - as above


def heed_resets() -> Callable[[], None]:
    """
    Have all connections of aiokafka take a reset for what it is; give what undoes that.

    uvloop closes the transport of a connection that was reset one turn of the loop before aiokafka
    learns of it, and refuses what is written in that turn with a RuntimeError. aiokafka waits for
    none: it would end the task that asks for metadata, the fetching, or the whole worker.
    """
    send = AIOKafkaConnection.send

    def send_or_tell(
        connection: Any,
        request: Any,
        expect_response: bool = True,  # noqa: FBT001, FBT002 - aiokafka's own
    ) -> Awaitable[Any]:
        try:
            answer: Awaitable[Any] = send(connection, request, expect_response)
        except RuntimeError as error:
            if _CLOSED not in str(error):
                raise
            connection.close(reason=CloseReason.CONNECTION_BROKEN)
            raise KafkaConnectionError(
                f"Connection at {connection.host}:{connection.port} was reset"
            ) from error
        return answer

    AIOKafkaConnection.send = send_or_tell
    return lambda: setattr(AIOKafkaConnection, "send", send)
