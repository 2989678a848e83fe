"""
Stories of the sample about fees: tariffs of the bank, and commands that cost something.

The tariffs are for channels that no other story uses, so nothing else is charged.
"""

from __future__ import annotations

from typing import Any

from loadtest.record import Record
from loadtest.stories.pen import Account, Body
from loadtest.stories.world import Script, World

COUNTER = "counter"
CHARGED = ("EUR", "JPY", "KWD")
KEY = "tariffs"
FEE_MINOR = 7
"""What most cost who gives; a deposit, a payment and an exchange cost who gets half a percent."""

PER_FEE = 200
"""So many minor units cost one."""

YEN_PER_EURO = 160
"""A rate by which the yen for a fee of any size are whole cents."""

HALF_A_PERCENT = {"from": "0", "fixed": "0", "basis_points": "50"}
TARIFFS = (
    ("deposit", "credit", None),
    ("withdrawal", "debit", FEE_MINOR),
    ("transfer", "debit", FEE_MINOR),
    ("payment", "credit", None),
    ("hold.capture", "debit", FEE_MINOR),
    ("fx.transfer", "debit", FEE_MINOR),
    ("fx.transfer", "credit", None),
)
"""What is charged: type of command, who pays, the fixed fee or None for half a percent."""


def tariffs(world: World) -> list[Record]:
    """Set the tariffs that the stories below are charged by."""
    return [
        internal(
            world, _set(world, f"{command}-{payer}-{currency}", command, currency, payer, fixed)
        )
        for currency in CHARGED
        for command, payer, fixed in TARIFFS
    ]


def _set(
    world: World, name: str, command: str, currency: str, payer: str, fixed: int | None
) -> Body:
    tier = HALF_A_PERCENT
    if fixed is not None:
        tier = {"from": "0", "fixed": world.pen.amount(fixed, currency), "basis_points": "0"}
    own: dict[str, Any] = {"tariff": name, "command": command, "for_channel": COUNTER}
    body = world.pen.body("tariff.set", **own, currency=currency, payer=payer, tiers=[tier])
    return body | {"channel": "products"}


def internal(
    world: World, body: Body, expect: str | None = "posted", partition: int | None = None
) -> Record:
    """Send by the key that all tariffs share, so that they keep their order."""
    return world.internal(KEY, body, expect, partition)


