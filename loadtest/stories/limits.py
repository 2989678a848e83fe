"""
Stories of the sample about spending limits: each scope and measure, reached and just not reached.

What is limited is each story's own: its account, customer or channel, or any in a currency that no
other story uses. In one other currency all spending is counted under limits that nobody reaches.
"""

from __future__ import annotations

from loadtest.record import Record
from loadtest.reference.amounts import AMOUNT_MINOR_MAX
from loadtest.reference.limits import SCOPES
from loadtest.stories.pen import LONG_PAST, Account, Body
from loadtest.stories.world import Script, World

KEY = "limits"
PRODUCTS = {"channel": "products"}
LIMITED, COUNTED = "NOK", "CHF"
"""The currencies in which anybody is limited, and in which all spending is counted."""

OWN = ("EUR", "JPY", "KWD")
"""Currencies of the stories with limits of their own."""

SINGLE, OF_CUSTOMER, OF_CHANNEL, TIMES = 50_000, 100_000, 80_000, 4
"""Bounds in the currency in which anybody is limited: minor units, and how often for accounts."""

EXCEEDED = "rejected:limit_exceeded"
OVERLAPS = "rejected:limit_overlaps"
UNCHANGED = "rejected:nothing_to_change"


def limits(world: World) -> list[Record]:
    """Set the limits of all that have none of their own."""
    bounds = {
        "account": {"single_amount": SINGLE, "daily_count": TIMES},
        "customer": {"daily_amount": OF_CUSTOMER},
        "channel": {"daily_amount": OF_CHANNEL},
    }
    bodies = [_of_any(world, scope, LIMITED, **bounds[scope]) for scope in SCOPES]
    bodies += [_of_any(world, scope, COUNTED, daily_amount=AMOUNT_MINOR_MAX) for scope in SCOPES]
    return [_sent(world, body, "posted") for body in bodies]


def by_default(world: World) -> Script:
    """Reach the limits that hold for any account, customer and channel, one after the other."""
    account = world.newcomer("nok", LIMITED)
    account.customer = _name(world, "cus")
    here, there = _name(world, "chn"), _name(world, "chn")
    world.moved(None, account, 2 * OF_CUSTOMER, LIMITED)
    world.moved(account, None, OF_CUSTOMER, LIMITED)
    attempts = [
        (SINGLE + 1, here, EXCEEDED),
        (SINGLE, here, "posted"),
        (OF_CHANNEL - SINGLE + 1, here, EXCEEDED),
        (OF_CHANNEL - SINGLE, here, "posted"),
        (OF_CUSTOMER - OF_CHANNEL + 1, there, EXCEEDED),
        (OF_CUSTOMER - OF_CHANNEL - 1, there, "posted"),
        (1, there, "posted"),
        (1, there, EXCEEDED),
    ]
    told = [
        (world.withdrawal(account, minor) | {"channel": channel}, expect)
        for minor, channel, expect in attempts
    ]
    return world.told(
        account,
        (world.opening(account), "posted"),
        (world.deposit(account, 2 * OF_CUSTOMER), "posted"),
        *told,
        (told[0][0], "repeat"),
        (told[1][0], "repeat"),
    )


def one_customer(world: World) -> Script:
    """Spend from two accounts of a customer together: what both give counts once, as a sum."""
    currency, part = OWN[world.rng.randrange(len(OWN))], world.minor()
    one, other = world.newcomer("lim", currency), world.newcomer("lim", currency)
    one.customer = other.customer = customer = _name(world, "cus")
    payee = world.payee(currency)
    bounds = {"single_amount": 2 * part, "daily_amount": 2 * part}
    _early(world, "customer", customer, currency, **bounds)
    for account in (one, other):
        world.moved(None, account, 5 * part, currency)
    world.moved(one, payee, 2 * part, currency)
    world.moved(other, payee, part + 1, currency)
    world.moved(one, other, part, currency)

    def both(first: int, second: int) -> Body:
        lines = [
            world.line(one, "debit", first),
            world.line(other, "debit", second),
            world.line(payee, "credit", first + second),
        ]
        return world.pen.body("journal", lines=lines)

    netted = [
        world.line(one, "debit", 2 * part),
        world.line(other, "credit", part),
        world.line(one, "credit", part),
    ]
    return world.told(
        one,
        (world.opening(one), "posted"),
        (world.opening(other), "posted"),
        (world.deposit(one, 5 * part), "posted"),
        (world.deposit(other, 5 * part), "posted"),
        (refused := both(part + 1, part), EXCEEDED),
        (both(part + 1, part) | {"on_shortfall": "overdraw"}, "posted"),
        (world.pen.body("journal", lines=netted), "posted"),
        (both(part, 1), EXCEEDED),
        (both(part - 1, 1), "posted"),
        (world.withdrawal(other, 1), EXCEEDED),
        (refused, "repeat"),
        (refused | {"reference": "changed"}, "conflict"),
    )


