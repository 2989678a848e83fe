"""
Logs as JSON lines, metrics that exist at zero, and one span per batch linked to the channels'
traces.
"""

from __future__ import annotations

import logging
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import orjson
import structlog
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, TraceFlags
from prometheus_client import CollectorRegistry, Gauge, Histogram
from prometheus_client import Counter as PrometheusCounter

from processor.batch import Answered, Batch
from processor.core.answers import Conflict, DeadLetter, First, Repeat
from processor.core.decode import InvalidReason
from processor.core.reasons import Reason
from processor.errors import PartitionError

LINKS_MAX: Final = 32
"""How many channels' traces one batch span links: each costs 3 µs."""

REPEAT_PAUSE_S: Final = 5.0
"""How long a library's message is held back after it was written."""

REPEATS_KNOWN_MAX: Final = 1_000
"""How many different messages are remembered."""

BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_TRACEPARENT: Final = re.compile(rb"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


def configure_logs(level: str) -> None:
    """Write JSON lines to standard error: ours by structlog, and what libraries log as well."""
    threshold = logging.getLevelName(level.upper())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=_json),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        # A line and its end in one write: another thread's line may come between two.
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(OncePerPause())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(serializer=_json),
            ],
        )
    )
    logging.basicConfig(level=max(threshold, logging.WARNING), handlers=[handler], force=True)


class OncePerPause(logging.Filter):
    """
    Lets a library say the same thing once in `REPEAT_PAUSE_S`; an outage must not fill a disk.

    What was held back is counted and told with the next one. Our own events do not come this way.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether the record may be written."""
        what = (record.name, str(record.msg))
        said_at, held_back = self._said.get(what, (0.0, 0))
        if record.created - said_at < REPEAT_PAUSE_S:
            self._said[what] = (said_at, held_back + 1)
            return False
        if len(self._said) >= REPEATS_KNOWN_MAX:
            self._said.clear()
        self._said[what] = (record.created, 0)
        if held_back:
            record.msg = f"{record.getMessage()} (and {held_back} more like it)"
            record.args = None
        return True


def _json(value: Any, **_options: Any) -> str:
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def tracer_provider(service: str, otlp_endpoint: str, sample_ratio: float) -> TracerProvider:
    """Make a provider that exports to `otlp_endpoint`, or nowhere when that is empty."""
    provider = TracerProvider(
        resource=Resource.create({"service.name": service}), sampler=TraceIdRatioBased(sample_ratio)
    )
    if otlp_endpoint:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - slow to import, seldom used
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.trace.export import (  # noqa: PLC0415 - as above
            BatchSpanProcessor,
        )

        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(otlp_endpoint)))
    return provider


class Telemetry:
    """
    Metrics and spans of the line. Counted per batch: nothing here costs anything per payment but a
    dictionary.
    """

    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer
        self.registry = CollectorRegistry()
        registry = self.registry
        self._commands = PrometheusCounter(
            "payments_commands",
            "Commands answered, by outcome and reason; repeats and conflicts have their own.",
            ["outcome", "reason"],
            registry=registry,
        )
        for outcome in ("posted", "repeat", "conflict"):
            self._commands.labels(outcome, "")
        for reason in Reason:
            self._commands.labels("rejected", reason)
        for invalid in InvalidReason:
            self._commands.labels("invalid", invalid)
        self._batch_size = Histogram(
            "payments_batch_records",
            "Records per batch.",
            buckets=(1, 10, 50, 100, 250, 500, 1000, 2000, 5000),
            registry=registry,
        )
        self._step = Histogram(
            "payments_step_seconds",
            "Time a batch spends in a step of the line.",
            ["step"],
            buckets=BUCKETS_S,
            registry=registry,
        )
        self._steps = {name: self._step.labels(name) for name in ("prepare", "post", "finish")}
        self._retries = PrometheusCounter(
            "payments_retries", "Attempts that met an outage.", ["what"], registry=registry
        )
        for what in ("ledger", "broker"):
            self._retries.labels(what)
        self._lost = PrometheusCounter(
            "payments_partitions_lost",
            "Partitions dropped because the claim was another's or the ledger was set back.",
            ["why"],
            registry=registry,
        )
        self._accounted = Gauge(
            "payments_offset_accounted",
            "Every offset below this one is posted, answered and acknowledged.",
            ["topic", "partition"],
            registry=registry,
        )
        self._odd_keys = PrometheusCounter(
            "payments_odd_keys",
            "Commands whose key is missing or is not the account or id that gives their order.",
            registry=registry,
        )
        self._table_memory = Gauge(
            "payments_table_memory_bytes",
            "What the RocksDB of the dedupe table holds in memory; its bound is a setting.",
            registry=registry,
        )

        self._expiry = Gauge(
            "payments_hold_overdue_seconds",
            "For how long the money of the oldest hold that is to expire is held beyond its time.",
            registry=registry,
        )

    def watch_expiry(self, overdue_s: Callable[[], float]) -> None:
        """Ask how late expiries are whenever the metrics are read."""
        self._expiry.set_function(overdue_s)

    def watch_table(self, memory_bytes: Callable[[], int]) -> None:
        """Ask for the table's memory whenever the metrics are read."""
        self._table_memory.set_function(memory_bytes)

    def answered(self, answered: Answered) -> None:
        """Count a batch that went all the way."""
        counts = Counter(map(_kind, answered.answers))
        for (outcome, reason), count in counts.items():
            self._commands.labels(outcome, reason).inc(count)
        self._batch_size.observe(len(answered.answers))
        if answered.batch.span is not None:
            answered.batch.span.end()
        for run in answered.batch.runs:
            self._accounted.labels(run.log.topic, str(run.log.partition)).set(run.end)

    def odd_keys(self, count: int) -> None:
        """Count commands with an odd key."""
        if count:
            self._odd_keys.inc(count)

    def retried(self, what: str) -> None:
        """Count an attempt that met an outage."""
        self._retries.labels(what).inc()

    def lost(self, error: PartitionError) -> None:
        """Count partitions that were dropped."""
        why = type(error).__name__.removesuffix("Error").lower()
        self._lost.labels(why).inc(len(error.partitions))

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step."""
        with self._steps[name].time():
            yield

    def begin(self, batch: Batch) -> Span:
        """Open the one span of a batch, linked to the traces that its commands carry."""
        return self._tracer.start_span(
            "process " + batch.runs[0].log.topic,
            kind=SpanKind.CONSUMER,
            links=_links(batch),
            attributes={
                "messaging.system": "kafka",
                "messaging.destination.name": batch.runs[0].log.topic,
                "messaging.operation.name": "process",
                "messaging.operation.type": "process",
                "messaging.batch.message_count": len(batch.arrivals),
            },
        )


def _kind(answer: First | Repeat | Conflict | DeadLetter) -> tuple[str, str]:
    if type(answer) is First:
        reason = answer.decided.ruling.reason
        return ("posted", "") if reason is None else ("rejected", reason)
    if type(answer) is DeadLetter:
        return ("invalid", answer.invalid.reason)
    return ("repeat", "") if type(answer) is Repeat else ("conflict", "")


def _links(batch: Batch) -> list[Link]:
    links: list[Link] = []
    for arrival in batch.arrivals:
        for name, value in arrival.record.headers:
            if name == "traceparent" and value is not None:
                found = _TRACEPARENT.fullmatch(value)
                if found is not None:
                    trace_id, span_id, flags = (int(part, 16) for part in found.groups())
                    if trace_id and span_id:
                        context = SpanContext(
                            trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags)
                        )
                        links.append(Link(context))
        if len(links) >= LINKS_MAX:
            break
    return links
