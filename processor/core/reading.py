"""
How each command is read from a document that its schema accepts.

Adding a command here is a function that reads it, and a line in `READERS`.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar, final

import msgspec
import orjson

from processor.core.commands import (
    OVERDRAW,
    AccountClose,
    AccountFreeze,
    AccountLimit,
    AccountOpen,
    AccountSide,
    AccountUnfreeze,
    Command,
    Deposit,
    FxTransfer,
    GivesBack,
    Journal,
    JournalLine,
    Movement,
    Payment,
    Refund,
    Reversal,
    Transfer,
    Withdrawal,
    content,
    without_needless_zeros,
)
from processor.core.currencies import DIGITS
from processor.core.dates import day_after
from processor.core.day_commands import DayClose
from processor.core.fingerprint import fingerprint
from processor.core.hold_commands import (
    RELEASE,
    HoldCapture,
    HoldExpire,
    HoldPlace,
    HoldRelease,
    OnHold,
)
from processor.core.money import AMOUNT_MINOR_MAX, to_major, to_minor
from processor.core.own_accounts import CASH_PREFIX
from processor.core.rates import to_credit, to_debit
from processor.core.rule_commands import TariffEnd, TariffSet
from processor.core.rules import BASIS_POINT_DECIMALS, Tariff, Tier
from processor.core.timestamps import EPOCH_US_MAX, to_epoch_us

METADATA_BYTES_MAX: Final = 4096
"""Bound of all keys and values of a command's metadata together, in UTF-8 bytes."""

_C = TypeVar("_C", bound=Command)

Document = dict[str, Any]
"""A JSON object that the schema of its type accepts."""


Common = tuple[str, str, str, int | None, str | None, dict[str, str] | None]
"""transaction_id, channel, requested_at, valid_until_us, reference, metadata."""


@final
class Misfit(msgspec.Struct, frozen=True):
    """What is wrong (`detail`) and where (`pointer`) with a document that its schema accepts."""

    pointer: str
    detail: str


def _read_movement(kind: type[Movement], document: Document) -> Movement | Misfit:
    """
    Read a movement, the bulk of all commands.

    What is hashed is put together by hand, in a fifth of the time of
    `fingerprint(content(command))`, which it equals.
    """
    currency = document["currency"]
    written = document["amount"]
    amount_minor = _amount_minor(written, currency, "/amount")
    if type(amount_minor) is Misfit:
        return amount_minor
    common = _read_common(document)
    if type(common) is Misfit:
        return common
    transaction_id, channel, requested_at, valid_until_us, reference, metadata = common
    digits = DIGITS[currency]
    amount = written if written[-1 - digits : -digits] == "." else to_major(amount_minor, digits)
    cash = CASH_PREFIX + currency
    debit, credit = document.get("debit_account", cash), document.get("credit_account", cash)
    debit_hashed, credit_hashed = f'"debit_account":"{debit}",', f'"credit_account":"{credit}",'
    if kind.CASH_SIDE == "debit_account" and debit == cash:
        debit_hashed = ""
    elif kind.CASH_SIDE == "credit_account" and credit == cash:
        credit_hashed = ""
    metadata_hashed = "" if metadata is None else f'"metadata":{_json(metadata)},'
    reference_hashed = "" if reference is None else f'"reference":{_json(reference)},'
    value_date = document.get("value_date")
    value_date_hashed = "" if value_date is None else f',"value_date":"{value_date}"'
    hashed = (
        f'{{"amount":"{amount}","channel":"{channel}",{credit_hashed}"currency":"{currency}",'
        f'{debit_hashed}{metadata_hashed}{reference_hashed}"transaction_id":"{transaction_id}",'
        f'"type":"{kind.TYPE}"{value_date_hashed}}}'
    )
    return kind(
        transaction_id,
        hashlib.sha256(hashed.encode()).digest(),
        channel,
        requested_at,
        valid_until_us,
        reference,
        metadata,
        debit,
        credit,
        amount_minor,
        currency,
        value_date,
    )


def _json(value: str | dict[str, str]) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _read_account_open(document: Document) -> AccountOpen | Misfit:
    currency = document["currency"]
    limit_minor = _limit_minor(document.get("overdraft_limit", "0"), currency)
    if type(limit_minor) is Misfit:
        return limit_minor
    own = (document["account"], currency, document["kind"], limit_minor)
    return _read(AccountOpen, document, own)


def _read_account_side(kind: type[AccountSide], document: Document) -> AccountSide | Misfit:
    return _read(kind, document, (document["account"], document["side"], document["reason"]))


def _read_account_limit(document: Document) -> AccountLimit | Misfit:
    currency = document["currency"]
    limit_minor = _limit_minor(document["overdraft_limit"], currency)
    if type(limit_minor) is Misfit:
        return limit_minor
    return _read(AccountLimit, document, (document["account"], currency, limit_minor))


