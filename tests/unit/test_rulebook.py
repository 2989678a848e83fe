"""What a worker keeps of the bank's rules between batches."""

from __future__ import annotations

from typing import Any, cast

from processor.core.rules import NO_RULES, Rules
from processor.ledger.rulebook import Rulebook


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