def held(world: World) -> Script:
    """Set money aside under a limit; take more than that, and find that it does not fit."""
    currency, minor = OWN[world.rng.randrange(len(OWN))], world.minor()
    payer, shop = world.newcomer("lim", currency), world.newcomer("shp", currency)
    payer.customer = _name(world, "cus")
    _early(world, "customer", payer.customer, currency, daily_amount=minor + 1)
    world.moved(None, payer, 3 * minor, currency)
    world.moved(payer, shop, minor + 1, currency)
    most = world.pen.amount(2 * minor, currency)
    placed = world.sided("hold.place", payer, shop, minor, capture_max=most)
    on_it = {"hold_transaction_id": placed["transaction_id"]}

    def taken(part: int) -> Body:
        return world.pen.body("hold.capture", **on_it, amount=world.pen.amount(part, currency))

    return world.told(
        payer,
        (world.opening(payer), "posted"),
        (world.opening(shop, kind="merchant"), "posted"),
        (world.deposit(payer, 3 * minor), "posted"),
        (placed, "posted"),
        (world.sided("hold.place", payer, shop, 2), EXCEEDED),
        (taken(minor - 1), "posted"),
        (taken(3), EXCEEDED),
        (taken(2), "posted"),
        (world.withdrawal(payer, 1), EXCEEDED),
        (taken(1), EXCEEDED),
        (world.pen.body("hold.release", **on_it), "posted"),
    )


def in_a_channel(world: World) -> Script:
    """Spend in each way once in a channel that allows no more; elsewhere it goes on."""
    payer, shop = world.newcomer("lim", "EUR"), world.newcomer("shp", "EUR")
    yen = world.newcomer("lim", "JPY")
    channel = _name(world, "chn")
    _early(world, "channel", channel, "EUR", single_amount=100, daily_count=5)
    world.moved(None, payer, 1_000, "EUR")
    world.moved(payer, None, 100, "EUR")
    world.moved(payer, shop, 201, "EUR")
    world.exchanged(payer, 100, yen, 160)
    paid = world.sided("payment", payer, shop, 100)
    many = world.sided("payment", payer, shop, 1)
    exchange = world.sided("fx.transfer", payer, yen, 100, credit_amount="160")
    exchange |= {"credit_currency": "JPY", "rate": "160"}
    told = [
        (world.withdrawal(payer, 100), "posted"),
        (world.transfer(payer, shop, 100), "posted"),
        (world.deposit(shop, 100, debit_account=payer.name), "posted"),
        (paid, "posted"),
        (world.sided("payment", payer, shop, 101), EXCEEDED),
        (exchange, "posted"),
        (many, EXCEEDED),
        (world.reversal(paid), "posted"),
        (world.sided("payment", payer, shop, 1), EXCEEDED),
        (many, "repeat"),
    ]
    return world.told(
        payer,
        (world.opening(payer), "posted"),
        (world.opening(shop, kind="merchant"), "posted"),
        (world.opening(yen), "posted"),
        (world.deposit(payer, 1_000), "posted"),
        *((body | {"channel": channel}, expect) for body, expect in told),
        (world.sided("payment", payer, shop, 1), "posted"),
    )


