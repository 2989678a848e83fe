"""What the events about a command must say, by the model and by the command itself."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from loadtest.message import Message
from loadtest.reference import days, holds
from loadtest.reference.answer import Answer
from loadtest.reference.contract import Command, Fault
from loadtest.reference.times import time_us

OF_THE_FIRST = ("event_id", "outcome", "reason", "ledger_sequence", "decided_at", "source")
"""Fields of the first answer that a conflict shows."""

OWN_FIELDS = ["lines", "credit_amount", "credit_currency", "rate"]
OWN_FIELDS += ["hold_transaction_id", "tariff", "limit"]
"""Fields that an outcome shows where its command has them."""

NO_ANSWER: dict[str, Any] = {
    "type": None,
    "repeat": False,
    "differences": [],
    "ledger_sequence": None,
    "decided_at": None,
    "amount": None,
    "currency": None,
    "debit_account": None,
    "credit_account": None,
}

Value = Mapping[str, Any]
"""The value of an event."""


def decided(command: Command, answer: Answer, event: Value, source: Value) -> dict[str, Any]:
    """Give the outcome of a command that was decided for the first time."""
    shown = _shown(answer)
    shown.update(
        event_id=event["event_id"],
        transaction_id=command.transaction_id,
        outcome="rejected" if answer.reason else "posted",
        reason=answer.reason,
        repeat=False,
        differences=[],
        ledger_sequence=event["ledger_sequence"],
        decided_at=event["decided_at"],
        channel=command.content["channel"],
        source=source,
    )
    return shown


def repeat(first: Value, event: Value, source: Value) -> dict[str, Any]:
    """Give the outcome of a repeat: what the first one was told, and its own place."""
    return {**first, "event_id": event["event_id"], "repeat": True, "source": source}


def conflict(
    was: Mapping[str, Any], first: Value, command: Command, event: Value, source: Value
) -> dict[str, Any]:
    """Give the outcome of a conflict with the content `was`, which was answered by `first`."""
    now = command.content
    differences = [
        {"field": field, "first": was.get(field), "now": now.get(field)}
        for field in sorted(was.keys() | now.keys())
        if was.get(field) != now.get(field)
    ]
    return _shown(_asked(command)) | {
        "event_id": event["event_id"],
        "transaction_id": command.transaction_id,
        "outcome": "conflict",
        "reason": None,
        "repeat": False,
        "differences": differences,
        "ledger_sequence": None,
        "decided_at": event["decided_at"] if _is_time(event.get("decided_at")) else "a time",
        "channel": now["channel"],
        "first": {field: first.get(field) for field in OF_THE_FIRST},
        "source": source,
    }


def letter(fault: Fault, command: Message, source: Value) -> dict[str, Any]:
    """Give what is known of a dead letter."""
    return {
        "reason": fault.reason,
        "transaction_id": fault.transaction_id,
        "source": source,
        "key_base64": _base64(command.key),
        "value_base64": _base64(command.value),
        "headers": [[name, _base64(raw)] for name, raw in command.headers],
    }


def invalid(fault: Fault, told: Value, source: Value) -> dict[str, Any]:
    """Give the outcome beside the dead letter `told`."""
    return NO_ANSWER | {
        "event_id": told["event_id"],
        "transaction_id": fault.transaction_id,
        "outcome": "invalid",
        "reason": fault.reason,
        "channel": fault.channel,
        "pointer": told.get("pointer"),
        "source": source,
    }


def differences(expected: Value, seen: Value) -> Iterator[str]:
    """Say of each field that differs what it is and what it should be."""
    if expected == seen:
        return
    for field in sorted(expected.keys() | seen.keys()):
        want, got = expected.get(field), seen.get(field)
        if want != got:
            yield f"{field} is {got!r}, expected {want!r}"


def points_to(pointer: str | None, faulty: frozenset[str]) -> bool:
    """Say whether a pointer names one of the faulty fields, or something inside of one."""
    return pointer is not None and (
        pointer in faulty or any(one and pointer.startswith(f"{one}/") for one in faulty)
    )


def _shown(answer: Answer) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "type": answer.type,
        "amount": answer.amount,
        "currency": answer.currency,
        "debit_account": answer.debit_account,
        "credit_account": answer.credit_account,
    }
    if answer.account is not None:
        shown["account"] = answer.account
    if answer.changed is not None:
        shown["status"], shown["available"] = answer.changed
    shown.update(answer.shown)
    return shown


def _asked(command: Command) -> Answer:
    """
    Show what a command asks for, with defaults; a reversal's accounts are its original's, and its
    amount is shown as it was given.
    """
    content = command.content
    currency = content.get("currency")
    shown = {name: content[name] for name in OWN_FIELDS if name in content}
    if content["type"] == "hold.place":
        shown = holds.shown_of(content)
    if content["type"] == "day.close":
        shown = days.shown_of(content)
    cash = f"cash-{currency}" if content["type"] in ("deposit", "withdrawal") else None
    return Answer(
        type=content["type"],
        reason=None,
        amount=command.amount_written or content.get("amount"),
        minor=None,
        currency=currency,
        debit_account=content.get("debit_account", cash),
        credit_account=content.get("credit_account", cash),
        account=content.get("account"),
        shown=shown,
    )


def _is_time(text: object) -> bool:
    return isinstance(text, str) and time_us(text) is not None


def _base64(raw: bytes | None) -> str | None:
    return None if raw is None else base64.b64encode(raw).decode()
