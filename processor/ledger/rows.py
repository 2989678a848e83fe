"""Rows to answers and back: the one place that knows which column holds what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from msgspec.structs import replace

from processor.core.answers import Conflict, DeadLetter, RecordedAnswer, Repeat
from processor.core.books import Change, Decided, Hold, Ruling, Source
from processor.core.commands import (
    Command,
    Deposit,
    Journal,
    Movement,
    Payment,
    Transfer,
    Withdrawal,
)
from processor.core.currencies import DIGITS
from processor.core.dates import day_after
from processor.core.day_commands import DayClose
from processor.core.decode import Invalid, InvalidReason
from processor.core.fingerprint import FINGERPRINT_VERSION, fingerprint
from processor.core.money import to_major, to_minor
from processor.core.rule_commands import LimitSet, TariffEnd, TariffSet
from processor.core.rule_reading import limit_of, tariff_of
from processor.core.rules import Rules, SpendingLimit, Tariff
from processor.core.shown import Shown, decode_shown, encode_shown

Columns = tuple[list[Any], ...]

_MOVEMENTS: Final[dict[str, type[Movement]]] = {
    kind.TYPE: kind for kind in (Deposit, Withdrawal, Transfer, Payment)
}
_KINDS: Final[dict[str, type[Repeat | Conflict | DeadLetter]]] = {
    "repeat": Repeat,
    "conflict": Conflict,
    "dead_letter": DeadLetter,
}


def decided_of(row: Mapping[str, Any]) -> Decided:
    """Read a recorded first answer (statement `decided`)."""
    currency, amount_minor, shown = row["currency"], row["amount_minor"], row["amount_text"]
    if amount_minor is not None:
        shown = to_major(amount_minor, DIGITS[currency])
    ruling = Ruling(
        row["reason"],
        shown,
        currency,
        row["debit_account"],
        row["credit_account"],
        row["account"],
        amount_minor,
        change=_change_of(row),
    )
    content = _content(row, ruling)
    if row["shown"] is not None:
        ruling = _as_shown(ruling, decode_shown(row["shown"]))
    stored = row["fingerprint"]
    if row["fingerprint_version"] != FINGERPRINT_VERSION:
        stored = fingerprint(content)
    return Decided(
        row["transaction_id"],
        row["type"],
        stored,
        row["ledger_sequence"],
        row["decided_at"],
        row["channel"],
        Source(row["source_id"], row["topic"], row["partition"], row["source_offset"]),
        ruling,
        None,
        content,
    )


def _as_shown(ruling: Ruling, shown: Shown) -> Ruling:
    """Put what was shown over what the columns of a posting say."""
    fields = shown.fields()
    kept = {name: fields[name] for name in ruling.__struct_fields__ if name in fields}
    return replace(ruling, **kept, shown=shown)


def _change_of(row: Mapping[str, Any]) -> Change | None:
    if row["status"] is None:
        return None
    return Change(row["status"], row["overdraft_limit"], row["available"])


def _content(row: Mapping[str, Any], ruling: Ruling) -> dict[str, object]:
    """
    Give the typed content back. A row without details is a movement, which its columns describe.
    """
    metadata = None if row["metadata"] is None else orjson.loads(row["metadata"])
    own: dict[str, object]
    if row["details"] is not None:
        own = orjson.loads(row["details"])
    else:
        assert ruling.amount is not None, "a movement has an amount"
        assert ruling.currency is not None, "a movement has a currency"
        assert ruling.debit_account is not None, "a movement has both sides"
        assert ruling.credit_account is not None, "a movement has both sides"
        movement = _MOVEMENTS[row["type"]](
            row["transaction_id"],
            b"",
            row["channel"],
            "",
            None,
            row["reference"],
            metadata,
            ruling.debit_account,
            ruling.credit_account,
            ruling.amount,
            to_minor(ruling.amount, DIGITS[ruling.currency]),
            ruling.currency,
        )
        own = movement.own_content()
    fields: dict[str, object] = {
        "transaction_id": row["transaction_id"],
        "type": row["type"],
        "channel": row["channel"],
        "reference": row["reference"],
        "metadata": metadata,
        **own,
    }
    return {name: value for name, value in fields.items() if value is not None}


def recorded_of(row: Mapping[str, Any]) -> RecordedAnswer:
    """Read what was recorded at a position (statement `answered`)."""
    kind = _KINDS[row["kind"]]
    invalid = None
    if kind is DeadLetter:
        invalid = Invalid(
            InvalidReason(row["reason"]),
            row["pointer"],
            row["detail"],
            row["transaction_id"],
            row["channel"],
        )
    return RecordedAnswer(kind, row["timeline_id"], row["at"], invalid)


def rules_of(known: Rules, found: Sequence[Mapping[str, Any]]) -> Rules:
    """Bring the rules up to date (statement `rules`): by what was said last about each since."""
    tariffs = {tariff.name: tariff for tariff in known.tariffs.values()}
    limits = {limit.name: limit for limit in known.limits.values()}
    open_date = known.open_date
    for row in found:
        said = orjson.loads(row["details"])
        if row["type"] == TariffSet.TYPE:
            tariff = tariff_of(said)
            assert isinstance(tariff, Tariff), "what was set was read before"
            tariffs[tariff.name] = tariff
        elif row["type"] == LimitSet.TYPE:
            limit = limit_of(said)
            assert isinstance(limit, SpendingLimit), "what was set was read before"
            limits[limit.name] = limit
        elif row["type"] == DayClose.TYPE:
            open_date = said.get("next_date") or day_after(said["business_date"])
            assert open_date is not None, "a day follows, or it would not have been closed"
        elif row["type"] == TariffEnd.TYPE:
            tariffs.pop(said["tariff"], None)
        else:
            limits.pop(said["limit"], None)
    return Rules(
        max((row["ledger_sequence"] for row in found), default=known.version),
        {tariff.scope: tariff for tariff in tariffs.values()},
        {limit.bounded: limit for limit in limits.values()},
        open_date,
    )


def hold_of(row: Mapping[str, Any]) -> Hold:
    """Read a hold (statement `holds`)."""
    return Hold(
        row["placed"],
        row["remaining"],
        row["capture_max"],
        row["expires_at_us"],
        row["captured"],
        row["released"],
    )


def spending_columns(decided: Sequence[Decided]) -> Columns:
    """Arrays of statement `insert_spendings`."""
    found = [
        (
            *spending.subject,
            one.ledger_sequence,
            spending.limit,
            spending.after.booking_date,
            spending.amount,
            spending.after.amount,
            spending.after.count,
        )
        for one in decided
        for spending in one.ruling.spendings
    ]
    return tuple(map(list, zip(*found, strict=True)))


def repeat_columns(repeats: Sequence[Repeat]) -> Columns:
    """Arrays of statement `insert_repeats`."""
    return (
        [item.arrival.source.source_id for item in repeats],
        [item.arrival.source.offset for item in repeats],
        [item.decided.transaction_id for item in repeats],
        [item.decided.ledger_sequence for item in repeats],
    )


def conflict_columns(conflicts: Sequence[Conflict]) -> Columns:
    """Arrays of statement `insert_conflicts`."""
    asked = [item.arrival.asked for item in conflicts]
    commands = [item for item in asked if isinstance(item, Command)]
    return (
        [item.arrival.source.source_id for item in conflicts],
        [item.arrival.source.offset for item in conflicts],
        [item.transaction_id for item in commands],
        [item.decided.ledger_sequence for item in conflicts],
        [item.TYPE for item in commands],
        [item.channel for item in commands],
        [
            orjson.dumps(
                [{"field": d.field, "first": d.first, "now": d.now} for d in item.differing]
            ).decode()
            for item in conflicts
        ],
    )


def dead_letter_columns(letters: Sequence[DeadLetter]) -> Columns:
    """
    Arrays of statement `insert_dead_letters`. Header names may hold anything, so they are kept as
    JSON text.
    """
    return (
        [item.arrival.source.source_id for item in letters],
        [item.arrival.source.offset for item in letters],
        [str(item.invalid.reason) for item in letters],
        [item.invalid.pointer for item in letters],
        [item.invalid.detail for item in letters],
        [item.invalid.transaction_id for item in letters],
        [item.invalid.channel for item in letters],
        [item.arrival.record.key for item in letters],
        [item.arrival.record.value for item in letters],
        [_headers(item) for item in letters],
    )


def _headers(letter: DeadLetter) -> str:
    headers = letter.arrival.record.headers
    return orjson.dumps(
        [[name, None if value is None else value.hex()] for name, value in headers]
    ).decode()


def shown_of(ruling: Ruling) -> str | None:
    """Give as JSON what only some kinds of commands show, None for the others."""
    return None if ruling.shown is None else encode_shown(ruling.shown).decode()


def metadata_of(command: Command) -> str | None:
    """Give a command's metadata as the JSON text that is stored, None for none."""
    if command.metadata is None:
        return None
    return orjson.dumps(command.metadata, option=orjson.OPT_SORT_KEYS).decode()


def details_of(command: Command) -> str | None:
    """
    Give as JSON what the columns do not hold of a command's content; a movement is held by them
    whole, unless it asks for a value date: the column has the one that it got.
    """
    if isinstance(command, Movement) and command.value_date is None:
        return None
    own = {name: value for name, value in command.own_content().items() if value is not None}
    if isinstance(command, Journal):
        # The column has the text of the first line, where that has one of its own.
        own["reference"] = command.reference
    return orjson.dumps(own, option=orjson.OPT_SORT_KEYS).decode()
