"""Stories of the sample that move money, and the same told twice: repeats and conflicts."""

from __future__ import annotations

from loadtest.stories.pen import FAR_FUTURE, LONG_PAST, Account, Body, respell
from loadtest.stories.world import Script, World


def transfer(world: World) -> Script:
    """Tell of a transfer between two customers."""
    return [world.posted_transfer()[-1]]


def transfer_in_time(world: World) -> Script:
    """Tell of a transfer that would expire in a far future."""
    minor, currency = world.minor(), world.currency()
    debit = world.payer(minor, currency)
    credit = world.payee(currency, debit)
    body = world.transfer(debit, credit, minor) | {"valid_until": FAR_FUTURE}
    world.moved(debit, credit, minor, currency)
    return [world.pen.record(debit.name, body, "posted")]


def transfer_with_odd_key(world: World) -> Script:
    """Tell of a transfer whose channel set no key, or one that is no text."""
    *_, record = world.posted_transfer()
    return [record._replace(key=world.rng.choice((None, b"\xff\x00\xfe", b"")))]


def deposit(world: World) -> Script:
    """Tell of cash paid in."""
    body, account = _deposit(world)
    return [world.pen.record(account.name, body, "posted")]


def withdrawal(world: World) -> Script:
    """Tell of cash taken out."""
    body, account = _withdrawal(world)
    return [world.pen.record(account.name, body, "posted")]


def internal_account(world: World) -> Script:
    """Open an internal account that goes below zero, for it has no limit."""
    currency, minor = world.currency(), world.minor()
    settlement = world.newcomer("int", currency)
    first, second = world.payee(currency), world.payee(currency)
    for credit in (first, second):
        world.moved(settlement, credit, minor, currency)
    home, name = world.home(settlement), settlement.name
    opening = world.opening(settlement, kind="internal")
    named = world.deposit(first, minor, debit_account=name)
    return [
        world.pen.record(name, opening, "posted"),
        world.pen.record(first.name, named, "posted", partition=home),
        world.pen.record(name, world.transfer(settlement, second, minor), "posted"),
    ]


def overdraft(world: World) -> Script:
    """Use an overdraft to the last minor unit, and not one further."""
    account = world.newcomer("ovd", world.currency())
    limit = world.minor()
    opening = world.opening(account, overdraft_limit=world.pen.amount(limit, account.currency))
    world.moved(account, None, limit, account.currency)
    return [
        world.pen.record(account.name, opening, "posted"),
        world.pen.record(account.name, world.withdrawal(account, limit), "posted"),
        world.pen.record(account.name, world.withdrawal(account, 1), "rejected:insufficient_funds"),
    ]


def last_minor_unit(world: World) -> Script:
    """Empty an account to the last minor unit, and ask for one more."""
    account = world.private()
    funds = account.spendable
    world.moved(account, None, funds, account.currency)
    return [
        world.pen.record(account.name, world.withdrawal(account, funds), "posted"),
        world.pen.record(account.name, world.withdrawal(account, 1), "rejected:insufficient_funds"),
    ]


def reversal_full(world: World) -> Script:
    """Take a transfer back whole; a second attempt finds nothing left."""
    body, debit, credit, minor, record = world.posted_transfer()
    world.moved(credit, debit, minor, debit.currency)
    return [
        record,
        world.pen.record(debit.name, world.reversal(body), "posted"),
        world.pen.record(debit.name, world.reversal(body), "rejected:exceeds_original"),
    ]


def reversal_partial(world: World) -> Script:
    """Take a withdrawal back in two parts and a rest, which is all that can ever go back."""
    body, debit = _withdrawal(world)
    minor = world.in_minor(body)
    world.moved(None, debit, minor, debit.currency)
    part = minor // 3
    script = [world.pen.record(debit.name, body, "posted")]
    attempts = (
        (part, "posted"),
        (part, "posted"),
        (minor - 2 * part + 1, "rejected:exceeds_original"),
        (minor - 2 * part, "posted"),
    )
    for amount, expect in attempts:
        reversal = world.reversal(body, world.pen.amount(amount, debit.currency))
        script.append(world.pen.record(debit.name, reversal, expect))
    return script


def repeat_exact(world: World) -> Script:
    """Send the same bytes once more, as a producer that retries does."""
    body, debit, *_, record = world.posted_transfer()
    return [record, world.pen.record(debit.name, body, "repeat")]


def repeat_respelled(world: World) -> Script:
    """Send the same command written differently."""
    dice = world.rng.randrange(3)
    body, account = (_deposit, _withdrawal, _transfer)[dice](world)
    again = world.pen.record(account.name, respell(body, world.rng), "repeat")
    return [world.pen.record(account.name, body, "posted"), again]


def repeat_late(world: World) -> Script:
    """Send a posted command again after its time is over: the recorded outcome wins over expiry."""
    body, debit, *_, record = world.posted_transfer()
    late = body | {"valid_until": LONG_PAST}
    return [record, world.pen.record(debit.name, late, "repeat")]


def repeat_refused(world: World) -> Script:
    """Repeat a refused command once the money has come in: a refused id stays refused."""
    account = world.private()
    short = account.spendable + 1
    body = world.withdrawal(account, short)
    world.moved(None, account, short, account.currency)
    return [
        world.pen.record(account.name, body, "rejected:insufficient_funds"),
        world.pen.record(account.name, world.deposit(account, short), "posted"),
        world.pen.record(account.name, body, "repeat"),
    ]


def conflict(world: World) -> Script:
    """Send other content under a used id, then the first content again."""
    body, debit, credit, _, record = world.posted_transfer()
    return [
        record,
        world.pen.record(debit.name, other_content(world, body, credit), "conflict"),
        world.pen.record(debit.name, body, "repeat"),
    ]


def other_content(world: World, body: Body, credit: Account) -> Body:
    """Change some of a transfer, its type even."""
    more = world.pen.amount(world.in_minor(body) + 1, body["currency"])
    base = {field: body[field] for field in ("transaction_id", "requested_at", "channel")}
    opening = {"type": "account.open", "account": "acc-x", "currency": "EUR", "kind": "customer"}
    changed = (
        body | {"amount": more},
        body | {"credit_account": world.payee(body["currency"], credit).name},
        body | {"reference": "another one", "channel": "elsewhere"},
        body | {"metadata": {"note": "changed"}},
        body | {"type": "withdrawal"},
        base | opening,
    )
    return changed[world.rng.randrange(len(changed))]


def _transfer(world: World) -> tuple[Body, Account]:
    body, debit, *_ = world.posted_transfer()
    return body, debit


def _deposit(world: World) -> tuple[Body, Account]:
    credit, minor = world.payee(world.currency()), world.minor()
    world.moved(None, credit, minor, credit.currency)
    return world.deposit(credit, minor), credit


def _withdrawal(world: World) -> tuple[Body, Account]:
    minor = world.minor()
    debit = world.payer(minor, world.currency())
    world.moved(debit, None, minor, debit.currency)
    return world.withdrawal(debit, minor), debit
