"""What must be given once among millions, in 16 bytes each."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

BUCKETS = 1024
"""Each is looked through by itself, so that the look in the end needs little memory."""


class Once:
    """
    Remembers 64-bit digests with the places that they were given to.

    Two different things share a digest once in 10^19 pairs: of 10 million, in one run of 10^5.
    """

    def __init__(self) -> None:
        self._digests = [array("q") for _ in range(BUCKETS)]
        self._places = [array("q") for _ in range(BUCKETS)]

    def add(self, digest: int, place: int) -> None:
        """Remember a digest of 64 bits, as `hash` gives them, and a place (`Lane.first_place`)."""
        bucket = digest % BUCKETS
        self._digests[bucket].append(digest)
        self._places[bucket].append(place)

    def twice(self) -> Iterator[int]:
        """Give the places whose digest an earlier one has, too."""
        for digests, places in zip(self._digests, self._places, strict=True):
            if len(set(digests)) == len(digests):
                continue
            seen: set[int] = set()
            for digest, place in zip(digests, places, strict=True):
                if digest in seen:
                    yield place
                seen.add(digest)
