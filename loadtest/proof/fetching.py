"""Streams for a thread that computes, fetched by the event loop one batch ahead."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Future
from threading import Lock
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")

Fetch = Callable[[], Coroutine[Any, Any, Sequence[T]]]
"""Fetches the next batch; an empty one is the end."""


class _StoppedError(Exception):
    """The work is not wanted any more."""


class Fetching:
    """
    Lets work run in a thread of its own while the event loop reads for it.

    Whatever the loop can't read is raised in the thread, and from there by `work`.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = Lock()
        self._coming: set[Future[Any]] = set()
        self._is_stopped = False

    async def work(self, compute: Callable[[], R]) -> R:
        """Compute in a thread; cancelled, it waits until the thread has ended."""
        computing = self._loop.run_in_executor(None, compute)
        try:
            return await asyncio.shield(computing)
        except asyncio.CancelledError:
            with self._stopping:
                self._is_stopped = True
                left = tuple(self._coming)
            for coming in left:
                coming.cancel()
            await asyncio.wait({computing})
            computing.exception()  # looked at, so that nobody is told of it
            raise

    def stream(self, fetch: Fetch[T]) -> Iterator[T]:
        """
        Give the items of all batches, to the thread.

        The first batch is fetched from now on: streams that are begun together wait together.
        """
        return self._items(fetch, self._submit(fetch))

    def _items(self, fetch: Fetch[T], coming: Future[Sequence[T]]) -> Iterator[T]:
        while True:
            batch = coming.result()
            with self._stopping:
                self._coming.discard(coming)
            if not batch:
                return
            coming = self._submit(fetch)
            yield from batch

    def _submit(self, fetch: Fetch[T]) -> Future[Sequence[T]]:
        # Together: what is begun while the work is stopped would never be cancelled.
        with self._stopping:
            if self._is_stopped:
                raise _StoppedError
            coming = asyncio.run_coroutine_threadsafe(fetch(), self._loop)
            self._coming.add(coming)
        return coming
