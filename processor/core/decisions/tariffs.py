"""`tariff.set` and `tariff.end`: which fees are charged from now on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from processor.core.books import Books, Ruling
from processor.core.reasons import Reason
from processor.core.shown import Shown

if TYPE_CHECKING:
    from processor.core.rule_commands import TariffEnd, TariffSet


def decide_set(command: TariffSet, books: Books, refused: Reason | None) -> Ruling:
    """Charge from here on, unless another tariff is for the same."""
    asked, reason = command.tariff, refused
    there = books.rules.tariffs.get(asked.scope)
    if reason is None and there is not None and there.name != asked.name:
        reason = Reason.TARIFF_OVERLAPS
    elif reason is None and there == asked:
        reason = Reason.NOTHING_TO_CHANGE
    if reason is None:
        books.rules = books.rules.with_tariff(asked)
    return replace(as_asked_set(command), reason=reason, changes_rules=reason is None)


def decide_end(command: TariffEnd, books: Books, refused: Reason | None) -> Ruling:
    """Charge no more from here on."""
    left, reason = books.rules.without_tariff(command.tariff), refused
    if reason is None and left == books.rules:
        reason = Reason.TARIFF_NOT_FOUND
    if reason is None:
        books.rules = left
    return replace(as_asked_end(command), reason=reason, changes_rules=reason is None)


def as_asked_set(command: TariffSet) -> Ruling:
    """Show what the command asks for."""
    return Ruling(None, currency=command.tariff.currency, shown=Shown(tariff=command.tariff.name))


def as_asked_end(command: TariffEnd) -> Ruling:
    """Show what the command asks for."""
    return Ruling(None, shown=Shown(tariff=command.tariff))
