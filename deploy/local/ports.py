"""Ports for servers of this machine."""

import random
import socket
from contextlib import closing
from pathlib import Path

from deploy.local.errors import StackError

LOOPBACK = "127.0.0.1"
LOWEST_PORT = 10_000
ATTEMPTS = 200
_EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_EPHEMERAL_LOW_DEFAULT = 32_768


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Say whether nobody listens on this port of an address of this machine."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        # Connections that just ended leave the port in TIME_WAIT; a server may take it.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port(avoid: frozenset[int] = frozenset()) -> int:
    """Return a free port below the kernel's range for outgoing connections.

    A port of that range could go to a client while its server restarts: a client that keeps
    knocking at the closed port can even end up connected to itself and hold the port for good.
    """
    low = _lowest_ephemeral_port()
    for _ in range(ATTEMPTS):
        port = random.randrange(LOWEST_PORT, low) if low > LOWEST_PORT else _any_free_port()
        if port not in avoid and is_free(port):
            return port
    raise StackError(f"found no free port between {LOWEST_PORT} and {low} in {ATTEMPTS} attempts")


def require_free(port: int, server: str, host: str = LOOPBACK) -> None:
    """Refuse a port that another program listens on, or an address that is not this machine's."""
    if not is_free(port, host):
        where = "" if host == LOOPBACK else f" of {host}"
        raise StackError(
            f"port {port}{where} for {server} is taken by another program: end it or choose another"
            " port" + ("" if host == LOOPBACK else f"; or {host} is no address of this machine")
        )


def _lowest_ephemeral_port() -> int:
    try:
        return int(_EPHEMERAL_RANGE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return _EPHEMERAL_LOW_DEFAULT


def _any_free_port() -> int:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
