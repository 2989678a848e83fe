"""The contract of a command, written a second time: bytes in, typed content or a fault out."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from loadtest.reference import days, fees, limits
from loadtest.reference.amounts import AMOUNT_FORM, AMOUNT_MINOR_MAX, bare, major_of, minor_of
from loadtest.reference.strict import parse
from loadtest.reference.times import time_us, written

COMMAND_BYTES_MAX = 64 * 1024
REFERENCE_MAX = 140
METADATA_PAIRS_MAX = 32
METADATA_BYTES_MAX = 4096

OWN_FIELDS: dict[str, tuple[set[str], set[str]]] = {
    "account.open": ({"account", "currency", "kind"}, {"overdraft_limit", "customer"}),
    "account.freeze": ({"account", "side", "reason"}, set()),
    "account.unfreeze": ({"account", "side", "reason"}, set()),
    "account.limit": ({"account", "currency", "overdraft_limit"}, set()),
    "account.close": ({"account"}, set()),
    "deposit": ({"credit_account", "amount", "currency"}, {"debit_account"}),
    "withdrawal": ({"debit_account", "amount", "currency"}, {"credit_account"}),
    "transfer": ({"debit_account", "credit_account", "amount", "currency"}, set()),
    "payment": ({"debit_account", "credit_account", "amount", "currency"}, set()),
    "reversal": ({"original_transaction_id"}, {"amount", "on_shortfall"}),
    "refund": ({"original_transaction_id"}, {"amount"}),
    "journal": ({"lines"}, {"on_shortfall"}),
    "fx.transfer": (
        {"debit_account", "credit_account", "amount", "currency", "credit_amount"}
        | {"credit_currency", "rate"},
        {"fixed_side"},
    ),
    "hold.place": (
        {"debit_account", "credit_account", "amount", "currency"},
        {"capture_max", "expires_at"},
    ),
    "hold.capture": ({"hold_transaction_id"}, {"amount", "remainder"}),
    "hold.release": ({"hold_transaction_id"}, {"amount"}),
    "hold.expire": ({"hold_transaction_id"}, set()),
    "tariff.set": (
        {"tariff", "command", "currency", "payer", "tiers"},
        {"for_channel", "product", "minimum", "maximum"},
    ),
    "tariff.end": ({"tariff"}, set()),
    "limit.set": ({"limit", "scope", "currency"}, {"subject", *limits.MEASURES}),
    "limit.end": ({"limit"}, set()),
    "day.close": ({"business_date"}, {"next_date"}),
}
INTERNAL = {"hold.expire", "tariff.set", "tariff.end", "limit.set", "limit.end", "day.close"}
OF_CHANNELS = OWN_FIELDS.keys() - INTERNAL
DATED = {"deposit", "withdrawal", "transfer", "payment", "reversal", "refund", "journal"}
DATED |= {"fx.transfer", "hold.capture"}
"""Types that may ask for a value date."""

LINE_FIELDS = {"account", "direction", "amount", "currency"}
LINES = range(2, 101)
CAPTURES = ("amount", "capture_max")
AMOUNTS = {"amount": "currency", "overdraft_limit": "currency", "credit_amount": "credit_currency"}
AMOUNTS |= dict.fromkeys(("capture_max", "minimum", "maximum", *limits.AMOUNTS), "currency")
"""Fields that hold money, each with the field that names its currency."""

UNLIMITED = ("internal", "nostro", "suspense", "income", "expense")
OVERDRAWN = ("customer", "current", "merchant", "loan")
KINDS = (*UNLIMITED, *OVERDRAWN, "savings", "term_deposit")
"""Kinds of accounts: without a lower limit, with one that may be below zero, and all."""

REQUIRED = {"transaction_id", "type", "requested_at", "channel"}
OPTIONAL = {"valid_until", "reference", "metadata"}
FIELDS = {
    type_: (
        REQUIRED | required,
        REQUIRED | required | OPTIONAL | optional | ({"value_date"} if type_ in DATED else set()),
    )
    for type_, (required, optional) in OWN_FIELDS.items()
}
"""Of each type the fields that it must have, and all that it may have."""

NO_CONTENT = ("requested_at", "valid_until")
WRITTEN = ("reversal", "refund", "hold.capture", "hold.release")
"""Types whose amount is in the currency of an earlier command."""

YEARS_US = range(253_402_300_800_000_000)
"""The years 1970 to 9999 in microseconds."""

DEFAULTS = {"on_shortfall": "refuse", "fixed_side": "debit", "remainder": "keep"}
DEFAULT_SIDE = {"deposit": "debit_account", "withdrawal": "credit_account"}

UUID_FORM = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
RATE_FORM = re.compile(r"(0|[1-9][0-9]{0,11})(\.[0-9]{1,12})?")
NAME_FORM = re.compile(r"[A-Za-z0-9._:-]{1,64}")
CHANNEL_FORM = re.compile(r"[a-z0-9-]{1,32}")
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")

WHOLE = frozenset({""})


class Fault(NamedTuple):
    """No command; `pointers` (RFC 6901) name every field that is to blame, or the whole."""

    reason: str
    pointers: frozenset[str]
    transaction_id: str | None = None
    channel: str | None = None


class Command(NamedTuple):
    """
    A command's meaning: `content` holds canonical values, defaults left out.

    `amount_written` is a reversal's amount as it came: how many digits are too many, only the
    original's currency can tell.
    """

    content: dict[str, Any]
    valid_until_us: int | None
    amount_written: str | None = None

    @property
    def transaction_id(self) -> str:
        """The id in lower case."""
        return str(self.content["transaction_id"])


def read(
    value: bytes | None, digits: Mapping[str, int], *, is_internal: bool = False
) -> Command | Fault:
    """
    Read a message; `digits` are the active currencies with their minor-unit digits.

    `is_internal` where it stands in the internal topic, which takes other types.
    """
    if value is not None and len(value) > COMMAND_BYTES_MAX:
        return Fault("too_large", WHOLE)
    if value is None or not value.strip(b" \t\r\n"):
        return Fault("empty", WHOLE)
    try:
        found = parse(value)
    except ValueError:
        return Fault("not_json", WHOLE)
    if not isinstance(found, dict):
        return Fault("schema", WHOLE)
    return _read(found, digits, INTERNAL if is_internal else OF_CHANNELS)


def _read(
    found: dict[str, Any], digits: Mapping[str, int], types: Container[str]
) -> Command | Fault:
    type_ = found.get("type")
    if not isinstance(type_, str):
        fault = Fault("schema", frozenset({"/type" if "type" in found else ""}))
    elif type_ not in types:
        fault = Fault("unknown_type", frozenset({"/type"}))
    elif faults := frozenset(_faults(found, type_, digits)):
        fault = Fault("schema", faults)
    else:
        until = found.get("valid_until")
        written = found.get("amount") if found["type"] in WRITTEN else None
        return Command(_content(found, digits), None if until is None else time_us(until), written)
    id_, channel = found.get("transaction_id"), found.get("channel")
    return fault._replace(
        transaction_id=str(id_).lower() if CHECKS["transaction_id"](id_, digits) else None,
        channel=str(channel) if CHECKS["channel"](channel, digits) else None,
    )


def _faults(found: dict[str, Any], type_: str, digits: Mapping[str, int]) -> Iterator[str]:
    required, known = FIELDS[type_]
    if not required <= found.keys() <= known:
        yield ""
    for field, value in found.items():
        check = CHECKS.get(field)
        if check is not None and not check(value, digits):
            yield f"/{field}"
    if type_ == "day.close":
        yield from days.faults(found)
    for field in _unfit_amounts(found, digits):
        yield f"/{field}"
    yield from _own_faults(found, type_, digits)
    kind = found.get("kind")
    if "overdraft_limit" in found and kind in KINDS and kind not in OVERDRAWN:
        yield from ("", "/overdraft_limit", "/kind")
    if "customer" in found and kind in UNLIMITED:
        yield from ("", "/customer", "/kind")


def _own_faults(found: dict[str, Any], type_: str, digits: Mapping[str, int]) -> Iterator[str]:
    """Name what is wrong across the fields of one type."""
    if type_ == "journal" and _lines(found.get("lines"), digits) and _uneven(found["lines"]):
        yield "/lines"
    if type_ == "fx.transfer":
        yield from _fx_faults(found, digits)
    if type_ == "hold.place" and all(_amount(found.get(one), digits) for one in CAPTURES):
        amount, most = (Decimal(found[one]) for one in CAPTURES)
        if most < amount:
            yield "/capture_max"
    if type_ == "tariff.set":
        yield from (f"/{field}" for field in fees.faults(found, digits))
    if type_ == "limit.set":
        yield from limits.faults(found)


def _unfit_amounts(found: Mapping[str, Any], digits: Mapping[str, int]) -> Iterator[str]:
    """Name fields with more digits than the currency has, or beyond the bound."""
    for field in AMOUNTS.keys() & found.keys():
        places, amount = digits.get(str(found.get(AMOUNTS[field]))), found[field]
        if places is not None and _amount_form(amount, digits):
            minor = minor_of(str(amount), places)
            if minor is None or minor > AMOUNT_MINOR_MAX:
                yield field


def _lines(value: object, digits: Mapping[str, int]) -> bool:
    if not isinstance(value, list) or len(value) not in LINES:
        return False
    return all(
        isinstance(line, dict)
        and LINE_FIELDS <= line.keys() <= LINE_FIELDS | {"reference"}
        and all(CHECKS[field](content, digits) for field, content in line.items())
        and not any(_unfit_amounts(line, digits))
        for line in value
    )


def _uneven(lines: list[dict[str, str]]) -> bool:
    sums: dict[str, Decimal] = {}
    for line in lines:
        amount = Decimal(line["amount"]) * (1 if line["direction"] == "credit" else -1)
        sums[line["currency"]] = sums.get(line["currency"], Decimal(0)) + amount
    return any(sums.values())


def _fx_faults(found: Mapping[str, Any], digits: Mapping[str, int]) -> Iterator[str]:
    """Hold both amounts of an exchange to its rate."""
    if found.get("currency") == found.get("credit_currency"):
        yield "/credit_currency"
        return
    fields = ("amount", "currency", "credit_amount", "credit_currency", "rate")
    if any(not CHECKS[field](found.get(field), digits) for field in fields):
        return
    debit, credit = Fraction(found["amount"]), Fraction(found["credit_amount"])
    rate = Fraction(found["rate"])
    if found.get("fixed_side") == "credit":
        if debit != _rounded(credit / rate, digits[found["currency"]]):
            yield "/amount"
    elif credit != _rounded(debit * rate, digits[found["credit_currency"]]):
        yield "/credit_amount"


def _rounded(value: Fraction, places: int) -> Fraction:
    """Round half to even, as Python rounds fractions."""
    return Fraction(round(value * 10**places), 10**places)


def _amount_form(value: object, _: Mapping[str, int]) -> bool:
    return isinstance(value, str) and AMOUNT_FORM.fullmatch(value) is not None


def _amount(value: object, digits: Mapping[str, int]) -> bool:
    return _amount_form(value, digits) and _above_zero(str(value))


def _above_zero(text: str) -> bool:
    return bool(text.strip("0."))


def _form(pattern: re.Pattern[str]) -> Callable[[object, Mapping[str, int]], bool]:
    return lambda value, _: isinstance(value, str) and pattern.fullmatch(value) is not None


def _time(value: object, _: Mapping[str, int]) -> bool:
    return isinstance(value, str) and time_us(value) is not None


def _plain(value: object) -> bool:
    return isinstance(value, str) and CONTROLS.search(value) is None


def _text(value: object) -> bool:
    return _plain(value) and 0 < len(str(value)) <= REFERENCE_MAX


def _metadata(value: object, _: Mapping[str, int]) -> bool:
    if not isinstance(value, dict) or len(value) > METADATA_PAIRS_MAX:
        return False
    if not all(key and _plain(key) and _plain(text) for key, text in value.items()):
        return False
    size = sum(len(key.encode()) + len(text.encode()) for key, text in value.items())
    return size <= METADATA_BYTES_MAX


CHECKS: dict[str, Callable[[object, Mapping[str, int]], bool]] = {
    "transaction_id": _form(UUID_FORM),
    "original_transaction_id": _form(UUID_FORM),
    "hold_transaction_id": _form(UUID_FORM),
    "remainder": lambda value, _: value in ("keep", "release"),
    "capture_max": _amount,
    "expires_at": lambda value, _: isinstance(value, str) and time_us(value) in YEARS_US,
    **dict.fromkeys(
        ("value_date", "business_date", "next_date"),
        lambda value, _: days.date_of(value) is not None,
    ),
    "requested_at": _time,
    "valid_until": _time,
    "channel": _form(CHANNEL_FORM),
    "reference": lambda value, _: _text(value),
    "reason": lambda value, _: _text(value),
    "direction": lambda value, _: value in ("debit", "credit"),
    "fixed_side": lambda value, _: value in ("debit", "credit"),
    "on_shortfall": lambda value, _: value in ("refuse", "overdraw"),
    "lines": _lines,
    "credit_amount": _amount,
    "credit_currency": lambda value, digits: isinstance(value, str) and value in digits,
    "rate": lambda value, _: (
        isinstance(value, str) and RATE_FORM.fullmatch(value) is not None and _above_zero(value)
    ),
    "side": lambda value, _: value in ("debit", "credit", "both"),
    "metadata": _metadata,
    "account": _form(NAME_FORM),
    "debit_account": _form(NAME_FORM),
    "credit_account": _form(NAME_FORM),
    "amount": _amount,
    "overdraft_limit": _amount_form,
    "currency": lambda value, digits: isinstance(value, str) and value in digits,
    "kind": lambda value, _: value in KINDS,
    "customer": _form(NAME_FORM),
    "tariff": _form(NAME_FORM),
    "command": lambda value, _: value in fees.CHARGED,
    "for_channel": _form(CHANNEL_FORM),
    "product": lambda value, _: value in KINDS,
    "payer": lambda value, _: value in ("debit", "credit"),
    "tiers": fees.tiers_fit,
    "minimum": _amount_form,
    "maximum": _amount_form,
    "limit": _form(NAME_FORM),
    "scope": lambda value, _: value in limits.SCOPES,
    "subject": _form(NAME_FORM),
    **dict.fromkeys(limits.AMOUNTS, _amount),
    "daily_count": _form(limits.COUNT_FORM),
}


def _content(found: dict[str, Any], digits: Mapping[str, int]) -> dict[str, Any]:
    """Bring every value into its one form, and leave out what only repeats a default."""
    content = {k: v for k, v in found.items() if k not in NO_CONTENT and v != {}}
    days.leave_out_default(content)
    for field in ("transaction_id", "original_transaction_id", "hold_transaction_id"):
        if field in content:
            content[field] = content[field].lower()
    content |= _canonical(content, digits)
    if "lines" in content:
        content["lines"] = [line | _canonical(line, digits) for line in content["lines"]]
    for field, default in DEFAULTS.items():
        if content.get(field) == default:
            del content[field]
    if content.get("capture_max") == content.get("amount"):
        content.pop("capture_max", None)
    if "expires_at" in content:
        content["expires_at"] = written(time_us(content["expires_at"]) or 0)
    content = fees.canonical(content, digits)
    if content["type"] == "account.open" and not content.get("overdraft_limit", "1").strip("0."):
        del content["overdraft_limit"]
    side = DEFAULT_SIDE.get(content["type"])
    if side in content and content[side] == f"cash-{content['currency']}":
        del content[side]
    return content


def _canonical(found: Mapping[str, Any], digits: Mapping[str, int]) -> dict[str, str]:
    """Write amounts with exactly the digits of their currency, numbers without needless zeros."""
    canonical = {"rate": bare(found["rate"])} if "rate" in found else {}
    for field in AMOUNTS.keys() & found.keys():
        places = digits.get(found.get(AMOUNTS[field], ""))
        if places is None:
            canonical[field] = bare(found[field])
        else:
            canonical[field] = major_of(minor_of(found[field], places) or 0, places)
    return canonical
