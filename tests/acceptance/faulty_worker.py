"""
A worker that kills itself at a step of the line: `python -m tests.acceptance.faulty_worker STEP N`.

The product knows nothing of it: named functions are wrapped from outside before the worker starts,
and at the N-th call of the step the process ends by SIGKILL, as at a power cut.
"""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

import processor.post
from processor.cli import main
from processor.emit import Emitter
from processor.ledger.session import PostgresSession
from processor.pipeline import Line
from processor.stream.application import Acknowledgements
from processor.stream.intake import Intake
from processor.stream.table import SeenTable

DECIDE = "decide_all"
"""The step's name where it is called, in `processor.post`."""

FLUSH_S = 0.002
"""Time for the event loop to hand a statement to the kernel, far less than a commit takes."""


class Countdown:
    """Kills this process when it was asked for the n-th time."""

    def __init__(self, count: int) -> None:
        self._left = count

    def last(self) -> bool:
        """Count one; say whether it is the one."""
        self._left -= 1
        return self._left == 0

    def strike(self) -> None:
        """Count one, and die if it is the one."""
        if self.last():
            die()


def die() -> None:
    """End at once: no handler runs, no buffer is flushed."""
    os.kill(os.getpid(), signal.SIGKILL)


def after(owner: Any, name: str, countdown: Countdown) -> None:
    """Die after a function has returned."""
    wrapped = getattr(owner, name)

    @functools.wraps(wrapped)
    def call(*arguments: Any, **options: Any) -> Any:
        result = wrapped(*arguments, **options)
        countdown.strike()
        return result

    @functools.wraps(wrapped)
    async def await_call(*arguments: Any, **options: Any) -> Any:
        result = await wrapped(*arguments, **options)
        countdown.strike()
        return result

    setattr(owner, name, await_call if asyncio.iscoroutinefunction(wrapped) else call)


def around_commit(countdown: Countdown, work: Callable[[Awaitable[Any]], Awaitable[Any]]) -> None:
    """Do `work` with the n-th COMMIT instead of awaiting it."""
    execute = asyncpg.Connection.execute

    async def call(self: Any, query: str, *arguments: Any, **options: Any) -> Any:
        sent = execute(self, query, *arguments, **options)
        if query == "COMMIT" and countdown.last():
            return await work(sent)
        return await sent

    asyncpg.Connection.execute = call  # type: ignore[method-assign]


async def _before(_sent: Awaitable[Any]) -> None:
    die()


async def _unanswered(sent: Awaitable[Any]) -> None:
    task = asyncio.ensure_future(sent)
    await asyncio.sleep(FLUSH_S)
    die()
    await task


async def _answered(sent: Awaitable[Any]) -> None:
    await sent
    die()


def half_emitted(countdown: Countdown) -> None:
    """Die when one partition's events were delivered and the others were not."""
    send_batch = AIOKafkaProducer.send_batch

    async def call(self: Any, *arguments: Any, **options: Any) -> Any:
        delivery = await send_batch(self, *arguments, **options)
        if countdown.last():
            await delivery
            die()
        return delivery

    AIOKafkaProducer.send_batch = call


def before_kafka_commit(countdown: Countdown) -> None:
    """Die when offsets are about to be committed to Kafka."""
    commit = AIOKafkaConsumer.commit

    async def call(self: Any, *arguments: Any, **options: Any) -> Any:
        countdown.strike()
        return await commit(self, *arguments, **options)

    AIOKafkaConsumer.commit = call


def freeze_before_post(countdown: Countdown) -> None:
    """Freeze when a batch was read and decoded, just before the transaction that posts it."""
    post = Line.post

    async def call(self: Any, *arguments: Any) -> Any:
        if countdown.last():
            os.kill(os.getpid(), signal.SIGSTOP)
        return await post(self, *arguments)

    Line.post = call  # type: ignore[method-assign, assignment]


async def _frozen(sent: Awaitable[Any]) -> Any:
    os.kill(os.getpid(), signal.SIGSTOP)
    return await sent


def fail_agent(countdown: Countdown) -> None:
    """Raise in the agent, which Faust then restarts over messages that nobody saw."""
    put = Intake.put

    def call(self: Intake, *arguments: Any) -> None:
        if countdown.last():
            raise RuntimeError("the agent failed")
        put(self, *arguments)

    Intake.put = call  # type: ignore[method-assign, assignment]


def fail_line(countdown: Countdown) -> None:
    """Raise what nobody expects in the middle of a transaction."""
    decide_all = getattr(processor.post, DECIDE)

    def call(*arguments: Any, **options: Any) -> Any:
        if countdown.last():
            raise RuntimeError("the line failed")
        return decide_all(*arguments, **options)

    setattr(processor.post, DECIDE, call)


OTHER_FAULTS: dict[str, Callable[[Countdown], None]] = {
    "freeze-before-post": freeze_before_post,
    "freeze-before-commit": lambda countdown: around_commit(countdown, _frozen),
    "fail-agent": fail_agent,
    "fail-line": fail_line,
}

STEPS: dict[str, Callable[[Countdown], None]] = {
    "dedupe": lambda countdown: after(SeenTable, "seen", countdown),
    "decode": lambda countdown: after(Line, "prepare", countdown),
    "decide": lambda countdown: after(processor.post, DECIDE, countdown),
    "record": lambda countdown: after(PostgresSession, "record", countdown),
    "before-commit": lambda countdown: around_commit(countdown, _before),
    "commit-unanswered": lambda countdown: around_commit(countdown, _unanswered),
    "commit": lambda countdown: around_commit(countdown, _answered),
    "half-emitted": half_emitted,
    "emit": lambda countdown: after(Emitter, "emit", countdown),
    "remember": lambda countdown: after(SeenTable, "remember", countdown),
    "acknowledge": lambda countdown: after(Acknowledgements, "acknowledge", countdown),
    "before-kafka-commit": before_kafka_commit,
    "kafka-commit": lambda countdown: after(AIOKafkaConsumer, "commit", countdown),
}


if __name__ == "__main__":
    step, count = sys.argv[1], int(sys.argv[2])
    (STEPS | OTHER_FAULTS)[step](Countdown(count))
    sys.argv = ["processor", "worker"]
    main()
