"""Stories of the sample with merchants, journals of many lines, and rates of exchange."""

from __future__ import annotations

from fractions import Fraction

from loadtest.stories.pen import DIGITS, Account, Body, respell
from loadtest.stories.world import Script, World

EMPLOYEES = 20
PAYMENTS = 3
RATES = {
    ("EUR", "JPY"): ("162.345", "160", "158.000000000001"),
    ("JPY", "EUR"): ("0.0061597", "0.00625"),
    ("EUR", "KWD"): ("0.3325", "0.333333333333"),
    ("KWD", "USD"): ("3.25", "3.2541"),
    ("USD", "GBP"): ("0.8", "0.79455"),
}
"""Rates as texts, by the currency that is given and the one that is got."""

OVERDRAW = {"on_shortfall": "overdraw"}
SHORT = "rejected:insufficient_funds"
EXCEEDS = "rejected:exceeds_original"

Told = tuple[Body | bytes, str]


def payments(world: World) -> Script:
    """Pay a merchant some times; an account of another kind can't be paid."""
    shop = world.newcomer("shop", world.currency())
    told: list[Told] = [(world.opening(shop, kind="merchant"), "posted")]
    for _ in range(PAYMENTS):
        body, _ = _paid(world, shop, world.minor())
        told.append((body, "posted"))
    payer = world.payer(0, shop.currency)
    other = world.payee(shop.currency, payer)
    told.append((_payment(world, payer, other, world.minor()), "rejected:kind_not_allowed"))
    return world.told(shop, *told)


def refunds(world: World) -> Script:
    """Give a payment back in parts, to the last minor unit; what is too much stays refused."""
    shop, minor = world.newcomer("shop", world.currency()), world.minor() + 30
    paid, payer = _paid(world, shop, minor)
    world.moved(shop, payer, minor, shop.currency)
    part_minor = minor // 30 * 10  # with a zero at its end, which a conflict shows as it was given
    part = world.pen.amount(part_minor, shop.currency)
    beyond = world.pen.amount(minor - 2 * part_minor + 1, shop.currency)
    first = _refund(world, paid, part)
    return world.told(
        shop,
        (world.opening(shop, kind="merchant"), "posted"),
        (paid, "posted"),
        (first, "posted"),
        (world.reversal(paid, part), "posted"),
        (_refund(world, paid, beyond), EXCEEDS),
        (_refund(world, paid), "posted"),
        (_refund(world, paid), EXCEEDS),
        (world.reversal(paid), EXCEEDS),
        (first, "repeat"),
        (first | {"reference": "changed"}, "conflict"),
        (_refund(world, first), "rejected:not_refundable"),
    )


def refund_without_funds(world: World) -> Script:
    """Let a merchant spend what it is to refund; the bank takes it back all the same."""
    shop, minor = world.newcomer("shop", world.currency()), world.minor()
    paid, payer = _paid(world, shop, minor)
    return world.told(
        shop,
        (world.opening(shop, kind="merchant"), "posted"),
        (paid, "posted"),
        (world.withdrawal(shop, minor), "posted"),
        (_refund(world, paid), SHORT),
        *_forced_back(world, shop, payer, paid),
        (_refund(world, paid), EXCEEDS),
    )


def reversal_overdraws(world: World) -> Script:
    """Take back what a customer has spent: the account is blocked until money has come in."""
    account, minor = world.newcomer("rev", world.currency()), world.minor()
    payer = world.payer(minor, account.currency)
    paid = world.transfer(payer, account, minor)
    world.moved(payer, account, minor, account.currency)
    return world.told(
        account,
        (world.opening(account), "posted"),
        (paid, "posted"),
        (_refund(world, paid), "rejected:not_refundable"),
        (world.withdrawal(account, minor), "posted"),
        *_forced_back(world, account, payer, paid),
    )


def _forced_back(world: World, account: Account, payer: Account, paid: Body) -> list[Told]:
    """Take a payment back that was withdrawn, and make good for it afterwards."""
    minor = world.in_minor(paid)
    world.moved(account, None, minor, account.currency)
    world.moved(account, payer, minor, account.currency)
    world.moved(None, account, minor, account.currency)
    refused, forced = world.reversal(paid), world.reversal(paid) | OVERDRAW
    return [
        (refused, SHORT),
        (forced, "posted"),
        (refused, "repeat"),
        (respell(forced, world.rng), "repeat"),
        (world.withdrawal(account, 1), SHORT),
        (world.deposit(account, minor), "posted"),
        (world.withdrawal(account, 1), SHORT),
    ]