def of_an_account(world: World) -> Script:
    """Limit an account; on the next day change the limit amid what it counts, and go on."""
    account, name = world.private(), _name(world, "lim")
    own = ("account", account.name, account.currency)
    world.moved(account, None, 1_501, account.currency)
    world.next_day.append(
        world.told(
            account,
            (world.withdrawal(account, 1_001), EXCEEDED),
            (world.withdrawal(account, 1_000), "posted"),
            (refused := world.withdrawal(account, 501), EXCEEDED),
        )
    )
    changed = [(_set(world, name, *own, daily_amount=1_501), "posted")]
    if world.rng.randrange(2):
        other = _set(world, _name(world, "lim"), *own, daily_amount=1_501)
        changed = [(other, OVERLAPS), (_end(world, name), "posted")]
        changed.append((other | {"transaction_id": world.pen.new_id()}, "posted"))
    world.changes.append([_sent(world, body, expect) for body, expect in changed])
    world.afterwards.append(
        world.told(
            account,
            (refused, "repeat"),
            (world.withdrawal(account, 502), EXCEEDED),
            (world.withdrawal(account, 501), "posted"),
            (world.withdrawal(account, 1), EXCEEDED),
        )
    )
    first = _set(world, name, *own, single_amount=1_000, daily_amount=1_500, daily_count=3)
    return [_sent(world, first, "posted")]


def across_days(world: World) -> Script:
    """Spend what a day allows, once more on the next day, and without a limit after its end."""
    account, name = world.private(), _name(world, "lim")
    customer, currency = account.customer or "", account.currency
    body = _set(world, name, "customer", customer, currency, daily_amount=701, daily_count=2)
    world.early.append(_sent(world, body, "posted"))
    world.moved(account, None, 1_401, currency)
    refused = world.withdrawal(account, 2)
    world.next_day.append(
        world.told(
            account,
            (refused, "repeat"),
            (world.withdrawal(account, 699), "posted"),
            (world.withdrawal(account, 3), EXCEEDED),
            (world.withdrawal(account, 1), "posted"),
            (world.withdrawal(account, 1), EXCEEDED),
        )
    )
    ended = _end(world, name)
    world.changes.append([_sent(world, ended, "posted"), _sent(world, ended, "repeat")])
    world.afterwards.append(world.told(account, (world.withdrawal(account, 1), "posted")))
    return world.told(account, (world.withdrawal(account, 700), "posted"), (refused, EXCEEDED))


def limits_refused(world: World) -> Script:
    """Ask in vain for limits, and for some twice."""
    gone, name = world.newcomer("cls", "EUR"), _name(world, "lim")
    short = ("channel", name, "EUR")
    one, end = _set(world, name, *short, daily_count=1), _end(world, name)
    world.late.append([_sent(world, _of_account(world, gone), "rejected:account_closed")])
    other = Account(world.payer(0, "EUR").name, "JPY")
    nobody, cash = Account("nobody", "EUR"), Account("cash-EUR", "EUR")
    late = _of_account(world, nobody) | {"valid_until": LONG_PAST}
    asked: list[tuple[Body, str]] = [
        (_of_any(world, "customer", LIMITED, daily_amount=OF_CUSTOMER), UNCHANGED),
        (_set(world, name, "channel", None, LIMITED, daily_count=1), OVERLAPS),
        (late, "rejected:expired"),
        (_of_account(world, nobody), "rejected:account_not_found"),
        (_of_account(world, other), "rejected:currency_mismatch"),
        (_of_account(world, cash), "rejected:kind_not_allowed"),
        (_set(world, name, *short), "invalid:schema"),
        (_end(world, name), "rejected:limit_not_found"),
        (one, "posted"),
        (one, "repeat"),
        (one | {"daily_count": "2"}, "conflict"),
        (_set(world, name, *short, daily_count=1), UNCHANGED),
        (end, "posted"),
        (end, "repeat"),
        (end | {"reference": "changed"}, "conflict"),
    ]
    close = world.pen.body("account.close", account=gone.name)
    return [
        *(_sent(world, body, expect) for body, expect in asked),
        world.pen.record(KEY, _set(world, name, *short, daily_count=1), "invalid:unknown_type"),
        *world.told(gone, (world.opening(gone), "posted"), (close, "posted")),
    ]


