"""What a worker keeps of the bank's rules between batches."""

from __future__ import annotations

import json
from typing import Any, cast

from processor.core.rules import NO_RULES, Rules
from processor.ledger.rows import rules_of
from processor.ledger.rulebook import Rulebook
from tests.builders import (
    Document,
    bound,
    bound_end,
    command_of,
    day_close,
    tariff,
    tariff_end,
    tier,
)


def connection() -> Any:
    """Stand for a connection: only which one it is counts."""
    return cast("Any", object())


def test_a_new_connection_knows_nothing() -> None:
    """Behind it may be a server that was restored, whose sequences mean something else."""
    book, one, other = Rulebook(), connection(), connection()

    book.of(one).rules = Rules(version=7)

    assert book.of(one).rules == Rules(version=7)
    assert book.of(other).rules == NO_RULES
    assert book.of(one).rules == NO_RULES


def said(sequence: int, asked: Document) -> dict[str, Any]:
    """Give a row as the ledger has it."""
    command = command_of(asked)
    own = {name: value for name, value in command.own_content().items() if value is not None}
    return {"ledger_sequence": sequence, "type": command.TYPE, "details": json.dumps(own)}


def test_rules_are_brought_up_to_date_by_what_was_said_since() -> None:
    """Set, set in place of another for something else, ended; what nobody spoke of stays."""
    first = rules_of(
        NO_RULES,
        [
            said(3, bound("a", "account", "anna", daily_count="1")),
            said(4, bound("b", "channel", daily_count="2")),
            said(5, tariff("transfer", "debit", tier("1.00"))),
            said(6, day_close("2026-11-20")),
            said(7, bound_end("old")),
        ],
    )
    second = rules_of(
        first, [said(9, bound("a", "customer", "c-1", daily_count="3")), said(8, tariff_end("t"))]
    )
    third = rules_of(second, [said(10, bound_end("b"))])

    assert (first.version, first.open_date, len(first.tariffs)) == (7, "2026-11-21", 1)
    assert sorted(one.name for one in first.limits.values()) == ["a", "b"]
    assert (second.version, second.open_date, len(second.tariffs)) == (9, "2026-11-21", 0)
    assert set(second.limits) == {("customer", "c-1", "EUR"), ("channel", None, "EUR")}
    assert set(third.limits) == {("customer", "c-1", "EUR")}
    assert rules_of(third, []) == third
