"""
Writes `schemas/ledger/schema.sql`, the database that the migrations make.

`python -m tests.integration.schema_dump` makes it anew, on a PostgreSQL of its own.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from deploy.local import PostgresServer
from processor.ledger.migrate import migrate
from tests.integration.ledgers import MIGRATIONS, settings_for

SCHEMA: Final = MIGRATIONS / "schema.sql"
DUMP_LIMIT_S: Final = 60.0
HEAD: Final = """\
-- The database that all migrations together make, for reading; nothing is made from this file.
-- Left out: the monthly partitions of ledger.posting and ledger.refusal, which are made as time
-- goes by, and the rows of ledger.currency. Made by `python -m tests.integration.schema_dump`.
"""
_MONTHS: Final = "ledger.(posting|refusal)_2???_??"
_NOISE: Final = re.compile(r"^(--.*|SET .*|SELECT pg_catalog\..*|\\(un)?restrict .*)$")


def dumped(server: PostgresServer, database: str) -> str:
    """Give a database's schema as pg_dump writes it, less what differs without meaning."""
    options = ["--schema-only", "--no-owner", f"--exclude-table={_MONTHS}"]
    done = subprocess.run(
        [server.program("pg_dump"), *options, server.url(database)],
        capture_output=True,
        text=True,
        check=True,
        timeout=DUMP_LIMIT_S,
    )
    lines = [line.rstrip() for line in done.stdout.splitlines() if not _NOISE.match(line)]
    return HEAD + "\n" + re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def main() -> None:
    """Make a ledger and write its schema."""
    with tempfile.TemporaryDirectory(prefix="payments-") as folder:
        server = PostgresServer(Path(folder) / "postgres")
        server.start()
        try:
            server.create_database("ledger")
            owner = settings_for(server.url("ledger"), role=None)
            asyncio.run(migrate(owner, MIGRATIONS, test_ledger=True))
            SCHEMA.write_text(dumped(server, "ledger"))
        finally:
            server.stop()
    sys.stdout.write(f"{SCHEMA.name} is written\n")


if __name__ == "__main__":
    main()
