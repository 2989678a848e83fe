"""
The dedupe table: a RocksDB-backed Faust table from transaction id to ledger_sequence.

It is a hint and never an authority. It is written after the ledger's commit only, so it can lag
behind the ledger and never run ahead of it; whatever it claims to have seen is confirmed by the
ledger. Hence it has no changelog: a key in one would cost a Kafka record and 30 µs per payment, and
a lost table costs nothing but a few probes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import structlog
from faust.tables.table import Table

from processor.core.commands import id_bytes
from processor.stream.store import RocksStore, StoreSettings

log = structlog.get_logger()

TABLE_NAME: Final = "seen"
_SEQUENCE_BYTES: Final = 8


class SeenTable(Table[bytes, bytes]):
    """Transaction ids that were decided, for whole batches at once."""

    def __init__(self, app: Any, settings: StoreSettings) -> None:
        self._store_settings = settings
        super().__init__(app, name=TABLE_NAME, key_type=bytes, value_type=bytes)

    def _new_store(self) -> RocksStore:
        return RocksStore(
            "rocksdb://",
            self.app,
            self,
            settings=self._store_settings,
            table_name=TABLE_NAME,
            key_type=bytes,
            value_type=bytes,
            key_serializer="raw",
            value_serializer="raw",
        )

    @property
    def store(self) -> RocksStore:
        """The RocksDB behind the table."""
        store = self.data
        assert isinstance(store, RocksStore), "made by _new_store"
        return store

    async def on_start(self) -> None:
        """Start the store alone: there is no changelog topic to declare."""
        await self.add_runtime_dependency(self.data)

    async def on_stop(self) -> None:
        """Close the database."""
        self.store.close()

    def seen(self, transaction_ids: Sequence[str]) -> set[str]:
        """
        Give the ids that were probably decided before.

        Where the table can't be read every id is suspected: slower, and still right.
        """
        try:
            found = self.store.get_many([id_bytes(one) for one in transaction_ids])
        except Exception as error:  # noqa: BLE001 - rocksdict raises bare Exception; a hint must not stop the line
            log.error("table.unreadable", error=str(error))  # noqa: TRY400 - the line goes on
            return set(transaction_ids)
        return {one for one, value in zip(transaction_ids, found, strict=True) if value is not None}

    def remember(self, decided: Iterable[tuple[str, int]]) -> None:
        """
        Note ids with their ledger_sequence. A table that can't be written forgets, which the ledger
        makes good.
        """
        entries = [
            (id_bytes(one), sequence.to_bytes(_SEQUENCE_BYTES, "big")) for one, sequence in decided
        ]
        try:
            if entries:
                self.store.put_many(entries)
        except Exception as error:  # noqa: BLE001 - as above
            log.error("table.unwritable", error=str(error))  # noqa: TRY400 - the line goes on
