"""Reads a worker's dedupe table from outside, while the worker goes on writing it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rocksdict import AccessType, Options, Rdict

from processor.errors import ProcessorError

STAMP_KEY: Final = b"stamp"
ID_BYTES: Final = 16
SEQUENCE_BYTES: Final = 8
TOKEN_BYTES: Final = 16
ALL_FILES: Final = -1
"""A secondary instance keeps every file open, so that none is deleted under it."""


class SeenIds:
    """The table as it was when it was opened. A value's end, the time of writing, is cut off."""

    def __init__(self, database: Rdict) -> None:
        self._database = database

    def stamp(self) -> bytes | None:
        """Give the token of the ledger whose ids the table holds."""
        found: bytes | None = self._database.get(STAMP_KEY)
        return None if found is None else found[:TOKEN_BYTES]

    def entries(self, chunk: int) -> Iterator[list[tuple[bytes, int]]]:
        """Give all ids with their ledger_sequence, `chunk` of them at a time."""
        held: list[tuple[bytes, int]] = []
        for key, value in self._database.items():
            assert isinstance(key, bytes), "opened in raw mode"
            assert isinstance(value, bytes), "opened in raw mode"
            if len(key) != ID_BYTES:
                continue
            held.append((key, int.from_bytes(value[:SEQUENCE_BYTES], "big")))
            if len(held) == chunk:
                yield held
                held = []
        if held:
            yield held


@contextmanager
def reading(folder: Path) -> Iterator[SeenIds]:
    """
    Open a worker's table as RocksDB's secondary instance: no lock is taken, no data written.

    Raises ProcessorError where it can't be read.
    """
    options = Options(raw_mode=True)
    options.create_if_missing(create_if_missing=False)
    options.set_max_open_files(ALL_FILES)
    with tempfile.TemporaryDirectory(prefix="seen-") as own:
        try:
            database = Rdict(str(folder), options=options, access_type=AccessType.secondary(own))
        except Exception as error:
            line = str(error).splitlines()[0]
            raise ProcessorError(f"the table in {folder} can't be read: {line}") from error
        try:
            yield SeenIds(database)
        finally:
            database.close()
