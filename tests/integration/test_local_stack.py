"""The local stack: servers that keep their data, and that end when they should and only then."""

import hashlib
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.client import AIOKafkaClient

from deploy.local import VARIABLES, KafkaBroker, PostgresServer, Stack, StackError, jars, ports
from deploy.local.daemon import Daemon, launcher

ENDING_LIMIT_S = 20.0
PROXY_PORT = 9
"""Nobody listens there, and nobody has to."""

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture
def own_postgres(tmp_path: Path) -> Iterator[PostgresServer]:
    """Return a running PostgreSQL that the test may treat badly."""
    server = PostgresServer(tmp_path / "postgres")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[KafkaBroker]:
    """Return a running broker that the test may treat badly."""
    server = KafkaBroker(tmp_path / "kafka", proxy_port=PROXY_PORT)
    server.start()
    yield server
    server.stop()


async def _publish(broker: KafkaBroker, topic: str, values: list[bytes]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers, acks="all") as producer:
        for value in values:
            await producer.send_and_wait(topic, value, partition=0)


async def _read(broker: KafkaBroker, topic: str, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap_servers)
    async with consumer:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        return [(await consumer.getone()).value for _ in range(count)]


async def _told_port(bootstrap_servers: str) -> int:
    """Return where a client that asks here is sent for what it wants."""
    client = AIOKafkaClient(bootstrap_servers=bootstrap_servers)
    await client.bootstrap()
    try:
        return next(int(broker.port) for broker in client.cluster.brokers())
    finally:
        await client.close()


async def _create_topic(broker: KafkaBroker, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, 1)])
    finally:
        await admin.close()


def _wait_for_end(pid: int) -> bool:
    deadline = time.monotonic() + ENDING_LIMIT_S
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid):
            return True
        time.sleep(0.05)
    return False