def charged(world: World) -> Script:
    """Pay in, move, hold and take, each with its fee; lack the funds for a fee alone."""
    currency = CHARGED[world.rng.randrange(len(CHARGED))]
    payer, shop = world.newcomer("fee", currency), world.newcomer("shp", currency)
    part = world.minor()
    gross, bought = PER_FEE * part, PER_FEE * (part // 4 + 1)
    world.moved(None, payer, gross, currency)
    _charge(world, payer, part)
    held = world.minor() // 10 + 1
    left = gross - part - bought - (held + FEE_MINOR)
    world.moved(payer, shop, bought + held, currency)
    _charge(world, shop, part // 4 + 1)
    _charge(world, payer, FEE_MINOR)
    placed = _at_counter(world.sided("hold.place", payer, shop, held))
    taken = _at_counter(
        world.pen.body("hold.capture", hold_transaction_id=placed["transaction_id"])
    )
    paid = _at_counter(world.sided("payment", payer, shop, bought))
    steps: list[tuple[Body | bytes, str]] = [
        (world.opening(payer), "posted"),
        (world.opening(shop, kind="merchant"), "posted"),
        (_at_counter(world.deposit(payer, gross)), "posted"),
        (paid, "posted"),
        (paid, "repeat"),
        (placed, "posted"),
        (taken, "posted"),
        (taken | {"reference": "changed"}, "conflict"),
    ]
    if left >= FEE_MINOR:
        out = left - FEE_MINOR
        steps.append((_at_counter(world.withdrawal(payer, out + 1)), "rejected:insufficient_funds"))
        if out:
            steps.append((_at_counter(world.withdrawal(payer, out)), "posted"))
            world.moved(payer, None, out, currency)
            _charge(world, payer, FEE_MINOR)
    return world.told(payer, *steps)


def given_back(world: World) -> Script:
    """Give a charged transfer back: the amount, and never the fee."""
    currency = CHARGED[world.rng.randrange(len(CHARGED))]
    payer, payee = world.newcomer("fee", currency), world.newcomer("fee", currency)
    minor = world.minor()
    world.moved(None, payer, minor + FEE_MINOR, currency)
    _charge(world, payer, FEE_MINOR)
    moved = _at_counter(world.transfer(payer, payee, minor))
    return world.told(
        payer,
        (world.opening(payer), "posted"),
        (world.opening(payee), "posted"),
        (world.deposit(payer, minor), "posted"),
        (moved | {"transaction_id": world.pen.new_id()}, "rejected:insufficient_funds"),
        (world.deposit(payer, FEE_MINOR), "posted"),
        (moved, "posted"),
        (world.reversal(moved), "posted"),
        (world.reversal(moved), "rejected:exceeds_original"),
    )


def exchanged(world: World) -> Script:
    """Exchange what is left beside the fee, of which the other side pays one too."""
    giver, getter = world.newcomer("fxd", "EUR"), world.newcomer("fxc", "JPY")
    fee = world.minor()
    got = PER_FEE * fee
    given = got * 100 // YEN_PER_EURO
    world.moved(None, giver, given + FEE_MINOR, giver.currency)
    world.exchanged(giver, given, getter, got)
    _charge(world, giver, FEE_MINOR)
    _charge(world, getter, fee)
    own = {"credit_amount": str(got), "credit_currency": "JPY", "rate": str(YEN_PER_EURO)}
    asked = _at_counter(world.sided("fx.transfer", giver, getter, given, **own))
    return world.told(
        giver,
        (world.opening(giver), "posted"),
        (world.opening(getter), "posted"),
        (world.deposit(giver, given + FEE_MINOR - 1), "posted"),
        (asked | {"transaction_id": world.pen.new_id()}, "rejected:insufficient_funds"),
        (world.deposit(giver, 1), "posted"),
        (asked, "posted"),
        (asked, "repeat"),
    )


def tariffs_refused(world: World) -> Script:
    """Ask in vain for tariffs: what is charged already, what overlaps, what is not there."""
    currency = CHARGED[world.rng.randrange(len(CHARGED))]
    there = f"withdrawal-debit-{currency}"
    asked = ("withdrawal", currency, "debit")
    own = f"own-{world.rng.getrandbits(40):010x}"
    short_lived = _set(world, own, *asked, 1) | {"for_channel": own}
    end = world.pen.body("tariff.end", tariff=own)
    return [
        internal(world, _set(world, there, *asked, FEE_MINOR), "rejected:nothing_to_change"),
        internal(world, _set(world, own, *asked, 1), "rejected:tariff_overlaps"),
        internal(world, end | {"transaction_id": world.pen.new_id()}, "rejected:tariff_not_found"),
        internal(world, short_lived, "posted"),
        internal(world, short_lived, "repeat"),
        internal(world, end, "posted"),
        world.pen.record(KEY, _set(world, own, *asked, 1), "invalid:unknown_type"),
    ]


def racing_tariffs(world: World) -> Script:
    """Set two tariffs for the same at once, through two partitions: one comes first."""
    channel = f"race-{world.rng.getrandbits(40):010x}"
    for lane in (None, world.pen.elsewhere(KEY)):
        name = f"{channel}-{'here' if lane is None else 'there'}"
        body = _set(world, name, "transfer", CHARGED[0], "debit", FEE_MINOR)
        world.late.append([internal(world, body | {"for_channel": channel}, None, lane)])
    world.pen.races.update(("posted", "rejected:tariff_overlaps"))
    return []


def _at_counter(body: Body) -> Body:
    return body | {"channel": COUNTER}


def _charge(world: World, payer: Account, minor: int) -> None:
    """Take note of a fee that is surely paid."""
    world.pen.cash[f"fees-{payer.currency}"] += minor
    if payer.final is not None:
        payer.final -= minor