def payroll(world: World) -> Script:
    """Pay all salaries at once; without the funds for all of them nobody is paid."""
    employer = world.newcomer("emp", world.currency())
    currency = employer.currency
    salaries = [(world.payee(currency), world.minor()) for _ in range(EMPLOYEES)]
    total = sum(minor for _, minor in salaries)
    world.moved(None, employer, total, currency)
    for employee, minor in salaries:
        world.moved(employer, employee, minor, currency)
    lines = [
        world.line(employee, "credit", minor, reference=f"salary {number}")
        for number, (employee, minor) in enumerate(salaries, start=1)
    ]
    lines.insert(world.rng.randrange(EMPLOYEES), world.line(employer, "debit", total))
    early, paid = (_journal(world, lines, reference="November") for _ in range(2))
    return world.told(
        employer,
        (world.opening(employer, kind="current"), "posted"),
        (world.deposit(employer, total - 1), "posted"),
        (early, SHORT),
        (world.deposit(employer, 1), "posted"),
        (paid, "posted"),
        (early, "repeat"),
        (paid, "repeat"),
        (paid | {"lines": lines[::-1]}, "conflict"),
        (_journal(world, lines), SHORT),
        (world.reversal(paid), "rejected:not_reversible"),
    )


def two_currencies(world: World) -> Script:
    """Post lines in two currencies together; an account may stand on several of them."""
    one, other = (
        world.newcomer("two", currency) for currency in world.rng.sample(tuple(world.pool), 2)
    )
    minor, moved = world.minor(), []
    for account in (one, other):
        payee = world.payee(account.currency)
        world.moved(None, account, minor, account.currency)
        world.moved(account, payee, minor, account.currency)
        moved += [
            world.line(account, "debit", 2 * minor),
            world.line(account, "credit", minor),
            world.line(payee, "credit", minor),
        ]
    world.rng.shuffle(moved)
    body = _journal(world, moved)
    lacking = _journal(world, [*moved, *_pair(world, one, other)])
    return world.told(
        one,
        (world.opening(one), "posted"),
        (world.opening(other), "posted"),
        (world.deposit(one, minor), "posted"),
        (body, SHORT),
        (world.deposit(other, minor), "posted"),
        (lacking, "rejected:currency_mismatch"),
        (_journal(world, moved), "posted"),
        (respell(body, world.rng), "repeat"),
    )


def fee_overdraws(world: World) -> Script:
    """Take a fee that is not there: the account gives nothing more until money has come in."""
    account, fee = world.newcomer("fee", world.currency()), world.minor()
    income = world.newcomer("inc", account.currency)
    world.moved(account, income, fee, account.currency)
    world.moved(None, account, fee + 1, account.currency)
    world.moved(account, None, 1, account.currency)
    lines = [world.line(account, "debit", fee), world.line(income, "credit", fee)]
    taken = _journal(world, lines) | OVERDRAW
    return world.told(
        account,
        (world.opening(account), "posted"),
        (world.opening(income, kind="income"), "posted"),
        (_journal(world, lines), SHORT),
        (taken, "posted"),
        (world.withdrawal(account, 1), SHORT),
        (world.deposit(account, fee), "posted"),
        (world.withdrawal(account, 1), SHORT),
        (world.deposit(account, 1), "posted"),
        (world.withdrawal(account, 1), "posted"),
        (respell(taken, world.rng), "repeat"),
        (taken | {"on_shortfall": "refuse"}, "conflict"),
    )


def exchanges(world: World) -> Script:
    """Exchange all of an account, with one amount or the other given, and not a unit more."""
    sold, bought = world.rng.choice(tuple(RATES))
    giver, getter = world.newcomer("fxd", sold), world.newcomer("fxc", bought)
    rate, side = world.rng.choice(RATES[sold, bought]), world.rng.choice(("debit", "credit"))
    # At least a hundred units, so that the other amount is above zero.
    fixed = world.minor() * 10 ** DIGITS[sold if side == "debit" else bought]
    body = _exchange(world, giver, getter, rate, side, fixed)
    given, got = (int(body[name].replace(".", "")) for name in ("amount", "credit_amount"))
    world.moved(None, giver, given, sold)
    world.exchanged(giver, given, getter, got)
    again = _exchange(world, giver, getter, rate, side, fixed)
    return world.told(
        giver,
        (world.opening(giver), "posted"),
        (world.opening(getter), "posted"),
        (again, SHORT),
        (world.deposit(giver, given), "posted"),
        (body, "posted"),
        (respell(body, world.rng), "repeat"),
        (body | {"reference": "changed"}, "conflict"),
        (_exchange(world, giver, getter, rate, side, fixed), SHORT),
        (_turned(world, body), "rejected:currency_mismatch"),
        (world.reversal(body), "rejected:not_reversible"),
        (_off_by_one(world, body), "invalid:schema"),
    )