def _command(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PROCESSOR_")}
    return subprocess.run(
        [sys.executable, "-m", "deploy.local", *words],
        cwd=CHECKOUT,
        env={**environment, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


async def test_killed_broker_comes_back_with_its_records_and_ports(own_broker: KafkaBroker) -> None:
    """What a broker acknowledged is there after kill -9 and a restart, at the same addresses."""
    address, first_pid = own_broker.bootstrap_servers, own_broker.pid
    behind = f"{ports.LOOPBACK}:{own_broker.proxied_port}"
    await _create_topic(own_broker, "kept")
    await _publish(own_broker, "kept", [b"one", b"two"])
    own_broker.kill()
    assert not own_broker.running
    own_broker.start()
    assert own_broker.bootstrap_servers == address
    assert own_broker.pid not in (None, first_pid)
    assert await _read(own_broker, "kept", 2) == [b"one", b"two"]
    # Each client is sent on to where it came from, so that one behind a proxy stays behind it.
    assert await _told_port(address) == own_broker.port
    assert await _told_port(behind) == PROXY_PORT


@pytest.mark.parametrize("way", ["kill", "stop fast", "stop immediate", "restart"])
def test_postgres_keeps_what_was_committed(own_postgres: PostgresServer, way: str) -> None:
    """What PostgreSQL committed is there after any kind of end, at the same address."""
    url = own_postgres.url()
    own_postgres.query("CREATE TABLE kept AS SELECT 42 AS answer")
    if way == "kill":
        own_postgres.kill()
    elif way == "restart":
        own_postgres.restart()
    else:
        own_postgres.stop("fast" if way == "stop fast" else "immediate")
    assert own_postgres.running is (way == "restart")
    own_postgres.start()
    assert own_postgres.url() == url
    assert own_postgres.query("SELECT answer FROM kept") == "42"


def test_postgres_is_version_18_durable_and_guarded(postgres: PostgresServer) -> None:
    """The server is PostgreSQL 18, writes through to the disk, and wants a password."""
    wanted = "SELECT string_agg(setting, ' ' ORDER BY name) FROM pg_settings WHERE name IN "
    durable = postgres.query(wanted + "('fsync', 'full_page_writes', 'synchronous_commit')")
    assert durable == "on on on"
    assert postgres.query("SHOW server_version").split(".")[0] == "18"
    without = postgres.url().replace(postgres.url().split("@")[0], "postgresql://postgres:wrong")
    refused = subprocess.run(
        [postgres.program("psql"), without, "-c", "SELECT 1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 2
    assert "password authentication failed" in refused.stderr


@pytest.mark.parametrize("folder", ["short", "long-" + "x" * 100])
def test_postgres_listens_on_a_socket_too(tmp_path: Path, folder: str) -> None:
    """A Unix socket serves those who come by it, however long the data folder's path is."""
    server = PostgresServer(tmp_path / folder)
    server.start()
    try:
        url = server.url().replace("127.0.0.1", quote(str(server.socket_folder), safe=""))
        done = subprocess.run(
            [server.program("psql"), url, "-Atc", "SELECT inet_server_addr() IS NULL"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.stdout.strip(), done.stderr) == ("t", "")
    finally:
        server.stop()
    assert not server.socket_folder.exists()


def test_password_is_readable_by_its_owner_alone(postgres: PostgresServer) -> None:
    """Nobody but the owner may read the file with the password."""
    assert (postgres.folder / "password").stat().st_mode & 0o777 == 0o600


def test_postgres_never_runs_as_root(postgres: PostgresServer) -> None:
    """A server that root started runs under an account without rights."""
    assert psutil.Process(postgres.pid).uids().effective != 0


def test_start_of_what_runs_changes_nothing(broker: KafkaBroker, postgres: PostgresServer) -> None:
    """Starting a running server leaves the same process running."""
    before = (broker.pid, postgres.pid)
    broker.start()
    postgres.start()
    assert (broker.pid, postgres.pid) == before


def test_stack_gives_addresses_and_ends_with_its_context(tmp_path: Path) -> None:
    """A stack serves both addresses inside its context, and none of its processes outlives it."""
    with Stack(tmp_path / "stack") as stack:
        pids = [pid for pid in (stack.broker.pid, stack.postgres.pid) if pid]
        assert len(pids) == 2
        assert stack.env() == {
            "PROCESSOR_KAFKA_BOOTSTRAP_SERVERS": stack.broker.bootstrap_servers,
            "PROCESSOR_DATABASE_URL": stack.postgres.url("payments"),
        }
        assert stack.postgres.query("SELECT current_database()", "payments") == "payments"
    assert [psutil.pid_exists(pid) for pid in pids] == [False, False]
    assert not stack.postgres.socket_folder.exists()


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM])
def test_servers_end_with_their_parent(tmp_path: Path, ending: signal.Signals) -> None:
    """A parent that is ended without a chance to tidy up leaves no server behind."""
    program = (
        "import sys, time; from pathlib import Path; from deploy.local import Stack\n"
        "stack = Stack(Path(sys.argv[1])); stack.start()\n"
        "print(stack.broker.pid, stack.postgres.pid, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        parent.send_signal(ending)
    assert len(pids) == 2
    assert [_wait_for_end(pid) for pid in pids] == [True, True]


def test_end_spares_a_process_that_only_has_the_same_id(tmp_path: Path) -> None:
    """A remembered process id that now belongs to another program is left alone."""
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        started = psutil.Process(bystander.pid).create_time()
        state = f'{{"pid": {bystander.pid}, "started": {started}}}'
        (tmp_path / "kafka.pid.json").write_text(state)
        daemon = Daemon("kafka", tmp_path, mark="server.properties")
        assert daemon.pid is None
        daemon.end([(signal.SIGKILL, 5.0)])
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


@pytest.mark.parametrize("server", [KafkaBroker, PostgresServer])
def test_taken_port_is_one_clear_line(
    tmp_path: Path, server: type[KafkaBroker] | type[PostgresServer]
) -> None:
    """A port that another program holds is refused with the port and what to do."""
    with closing(socket.socket()) as holder:
        holder.bind((ports.LOOPBACK, 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(StackError, match=f"port {port} for .* is taken by another program"):
            server(tmp_path, port=port).start()


def test_command_line_ups_and_downs(tmp_path: Path) -> None:
    """`up` leaves a stack running, `status` and `exec` find it, `down` ends it."""
    data = ("--data", str(tmp_path / "local"))
    try:
        up = _command("up", *data)
        assert (up.returncode, up.stderr) == (0, "")
        assert "make worker" in up.stdout
        assert "runs already" in _command("up", *data).stdout
        assert _command("status", *data).returncode == 0
        seen = _command("exec", *data, "--", "sh", "-c", "echo $PROCESSOR_DATABASE_URL; exit 7")
        assert seen.returncode == 7
        assert seen.stdout.strip() == Stack(tmp_path / "local").env()["PROCESSOR_DATABASE_URL"]
    finally:
        down = _command("down", *data)
    assert "is down" in down.stdout
    assert _command("status", *data).returncode == 1
    assert "not running" in _command("down", *data).stdout


def test_command_line_starts_nothing_where_servers_are_given(tmp_path: Path) -> None:
    """With both addresses in the environment nothing local starts, and they are passed on."""
    given = {"PROCESSOR_KAFKA_BOOTSTRAP_SERVERS": "k:1", "PROCESSOR_DATABASE_URL": "postgresql://d"}
    data = ("--data", str(tmp_path / "local"))
    assert "nothing local starts" in _command("up", *data, **given).stdout
    assert not (tmp_path / "local").exists()
    assert "export PROCESSOR_DATABASE_URL=postgresql://d" in _command("env", *data, **given).stdout


@pytest.mark.parametrize(
    ("words", "variables", "expected"),
    [
        (("exec", "true"), {}, "error: the stack is not running: start it with `make up`"),
        (
            ("env",),
            {"PROCESSOR_DATABASE_URL": "postgresql://d"},
            f"error: {VARIABLES[1]} is set but {VARIABLES[0]} is not: set both or none",
        ),
        (
            ("up", "--kafka-version", "0.1"),
            {},
            "error: Kafka 0.1 has no lock file; known: 3.9.1, 4.1.1",
        ),
    ],
)
def test_command_line_errors_are_one_line(
    tmp_path: Path, words: tuple[str, ...], variables: dict[str, str], expected: str
) -> None:
    """What a person can mend is told in one line with exit status 1, without a traceback."""
    name, *others = words
    done = _command(name, "--data", str(tmp_path / "local"), *others, **variables)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", expected + "\n")


def test_what_is_launched_heeds_an_interrupt() -> None:
    """Also from a shell's background job, which ignores it: servers are ended by it."""
    look = shlex.join([*launcher(None, None), "/bin/grep", "SigIgn", "/proc/self/status"])
    done = subprocess.run(
        ["/bin/sh", "-c", f"trap '' INT; exec {look}"], capture_output=True, text=True, check=True
    )
    ignored = int(done.stdout.split()[1], 16)
    assert ignored & (1 << (signal.SIGINT - 1)) == 0


def test_what_was_just_launched_is_ended_in_order(tmp_path: Path) -> None:
    """Stopped while it still ignores an interrupt, as a background job of a shell, it ends soon."""
    program = (
        "import sys; from pathlib import Path; from deploy.local import PostgresServer\n"
        "server = PostgresServer(Path(sys.argv[1])); server.launch(); server.stop()"
    )
    run = shlex.join([sys.executable, "-c", program, str(tmp_path)])
    subprocess.run(["/bin/sh", "-c", f"trap '' INT; exec {run}"], cwd=CHECKOUT, check=True)
    assert "immediate shutdown" not in (tmp_path / "postgres.log").read_text()


def test_jar_that_differs_from_the_lock_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cached jar whose digest is not the recorded one is fetched again, never used."""
    good = b"the real jar"
    jar = jars.Jar("a.group:thing:1.0", hashlib.sha256(good).hexdigest())
    lock = tmp_path / "kafka-1.lock"
    lock.write_text(f"{jar.coordinates} {jar.sha256}\n")
    fetched: list[str] = []

    def download(coordinates: str, scratch: Path) -> Path:
        fetched.append(coordinates)
        path = scratch / "fetched.jar"
        path.write_bytes(good)
        return path

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(jars, "lock_file", lambda _: lock)
    monkeypatch.setattr(jars, "_download", download)
    place = jars.cache_folder() / "jars" / "thing-1.0.jar"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"something else")
    assert jars.class_path("1") == [place]
    assert place.read_bytes() == good
    assert jars.class_path("1") == [place]
    assert fetched == [jar.coordinates]


def test_fetched_jar_that_differs_from_the_lock_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A download whose digest is not the recorded one stops the start."""
    lock = tmp_path / "kafka-1.lock"
    lock.write_text("a.group:thing:1.0 " + "0" * 64 + "\n")

    def download(_: str, scratch: Path) -> Path:
        path = scratch / "fetched.jar"
        path.write_bytes(b"tampered with")
        return path

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(jars, "lock_file", lambda _: lock)
    monkeypatch.setattr(jars, "_download", download)
    with pytest.raises(StackError, match="does not match its line in the lock file"):
        jars.class_path("1")
    assert not list((tmp_path / "cache").rglob("*.jar"))


def test_free_ports_lie_outside_the_range_of_outgoing_connections() -> None:
    """A server's port can't be given to a client while the server restarts."""
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    drawn = {ports.free_port() for _ in range(20)}
    assert all(ports.LOWEST_PORT <= port < low for port in drawn)
    assert len(drawn) > 1
