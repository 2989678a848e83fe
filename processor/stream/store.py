"""
A Faust store on RocksDB (rocksdict) that answers and writes whole batches, within a memory bound,
entries expiring.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import structlog
from faust.stores.base import SerializedStore
from rocksdict import (
    AccessType,
    BlockBasedOptions,
    Cache,
    DbClosedError,
    Options,
    Rdict,
    WriteBatch,
    WriteBufferManager,
)

from processor.errors import SettingsError

log = structlog.get_logger()

STAMP_KEY: Final = b"stamp"
"""
Holds the identity of the ledger whose ids the table holds. Ids are 16 bytes long, so it is none of
them.
"""

LOCK_WAIT_S: Final = 5.0
"""How long to wait for a dying worker to let go of the data folder."""

LOCK_POLL_S: Final = 0.25
_BLOOM_BITS_PER_KEY: Final = 10
_FILE_BYTES: Final = 8 << 20
"""
A file's filter is read as a whole, and must be small beside the cache: some 250 KB of this. Of
files of 64 MB, the default, each batch read filters of 1.6 MB anew once there were a million ids.
"""

_CACHE_ENTRY_BYTES: Final = 8 << 10
"""What a block of the cache takes, about: filters take more, data less."""

_OPEN_FILES_MAX: Final = 512
_LOG_FILE_BYTES_MAX: Final = 1 << 20


class StoreSettings:
    """Where the database lies, its memory bound in bytes and the life of an entry in seconds."""

    def __init__(self, folder: Path, *, memory_bytes_max: int, entry_ttl_s: int) -> None:
        self.folder = folder
        self.memory_bytes_max = memory_bytes_max
        self.entry_ttl_s = entry_ttl_s


def options(memory_bytes_max: int) -> Options:
    """
    Give options under which block cache and memtables together stay within `memory_bytes_max`.

    Memtables are charged to the cache, so that one number bounds both. The cache is no LRU: that
    one has 64 parts, and what is larger than a part is never kept.
    """
    cache = Cache.new_hyper_clock_cache(memory_bytes_max, _CACHE_ENTRY_BYTES)
    blocks = BlockBasedOptions()
    blocks.set_block_cache(cache)
    blocks.set_bloom_filter(_BLOOM_BITS_PER_KEY, block_based=False)
    blocks.set_cache_index_and_filter_blocks(True)
    blocks.set_pin_l0_filter_and_index_blocks_in_cache(True)
    chosen = Options(raw_mode=True)
    chosen.create_if_missing(True)  # noqa: FBT003 - as above
    chosen.set_block_based_table_factory(blocks)
    chosen.set_target_file_size_base(_FILE_BYTES)
    chosen.set_write_buffer_size(memory_bytes_max // 8)
    chosen.set_max_write_buffer_number(3)
    chosen.set_write_buffer_manager(
        WriteBufferManager.new_write_buffer_manager_with_cache(
            memory_bytes_max // 2, allow_stall=False, cache=cache
        )
    )
    chosen.set_max_open_files(_OPEN_FILES_MAX)
    chosen.set_max_log_file_size(_LOG_FILE_BYTES_MAX)
    chosen.set_keep_log_file_num(2)
    return chosen


class RocksStore(SerializedStore[bytes, bytes]):
    """
    The table's data. Raw keys and values; the mapping interface of Faust works, batches are what
    the line uses.
    """

    def __init__(
        self, url: Any, app: Any, table: Any, *, settings: StoreSettings, **rest: Any
    ) -> None:
        super().__init__(url, app, table, **rest)
        self.settings = settings
        self._db: Rdict | None = None

    @property
    def db(self) -> Rdict:
        """The open database."""
        assert self._db is not None, "the store is opened by `open`"
        return self._db

    def open(self, stamp: bytes) -> None:
        """
        Open the database of the ledger `stamp`; wipe it when it is another's or can't be read.

        Raises SettingsError where another process holds the folder.
        """
        self.close()
        database = self._open_or_wipe()
        found = database.get(STAMP_KEY)
        if found != stamp:
            if found is not None:
                log.warning("table.wiped", why="it holds the ids of another ledger")
            database.close()
            shutil.rmtree(self.settings.folder, ignore_errors=True)
            database = self._open_once()
            database.put(STAMP_KEY, stamp)
        self._db = database

    def close(self) -> None:
        """Close the database; a later `open` may follow."""
        if self._db is not None:
            with suppress(DbClosedError):
                self._db.close()
            self._db = None

    def _open_or_wipe(self) -> Rdict:
        deadline = time.monotonic() + LOCK_WAIT_S
        while True:
            try:
                return self._open_once()
            except Exception as error:
                line = str(error).splitlines()[0]
                if "lock" not in line.lower():
                    log.warning("table.wiped", why=f"it can't be read: {line}")
                    shutil.rmtree(self.settings.folder, ignore_errors=True)
                    return self._open_once()
                if time.monotonic() > deadline:
                    raise SettingsError(
                        f"the data folder {self.settings.folder} is in use by another worker"
                    ) from error
                time.sleep(LOCK_POLL_S)

    def _open_once(self) -> Rdict:
        self.settings.folder.mkdir(parents=True, exist_ok=True)
        return Rdict(
            str(self.settings.folder),
            options=options(self.settings.memory_bytes_max),
            access_type=AccessType.with_ttl(self.settings.entry_ttl_s),
        )

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Look up keys, in their order."""
        return list(self.db.get(list(keys)) or ())

    def put_many(self, entries: Sequence[tuple[bytes, bytes]]) -> None:
        """Write entries in one atomic batch."""
        batch = WriteBatch(raw_mode=True)
        for key, value in entries:
            batch.put(key, value)
        self.db.write(batch)

    def memory_bytes(self) -> int:
        """
        Give what RocksDB holds in memory: cache (memtables are charged to it) and table readers
        outside it. Nothing while it is closed.
        """
        if self._db is None:
            return 0
        held = 0
        for name in ("rocksdb.block-cache-usage", "rocksdb.estimate-table-readers-mem"):
            held += self._db.property_int_value(name) or 0
        return held

    def _get(self, key: bytes) -> bytes | None:
        found: bytes | None = self.db.get(key)
        return found

    def _set(self, key: bytes, value: bytes | None) -> None:
        self.db.put(key, value if value is not None else b"")

    def _del(self, key: bytes) -> None:
        self.db.delete(key)

    def _iteritems(self) -> Iterator[tuple[bytes, bytes]]:
        for key, value in self.db.items():
            if key != STAMP_KEY:
                assert isinstance(key, bytes), "raw mode knows bytes alone"
                yield key, value

    def _iterkeys(self) -> Iterator[bytes]:
        return (key for key, _ in self._iteritems())

    def _itervalues(self) -> Iterator[bytes | None]:
        return (value for _, value in self._iteritems())

    def _size(self) -> int:
        return sum(1 for _ in self._iteritems())

    def _contains(self, key: bytes) -> bool:
        return self._get(key) is not None

    def _clear(self) -> None:
        for key in list(self._iterkeys()):
            self._del(key)

    def reset_state(self) -> None:
        """Nothing is kept but the database itself."""

    async def backup_partition(self, *_arguments: Any, **_options: Any) -> None:
        """Nothing is worth a backup here: the ledger holds every id."""

    def restore_backup(self, *_arguments: Any, **_options: Any) -> None:
        """Nothing was backed up: an empty table fills itself."""