def own_accounts(world: World) -> Script:
    """Try to use the clearing account, which is there for journals alone."""
    account = world.newcomer("own", world.currency())
    currency, minor = account.currency, world.minor()
    clearing = Account(f"clearing-{currency}", currency)
    lines = [world.line(account, "debit", minor), world.line(clearing, "credit", minor)]
    world.pen.cash[clearing.name] += 0
    return world.told(
        account,
        (world.opening(account), "posted"),
        (world.opening(clearing), "rejected:account_exists"),
        (world.transfer(account, clearing, minor), "rejected:kind_not_allowed"),
        (world.transfer(clearing, account, minor), "rejected:kind_not_allowed"),
        (_journal(world, lines), "rejected:kind_not_allowed"),
        (_journal(world, lines[:1]), "invalid:schema"),
        (_journal(world, [lines[0], lines[0]]), "invalid:schema"),
    )


def racing_refund(world: World) -> Script:
    """Refund and reverse one payment at once, through two partitions: one comes first."""
    shop = world.newcomer("shop", world.currency())
    paid, payer = _paid(world, shop, world.minor())
    world.moved(shop, payer, world.in_minor(paid), shop.currency)
    for body, lane in (
        (_refund(world, paid), None),
        (world.reversal(paid), world.pen.elsewhere(shop.name)),
    ):
        world.late.append([world.pen.record(shop.name, body, None, partition=lane)])
    world.pen.races.update(("posted", EXCEEDS))
    return world.told(shop, (world.opening(shop, kind="merchant"), "posted"), (paid, "posted"))


def _paid(world: World, shop: Account, minor: int) -> tuple[Body, Account]:
    """Write a payment that is posted in whatever order, and say who pays."""
    payer = world.payer(minor, shop.currency)
    world.moved(payer, shop, minor, shop.currency)
    return _payment(world, payer, shop, minor), payer


def _payment(world: World, payer: Account, shop: Account, minor: int) -> Body:
    amount = world.pen.amount(minor, shop.currency)
    own = {"debit_account": payer.name, "credit_account": shop.name}
    return world.pen.body("payment", **own, amount=amount, currency=shop.currency)


def _refund(world: World, original: Body, amount: str | None = None) -> Body:
    return world.reversal(original, amount) | {"type": "refund"}


def _pair(world: World, one: Account, other: Account) -> list[dict[str, str]]:
    """Write two lines that balance, of which one names an account of another currency."""
    debit = world.line(one, "debit", 1)
    return [debit, debit | {"account": other.name, "direction": "credit"}]


def _journal(world: World, lines: list[dict[str, str]], **fields: str) -> Body:
    return world.pen.body("journal", lines=lines, **fields)


def _exchange(
    world: World, giver: Account, getter: Account, rate: str, side: str, fixed: int
) -> Body:
    """Write an exchange, of which one amount is given and the other follows from the rate."""
    digits = {"debit": DIGITS[giver.currency], "credit": DIGITS[getter.currency]}
    other = "credit" if side == "debit" else "debit"
    worth = Fraction(rate) if side == "debit" else 1 / Fraction(rate)
    value = Fraction(fixed, 10 ** digits[side]) * worth
    minor = {side: fixed, other: round(value * 10 ** digits[other])}
    own = {
        "debit_account": giver.name,
        "credit_account": getter.name,
        "amount": world.pen.amount(minor["debit"], giver.currency),
        "currency": giver.currency,
        "credit_amount": world.pen.amount(minor["credit"], getter.currency),
        "credit_currency": getter.currency,
        "rate": rate,
    }
    if side == "credit" or world.rng.randrange(2):
        own["fixed_side"] = side
    return world.pen.body("fx.transfer", **own)


def _turned(world: World, exchange: Body) -> Body:
    """Write the exchange once more, with its two accounts in each other's place."""
    fields = {name: value for name, value in exchange.items() if name != "transaction_id"}
    giver, getter = exchange["debit_account"], exchange["credit_account"]
    turned = fields | {"debit_account": getter, "credit_account": giver}
    return {"transaction_id": world.pen.new_id(), **turned}


def _off_by_one(world: World, exchange: Body) -> Body:
    """Write the exchange with an amount that does not follow from the rate."""
    side = exchange.get("fixed_side", "debit")
    field = "credit_amount" if side == "debit" else "amount"
    currency = exchange["credit_currency" if side == "debit" else "currency"]
    more = world.pen.amount(int(exchange[field].replace(".", "")) + 1, currency)
    return exchange | {"transaction_id": world.pen.new_id(), field: more}
