"""Transactions of many lines that the database itself refuses, whoever writes them."""

from __future__ import annotations

import pytest

from tests.integration.filled import OWNER, PAID, WORKER, attempt
from tests.integration.test_database_refuses import (
    ACCEPTED,
    CHECK,
    LIFE,
    NO_SUCH_ROW,
    NOT_UNIQUE,
    SECOND,
    TO_ANNA,
    back,
    id_of,
    life_of,
    posting,
    registered,
)

CLEARING = """
INSERT INTO ledger.account (name, currency, kind, overdraft_limit, opened_at)
VALUES ('clearing-EUR', 'EUR', 'clearing', NULL, now());
"""
TO_CLEARING = {"credit_account_id": id_of("clearing-EUR")}
FROM_CLEARING = {"debit_account_id": id_of("clearing-EUR")}
TO_BANK = {"credit_account_id": id_of("bank")}
ON = {"line": "2"}
OVERDRAWS = {"overdraws": "true"}
OVERDRAWN = registered() + posting(amount="8001", **OVERDRAWS)
FURTHER = {"ledger_sequence": "1000003", "transaction_id": LIFE["transaction_id"][:-2] + "3'"}


def together(first: str, second: str) -> str:
    """Write two postings of the same columns as one statement."""
    return first.removesuffix(";") + ", " + second.split("VALUES ")[1]


LINES = {
    "a second line": (registered() + posting() + posting(**ON), ACCEPTED),
    "a second line of another id's number": (
        registered() + posting() + registered(**SECOND) + posting(**SECOND) + posting(**ON),
        ACCEPTED,
    ),
    "a line twice": (
        registered() + posting() + posting(**ON) + posting(**ON),
        (NOT_UNIQUE, "posting_"),
    ),
    "a further line of an id that was posted before": (
        posting(**life_of(PAID), **ON),
        (NO_SUCH_ROW, "posting_of_registered_id"),
    ),
    "line 0": (registered() + posting(line="0"), (CHECK, "posting_line_check")),
    "line 1001": (registered() + posting(line="1001"), (CHECK, "posting_line_check")),
    "money that stays in clearing": (
        CLEARING + registered() + posting(**TO_CLEARING),
        (CHECK, "clearing_is_even"),
    ),
    "money that leaves clearing a statement later": (
        CLEARING + registered() + posting(**TO_CLEARING) + posting(**FROM_CLEARING, **ON),
        (CHECK, "clearing_is_even"),
    ),
    "more out of clearing than came in": (
        CLEARING
        + registered()
        + together(
            posting(**TO_CLEARING, line="1"), posting(**FROM_CLEARING, line="2", amount="101")
        ),
        (CHECK, "clearing_is_even"),
    ),
    "money through clearing": (
        CLEARING
        + registered()
        + together(posting(**TO_CLEARING, line="1"), posting(**FROM_CLEARING, line="2")),
        ACCEPTED,
    ),
    "an overdraw below the limit": (OVERDRAWN, ACCEPTED),
    "a debit after an overdraw": (
        OVERDRAWN + registered(**SECOND) + posting(amount="1", **SECOND),
        (CHECK, "balance_within_limit"),
    ),
    "a debit of what came in after an overdraw": (
        OVERDRAWN
        + registered(**SECOND)
        + posting(amount="101", **TO_ANNA, **SECOND)
        + registered(**FURTHER)
        + posting(amount="100", **FURTHER),
        ACCEPTED,
    ),
    "more than what came in after an overdraw": (
        OVERDRAWN
        + registered(**SECOND)
        + posting(amount="101", **TO_ANNA, **SECOND)
        + registered(**FURTHER)
        + posting(amount="101", **FURTHER),
        (CHECK, "balance_within_limit"),
    ),
    "an overdraw of another account in the same statement": (
        registered()
        + together(
            posting(amount="8001", line="1", overdraws="false"),
            posting(amount="30000", **TO_ANNA | TO_BANK, line="2", **OVERDRAWS),
        ),
        (CHECK, "balance_within_limit"),
    ),
    "a reversal of a second line": (
        registered()
        + posting(debit_account_id=id_of("bank"), credit_account_id=id_of("anna"))
        + posting(**ON)
        + registered(**SECOND)
        + posting(**back({"transaction_id": LIFE["transaction_id"].strip("'")}), **SECOND),
        (NO_SUCH_ROW, "reversal_of_posting"),
    ),
}
"""With 80.00 EUR on anna's account and 120.00 EUR on bert's."""


@pytest.mark.parametrize("role", [WORKER, OWNER])
@pytest.mark.parametrize("what", LINES)
async def test_lines(filled_url: str, role: str, what: str) -> None:
    """Lines are numbered, clearing is even after each statement, and only what may overdraws."""
    sql, expected = LINES[what]

    sqlstate, constraint = await attempt(filled_url, role, sql)

    if expected[0] == NOT_UNIQUE:
        assert sqlstate == NOT_UNIQUE
        assert (constraint or "").startswith("posting_")
        assert (constraint or "").endswith("_pkey")
    else:
        assert (sqlstate, constraint) == expected
