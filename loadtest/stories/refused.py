"""Stories of the sample that end in a refusal, for every reason that commands can lead to today."""

from __future__ import annotations

from loadtest.stories.pen import LONG_PAST, Account, Body
from loadtest.stories.world import Script, World

BEYOND_ALL_FUNDS_MINOR = 500_000_000_000_000


def insufficient_funds(world: World) -> Script:
    """Ask for more than all accounts together hold."""
    currency = world.currency()
    debit = world.payer(0, currency)
    minor = BEYOND_ALL_FUNDS_MINOR + world.minor()
    if world.rng.randrange(2):
        body = world.withdrawal(debit, minor)
    else:
        body = world.transfer(debit, world.payee(currency, debit), minor)
    return [world.pen.record(debit.name, body, "rejected:insufficient_funds")]


def account_not_found(world: World) -> Script:
    """Name an account that nobody has opened; it comes before any other fault of accounts."""
    currency, minor = world.currency(), world.minor()
    nobody = Account(f"nobody-{world.rng.randrange(1000)}", currency)
    known = world.payer(minor, currency)
    bodies = (
        world.transfer(known, nobody, minor),
        world.transfer(nobody, known, minor),
        world.transfer(nobody, nobody, minor),
        world.withdrawal(nobody, minor),
        world.deposit(nobody, minor),
        world.deposit(known, minor, debit_account="cash-XXX"),
    )
    body = bodies[world.rng.randrange(len(bodies))]
    key = body.get("debit_account") or body["credit_account"]
    return [world.pen.record(key, body, "rejected:account_not_found")]


def currency_mismatch(world: World) -> Script:
    """Pay in a currency that one of the accounts does not hold; it comes before a lack of funds."""
    one, other = world.rng.sample(tuple(world.pool), 2)
    debit, credit = world.payer(0, one), world.payee(other)
    minor = world.minor()
    foreign = world.pen.amount(minor, other)
    bodies = (
        world.transfer(debit, credit, minor),
        world.withdrawal(debit, minor) | {"amount": foreign, "currency": other},
        world.transfer(debit, debit, minor) | {"amount": foreign, "currency": other},
        world.withdrawal(debit, minor, credit_account=f"cash-{other}"),
    )
    body = bodies[world.rng.randrange(len(bodies))]
    return [world.pen.record(debit.name, body, "rejected:currency_mismatch")]


def same_account(world: World) -> Script:
    """Pay from an account to itself, also more than it has."""
    account = world.payer(0, world.currency())
    minor = (1, BEYOND_ALL_FUNDS_MINOR)[world.rng.randrange(2)]
    body = world.transfer(account, account, minor)
    return [world.pen.record(account.name, body, "rejected:same_account")]


def account_exists(world: World) -> Script:
    """Open an account once more, or a cash account by hand."""
    account = world.payer(0, world.currency())
    if world.rng.randrange(4) == 0:
        account = Account(f"cash-{account.currency}", account.currency)
    body = world.opening(account)
    return [world.pen.record(account.name, body, "rejected:account_exists")]


def expired(world: World) -> Script:
    """Send commands whose time is over; it comes before every other fault, and lasts."""
    minor, currency = world.minor(), world.currency()
    debit = world.payer(minor, currency)
    bodies = (
        world.transfer(debit, world.payee(currency, debit), minor),
        world.withdrawal(debit, BEYOND_ALL_FUNDS_MINOR),
        world.transfer(debit, Account("nobody", currency), minor),
        world.opening(debit),
    )
    body = bodies[world.rng.randrange(len(bodies))]
    return [
        world.pen.record(debit.name, body | {"valid_until": LONG_PAST}, "rejected:expired"),
        world.pen.record(debit.name, body, "repeat"),
    ]


def original_not_found(world: World) -> Script:
    """Take back what nobody has sent, or the reversal itself."""
    key = world.payer(0, world.currency()).name
    body = world.reversal({"transaction_id": world.pen.new_id()})
    if world.rng.randrange(4) == 0:
        body["original_transaction_id"] = body["transaction_id"]
    return [world.pen.record(key, body, "rejected:original_not_found")]


def original_not_posted(world: World) -> Script:
    """Take back what was refused."""
    [refused] = (script := insufficient_funds(world))
    body = world.reversal(_id_in(refused.value), None)
    key = (refused.key or b"").decode()
    return [*script, world.pen.record(key, body, "rejected:original_not_posted")]


def not_reversible(world: World) -> Script:
    """Take back a reversal."""
    body, debit, credit, minor, record = world.posted_transfer()
    world.moved(credit, debit, minor, debit.currency)
    reversal = world.reversal(body)
    again = world.reversal(reversal)
    return [
        record,
        world.pen.record(debit.name, reversal, "posted"),
        world.pen.record(debit.name, again, "rejected:not_reversible"),
    ]


def not_reversible_opening(world: World) -> Script:
    """Take back the opening of an account."""
    account = world.newcomer("opn", world.currency())
    opening = world.opening(account)
    return [
        world.pen.record(account.name, opening, "posted"),
        world.pen.record(account.name, world.reversal(opening), "rejected:not_reversible"),
    ]


def reversal_too_large(world: World) -> Script:
    """Take back more than was paid, by little and beyond all bounds."""
    body, debit, _, minor, record = world.posted_transfer()
    script = [record]
    for amount in (minor + 1, BEYOND_ALL_FUNDS_MINOR):
        reversal = world.reversal(body, world.pen.amount(amount, debit.currency))
        script.append(world.pen.record(debit.name, reversal, "rejected:exceeds_original"))
    return script


def reversal_too_fine(world: World) -> Script:
    """Take back an amount with more digits than the original's currency has."""
    body, debit, *_, record = world.posted_transfer()
    reversal = world.reversal(body, "0.0001")
    return [record, world.pen.record(debit.name, reversal, "rejected:currency_mismatch")]


def _id_in(value: bytes | None) -> Body:
    """Read the transaction id out of the bytes that `write` made."""
    start = (value or b"").index(b":") + 2
    return {"transaction_id": (value or b"")[start : start + 36].decode()}
