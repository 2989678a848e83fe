"""
How each command is read from a document that its schema accepts.

Adding a command here is a function that reads it, and a line in `READERS`.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

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
    without_needless_zeros,
)
from processor.core.currencies import DIGITS
from processor.core.day_commands import DayClose
from processor.core.document import Document, Misfit, amount_of, read, read_common
from processor.core.hold_commands import (
    RELEASE,
    HoldCapture,
    HoldExpire,
    HoldPlace,
    HoldRelease,
    OnHold,
)
from processor.core.money import to_major
from processor.core.own_accounts import CASH_PREFIX
from processor.core.rates import to_credit, to_debit
from processor.core.rule_commands import LimitEnd, LimitSet, TariffEnd, TariffSet
from processor.core.rule_reading import (
    read_day_close,
    read_limit_end,
    read_limit_set,
    read_tariff_end,
    read_tariff_set,
)
from processor.core.timestamps import EPOCH_US_MAX, to_epoch_us


def _read_movement(kind: type[Movement], document: Document) -> Movement | Misfit:
    """
    Read a movement, the bulk of all commands.

    What is hashed is put together by hand, in a fifth of the time of
    `fingerprint(content(command))`, which it equals.
    """
    currency = document["currency"]
    written = document["amount"]
    amount_minor = amount_of(written, currency, "/amount")
    if type(amount_minor) is Misfit:
        return amount_minor
    common = read_common(document)
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
        amount,
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
    own = (document["account"], currency, document["kind"], limit_minor, document.get("customer"))
    return read(AccountOpen, document, own)


def _read_account_side(kind: type[AccountSide], document: Document) -> AccountSide | Misfit:
    return read(kind, document, (document["account"], document["side"], document["reason"]))


def _read_account_limit(document: Document) -> AccountLimit | Misfit:
    currency = document["currency"]
    limit_minor = _limit_minor(document["overdraft_limit"], currency)
    if type(limit_minor) is Misfit:
        return limit_minor
    return read(AccountLimit, document, (document["account"], currency, limit_minor))


def _read_account_close(document: Document) -> AccountClose | Misfit:
    return read(AccountClose, document, (document["account"],))


def _read_giving_back(kind: type[GivesBack], document: Document) -> GivesBack | Misfit:
    amount = document.get("amount")
    if amount is not None and without_needless_zeros(amount) == "0":
        return Misfit("/amount", "not above zero")
    own = (document["original_transaction_id"].lower(), amount, _overdraws(document))
    return read(kind, document, (*own, document.get("value_date")))


def _overdraws(document: Document) -> bool:
    return document.get("on_shortfall") == OVERDRAW


def _read_journal(document: Document) -> Journal | Misfit:
    lines: list[JournalLine] = []
    sums: Counter[str] = Counter()
    for number, line in enumerate(document["lines"]):
        currency, direction = line["currency"], line["direction"]
        amount_minor = amount_of(line["amount"], currency, f"/lines/{number}/amount")
        if type(amount_minor) is Misfit:
            return amount_minor
        sums[currency] += amount_minor if direction == "credit" else -amount_minor
        account, reference = line["account"], line.get("reference")
        lines.append(JournalLine(account, direction, amount_minor, currency, reference))
    uneven = sorted(currency for currency, sum_minor in sums.items() if sum_minor)
    if uneven:
        return Misfit("/lines", f"debits and credits in {uneven[0]} are not equal")
    own = (tuple(lines), _overdraws(document), document.get("value_date"))
    return read(Journal, document, own)


def _read_fx_transfer(document: Document) -> FxTransfer | Misfit:
    currency, credit_currency = document["currency"], document["credit_currency"]
    if currency == credit_currency:
        return Misfit("/credit_currency", "the same currency as that of the debit")
    amount = amount_of(document["amount"], currency, "/amount")
    if type(amount) is Misfit:
        return amount
    credit_amount = amount_of(document["credit_amount"], credit_currency, "/credit_amount")
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
    return read(FxTransfer, document, own)


def _limit_minor(text: str, currency: str) -> int | Misfit:
    return amount_of(text, currency, "/overdraft_limit", least_minor=0)


def _read_hold_place(document: Document) -> HoldPlace | Misfit:
    currency = document["currency"]
    amount = amount_of(document["amount"], currency, "/amount")
    if type(amount) is Misfit:
        return amount
    most = amount
    if "capture_max" in document:
        read_most = amount_of(document["capture_max"], currency, "/capture_max")
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
    return read(HoldPlace, document, (*sides, amount, currency, most, expires_at_us))


def _read_on_hold(document: Document, kind: type[OnHold], *own: object) -> OnHold | Misfit:
    amount = document.get("amount")
    if amount is not None and without_needless_zeros(amount) == "0":
        return Misfit("/amount", "not above zero")
    return read(kind, document, (document["hold_transaction_id"].lower(), amount, *own))


def _read_hold_capture(document: Document) -> OnHold | Misfit:
    releases = document.get("remainder") == RELEASE
    return _read_on_hold(document, HoldCapture, releases, document.get("value_date"))


def _read_hold_release(document: Document) -> OnHold | Misfit:
    return _read_on_hold(document, HoldRelease)


def _read_hold_expire(document: Document) -> HoldExpire | Misfit:
    return read(HoldExpire, document, (document["hold_transaction_id"].lower(),))


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
    TariffSet.TYPE: read_tariff_set,
    TariffEnd.TYPE: read_tariff_end,
    LimitSet.TYPE: read_limit_set,
    LimitEnd.TYPE: read_limit_end,
    DayClose.TYPE: read_day_close,
}
"""How a document of each type becomes a command."""
