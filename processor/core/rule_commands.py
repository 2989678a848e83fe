"""The commands that change the bank's rules: its fees and its spending limits."""

from __future__ import annotations

from typing import ClassVar

from processor.core.commands import Command, without_needless_zeros
from processor.core.currencies import DIGITS
from processor.core.money import to_major
from processor.core.rules import BASIS_POINT_DECIMALS, SpendingLimit, Tariff, Tier


class TariffSet(Command, frozen=True, gc=False):
    """Charge a fee from now on, or another one than before under the same name."""

    tariff: Tariff

    TYPE: ClassVar[str] = "tariff.set"

    def own_content(self) -> dict[str, object]:
        """Leave out a minimum of zero, which is the default."""
        tariff = self.tariff
        digits = DIGITS[tariff.currency]
        least, most = tariff.minimum_minor, tariff.maximum_minor
        return {
            "tariff": tariff.name,
            "command": tariff.command,
            "for_channel": tariff.channel,
            "product": tariff.product,
            "currency": tariff.currency,
            "payer": tariff.payer,
            "tiers": [tier_content(tier, digits) for tier in tariff.tiers],
            "minimum": to_major(least, digits) if least else None,
            "maximum": None if most is None else to_major(most, digits),
        }


class TariffEnd(Command, frozen=True, gc=False):
    """Charge a fee no more."""

    tariff: str

    TYPE: ClassVar[str] = "tariff.end"

    def own_content(self) -> dict[str, object]:
        """Name the tariff."""
        return {"tariff": self.tariff}


class LimitSet(Command, frozen=True, gc=False):
    """Bound what is spent from now on, or otherwise than before under the same name."""

    limit: SpendingLimit

    TYPE: ClassVar[str] = "limit.set"

    def own_content(self) -> dict[str, object]:
        """Leave out what is not bounded."""
        limit = self.limit
        digits = DIGITS[limit.currency]
        single, daily, count = limit.single_minor, limit.daily_minor, limit.daily_count
        return {
            "limit": limit.name,
            "scope": limit.scope,
            "subject": limit.subject,
            "currency": limit.currency,
            "single_amount": None if single is None else to_major(single, digits),
            "daily_amount": None if daily is None else to_major(daily, digits),
            "daily_count": None if count is None else str(count),
        }


class LimitEnd(Command, frozen=True, gc=False):
    """Bound no more."""

    limit: str

    TYPE: ClassVar[str] = "limit.end"

    def own_content(self) -> dict[str, object]:
        """Name the limit."""
        return {"limit": self.limit}


def tier_content(tier: Tier, digits: int) -> dict[str, str]:
    """Give a tier in canonical form."""
    share = to_major(tier.share, BASIS_POINT_DECIMALS)
    return {
        "from": to_major(tier.from_minor, digits),
        "fixed": to_major(tier.fixed_minor, digits),
        "basis_points": without_needless_zeros(share),
    }
