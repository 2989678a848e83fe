"""Where faults happen: the workers and servers of a run, and what each fault does to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any, Literal, NamedTuple, Protocol

from deploy.local import KafkaBroker, PostgresServer, Stack
from loadtest.faults.plan import (
    CutKafka,
    CutPostgres,
    Fault,
    FreezeWorker,
    KillWorker,
    OfWorker,
    Restart,
    RestartBroker,
    RestartPostgres,
    Slow,
    SlowKafka,
    SlowPostgres,
    StartWorker,
    StopWorker,
)
from loadtest.faults.proxy import Do, Proxy


class Workers(Protocol):
    """What can be done to workers, by their numbers."""

    def launch(self, number: int) -> None:
        """Start one."""

    async def ready(self, number: int) -> None:
        """Wait until one is ready."""

    async def stop(self, number: int) -> None:
        """Ask one to end, and wait."""

    async def kill(self, number: int) -> None:
        """End one at once."""

    def freeze(self, number: int) -> None:
        """Have one stand still."""

    def thaw(self, number: int) -> None:
        """Have it go on."""


class Scene(NamedTuple):
    """All that a fault can befall; servers and proxy are there where they are the run's own."""

    workers: Workers
    stack: Stack | None = None
    proxy: Proxy | None = None

    def under(self, fault: Fault) -> AbstractAsyncContextManager[None]:
        """
        Do what a fault does; undo it at the end, also when that comes early.

        Raises LoadTestError or StackError where it can't be done or undone.
        """
        if isinstance(fault, OfWorker):
            return _worker(self.workers, fault)
        if isinstance(fault, Restart):
            return _restart(self.stack, fault)
        return _network(self.proxy, fault)


@asynccontextmanager
async def _worker(
    workers: Workers, fault: KillWorker | FreezeWorker | StopWorker | StartWorker
) -> AsyncIterator[None]:
    number = fault.worker
    match fault:
        case KillWorker():
            try:
                await whole(workers.kill(number))
                yield
            finally:
                workers.launch(number)
        case FreezeWorker():
            workers.freeze(number)
            try:
                yield
            finally:
                workers.thaw(number)
        case StopWorker():
            await whole(workers.stop(number))
            yield
        case StartWorker():
            workers.launch(number)
            await workers.ready(number)
            yield


@asynccontextmanager
async def _restart(
    stack: Stack | None, fault: RestartBroker | RestartPostgres
) -> AsyncIterator[None]:
    assert stack is not None, "refused before anything was started"
    server: KafkaBroker | PostgresServer
    if isinstance(fault, RestartPostgres):
        server, end = stack.postgres, partial(stack.postgres.stop, fault.how)
    else:
        server, end = stack.broker, partial(_end_broker, stack.broker, fault.how)
    try:
        await whole(asyncio.to_thread(end))
        yield
    finally:
        # Launched here, as the kernel ends a server with the thread that launched it.
        server.launch()
        await asyncio.to_thread(server.wait)


def _end_broker(broker: KafkaBroker, how: Literal["kill", "stop"]) -> None:
    if how == "kill":
        broker.kill()
    else:
        broker.stop()


@asynccontextmanager
async def _network(
    proxy: Proxy | None, fault: SlowPostgres | SlowKafka | CutPostgres | CutKafka
) -> AsyncIterator[None]:
    assert proxy is not None, "started where a fault needs it"
    gate = fault.SERVER.value
    try:
        if isinstance(fault, Slow):
            await whole(proxy.tell(gate, Do.DELAY, fault.latency_ms / 1000))
        else:
            await whole(proxy.tell(gate, Do.CUT if fault.how == "reset" else Do.HOLD))
        yield
    finally:
        await proxy.tell(gate, Do.OPEN)


async def whole(work: Coroutine[Any, Any, None]) -> None:
    """Do what must not be left half done: also when this is cancelled, it comes to its end."""
    doing = asyncio.ensure_future(work)
    try:
        await asyncio.shield(doing)
    finally:
        await asyncio.wait({doing})
