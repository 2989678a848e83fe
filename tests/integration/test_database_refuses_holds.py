"""Holds that the database itself refuses: of a worker with a bug, or by the owner's hand."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import pytest

from tests.integration.filled import HELD, OWNER, WORKER, attempt
from tests.integration.test_database_refuses import (
    ACCEPTED,
    AT_ONCE,
    CHECK,
    LIFE,
    NEW_ID,
    NO_SUCH_ROW,
    SECOND,
    TO_ANNA,
    change,
    posting,
    registered,
)

NOT_ALLOWED, STAYS = ("42501", None), ("23001", "records_stay")
THIRD = {"ledger_sequence": "1000003", "transaction_id": f"'{NEW_ID[:-1]}3'"}
OTHER_ID = f"'{HELD['transaction_id']}'"


def step(kind: str, held: int, **changes: str) -> str:
    """Write the statement of a change of anna's hold, which the first id has placed."""
    row = {
        "type": f"'hold.{kind}'",
        "status": "NULL",
        "overdraft_limit": "NULL",
        "available": "NULL",
        "debit_account": "'anna'",
        "credit_account": "'bert'",
        "amount": str(abs(held)),
        "hold_transaction_id": f"'{NEW_ID}'",
        "held": str(held),
        "released": "0",
        **changes,
    }
    return change(**row)


def placed(minor: int = 8000, **changes: str) -> str:
    """Write the statement that sets all of anna's 80.00 EUR aside, unless it says otherwise."""
    return step("place", minor, **{"capture_max": str(minor), **changes})


def freed(held: int, released: int, **changes: str) -> str:
    """Write the statement that frees some of it."""
    return step("release", held, released=str(released), **SECOND | changes)


def taken(
    amount: int, held: int, *, life: Mapping[str, str] = MappingProxyType(SECOND), **changes: str
) -> str:
    """Write the statements that take some of it."""
    own = {"hold_transaction_id": f"'{NEW_ID}'", "held": str(held), "released": "0"}
    return registered(**life) + posting(amount=str(amount), **{**own, **life, **changes})


