"""The rules of fees a second time: what a tariff is, which one holds, and what it comes to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from loadtest.reference.amounts import bare, fits, major_of, minor_of
from loadtest.reference.answer import Answer, Move

if TYPE_CHECKING:
    from loadtest.reference.model import Books

CHARGED = ("deposit", "withdrawal", "transfer", "payment", "fx.transfer", "hold.capture")
TIER = {"from", "fixed", "basis_points"}
TIERS = range(1, 21)
BASIS_POINTS_FORM = re.compile(r"(0|[1-9][0-9]{0,3})(\.[0-9]{1,2})?|10000(\.0{1,2})?")
SCOPE = ("command", "for_channel", "product", "currency", "payer")
"""Fields that say together what a tariff is for."""

Tariff = Mapping[str, Any]
"""The content of a `tariff.set`."""


class Fee(NamedTuple):
    """What an account pays, in minor units, and by which tariff."""

    account: str
    minor: int
    currency: str
    tariff: str


def tiers_fit(value: object, digits: Mapping[str, int]) -> bool:  # noqa: ARG001 - what they hold is checked with their currency
    """Say whether a list has the form of tiers."""
    if not isinstance(value, list) or len(value) not in TIERS:
        return False
    return all(
        isinstance(tier, dict)
        and tier.keys() == TIER
        and fits(tier["from"], 4)
        and fits(tier["fixed"], 4)
        and isinstance(tier["basis_points"], str)
        and BASIS_POINTS_FORM.fullmatch(tier["basis_points"]) is not None
        for tier in value
    )


def faults(found: Mapping[str, Any], digits: Mapping[str, int]) -> Iterator[str]:
    """Name what a `tariff.set` says that can't be, beyond the form of each field."""
    places = digits.get(str(found.get("currency")))
    if places is None:
        return
    tiers = found.get("tiers")
    if isinstance(tiers, list) and tiers_fit(tiers, digits):
        amounts = [tier[field] for tier in tiers for field in ("from", "fixed")]
        if not all(fits(amount, places) for amount in amounts):
            yield "tiers"
            return
        begins = [minor_of(tier["from"], places) or 0 for tier in tiers]
        if begins[0] != 0 or sorted(set(begins)) != begins:
            yield "tiers"
    least, most = found.get("minimum", "0"), found.get("maximum")
    if fits(least, places) and fits(most, places):
        bounds = [minor_of(str(one), places) or 0 for one in (least, most)]
        if bounds[1] < bounds[0]:
            yield "maximum"


def canonical(content: dict[str, Any], digits: Mapping[str, int]) -> dict[str, Any]:
    """Write tiers in their one form, and leave out a minimum of nothing; all else stays."""
    if content["type"] != "tariff.set":
        return content
    places = digits[content["currency"]]
    tiers = [
        {
            "from": major_of(minor_of(tier["from"], places) or 0, places),
            "fixed": major_of(minor_of(tier["fixed"], places) or 0, places),
            "basis_points": bare(tier["basis_points"]),
        }
        for tier in content["tiers"]
    ]
    written = {**content, "tiers": tiers}
    if not written.get("minimum", "1").strip("0."):
        del written["minimum"]
    return written


def set_tariff(books: Books, asked: Mapping[str, Any], reason: str | None) -> Answer:
    """Charge from now on."""
    name = asked["tariff"]
    fields = (*SCOPE, "tiers", "minimum", "maximum")
    tariff = {"tariff": name} | {field: asked[field] for field in fields if field in asked}
    others = [one for one in books.tariffs.values() if one["tariff"] != name]
    if reason is None and any(_scope(one) == _scope(tariff) for one in others):
        reason = "tariff_overlaps"
    if reason is None and books.tariffs.get(name) == tariff:
        reason = "nothing_to_change"
    if reason is None:
        books.tariffs[name] = tariff
    return _answer(asked, reason)


def end_tariff(books: Books, asked: Mapping[str, Any], reason: str | None) -> Answer:
    """Charge no more."""
    if reason is None and asked["tariff"] not in books.tariffs:
        reason = "tariff_not_found"
    if reason is None:
        del books.tariffs[asked["tariff"]]
    return _answer(asked, reason)


def _scope(tariff: Tariff) -> list[str | None]:
    return [tariff.get(field) for field in SCOPE]


def _answer(asked: Mapping[str, Any], reason: str | None) -> Answer:
    currency, shown = asked.get("currency"), {"tariff": asked["tariff"]}
    return Answer(asked["type"], reason, None, None, currency, None, None, None, shown=shown)


def fees_of(
    books: Books, asked: Mapping[str, Any], debit: tuple[str, int], credit: tuple[str, int]
) -> list[Fee]:
    """Say what a command costs; each side is given with the minor units that it gives or gets."""
    found: list[Fee] = []
    if not books.tariffs:
        return found
    for payer, (name, minor) in (("debit", debit), ("credit", credit)):
        account = books.account(name)
        assert account is not None, "both sides exist"
        if books.is_own(name):
            continue
        wanted = {
            "command": asked["type"],
            "for_channel": asked["channel"],
            "product": account.kind,
            "currency": account.currency,
            "payer": payer,
        }
        fitting = [
            one
            for one in books.tariffs.values()
            if all(one.get(field, wanted[field]) == wanted[field] for field in SCOPE)
        ]
        if fitting:
            best = max(fitting, key=lambda one: ("for_channel" in one, "product" in one))
            charged = charged_by(best, minor, books.digits[account.currency])
            if charged:
                found.append(Fee(name, charged, account.currency, best["tariff"]))
    return found


def charged_by(tariff: Tariff, minor: int, digits: int) -> int:
    """Count what a tariff charges for an amount, all in minor units."""
    charged = Fraction(0)
    for tier in tariff["tiers"]:
        if minor >= (minor_of(tier["from"], digits) or 0):
            share = Fraction(tier["basis_points"]) / 10_000
            charged = (minor_of(tier["fixed"], digits) or 0) + minor * share
    least = minor_of(tariff.get("minimum", "0"), digits) or 0
    rounded = max(round(charged), least)
    if "maximum" in tariff:
        rounded = min(rounded, minor_of(tariff["maximum"], digits) or 0)
    return rounded


def moves_of(fees: list[Fee]) -> list[Move]:
    """Give the moves that pay fees."""
    return [(one.account, f"fees-{one.currency}", one.minor) for one in fees]


def shown_of(fees: list[Fee], digits: Mapping[str, int]) -> dict[str, Any]:
    """Show fees as the outcome does, where there are any."""
    if not fees:
        return {}
    return {
        "fees": [
            {
                "account": one.account,
                "amount": major_of(one.minor, digits[one.currency]),
                "currency": one.currency,
                "tariff": one.tariff,
            }
            for one in fees
        ]
    }
