"""A thread computes while the event loop reads for it."""

import asyncio
import io
import threading
import time
from collections.abc import Coroutine, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple, cast

import pytest
from rich.console import Console

from loadtest.errors import LoadTestError
from loadtest.proof import progress
from loadtest.proof.agreement import Agreement
from loadtest.proof.fetching import Fetching
from loadtest.proof.kafka import KafkaTopics
from loadtest.proof.progress import Proving


class Source:
    """Batches that are fetched one after another; `fetched` counts them."""

    def __init__(self, *batches: Sequence[int]) -> None:
        self.fetched = 0
        self._batches = batches

    async def batch(self) -> Sequence[int]:
        """Give the next batch."""
        await asyncio.sleep(0)
        self.fetched += 1
        return self._batches[self.fetched - 1]


async def test_streams_are_read_in_order_and_one_batch_ahead() -> None:
    """Two streams are begun together; the thread gets all of them, to their ends."""
    fetching = Fetching()
    one, two = Source([1, 2], [3], []), Source([10], [])
    ahead: list[int] = []

    def compute() -> list[int]:
        streams = fetching.stream(one.batch), fetching.stream(two.batch)
        first = next(streams[0])
        ahead.append(first)
        return [first, *streams[0], *streams[1]]

    assert await fetching.work(compute) == [1, 2, 3, 10]
    assert (one.fetched, two.fetched) == (3, 2)


async def test_what_can_not_be_read_ends_the_work() -> None:
    """The reader's own error comes out, not one of threads."""
    fetching = Fetching()

    async def broken() -> Sequence[int]:
        raise LoadTestError("nothing came")

    with pytest.raises(LoadTestError, match="nothing came"):
        await fetching.work(lambda: list(fetching.stream(broken)))


@pytest.mark.parametrize("is_reading", [True, False])
async def test_interrupted_the_thread_ends_first(
    monkeypatch: pytest.MonkeyPatch, *, is_reading: bool
) -> None:
    """
    Nothing computes any more when the interrupt is told, whether it waited or was at work, or had
    just begun to wait.
    """
    monkeypatch.setattr(asyncio, "run_coroutine_threadsafe", _begun_slowly)
    fetching = Fetching()
    begun, threads = asyncio.Event(), threading.active_count()
    loop = asyncio.get_running_loop()
    ended: list[bool] = []

    async def batch() -> Sequence[int]:
        begun.set()
        if is_reading:
            await asyncio.Event().wait()
        return [1]

    def compute() -> None:
        try:
            for _ in fetching.stream(batch):
                pass
        finally:
            ended.append(True)

    work = asyncio.create_task(fetching.work(compute))
    await begun.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert ended == [True]
    await loop.shutdown_default_executor()
    assert threading.active_count() == threads


_BEGIN = asyncio.run_coroutine_threadsafe


def _begun_slowly(work: Coroutine[Any, Any, Any], loop: asyncio.AbstractEventLoop) -> Future[Any]:
    """Begin what the loop is asked for before the thread knows that it has begun."""
    begun = _BEGIN(work, loop)
    time.sleep(0.02)
    return begun


async def test_progress_is_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal: how many are proven, of how many, how fast; before, what was read."""
    monkeypatch.setattr(progress, "PLAIN_LINE_EVERY_S", 0.01)
    said = io.StringIO()
    topics = cast("KafkaTopics", _Topics(1_234, {0: 400, 1: 600}))
    agreement = Agreement({}, [])
    async with Proving(Console(file=said, width=100), [topics], agreement):
        await asyncio.sleep(0.05)
        agreement.commands = 600
        await asyncio.sleep(0.05)
    lines = said.getvalue().splitlines()
    assert lines[0] == "  proven          0 of 1,000 commands  looking ahead, 1,234 records"
    assert lines[-1].startswith("  proven        600 of 1,000 commands  ")
    assert lines[-1].endswith("/s")


class _Topics(NamedTuple):
    """What progress needs of topics."""

    records: int
    ends: dict[int, int]