HOLDS = {
    "all that there is": (placed() + AT_ONCE, ACCEPTED),
    "placed, taken and freed": (
        placed() + taken(3000, -3000) + freed(-5000, 5000, **THIRD) + AT_ONCE,
        ACCEPTED,
    ),
    "freed before it is taken": (
        placed() + freed(-5000, 5000, **THIRD) + taken(3000, -3000) + AT_ONCE,
        ACCEPTED,
    ),
    "more than there is": (placed(8001) + AT_ONCE, (CHECK, "balance_within_limit")),
    "with money that comes behind it": (
        placed(8100) + registered(**SECOND) + posting(amount="100", **TO_ANNA, **SECOND) + AT_ONCE,
        ACCEPTED,
    ),
    "with too little money that comes behind it": (
        placed(8100) + registered(**SECOND) + posting(amount="99", **TO_ANNA, **SECOND) + AT_ONCE,
        (CHECK, "balance_within_limit"),
    ),
    "more than there is, under a limit that only says so": (
        placed(8001) + change(status="'debits_frozen'", overdraft_limit="0", **SECOND) + AT_ONCE,
        (CHECK, "balance_within_limit"),
    ),
    "a debit of what is held": (
        placed() + registered(**SECOND) + posting(amount="1", **SECOND),
        (CHECK, "balance_within_limit"),
    ),
    "taken and the rest held on": (placed() + taken(7999, -7999) + AT_ONCE, ACCEPTED),
    "taken beyond the hold": (placed() + taken(8001, -8000), (CHECK, "captured_within_hold")),
    "taken beyond the hold, which allows it, without funds": (
        placed(capture_max="9000") + taken(8001, -8000),
        (CHECK, "balance_within_limit"),
    ),
    "taken and held all the same": (
        placed() + taken(3000, 0),
        (CHECK, "holds_what_may_be_captured"),
    ),
    "taken twice": (
        placed() + taken(8000, -8000) + taken(1, 0, life=THIRD),
        (CHECK, "captured_within_hold"),
    ),
    "taken after it was freed": (
        placed() + freed(-8000, 8000, **THIRD) + taken(1, 0),
        (CHECK, "captured_within_hold"),
    ),
    "more freed than was held": (placed() + freed(-8001, 8000), (CHECK, "remaining_of_placed")),
    "freed and still to be taken": (
        placed() + freed(0, 8000),
        (CHECK, "holds_what_may_be_captured"),
    ),
    "more given up than it allows": (
        placed() + freed(-8000, 8001),
        (CHECK, "captured_within_hold"),
    ),
    "grown": (placed(1) + freed(1, 0), (CHECK, "hold_only_shrinks")),
    "taken, and what is held grows": (placed(1) + taken(1, 1), (CHECK, "capture_of_hold_is_whole")),
    "taken without saying what is given up": (
        placed() + taken(1, 0, released="NULL"),
        (CHECK, "capture_of_hold_is_whole"),
    ),
    "placed under another id": (
        placed(hold_transaction_id=OTHER_ID),
        (CHECK, "hold_is_placed_first"),
    ),
    "placed for less than is held": (placed(amount="1"), (CHECK, "hold_is_placed_first")),
    "placed without a bound": (placed(capture_max="NULL"), (CHECK, "hold_is_placed_first")),
    "allowing less than is held": (placed(capture_max="1"), (CHECK, "allows_what_it_holds")),
    "of nothing": (placed(0), (CHECK, "hold_placed_check")),
    "in an account that is not there": (
        placed(debit_account="'nobody'"),
        (NO_SUCH_ROW, "change_of_hold"),
    ),
    "in an account of another currency": (
        placed(debit_account="'usd'"),
        (NO_SUCH_ROW, "change_of_hold"),
    ),
    "a hold that is not there, freed": (freed(-1, 1), (NO_SUCH_ROW, "change_of_hold")),
    "a hold in another account, freed": (
        freed(-1, 1, hold_transaction_id=OTHER_ID),
        (NO_SUCH_ROW, "change_of_hold"),
    ),
    "a hold that is not there, taken": (taken(1, -1), (NO_SUCH_ROW, "capture_of_hold")),
    "a hold in another account, taken": (
        taken(1, -1, hold_transaction_id=OTHER_ID),
        (NO_SUCH_ROW, "capture_of_hold"),
    ),
}
"""Holds in anna's account, in which there are 80.00 EUR."""

BY_HAND = [
    "UPDATE ledger.hold SET remaining = 0",
    "DELETE FROM ledger.hold",
    "TRUNCATE ledger.hold",
    (
        "INSERT INTO ledger.hold (hold_transaction_id, account_id, placed, capture_max, remaining)"
        f" VALUES ('{NEW_ID}', 1, 1, 1, 1)"
    ),
    "UPDATE ledger.account SET held = 0",
    "UPDATE ledger.account SET ahead = 1",
]


@pytest.mark.parametrize("role", [WORKER, OWNER])
@pytest.mark.parametrize("what", HOLDS)
async def test_holds(filled_url: str, role: str, what: str) -> None:
    """No sum of captures and releases beyond the hold, no hold beyond the funds, gets in."""
    sql, expected = HOLDS[what]

    assert await attempt(filled_url, role, sql) == expected


@pytest.mark.parametrize("role", [WORKER, OWNER])
@pytest.mark.parametrize("sql", BY_HAND)
async def test_only_commands_move_holds(filled_url: str, role: str, sql: str) -> None:
    """Not the worker's hand, which has no right to, nor the owner's."""
    expected = NOT_ALLOWED if role == WORKER else STAYS

    assert await attempt(filled_url, role, sql) == expected


def test_the_steps_have_lives_of_their_own() -> None:
    """Else a case above would be refused for another reason than its own."""
    lives = [LIFE["transaction_id"], SECOND["transaction_id"], THIRD["transaction_id"]]

    assert len(set(lives)) == len(lives)
