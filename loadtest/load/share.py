"""
Which part of a load a generator sends, where several share it. Pure.

Of `of` generators the n-th sends what is due n-th, and each `of`-th after it; it takes its commands
from each `of`-th block, so whatever builds on another command comes from one sender.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count as numbers
from typing import Final, NamedTuple

BLOCK: Final = 10_000
"""Commands are written in blocks of so many, each from the seed and its number alone."""


class Share(NamedTuple):
    """The part of one of several generators, which are numbered from 0."""

    number: int = 0
    of: int = 1

    def part(self, whole: int) -> int:
        """Count how many of the first so many of the whole load are its own."""
        return max(0, whole - self.number + self.of - 1) // self.of

    def whole(self, own: int) -> int:
        """Give the place in the whole load of its own n-th, from 0 on."""
        return self.number + own * self.of

    def blocks(self, first: int = 0) -> Iterator[int]:
        """Give the numbers of its blocks, from its own n-th on."""
        return numbers(self.whole(first), self.of)

    def identities(self, count: int) -> Iterator[range]:
        """Give the numbers in the ids of its first so many commands, block by block."""
        for block in self.blocks():
            if count <= 0:
                return
            yield range(block * BLOCK, block * BLOCK + min(count, BLOCK))
            count -= BLOCK


WHOLE: Final = Share()
