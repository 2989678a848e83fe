"""How the commands of the bank's rules are read: its fees, its spending limits, its days."""

from __future__ import annotations

from collections.abc import Sequence

from processor.core.dates import day_after
from processor.core.day_commands import DayClose
from processor.core.document import Document, Misfit, amount_of, read
from processor.core.money import to_minor
from processor.core.rule_commands import LimitEnd, LimitSet, TariffEnd, TariffSet
from processor.core.rules import BASIS_POINT_DECIMALS, SpendingLimit, Tariff, Tier


def read_tariff_set(document: Document) -> TariffSet | Misfit:
    """Read a `tariff.set`."""
    tariff = tariff_of(document)
    return tariff if type(tariff) is Misfit else read(TariffSet, document, (tariff,))


def tariff_of(document: Document) -> Tariff | Misfit:
    """Read a tariff from the own fields of a `tariff.set`."""
    currency = document["currency"]
    tiers = _tiers(document["tiers"], currency)
    if type(tiers) is Misfit:
        return tiers
    least = amount_of(document.get("minimum", "0"), currency, "/minimum", least_minor=0)
    if type(least) is Misfit:
        return least
    most: int | None = None
    if "maximum" in document:
        bound = amount_of(document["maximum"], currency, "/maximum", least_minor=least)
        if type(bound) is Misfit:
            return bound
        most = bound
    return Tariff(
        document["tariff"],
        document["command"],
        document.get("for_channel"),
        document.get("product"),
        currency,
        document["payer"],
        tiers,
        least,
        most,
    )


def _tiers(written: Sequence[Document], currency: str) -> tuple[Tier, ...] | Misfit:
    tiers: list[Tier] = []
    for number, one in enumerate(written):
        at = f"/tiers/{number}"
        begins = amount_of(one["from"], currency, f"{at}/from", least_minor=0)
        if type(begins) is Misfit:
            return begins
        fixed = amount_of(one["fixed"], currency, f"{at}/fixed", least_minor=0)
        if type(fixed) is Misfit:
            return fixed
        if begins <= tiers[-1].from_minor if tiers else begins != 0:
            return Misfit(f"{at}/from", "tiers begin at 0 and each above the one before")
        tiers.append(Tier(begins, fixed, to_minor(one["basis_points"], BASIS_POINT_DECIMALS)))
    return tuple(tiers)


def read_tariff_end(document: Document) -> TariffEnd | Misfit:
    """Read a `tariff.end`."""
    return read(TariffEnd, document, (document["tariff"],))


def read_limit_set(document: Document) -> LimitSet | Misfit:
    """Read a `limit.set`."""
    limit = limit_of(document)
    return limit if type(limit) is Misfit else read(LimitSet, document, (limit,))


def limit_of(document: Document) -> SpendingLimit | Misfit:
    """Read a spending limit from the own fields of a `limit.set`."""
    currency = document["currency"]
    single = _bound(document, "single_amount", currency)
    if type(single) is Misfit:
        return single
    daily = _bound(document, "daily_amount", currency)
    if type(daily) is Misfit:
        return daily
    count = document.get("daily_count")
    return SpendingLimit(
        document["limit"],
        document["scope"],
        document.get("subject"),
        currency,
        single,
        daily,
        None if count is None else int(count),
    )


def _bound(document: Document, name: str, currency: str) -> int | Misfit | None:
    return amount_of(document[name], currency, f"/{name}") if name in document else None


def read_limit_end(document: Document) -> LimitEnd | Misfit:
    """Read a `limit.end`."""
    return read(LimitEnd, document, (document["limit"],))


def read_day_close(document: Document) -> DayClose | Misfit:
    """Read a `day.close`."""
    day = document["business_date"]
    next_date = document.get("next_date") or day_after(day)
    if next_date is None:
        return Misfit("/business_date", "no day follows")
    if next_date <= day:
        return Misfit("/next_date", "not later than the business date")
    return read(DayClose, document, (day, next_date))
