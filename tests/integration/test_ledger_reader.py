"""The views of a ledger, read piece by piece."""

import asyncpg
import pytest

from loadtest import reporting
from loadtest.reporting import LedgerReader

VIEWS = """
CREATE SCHEMA reporting;
CREATE TABLE reporting.payments AS
SELECT gen_random_uuid() AS transaction_id, 'transfer' AS type, 'posted' AS outcome,
       NULL::text AS reason, 1.00 AS amount, 'EUR' AS currency, 'a' AS debit_account,
       'b' AS credit_account, '2026-11-21T10:00:01.000002Z'::timestamptz AS decided_at,
       ledger_sequence, 'commands' AS topic, 3 AS partition, ledger_sequence AS "offset"
FROM unnest(ARRAY[-5, 1, 9, 10, 25, 900000000000]::bigint[]) AS ledger_sequence;
CREATE TABLE reporting.entries AS
SELECT transaction_id, line, debit_account AS account, 'debit' AS direction, amount, currency,
       1.00 AS balance_after, '2026-11-21'::date AS booking_date, '2026-11-22'::date AS value_date,
       ledger_sequence
FROM reporting.payments CROSS JOIN generate_series(1, 2) AS line WHERE ledger_sequence <> 25;
INSERT INTO reporting.entries
SELECT gen_random_uuid(), 1, 'a', 'debit', 1, 'EUR', 1, '2026-11-21', '2026-11-21', 950000000000;
CREATE TABLE reporting.balances AS
SELECT 'account ' || number AS account, 'EUR' AS currency, 1.00 AS posted, 0.00 AS held,
       NULL::numeric AS available, 'open' AS status
FROM generate_series(1, 25) AS number"""


async def test_all_rows_come_in_ranges_of_their_numbers(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None is left out and none comes twice, however far apart their numbers are."""
    monkeypatch.setattr(reporting, "WINDOW_SEQUENCES", 10)
    monkeypatch.setattr(reporting, "BALANCES_AT_ONCE", 10)
    connection = await asyncpg.connect(database_url)
    await connection.execute(VIEWS)
    windows, balances = [], []
    async with LedgerReader(database_url) as reader:
        await connection.execute("DELETE FROM reporting.payments WHERE ledger_sequence = 25")
        balances.append(await reader.balances())
        while (window := await reader.window()) is not None:
            windows.append(window)
        while rows := await reader.balances():
            balances.append(rows)
    await connection.close()

    sequences = [[row.ledger_sequence for row in payments] for _, payments, _ in windows]
    assert sequences == [[-5, 1, 9], [10], [25], [900_000_000_000], []]
    assert [len(entries) for _, _, entries in windows] == [6, 2, 0, 2, 1]
    ends = [end for end, _, _ in windows]
    assert ends == [10, 20, 30, 900_000_000_010, 950_000_000_010]
    assert windows[0][1][0].decided_at_us == 1_795_255_201_000_002
    assert [len(rows) for rows in balances] == [10, 10, 5]