def racing_limits(world: World) -> Script:
    """Set and end limits at once, through two partitions: one comes first."""
    channel, twice, ended = (_name(world, "chn") for _ in range(3))
    _early(world, "channel", ended, "EUR", daily_count=1)
    for lane in (None, world.pen.elsewhere(KEY)):
        bodies = (
            _set(world, _name(world, "lim"), "channel", channel, "EUR", daily_count=1),
            _set(world, twice, "channel", twice, "EUR", daily_count=1),
            _end(world, ended),
        )
        world.late.extend([_sent(world, body, None, lane)] for body in bodies)
    world.pen.races.update({"posted": 3})
    world.pen.races.update((OVERLAPS, UNCHANGED, "rejected:limit_not_found"))
    return []


def racing_spending(world: World) -> Script:
    """Spend what a channel allows twice at once, through two partitions: one comes first."""
    account, channel = world.private(), _name(world, "chn")
    minor = account.spendable // 2
    _early(world, "channel", channel, account.currency, daily_amount=minor)
    world.moved(account, None, minor, account.currency)
    world.pen.races.update(("posted", EXCEEDED))
    return [
        world.pen.record(
            account.name,
            world.withdrawal(account, minor) | {"channel": channel},
            None,
            partition=lane,
        )
        for lane in (None, world.pen.elsewhere(account.name))
    ]


def racing_with_a_limit(world: World) -> Script:
    """
    Spend much and then less where one command is allowed, beside a change of the limit that forbids
    much: whichever comes first, one of the two is refused.

    What is less is a journal, two postings of half the money: so the sum of all debits is the same.
    """
    account, channel = world.private(), _name(world, "chn")
    payee = world.newcomer("won", account.currency)
    account.final = payee.final = None
    own = (channel, "channel", channel, account.currency)
    _early(world, *own[1:], daily_count=1)
    world.pen.races.update(("posted", EXCEEDED))
    half = [world.line(account, "debit", 500), world.line(payee, "credit", 500)]
    bodies = (world.transfer(account, payee, 1_000), world.pen.body("journal", lines=half))
    changed = _set(world, *own, daily_count=1, single_amount=999)
    script = [world.pen.record(account.name, body | {"channel": channel}, None) for body in bodies]
    script.insert(world.rng.randrange(len(script) + 1), _sent(world, changed, "posted"))
    world.next_day.append(script)
    return [world.pen.record(payee.name, world.opening(payee), "posted")]


def _set(
    world: World, name: str, scope: str, subject: str | None, currency: str, **bounds: int
) -> Body:
    """Write a limit; amounts are given in minor units."""
    own = {"limit": name, "scope": scope, "currency": currency}
    own |= {} if subject is None else {"subject": subject}
    for measure, bound in bounds.items():
        is_count = measure == "daily_count"
        own[measure] = str(bound) if is_count else world.pen.amount(bound, currency)
    return world.pen.body("limit.set", **own) | PRODUCTS


def _of_any(world: World, scope: str, currency: str, **bounds: int) -> Body:
    return _set(world, f"any-{scope}-{currency}", scope, None, currency, **bounds)


def _of_account(world: World, account: Account) -> Body:
    return _set(
        world, _name(world, "lim"), "account", account.name, account.currency, daily_count=1
    )


def _end(world: World, name: str) -> Body:
    return world.pen.body("limit.end", limit=name) | PRODUCTS


def _early(world: World, scope: str, subject: str, currency: str, **bounds: int) -> None:
    """Set a limit before the mix, under its subject's name."""
    world.early.append(
        _sent(world, _set(world, subject, scope, subject, currency, **bounds), "posted")
    )


def _sent(world: World, body: Body, expect: str | None, partition: int | None = None) -> Record:
    """Send by the key that all limits share, so that they keep their order."""
    return world.internal(KEY, body, expect, partition)


def _name(world: World, prefix: str) -> str:
    return f"{prefix}-{world.rng.getrandbits(40):010x}"
