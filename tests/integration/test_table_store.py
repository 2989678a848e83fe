"""The RocksDB behind the dedupe table: bounded, expiring, locked, and never in the line's way."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import faust
import psutil
import pytest

from processor.core.commands import id_bytes
from processor.errors import SettingsError
from processor.stream import store as store_module
from processor.stream.store import RocksStore, StoreSettings
from processor.stream.table import SeenTable

STAMP = b"0123456789abcdef"
MEMORY_BYTES_MAX = 16 << 20
ENTRIES = 600_000
MANY = 1_500_000
LOOKUPS = 40
READ_PER_LOOKUP_BYTES_MAX = 64 << 10
PROCESS_BYTES_MAX = 96 << 20
"""What the whole process may grow by: the bound, and what Python and file buffers take besides."""


def _table(folder: Path, *, entry_ttl_s: int = 86_400) -> SeenTable:
    app = faust.App("table-test", autodiscover=False, web_enabled=False)
    settings = StoreSettings(folder, memory_bytes_max=MEMORY_BYTES_MAX, entry_ttl_s=entry_ttl_s)
    return SeenTable(app, settings)


def _opened(folder: Path, **options: Any) -> tuple[SeenTable, RocksStore]:
    table = _table(folder, **options)
    table.store.open(STAMP)
    return table, table.store


def _id(number: int) -> str:
    raw = f"{number * 0x9E3779B97F4A7C15 % (1 << 128):032x}"
    return f"{raw[:8]}-{raw[8:12]}-{raw[12:16]}-{raw[16:20]}-{raw[20:]}"


def _ascending(number: int) -> str:
    """Give an id as version 7 has them, which grow with time; `STAMP_KEY` lies behind all."""
    at = f"019c{number >> 4:08x}"
    return f"{at[:8]}-{at[8:]}-7000-8000-{number:012x}"


def _bytes_read() -> int:
    counts = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(counts["rchar"])


async def test_memory_stays_within_its_bound(tmp_path: Path) -> None:
    """However many ids it holds, RocksDB's memory stays within the bound that it was given."""
    table, store = _opened(tmp_path / "seen")
    before = psutil.Process().memory_info().rss
    largest = 0
    for first in range(0, ENTRIES, 2_000):
        ids = [_id(number) for number in range(first, first + 2_000)]
        table.remember((one, 1) for one in ids)
        assert table.seen([_id(number) for number in range(first, first + 2_000, 7)])
        largest = max(largest, store.memory_bytes())
    grown = psutil.Process().memory_info().rss - before
    store.close()
    assert 0 < largest <= MEMORY_BYTES_MAX * 1.25
    assert grown <= PROCESS_BYTES_MAX


async def test_looking_up_new_ids_reads_little_however_many_are_known(tmp_path: Path) -> None:
    """Nearly all ids are new, so what says that they are must stay in memory, within the bound."""
    table, store = _opened(tmp_path / "seen")
    new = [_ascending(MANY + number) for number in range(LOOKUPS * 500)]
    for first in range(0, MANY, 50_000):
        table.remember((_ascending(number), 1) for number in range(first, first + 50_000))
    store.db.compact_range(None, None)
    table.seen(new[:500])
    before = _bytes_read()
    for first in range(0, len(new), 500):
        assert table.seen(new[first : first + 500]) == set()
    grown = _bytes_read() - before
    store.close()
    assert grown <= LOOKUPS * READ_PER_LOOKUP_BYTES_MAX


async def test_entries_expire(tmp_path: Path) -> None:
    """An entry is gone once its time is over and the database has tidied up."""
    table, store = _opened(tmp_path / "seen", entry_ttl_s=1)
    ids = [_id(number) for number in range(1_000)]
    table.remember((one, 7) for one in ids)
    assert table.seen(ids) == set(ids)
    time.sleep(2.1)  # noqa: ASYNC251 - RocksDB counts whole seconds of the wall clock
    store.db.flush()
    store.db.compact_range(None, None)
    assert table.seen(ids) == set()
    store.close()


async def test_stamp_survives_as_long_as_its_entries(tmp_path: Path) -> None:
    """Opened again for the same ledger it keeps its ids; for another one it is empty."""
    table, store = _opened(tmp_path / "seen")
    table.remember([(_id(1), 1)])
    store.close()
    store.open(STAMP)
    assert table.seen([_id(1)]) == {_id(1)}
    store.open(b"another ledger's")
    assert table.seen([_id(1)]) == set()
    store.close()


async def test_folder_that_another_process_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder in use is waited for, for a dying worker lets go of it, and then refused."""
    monkeypatch.setattr(store_module, "LOCK_WAIT_S", 0.5)
    _, holder = _opened(tmp_path / "seen")
    second = _table(tmp_path / "seen")
    with pytest.raises(SettingsError, match="is in use by another worker"):
        second.store.open(STAMP)
    holder.close()
    second.store.open(STAMP)
    second.store.close()


async def test_table_that_fails_never_stops_the_line(tmp_path: Path) -> None:
    """Unreadable, every id is a suspect; unwritable, as on a full disk, ids are forgotten."""
    table, store = _opened(tmp_path / "seen")
    store.db.close()
    assert table.seen([_id(1), _id(2)]) == {_id(1), _id(2)}
    table.remember([(_id(1), 1)])


async def test_keys_are_the_ids_bytes() -> None:
    """An id in its 8-4-4-4-12 form is a key of 16 bytes."""
    assert id_bytes("00000000-0000-0000-0000-0000000000ff") == b"\x00" * 15 + b"\xff"
