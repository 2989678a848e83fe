"""
The bank's rules that commands change: which fees are charged, how much may be spent, which day is
open.

Everybody decides by the same rules at the same place of the ledger's order: a batch that changes
them waits for those in flight, and those behind it wait for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Final

import msgspec
from msgspec.structs import replace

from processor.core.rounding import half_even

BASIS_POINT_DECIMALS: Final = 2
"""Basis points are counted in hundredths: 12.5 basis points are 1250."""

_WHOLE: Final = 10_000 * 10**BASIS_POINT_DECIMALS

Scope = tuple[str, str | None, str | None, str, str]
"""Type of command, channel, product, currency, side that pays."""

ACCOUNT: Final = "account"
CUSTOMER: Final = "customer"
CHANNEL: Final = "channel"

Bounded = tuple[str, str | None, str]
"""What a spending limit is for: scope, subject (None for any), currency."""


class Tier(msgspec.Struct, frozen=True):
    """What is charged from an amount on: a fixed part, a share in hundredths of basis points."""

    from_minor: int
    fixed_minor: int
    share: int


class Tariff(msgspec.Struct, frozen=True):
    """
    A fee for one type of command in one currency.

    `channel` and `product` (a kind of account, that of the payer) are None where any will do.
    `payer` is the side that pays, `debit` or `credit`. The tiers begin at 0 and grow; the one that
    an amount lies in holds for the whole amount. `maximum_minor` is None without an upper bound.
    """

    name: str
    command: str
    channel: str | None
    product: str | None
    currency: str
    payer: str
    tiers: tuple[Tier, ...]
    minimum_minor: int
    maximum_minor: int | None

    @property
    def scope(self) -> Scope:
        """What it is for; no two tariffs are for the same."""
        return (self.command, self.channel, self.product, self.currency, self.payer)

    def fee(self, amount_minor: int) -> int:
        """
        Give the fee for an amount: fixed part, and share rounded half to even, within the bounds.
        """
        tier = [one for one in self.tiers if one.from_minor <= amount_minor][-1]
        fee = tier.fixed_minor + half_even(amount_minor * tier.share, _WHOLE)
        fee = max(fee, self.minimum_minor)
        return fee if self.maximum_minor is None else min(fee, self.maximum_minor)


class SpendingLimit(msgspec.Struct, frozen=True):
    """
    How much may be spent in a currency: by a single command, and on a business date.

    `scope` says whose spending is meant: `account`, `customer` or `channel`. `subject` is its name,
    None for each that has no limit of its own. Amounts are in minor units; None is no bound.
    """

    name: str
    scope: str
    subject: str | None
    currency: str
    single_minor: int | None
    daily_minor: int | None
    daily_count: int | None

    @property
    def bounded(self) -> Bounded:
        """What it is for; no two limits are for the same."""
        return (self.scope, self.subject, self.currency)


class Rules(msgspec.Struct, frozen=True, dict=True):
    """
    The rules at a place of the ledger's order; `version` is the sequence of the last change.

    `open_date` is the open business date, None where no day was ever closed: then it is the UTC
    date of each decision.
    """

    version: int = 0
    tariffs: Mapping[Scope, Tariff] = MappingProxyType({})
    limits: Mapping[Bounded, SpendingLimit] = MappingProxyType({})
    open_date: str | None = None

    @cached_property
    def limited_scopes(self) -> frozenset[str]:
        """Whose spending is limited, for anyone; found once, as a bank may have many limits."""
        return frozenset(scope for scope, _, _ in self.limits)

    @cached_property
    def limited_subjects(self) -> frozenset[str | None]:
        """Who has a limit of their own, in whatever scope and currency."""
        return frozenset(subject for _, subject, _ in self.limits if subject is not None)

    @cached_property
    def limited_currencies(self) -> frozenset[str]:
        """In which currencies a limit is for anyone."""
        return frozenset(currency for _, subject, currency in self.limits if subject is None)

    @cached_property
    def _charged(self) -> frozenset[tuple[str, str | None]]:
        return frozenset((command, channel) for command, channel, *_ in self.tariffs)

    def may_limit(self, currency: str, *subjects: str | None) -> bool:
        """Say whether to look for limits of these subjects; where not, they have none."""
        return currency in self.limited_currencies or not self.limited_subjects.isdisjoint(subjects)

    def may_charge(self, command: str, channel: str) -> bool:
        """Say whether to look for tariffs of a command; where not, it costs nothing."""
        return (command, channel) in self._charged or (command, None) in self._charged

    def with_open_date(self, open_date: str) -> Rules:
        """Book on another day from here on."""
        return replace(self, open_date=open_date)

    def with_tariff(self, tariff: Tariff) -> Rules:
        """Charge by a tariff from here on, instead of one of its name."""
        others = self.without_tariff(tariff.name).tariffs
        return replace(self, tariffs={**others, tariff.scope: tariff})

    def without_tariff(self, name: str) -> Rules:
        """Charge by a tariff no more."""
        left = {scope: one for scope, one in self.tariffs.items() if one.name != name}
        return replace(self, tariffs=left)

    def with_limit(self, limit: SpendingLimit) -> Rules:
        """Bound what is spent from here on, instead of by a limit of its name."""
        others = self.without_limit(limit.name).limits
        return replace(self, limits={**others, limit.bounded: limit})

    def without_limit(self, name: str) -> Rules:
        """Bound by a limit no more."""
        left = {bounded: one for bounded, one in self.limits.items() if one.name != name}
        return replace(self, limits=left)

    def limit(self, scope: str, subject: str, currency: str) -> SpendingLimit | None:
        """Find the limit of a subject, else the one for any."""
        own = self.limits.get((scope, subject, currency))
        return self.limits.get((scope, None, currency)) if own is None else own

    def tariff(
        self, command: str, channel: str, product: str, currency: str, payer: str
    ) -> Tariff | None:
        """Find the tariff for the channel and product, else for one of them, else for any."""
        for names in ((channel, product), (channel, None), (None, product), (None, None)):
            found = self.tariffs.get((command, *names, currency, payer))
            if found is not None:
                return found
        return None


NO_RULES: Final = Rules()