def _read_account_close(document: Document) -> AccountClose | Misfit:
    return _read(AccountClose, document, (document["account"],))


def _read_giving_back(kind: type[GivesBack], document: Document) -> GivesBack | Misfit:
    amount = document.get("amount")
    if amount is not None and without_needless_zeros(amount) == "0":
        return Misfit("/amount", "not above zero")
    own = (document["original_transaction_id"].lower(), amount, _overdraws(document))
    return _read(kind, document, (*own, document.get("value_date")))


def _overdraws(document: Document) -> bool:
    return document.get("on_shortfall") == OVERDRAW


def _read_journal(document: Document) -> Journal | Misfit:
    lines: list[JournalLine] = []
    sums: Counter[str] = Counter()
    for number, line in enumerate(document["lines"]):
        currency, direction = line["currency"], line["direction"]
        amount_minor = _amount_minor(line["amount"], currency, f"/lines/{number}/amount")
        if type(amount_minor) is Misfit:
            return amount_minor
        sums[currency] += amount_minor if direction == "credit" else -amount_minor
        account, reference = line["account"], line.get("reference")
        lines.append(JournalLine(account, direction, amount_minor, currency, reference))
    uneven = sorted(currency for currency, sum_minor in sums.items() if sum_minor)
    if uneven:
        return Misfit("/lines", f"debits and credits in {uneven[0]} are not equal")
    own = (tuple(lines), _overdraws(document), document.get("value_date"))
    return _read(Journal, document, own)


def _read_fx_transfer(document: Document) -> FxTransfer | Misfit:
    currency, credit_currency = document["currency"], document["credit_currency"]
    if currency == credit_currency:
        return Misfit("/credit_currency", "the same currency as that of the debit")
    amount = _amount_minor(document["amount"], currency, "/amount")
    if type(amount) is Misfit:
        return amount
    credit_amount = _amount_minor(document["credit_amount"], credit_currency, "/credit_amount")
    if type(credit_amount) is Misfit:
        return credit_amount
    rate, fixed_side = document["rate"], document.get("fixed_side", "debit")
    if (
        fixed_side == "debit"
        and to_credit(amount, currency, rate, credit_currency) != credit_amount
    ):
        return Misfit("/credit_amount", "not what the amount is worth at the rate")
    if (
        fixed_side == "credit"
        and to_debit(credit_amount, currency, rate, credit_currency) != amount
    ):
        return Misfit("/amount", "not what the credit amount costs at the rate")
    own = (
        document["debit_account"],
        document["credit_account"],
        amount,
        currency,
        credit_amount,
        credit_currency,
        without_needless_zeros(rate),
        fixed_side,
        document.get("value_date"),
    )
    return _read(FxTransfer, document, own)


def _read(kind: type[_C], document: Document, own: tuple[object, ...]) -> _C | Misfit:
    """Read what every command has, add what only this kind has, and sign it."""
    common = _read_common(document)
    if type(common) is Misfit:
        return common
    unsigned = kind(common[0], b"", *common[1:], *own)
    return msgspec.structs.replace(unsigned, fingerprint=fingerprint(content(unsigned)))


def _read_common(document: Document) -> Common | Misfit:
    """Read what every command has, in the order of `Command` without the fingerprint."""
    valid_until = document.get("valid_until")
    metadata = document.get("metadata") or None
    if metadata is not None and _utf8_bytes(metadata) > METADATA_BYTES_MAX:
        return Misfit("/metadata", f"more than {METADATA_BYTES_MAX} bytes of keys and values")
    return (
        document["transaction_id"].lower(),
        document["channel"],
        document["requested_at"],
        None if valid_until is None else to_epoch_us(valid_until),
        document.get("reference"),
        metadata,
    )


def _utf8_bytes(metadata: dict[str, str]) -> int:
    return sum(len(key.encode()) + len(value.encode()) for key, value in metadata.items())


def _limit_minor(text: str, currency: str) -> int | Misfit:
    return _amount_minor(text, currency, "/overdraft_limit", least_minor=0)


def _amount_minor(text: str, currency: str, pointer: str, least_minor: int = 1) -> int | Misfit:
    """Read an amount of a currency, within the bounds that the schema can't state."""
    digits = DIGITS[currency]
    whole, _, fraction = text.partition(".")
    if len(fraction) > digits:
        return Misfit(pointer, f"more than the {digits} decimals of {currency}")
    amount_minor = int(whole + fraction.ljust(digits, "0"))
    if not least_minor <= amount_minor <= AMOUNT_MINOR_MAX:
        return Misfit(pointer, f"not from {least_minor} to {AMOUNT_MINOR_MAX} minor units")
    return amount_minor


