"""
The catalogue: every command with what it reads and the function that decides it.

Adding a command is a schema, a Struct in `commands.py`, a file in `decisions/` and a line here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.structs import replace

from processor.core.books import Books, Ruling
from processor.core.commands import (
    AccountClose,
    AccountFreeze,
    AccountLimit,
    AccountOpen,
    AccountUnfreeze,
    Command,
    Deposit,
    FxTransfer,
    Journal,
    Payment,
    Refund,
    Reversal,
    Transfer,
    Withdrawal,
)
from processor.core.day_commands import DayClose
from processor.core.decisions import (
    days,
    exchange,
    hold,
    journal,
    limits,
    movement,
    opening,
    payment,
    reversal,
    tariffs,
    terms,
)
from processor.core.hold_commands import HoldCapture, HoldExpire, HoldPlace, HoldRelease
from processor.core.reasons import Reason
from processor.core.rule_commands import LimitEnd, LimitSet, TariffEnd, TariffSet


def _no_accounts(_command: Command) -> tuple[str, ...]:
    return ()


class Rule(msgspec.Struct, frozen=True):
    """
    How one kind of command is treated.

    `accounts_of` names the accounts to read and lock; `original_of` the earlier payment and
    `hold_of` the earlier hold to read, whose accounts are then locked too; `decide` is pure, may
    change only the books it is given, and gets the reason that was found before it (expiry), if
    any. `is_charged` where fees may be due for it or for its capture, `changes_rules` where later
    commands are decided by other rules. `as_asked` shows what a command asks for, whatever becomes
    of it.
    """

    decide: Callable[[Any, Books, Reason | None], Ruling]
    as_asked: Callable[[Any], Ruling]
    accounts_of: Callable[[Any], tuple[str, ...]] = _no_accounts
    original_of: Callable[[Any], str] | None = None
    hold_of: Callable[[Any], str] | None = None
    is_charged: bool = False
    changes_rules: bool = False


_MOVEMENT = Rule(movement.decide, movement.as_asked, movement.accounts_of, is_charged=True)

CATALOGUE: dict[type[Command], Rule] = {
    AccountOpen: Rule(opening.decide, opening.as_asked, opening.accounts_of),
    AccountFreeze: Rule(terms.decide_freeze, terms.as_asked, terms.accounts_of),
    AccountUnfreeze: Rule(terms.decide_unfreeze, terms.as_asked, terms.accounts_of),
    AccountLimit: Rule(terms.decide_limit, terms.as_asked, terms.accounts_of),
    AccountClose: Rule(terms.decide_close, terms.as_asked, terms.accounts_of),
    Deposit: _MOVEMENT,
    Withdrawal: _MOVEMENT,
    Transfer: _MOVEMENT,
    Payment: replace(_MOVEMENT, decide=payment.decide),
    Reversal: Rule(reversal.decide, reversal.as_asked, original_of=reversal.original_of),
    Refund: Rule(reversal.decide, reversal.as_asked, original_of=reversal.original_of),
    Journal: Rule(journal.decide, journal.as_asked, journal.accounts_of),
    FxTransfer: Rule(exchange.decide, exchange.as_asked, exchange.accounts_of, is_charged=True),
    HoldPlace: Rule(hold.decide_place, hold.as_asked_place, hold.accounts_of, is_charged=True),
    HoldCapture: Rule(hold.decide_capture, hold.as_asked, hold_of=hold.hold_of, is_charged=True),
    HoldRelease: Rule(hold.decide_release, hold.as_asked, hold_of=hold.hold_of),
    HoldExpire: Rule(hold.decide_expire, hold.as_asked, hold_of=hold.hold_of),
    TariffSet: Rule(tariffs.decide_set, tariffs.as_asked_set, changes_rules=True),
    TariffEnd: Rule(tariffs.decide_end, tariffs.as_asked_end, changes_rules=True),
    LimitSet: Rule(limits.decide_set, limits.as_asked_set, limits.accounts_of, changes_rules=True),
    LimitEnd: Rule(limits.decide_end, limits.as_asked_end, changes_rules=True),
    DayClose: Rule(days.decide_close, days.as_asked_close, changes_rules=True),
}
