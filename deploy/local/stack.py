"""Kafka and PostgreSQL together, for runs, tests and benchmarks of one checkout."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from deploy.local import jars
from deploy.local.kafka import KAFKA_VERSION, KafkaBroker
from deploy.local.postgres import PostgresServer

DATABASE: Final = "payments"
VARIABLES: Final = ("PROCESSOR_KAFKA_BOOTSTRAP_SERVERS", "PROCESSOR_DATABASE_URL")


class Stack:
    """A broker and a database server whose data live in one folder; use it as a context."""

    def __init__(
        self,
        folder: Path,
        *,
        kafka_version: str = KAFKA_VERSION,
        kafka_port: int | None = None,
        kafka_proxy_port: int | None = None,
        kafka_outer_host: str | None = None,
        postgres_port: int | None = None,
        die_with_parent: bool = True,
    ) -> None:
        """Describe the stack; with `die_with_parent` both end when this process does."""
        self.folder = folder
        self.broker = KafkaBroker(
            folder / "kafka",
            port=kafka_port,
            proxy_port=kafka_proxy_port,
            outer_host=kafka_outer_host,
            version=kafka_version,
            die_with_parent=die_with_parent,
        )
        self.postgres = PostgresServer(
            folder / "postgres", port=postgres_port, die_with_parent=die_with_parent
        )

    @property
    def running(self) -> bool:
        """Whether both servers run."""
        return self.broker.running and self.postgres.running

    def start(self, report: jars.Report | None = None) -> None:
        """Start what does not run yet, wait for both, and make sure of the database."""
        try:
            # Both from this thread: the kernel ties a child to the thread that started it.
            self.postgres.launch()
            self.broker.launch(report)
            self.postgres.wait()
            self.broker.wait()
            self.postgres.create_database(DATABASE)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop both servers, in parallel; does nothing for one that does not run."""
        with ThreadPoolExecutor(2) as pool:
            ends = [pool.submit(self.broker.stop), pool.submit(self.postgres.stop)]
        for end in ends:
            end.result()

    def env(self) -> dict[str, str]:
        """Return the environment variables by which the processor finds this stack."""
        values = (self.broker.bootstrap_servers, self.postgres.url(DATABASE))
        return dict(zip(VARIABLES, values, strict=True))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