def _read_hold_place(document: Document) -> HoldPlace | Misfit:
    currency = document["currency"]
    amount = _amount_minor(document["amount"], currency, "/amount")
    if type(amount) is Misfit:
        return amount
    most = amount
    if "capture_max" in document:
        read_most = _amount_minor(document["capture_max"], currency, "/capture_max")
        if type(read_most) is Misfit:
            return read_most
        most = read_most
    if most < amount:
        return Misfit("/capture_max", "less than the amount")
    written = document.get("expires_at")
    expires_at_us = None if written is None else to_epoch_us(written)
    if expires_at_us is not None and not 0 <= expires_at_us <= EPOCH_US_MAX:
        return Misfit("/expires_at", "not in the years 1970 to 9999 in UTC")
    sides = (document["debit_account"], document["credit_account"])
    return _read(HoldPlace, document, (*sides, amount, currency, most, expires_at_us))


def _read_on_hold(document: Document, kind: type[OnHold], *own: object) -> OnHold | Misfit:
    amount = document.get("amount")
    if amount is not None and without_needless_zeros(amount) == "0":
        return Misfit("/amount", "not above zero")
    return _read(kind, document, (document["hold_transaction_id"].lower(), amount, *own))


def _read_hold_capture(document: Document) -> OnHold | Misfit:
    releases = document.get("remainder") == RELEASE
    return _read_on_hold(document, HoldCapture, releases, document.get("value_date"))


def _read_hold_release(document: Document) -> OnHold | Misfit:
    return _read_on_hold(document, HoldRelease)


def _read_hold_expire(document: Document) -> HoldExpire | Misfit:
    return _read(HoldExpire, document, (document["hold_transaction_id"].lower(),))


def _read_tariff_set(document: Document) -> TariffSet | Misfit:
    tariff = tariff_of(document)
    return tariff if type(tariff) is Misfit else _read(TariffSet, document, (tariff,))


def tariff_of(document: Document) -> Tariff | Misfit:
    """Read a tariff from the own fields of a `tariff.set`."""
    currency = document["currency"]
    tiers = _tiers(document["tiers"], currency)
    if type(tiers) is Misfit:
        return tiers
    least = _amount_minor(document.get("minimum", "0"), currency, "/minimum", least_minor=0)
    if type(least) is Misfit:
        return least
    most: int | None = None
    if "maximum" in document:
        bound = _amount_minor(document["maximum"], currency, "/maximum", least_minor=least)
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
        begins = _amount_minor(one["from"], currency, f"{at}/from", least_minor=0)
        if type(begins) is Misfit:
            return begins
        fixed = _amount_minor(one["fixed"], currency, f"{at}/fixed", least_minor=0)
        if type(fixed) is Misfit:
            return fixed
        if begins <= tiers[-1].from_minor if tiers else begins != 0:
            return Misfit(f"{at}/from", "tiers begin at 0 and each above the one before")
        tiers.append(Tier(begins, fixed, to_minor(one["basis_points"], BASIS_POINT_DECIMALS)))
    return tuple(tiers)


def _read_tariff_end(document: Document) -> TariffEnd | Misfit:
    return _read(TariffEnd, document, (document["tariff"],))


def _read_day_close(document: Document) -> DayClose | Misfit:
    day = document["business_date"]
    next_date = document.get("next_date") or day_after(day)
    if next_date is None:
        return Misfit("/business_date", "no day follows")
    if next_date <= day:
        return Misfit("/next_date", "not later than the business date")
    return _read(DayClose, document, (day, next_date))


Reader = Callable[[Document], Command | Misfit]

READERS: Final[Mapping[str, Reader]] = {
    AccountOpen.TYPE: _read_account_open,
    AccountFreeze.TYPE: partial(_read_account_side, AccountFreeze),
    AccountUnfreeze.TYPE: partial(_read_account_side, AccountUnfreeze),
    AccountLimit.TYPE: _read_account_limit,
    AccountClose.TYPE: _read_account_close,
    Deposit.TYPE: partial(_read_movement, Deposit),
    Withdrawal.TYPE: partial(_read_movement, Withdrawal),
    Transfer.TYPE: partial(_read_movement, Transfer),
    Payment.TYPE: partial(_read_movement, Payment),
    Reversal.TYPE: partial(_read_giving_back, Reversal),
    Refund.TYPE: partial(_read_giving_back, Refund),
    Journal.TYPE: _read_journal,
    FxTransfer.TYPE: _read_fx_transfer,
    HoldPlace.TYPE: _read_hold_place,
    HoldCapture.TYPE: _read_hold_capture,
    HoldRelease.TYPE: _read_hold_release,
    HoldExpire.TYPE: _read_hold_expire,
    TariffSet.TYPE: _read_tariff_set,
    TariffEnd.TYPE: _read_tariff_end,
    DayClose.TYPE: _read_day_close,
}
"""How a document of each type becomes a command."""
