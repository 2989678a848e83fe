"""Stories of the sample about holds: money set aside, taken, freed, and asked for in vain."""

from __future__ import annotations

from loadtest.stories.pen import FAR_FUTURE, LONG_PAST, Account, Body
from loadtest.stories.world import Script, World


def captured(world: World) -> Script:
    """Set money aside, take it in parts, and find nothing left."""
    payer, shop, minor = _both(world)
    part = minor // 3
    placed = _place(world, payer, shop, minor, expires_at=FAR_FUTURE)
    rest = _on(world, "hold.capture", placed)
    world.moved(None, payer, minor, payer.currency)
    world.moved(payer, shop, minor, payer.currency)
    return world.told(
        payer,
        *_opened(world, payer, shop),
        (placed, "rejected:insufficient_funds"),
        (world.deposit(payer, minor), "posted"),
        (again := _place(world, payer, shop, minor, expires_at=FAR_FUTURE), "posted"),
        (world.withdrawal(payer, 1), "rejected:insufficient_funds"),
        (_on(world, "hold.capture", placed), "rejected:hold_not_placed"),
        (_on(world, "hold.capture", again, part, payer), "posted"),
        (_on(world, "hold.capture", again, minor, payer), "rejected:exceeds_hold"),
        (last := _on(world, "hold.capture", again), "posted"),
        (last, "repeat"),
        (rest, "rejected:hold_not_placed"),
        (_on(world, "hold.release", again), "rejected:hold_not_open"),
        (again, "repeat"),
        (again | {"reference": "changed"}, "conflict"),
    )


def released(world: World) -> Script:
    """Free what was set aside, a part and then the rest, and use it for something else."""
    payer, shop, minor = _both(world)
    placed = _place(world, payer, shop, minor)
    world.moved(None, payer, minor, payer.currency)
    world.moved(payer, None, minor, payer.currency)
    return world.told(
        payer,
        *_opened(world, payer, shop),
        (world.deposit(payer, minor), "posted"),
        (placed, "posted"),
        (_on(world, "hold.release", placed, 1, payer), "posted"),
        (world.withdrawal(payer, 1), "posted"),
        (world.withdrawal(payer, 1), "rejected:insufficient_funds"),
        (_on(world, "hold.release", placed), "posted"),
        (_on(world, "hold.capture", placed), "rejected:hold_not_open"),
        (world.withdrawal(payer, minor - 1), "posted"),
    )


def captured_and_given_back(world: World) -> Script:
    """Take a part, free the rest with it, and give some of it back."""
    payer, shop, minor = _both(world)
    placed = _place(world, payer, shop, minor)
    taken = _on(world, "hold.capture", placed, minor - 1, payer) | {"remainder": "release"}
    back = world.pen.body("refund", original_transaction_id=taken["transaction_id"])
    world.moved(None, payer, minor, payer.currency)
    return world.told(
        payer,
        *_opened(world, payer, shop),
        (world.deposit(payer, minor), "posted"),
        (placed, "posted"),
        (taken, "posted"),
        (world.withdrawal(payer, 2), "rejected:insufficient_funds"),
        (back | {"amount": world.pen.amount(1, payer.currency)}, "posted"),
        (world.reversal(taken), "posted"),
        (world.reversal(taken), "rejected:exceeds_original"),
        (world.reversal(placed), "rejected:not_reversible"),
    )


def more_than_held(world: World) -> Script:
    """Take more than was set aside where the hold says so, as far as the funds go."""
    payer, shop, minor = _both(world)
    most = {"capture_max": world.pen.amount(2 * minor, payer.currency)}
    placed = _place(world, payer, shop, minor, **most)
    world.moved(None, payer, minor + 1, payer.currency)
    world.moved(payer, shop, minor + 1, payer.currency)
    return world.told(
        payer,
        *_opened(world, payer, shop),
        (world.deposit(payer, minor + 1), "posted"),
        (placed, "posted"),
        (_on(world, "hold.capture", placed, 2 * minor + 1, payer), "rejected:exceeds_hold"),
        (_on(world, "hold.capture", placed, minor + 2, payer), "rejected:insufficient_funds"),
        (_on(world, "hold.capture", placed, minor + 1, payer), "posted"),
        (_on(world, "hold.release", placed), "posted"),
    )


def held_in_vain(world: World) -> Script:
    """Ask for holds that are over or were never there, and let one expire as a channel can't."""
    payer, shop, minor = _both(world)
    over = _place(world, payer, shop, minor, expires_at=LONG_PAST)
    never = {"transaction_id": world.pen.new_id()}
    return world.told(
        payer,
        *_opened(world, payer, shop),
        (over, "rejected:hold_expired"),
        (_on(world, "hold.capture", over), "rejected:hold_not_placed"),
        (_on(world, "hold.capture", never), "rejected:hold_not_found"),
        (_on(world, "hold.release", world.opening(payer)), "rejected:hold_not_found"),
        (_on(world, "hold.expire", over), "invalid:unknown_type"),
    )


def _both(world: World) -> tuple[Account, Account, int]:
    """Name a payer and a shop that their own script opens, and choose an amount above 10."""
    currency = world.currency()
    return world.newcomer("hld", currency), world.newcomer("shp", currency), world.minor() + 10


def _opened(world: World, payer: Account, shop: Account) -> list[tuple[Body, str]]:
    return [(world.opening(payer), "posted"), (world.opening(shop, kind="merchant"), "posted")]


def _place(world: World, payer: Account, shop: Account, minor: int, **fields: object) -> Body:
    own = {"debit_account": payer.name, "credit_account": shop.name, "currency": payer.currency}
    amount = world.pen.amount(minor, payer.currency)
    return world.pen.body("hold.place", **own, amount=amount, **fields)


def _on(
    world: World, type_: str, placed: Body, minor: int | None = None, payer: Account | None = None
) -> Body:
    body = world.pen.body(type_, hold_transaction_id=placed["transaction_id"])
    if minor is not None and payer is not None:
        body["amount"] = world.pen.amount(minor, payer.currency)
    return body
