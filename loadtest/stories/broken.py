"""Messages of the sample that are no commands: each becomes a dead letter and stops nothing."""

from __future__ import annotations

import json
from collections.abc import Callable

from loadtest.stories.pen import DIGITS, Body, write
from loadtest.stories.world import Script, World

TOO_LARGE_BYTES = 70_000
TOO_DEEP = 40
HUGE_DIGITS = 6_000


def unknown_field(world: World) -> Script:
    """Add a field that the contract does not know."""
    name = world.rng.choice(("priority", "Amount", "amount ", "__proto__", "debit_acount"))
    return _schema(world, lambda body: body | {name: "high"})


def missing_field(world: World) -> Script:
    """Leave out a field that the command needs; an id that is missing can't be answered."""
    name = world.rng.choice(("amount", "currency", "credit_account", "channel", "requested_at"))
    return _schema(world, lambda body: {field: body[field] for field in body if field != name})


def missing_id(world: World) -> Script:
    """Leave out the id, or write one that is none: nobody can be answered."""
    value = world.rng.choice((None, "", "42", "0193e8a0-0000-7000-8000-00000000000g", 7))
    return _schema(world, lambda body: body | {"transaction_id": value}, answered=False)


def wrong_value(world: World) -> Script:
    """Put a value where the contract or its formats refuse it."""
    return _schema(world, lambda body: body | world.rng.choice(WRONG_VALUES))


def wrong_digits(world: World) -> Script:
    """Write more digits than the currency has, be they zeros."""

    def change(body: Body) -> Body:
        digits = DIGITS[body["currency"]]
        return body | {"amount": "1." + "0" * (digits + 1)}

    return _schema(world, change)


def huge_number(world: World) -> Script:
    """Write numbers where strings belong, beyond what any parser holds."""
    number = world.rng.choice(("1e400", "-1E-400", "9" * HUGE_DIGITS, "125.50", "0.1"))

    def change(raw: bytes) -> bytes:
        start = raw.index(b'"amount":') + len(b'"amount":')
        end = raw.index(b",", start)
        return raw[:start] + number.encode() + raw[end:]

    return _bytes(world, change, "invalid:schema", answered=True)


def nul_character(world: World) -> Script:
    """Hide a NUL in a text: raw it is no JSON, escaped it is no reference."""
    if world.rng.randrange(2):
        return _schema(world, lambda body: body | {"reference": "pay\x00load"})
    return _bytes(world, lambda raw: raw.replace(b"acc-", b"acc\x00"), "invalid:not_json")


def duplicate_key(world: World) -> Script:
    """Write a key twice: two readers would see two amounts."""
    twice = world.rng.choice(
        (b',"amount":"9.00"}', b',"\\u0061mount":"9.00"}', b',"metadata":{"a":"1","a":"2"}}')
    )
    return _bytes(world, lambda raw: raw[:-1] + twice, "invalid:not_json")


def broken_json(world: World) -> Script:
    """Send what a strict parser refuses."""
    return _bytes(world, world.rng.choice(NOT_JSON), "invalid:not_json")


def no_object(world: World) -> Script:
    """Send JSON that is no object."""
    value = world.rng.choice(
        (b"[]", b"null", b'"transfer"', b"42", b"true", b'[{"type":"transfer"}]')
    )
    return _bytes(world, lambda _: value, "invalid:schema")


def empty_value(world: World) -> Script:
    """Send no bytes, or only white space."""
    value = world.rng.choice((b"", b" ", b"\r\n\t  "))
    return _bytes(world, lambda _: value, "invalid:empty")


def null_value(world: World) -> Script:
    """Send a null value, as tools that mean to delete something do."""
    key = world.payer(0, world.currency()).name
    return [world.pen.record(key, None, "invalid:empty", answered=False)]


def unknown_type(world: World) -> Script:
    """Ask for something that is not in the catalogue."""
    name = world.rng.choice(("payment.explode", "Transfer", "", "account.close\u200b"))
    return _schema(world, lambda body: body | {"type": name}, expect="invalid:unknown_type")


def too_large(world: World) -> Script:
    """Send more bytes than a command may have; nobody reads them."""
    return _bytes(
        world,
        lambda raw: raw[:-1] + b',"reference":"' + b"x" * TOO_LARGE_BYTES + b'"}',
        "invalid:too_large",
    )


