"""A connection that was left in the middle of something: given up, and the work goes on."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from deploy.local import PostgresServer
from tests.builders import Desk, deposit, opening, told
from tests.integration.ledgers import copied, postgres_backend


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.InternalClientError("cannot switch to state 15; another operation is in progress"),
        asyncpg.InterfaceError("connection is closed"),
        TimeoutError(),
    ],
    ids=["in the middle of something", "closed", "silent"],
)
async def test_a_connection_that_can_not_roll_back_is_given_up(
    postgres: PostgresServer,
    ledger_template: str,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    """A COPY that is refused may leave it so; the batch is decided again on another connection."""
    execute, refused = asyncpg.Connection.execute, list[str]()

    async def unable_to_roll_back(
        connection: asyncpg.Connection, query: str, *arguments: Any, **named: Any
    ) -> str:
        if query == "ROLLBACK":
            refused.append(query)
            raise error
        return str(await execute(connection, query, *arguments, **named))

    with copied(postgres, ledger_template) as url:
        async with postgres_backend(url) as backend:
            desk = Desk(await backend.connect())
            log = await desk.claim()
            paid = deposit("anna", "1.00")
            await desk.post(log.add(opening("anna"), paid))
            monkeypatch.setattr(asyncpg.Connection, "execute", unable_to_roll_back)
            words = [told(one) for one in await desk.post(log.add(deposit("anna", "2.00"), paid))]
            monkeypatch.undo()

            assert words == ["posted", "Repeat"]
            assert refused == ["ROLLBACK"]
            assert (await backend.balances())["anna"] == 300
