"""Stories of the sample that change what an account allows: freezes, limits and closings."""

from __future__ import annotations

from loadtest.stories.pen import DIGITS, Account, Body
from loadtest.stories.world import Script, World

REASON = "case 4711"
SAVING = ("savings", "term_deposit")
OWN = ("internal", "nostro", "suspense", "income", "expense")
CREDIT = ("customer", "current", "merchant", "loan")
"""Kinds of accounts that have no overdraft, no limit, or an overdraft."""


def frozen_debits(world: World) -> Script:
    """Stop money from leaving: it still comes in, and leaves again afterwards."""
    account, minor = world.newcomer("frz", world.currency()), world.minor()
    held = world.withdrawal(account, minor)
    freeze = _side(world, "account.freeze", account, "debit")
    world.moved(None, account, minor + 1, account.currency)
    world.moved(account, None, minor, account.currency)
    return world.told(
        account,
        (world.opening(account), "posted"),
        (world.deposit(account, minor), "posted"),
        (freeze, "posted"),
        (held, "rejected:account_frozen"),
        (world.deposit(account, 1), "posted"),
        (_side(world, "account.freeze", account, "debit"), "rejected:nothing_to_change"),
        (freeze, "repeat"),
        (_side(world, "account.unfreeze", account, "debit"), "posted"),
        (held, "repeat"),
        (world.withdrawal(account, minor), "posted"),
    )


def frozen_whole(world: World) -> Script:
    """Stop everything, side by side, and let money in again."""
    account, minor = world.newcomer("frz", world.currency()), world.minor()
    world.moved(None, account, minor, account.currency)
    return world.told(
        account,
        (world.opening(account), "posted"),
        (_side(world, "account.freeze", account, "debit"), "posted"),
        (_side(world, "account.freeze", account, "both"), "posted"),
        (world.deposit(account, minor), "rejected:account_frozen"),
        (_close(world, account), "rejected:account_frozen"),
        (_side(world, "account.unfreeze", account, "credit"), "posted"),
        (world.deposit(account, minor), "posted"),
        (world.withdrawal(account, minor), "rejected:account_frozen"),
    )


def limit_moved(world: World) -> Script:
    """Use a limit that was raised; lowered below that, it stops debits until money has come in."""
    account, minor = world.newcomer("lim", world.currency()), world.minor()
    other = next(one for one in DIGITS if one != account.currency)
    lowered = _limit(world, account, minor // 2)
    world.moved(account, None, minor, account.currency)
    world.moved(None, account, minor, account.currency)
    world.moved(account, None, 1, account.currency)
    return world.told(
        account,
        (world.opening(account), "posted"),
        (world.withdrawal(account, minor), "rejected:insufficient_funds"),
        (_limit(world, account, minor), "posted"),
        (world.withdrawal(account, minor), "posted"),
        (lowered, "posted"),
        (world.withdrawal(account, 1), "rejected:insufficient_funds"),
        (world.deposit(account, minor), "posted"),
        (_limit(world, account, minor // 2), "rejected:nothing_to_change"),
        (_limit(world, Account(account.name, other), 0), "rejected:currency_mismatch"),
        (world.withdrawal(account, 1), "posted"),
        (lowered, "repeat"),
        (lowered | {"reference": "changed"}, "conflict"),
    )


def kinds(world: World) -> Script:
    """Open an account of each kind; those that save have no overdraft, now or later."""
    currency, minor = world.currency(), world.minor()
    first = world.newcomer("knd", currency)
    told: list[tuple[Body, str]] = []
    for kind in SAVING:
        account = world.newcomer("knd", currency)
        told += [
            (world.opening(account, kind=kind), "posted"),
            (world.withdrawal(account, minor), "rejected:insufficient_funds"),
            (_limit(world, account, minor), "rejected:kind_not_allowed"),
        ]
    for kind in (*OWN, *CREDIT):
        account = world.newcomer("knd", currency)
        limit = {"overdraft_limit": world.pen.amount(minor, currency)} if kind in CREDIT else {}
        told += [
            (world.opening(account, kind=kind, **limit), "posted"),
            (world.withdrawal(account, minor), "posted"),
        ]
        world.moved(account, None, minor, currency)
    told.append((world.opening(first, kind=world.rng.choice(OWN)), "posted"))
    return world.told(first, *told)


def closed(world: World) -> Script:
    """Close an account once it is empty: nothing reaches it afterwards."""
    account, minor = world.newcomer("cls", world.currency()), world.minor()
    early = _close(world, account)
    world.moved(None, account, minor, account.currency)
    world.moved(account, None, minor, account.currency)
    return world.told(
        account,
        (world.opening(account), "posted"),
        (world.deposit(account, minor), "posted"),
        (early, "rejected:account_not_empty"),
        (world.withdrawal(account, minor), "posted"),
        (early, "repeat"),
        (_close(world, account), "posted"),
        (world.deposit(account, minor), "rejected:account_closed"),
        (_close(world, account), "rejected:account_closed"),
        (_side(world, "account.unfreeze", account, "both"), "rejected:account_closed"),
        (_limit(world, account, minor), "rejected:account_closed"),
        (world.opening(account), "rejected:account_exists"),
    )


def terms_refused(world: World) -> Script:
    """Change what can't be changed: a cash account, an unknown one; take a freeze back."""
    account = world.newcomer("trm", world.currency())
    cash, nobody = Account(f"cash-{account.currency}", account.currency), Account("nobody", "EUR")
    freeze = _side(world, "account.freeze", account, "both")
    return world.told(
        account,
        (world.opening(account, kind="internal"), "posted"),
        (_side(world, "account.freeze", cash, "both"), "rejected:kind_not_allowed"),
        (_close(world, cash), "rejected:kind_not_allowed"),
        (_limit(world, cash, 0), "rejected:kind_not_allowed"),
        (_close(world, nobody), "rejected:account_not_found"),
        (freeze, "posted"),
        (world.reversal(freeze), "rejected:not_reversible"),
    )


def _side(world: World, type_: str, account: Account, side: str) -> Body:
    return world.pen.body(type_, account=account.name, side=side, reason=REASON)


def _limit(world: World, account: Account, minor: int) -> Body:
    amount = world.pen.amount(minor, account.currency)
    own = {"account": account.name, "currency": account.currency, "overdraft_limit": amount}
    return world.pen.body("account.limit", **own)


def _close(world: World, account: Account) -> Body:
    return world.pen.body("account.close", account=account.name)