def invalid_under_used_id(world: World) -> Script:
    """Send invalid content under a used id: it is invalid, and uses nothing up."""
    body, debit, *_, record = world.posted_transfer()
    return [
        world.pen.record(debit.name, body | {"amount": "0"}, "invalid:schema"),
        record,
        world.pen.record(debit.name, body | {"amount": None}, "invalid:schema"),
        world.pen.record(debit.name, body, "repeat"),
    ]


def _schema(
    world: World,
    change: Callable[[Body], Body],
    *,
    expect: str = "invalid:schema",
    answered: bool = True,
) -> Script:
    body = change(_transfer(world))
    key = str(body["debit_account"])
    return [world.pen.record(key, body, expect, answered=answered)]


def _bytes(
    world: World, change: Callable[[bytes], bytes], expect: str, *, answered: bool = False
) -> Script:
    body = _transfer(world)
    return [world.pen.record(body["debit_account"], change(write(body)), expect, answered=answered)]


def _transfer(world: World) -> Body:
    """Write a transfer that would be posted if it were sent as it is."""
    minor, currency = world.minor(), world.currency()
    debit = world.payer(minor, currency)
    return world.transfer(debit, world.payee(currency, debit), minor)


NOT_JSON: tuple[Callable[[bytes], bytes], ...] = (
    lambda raw: raw[:-1],
    lambda raw: raw[: len(raw) // 2],
    lambda raw: raw[:-1] + b",}",
    lambda raw: raw + b"{}",
    lambda raw: raw.replace(b'"', b"'"),
    lambda raw: b"\xef\xbb\xbf" + raw,
    lambda raw: raw.decode().encode("utf-16"),
    lambda raw: raw[:-1] + b',"reference":"\xff\xfe"}',
    lambda raw: raw[:-1] + b',"reference":"\\ud800"}',
    lambda raw: raw[:-1] + b',"reference":"a\nb"}',
    lambda raw: raw[:-1] + b',"amount_hint":NaN}',
    lambda raw: raw[:-1] + b',"amount_hint":Infinity}',
    lambda raw: raw[:-1] + b',"amount_hint":01}',
    lambda raw: raw[:-1] + b',"metadata":' + b"[" * TOO_DEEP + b"]" * TOO_DEEP + b"}",
    lambda raw: b"/* by hand */" + raw,
    lambda _: b"<payment/>",
)

WRONG_VALUES: tuple[Body, ...] = (
    {"amount": "0"},
    {"amount": "0.00"},
    {"amount": "-1.00"},
    {"amount": "+1"},
    {"amount": "01.00"},
    {"amount": "1,00"},
    {"amount": ".5"},
    {"amount": "1."},
    {"amount": "1e3"},
    {"amount": " 1.00"},
    {"amount": "\u0661\u0662"},
    {"amount": "1.00000"},
    {"amount": "999999999999999", "currency": "EUR"},
    {"amount": "9999999999999999"},
    {"amount": None},
    {"amount": 1},
    {"amount": ["1.00"]},
    {"currency": "eur"},
    {"currency": "XAU"},
    {"currency": "EURO"},
    {"debit_account": ""},
    {"debit_account": "a" * 65},
    {"debit_account": "acc 1"},
    {"debit_account": "acc-\u0661"},
    {"credit_account": "acc/1"},
    {"credit_account": "acc-000001\n"},
    {"channel": "Mobile"},
    {"channel": "m" * 33},
    {"requested_at": "2026-11-21"},
    {"requested_at": "2026-11-21T10:00:00z"},
    {"requested_at": "2026-11-21 10:00:00Z"},
    {"requested_at": "2026-02-30T10:00:00Z"},
    {"requested_at": "2026-11-21T10:00:00.1234567Z"},
    {"requested_at": "2026-11-21T10:00:00"},
    {"valid_until": "tomorrow"},
    {"valid_until": None},
    {"reference": ""},
    {"reference": "r" * 141},
    {"reference": "line\nbreak"},
    {"metadata": {"": "x"}},
    {"metadata": {"order": 17}},
    {"metadata": {"order": None}},
    {"metadata": {str(number): "x" for number in range(33)}},
    {"metadata": {"note": "\u20ac" * 1400}},
    {"metadata": json.loads("[]")},
    {"type": None},
    {"type": 7},
)
