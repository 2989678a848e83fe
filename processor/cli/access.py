"""How the commands reach the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from processor.ledger.connection import ConnectionSettings
    from processor.settings import Settings


def reading_access(
    settings: Settings, name: str, *, statement_timeout_ms: int | None = None
) -> ConnectionSettings:
    """Reach the ledger in the worker's role, which may read all of it."""
    from processor.ledger.connection import (  # noqa: PLC0415 - PostgreSQL's client takes its time
        WORKER_ROLE,
        ConnectionSettings,
    )

    return ConnectionSettings(
        settings.database_url,
        role=WORKER_ROLE,
        application_name=f"processor {name}",
        connect_timeout_s=settings.connect_timeout_s,
        statement_timeout_ms=statement_timeout_ms or settings.statement_timeout_ms,
        lock_timeout_ms=settings.lock_timeout_ms,
    )
