"""Who sends a load: generators on this machine, or agents on others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

from deploy.local.ports import LOOPBACK
from loadtest.agents.coordinator import Agent, gathered
from loadtest.load.generator import Generator, LocalGenerator

PORT: Final = 6166
PORT_MAX: Final = 65_535
GENERATORS_MAX: Final = 64
WILDCARDS: Final = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - named to be refused


class Address(NamedTuple):
    """Where agents reach a run."""

    host: str
    port: int

    @classmethod
    def read(cls, text: str) -> Address:
        """Read HOST:PORT or HOST. Raises ValueError, whose message is for people."""
        host, _, port = text.partition(":")
        if not port:
            return cls(host, PORT)
        if not port.isdecimal() or not 0 < int(port) <= PORT_MAX:
            raise ValueError(f"{text!r} is not HOST:PORT, as '10.0.0.5:{PORT}'")
        return cls(host, int(port))


class Fleet(NamedTuple):
    """So many generators on this machine, or so many agents that connect to an address."""

    generators: int = 1
    agents: int = 0
    address: Address = Address(LOOPBACK, PORT)

    @property
    def outer_host(self) -> str | None:
        """The address of this machine at which agents on others reach what the run starts."""
        return self.address.host if self.agents and not self._is_here else None

    @property
    def _is_here(self) -> bool:
        return self.address.host in {LOOPBACK, "localhost"}

    def wrong(self) -> str | None:
        """Say what is wrong with it, before anything is started."""
        if self.agents and self.generators > 1:
            return "--generators and --agents do not go together: each agent is a generator"
        if self.agents and self.address.host in WILDCARDS:
            return "--listen: name the address of this machine that agents reach, not any"
        return None

    @asynccontextmanager
    async def gathered(self, say: Callable[[str], None]) -> AsyncIterator[list[Generator]]:
        """Give all generators, when they are there. Raises LoadTestError."""
        if not self.agents:
            several = self.generators > 1
            yield [
                LocalGenerator(f"-{number + 1}" if several else "", number)
                for number in range(self.generators)
            ]
            return
        async with gathered(*self.address, self.agents, say) as agents:
            yield list(agents)


ALONE: Final = Fleet()


def agents_of(generators: Sequence[Generator]) -> list[Agent]:
    """Give those that are agents."""
    return [one for one in generators if isinstance(one, Agent)]


def processes_of(generators: Sequence[Generator]) -> dict[str, Any]:
    """Give what the processes of agents used, by names that tell them apart."""
    return {
        f"{process} of {agent.name}": samples
        for agent in agents_of(generators)
        for process, samples in agent.processes.items()
    }


def about(generator: Generator) -> dict[str, Any]:
    """Say which agent sent a share, and on what machine; nothing of those here."""
    if not isinstance(generator, Agent):
        return {}
    return {"agent": generator.name, "machine": generator.machine}
