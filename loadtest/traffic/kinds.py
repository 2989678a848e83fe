"""How a command of each type is written, and what later ones of its block build on. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from loadtest.load.transfers import AMOUNT_MINOR_MAX, CURRENCY, transaction_id
from loadtest.load.transfers import DIGITS as EUR_DIGITS
from loadtest.reference.amounts import major_of
from loadtest.stories.money import RATES
from loadtest.stories.pen import DIGITS
from loadtest.traffic.population import Draw, Party, Population, T, choose

INSUFFICIENT: Final = "999999999999.00"
"""More than any account has, and as much again is still an amount."""

EXCHANGED_MINOR: Final = (1_000, 50_000)
PARTS: Final = 3
"""A part of an original is this share of it."""

AGAIN: Final = 0.05
"""So often what was taken up stays there to be taken up again, which may be refused."""

NEWCOMERS: Final = 0.25
"""So many deposits and withdrawals are those of accounts that the load has opened."""


class Original(NamedTuple):
    """A command that later ones may name, with the account that its key names."""

    number: int
    party: Party
    minor: int


class Desk:
    """
    Chooses what is in a block's commands, and keeps what they left for later ones to take up.

    All commands on an account that the load opens have its key; so does what takes up an original
    have the original's. So each stands behind what it builds on, in one partition.
    """

    def __init__(self, draw: Draw, people: Population, hot: float) -> None:
        self.draw = draw
        self.people = people
        self.hot = hot
        self.movements: list[Original] = []
        self.payments: list[Original] = []
        self.holds: list[Original] = []
        self.newcomers: list[Party] = []
        self.frozen: list[Party] = []

    def minor(self) -> int:
        """Choose an everyday amount, in minor units."""
        return 1 + int(self.draw() * AMOUNT_MINOR_MAX)

    def sides(self) -> tuple[Party, Party]:
        """Choose a payer and a payee."""
        draw, people = self.draw, self.people
        if self.hot and draw() < self.hot:
            payee = people.customers[0]
            return people.other(payee, draw), payee
        payer = people.customer(draw)
        return payer, people.other(payer, draw)

    def whose(self, else_: Callable[[], Party]) -> Party:
        """Choose an account of the load's own now and then, another else."""
        if self.newcomers and self.draw() < NEWCOMERS:
            return choose(self.newcomers, self.draw)
        return else_()

    def taken(self, of: list[T]) -> T | None:
        """Take up one of some, once as a rule; None where none is left."""
        if not of:
            return None
        place = int(self.draw() * len(of))
        found = of[place]
        if self.draw() >= AGAIN:
            of[place] = of[-1]
            of.pop()
        return found


Made = tuple[Party, str]
"""Whose key a command has, and its own fields as JSON."""

Kind = Callable[[Desk, int], Made | None]
"""Writes the command of a number; None where nothing is there to take up."""


def euros(minor: int) -> str:
    """Write an amount as a field with its currency."""
    return f'"amount":"{major_of(minor, EUR_DIGITS)}","currency":"{CURRENCY}"'


def _open(desk: Desk, number: int) -> Made:
    party = desk.people.party(f"new-{number:012d}")
    desk.newcomers.append(party)
    limit = ',"overdraft_limit":"250.00"' if number % 2 else ""
    return party, f'"account":"{party.name}","currency":"{CURRENCY}","kind":"customer"{limit}'


def _freeze(desk: Desk, _: int) -> Made | None:
    if not desk.newcomers:
        return None
    party = choose(desk.newcomers, desk.draw)
    desk.frozen.append(party)
    side = choose(("debit", "credit", "both"), desk.draw)
    return party, f'"account":"{party.name}","side":"{side}","reason":"case 4711"'


def _unfreeze(desk: Desk, _: int) -> Made | None:
    party = desk.taken(desk.frozen)
    if party is None:
        return None
    return party, f'"account":"{party.name}","side":"both","reason":"case 4711 closed"'


def _limit(desk: Desk, _: int) -> Made | None:
    if not desk.newcomers:
        return None
    party = choose(desk.newcomers, desk.draw)
    limit = major_of(desk.minor(), EUR_DIGITS)
    return party, f'"account":"{party.name}","currency":"{CURRENCY}","overdraft_limit":"{limit}"'


def _close(desk: Desk, _: int) -> Made | None:
    party = desk.taken(desk.newcomers)
    return None if party is None else (party, f'"account":"{party.name}"')


def _deposit(desk: Desk, number: int) -> Made:
    minor = desk.minor()
    if desk.hot and desk.draw() < desk.hot:
        party = desk.people.customers[0]
    else:
        party = desk.whose(lambda: desk.people.customer(desk.draw))
    desk.movements.append(Original(number, party, minor))
    return party, f'"credit_account":"{party.name}",{euros(minor)}'


def _withdrawal(desk: Desk, number: int) -> Made:
    minor = desk.minor()
    party = desk.whose(lambda: desk.people.customer(desk.draw))
    desk.movements.append(Original(number, party, minor))
    return party, f'"debit_account":"{party.name}",{euros(minor)}'


def _transfer(desk: Desk, number: int) -> Made:
    minor = desk.minor()
    payer, payee = desk.sides()
    desk.movements.append(Original(number, payer, minor))
    return payer, (
        f'"debit_account":"{payer.name}","credit_account":"{payee.name}",{euros(minor)},'
        f'"reference":"invoice {number}"'
    )


def insufficient(desk: Desk) -> Made:
    """Write a transfer of more than the payer has."""
    payer, payee = desk.sides()
    return payer, (
        f'"debit_account":"{payer.name}","credit_account":"{payee.name}",'
        f'"amount":"{INSUFFICIENT}","currency":"{CURRENCY}"'
    )


def _payment(desk: Desk, number: int) -> Made:
    payer, fields, minor = _to_merchant(desk)
    desk.movements.append(Original(number, payer, minor))
    desk.payments.append(Original(number, payer, minor))
    return payer, f'{fields},"reference":"order {number}"'


def _to_merchant(desk: Desk) -> tuple[Party, str, int]:
    minor, payer = desk.minor(), desk.people.customer(desk.draw)
    shop = choose(desk.people.merchants, desk.draw)
    names = f'"debit_account":"{payer.name}","credit_account":"{shop.name}"'
    return payer, f"{names},{euros(minor)}", minor


def _refund(desk: Desk, number: int) -> Made | None:
    return _given_back(desk, number, desk.payments)


def _reversal(desk: Desk, number: int) -> Made | None:
    return _given_back(desk, number, desk.movements)


def _given_back(desk: Desk, number: int, of: list[Original]) -> Made | None:
    """Give an original back, whole or in part."""
    original = desk.taken(of)
    if original is None:
        return None
    part = _part_of(original) if number % 2 else ""
    named = transaction_id(original.number)
    return original.party, f'"original_transaction_id":"{named}"{part}'


def _part_of(original: Original) -> str:
    minor = max(1, original.minor // PARTS)
    return f',"amount":"{major_of(minor, EUR_DIGITS)}"'


def _journal(desk: Desk, number: int) -> Made:
    draw, people = desk.draw, desk.people
    payer, first, second = people.customer(draw), desk.minor(), desk.minor()
    payees = (people.other(payer, draw), people.other(payer, draw))
    lines = ((payer, "debit", first + second), (payees[0], "credit", first))
    written = ",".join(
        f'{{"account":"{party.name}","direction":"{direction}",{euros(minor)}}}'
        for party, direction, minor in (*lines, (payees[1], "credit", second))
    )
    return payer, f'"lines":[{written}],"reference":"split {number}"'


def _exchange(desk: Desk, number: int) -> Made:
    given, got, rate, worth = choose(EXCHANGES, desk.draw)
    lowest, highest = EXCHANGED_MINOR
    minor = lowest + int(desk.draw() * (highest - lowest))
    payer = desk.people.in_currency(given, desk.draw)
    payee = desk.people.in_currency(got, desk.draw)
    amount, credited = major_of(minor, DIGITS[given]), major_of(worth(minor), DIGITS[got])
    return payer, (
        f'"debit_account":"{payer.name}","credit_account":"{payee.name}",'
        f'"amount":"{amount}","currency":"{given}","credit_amount":"{credited}",'
        f'"credit_currency":"{got}","rate":"{rate}","reference":"exchange {number}"'
    )


def _worth(given: str, got: str, rate: str) -> Callable[[int], int]:
    """Give what minor units of one currency are worth in another, rounded half to even."""
    whole, _, rest = rate.partition(".")
    times = int(whole + rest + "0" * DIGITS[got])
    by = int("1" + "0" * (len(rest) + DIGITS[given]))

    def worth(minor: int) -> int:
        found, left = divmod(minor * times, by)
        return found + (2 * left > by or (2 * left == by and found % 2 == 1))

    return worth


EXCHANGES: Final = tuple(
    (given, got, rate, _worth(given, got, rate))
    for (given, got), rates in RATES.items()
    for rate in rates
    if {given, got} <= {CURRENCY, "USD", "JPY", "KWD"}
)


def _place(desk: Desk, number: int) -> Made:
    payer, fields, minor = _to_merchant(desk)
    desk.holds.append(Original(number, payer, minor))
    return payer, fields


def _capture(desk: Desk, number: int) -> Made | None:
    hold = desk.taken(desk.holds)
    if hold is None:
        return None
    part = f'{_part_of(hold)},"remainder":"release"' if number % 2 else ""
    return hold.party, f'"hold_transaction_id":"{transaction_id(hold.number)}"{part}'


def _release(desk: Desk, number: int) -> Made | None:
    hold = desk.taken(desk.holds)
    if hold is None:
        return None
    part = _part_of(hold) if number % 2 else ""
    return hold.party, f'"hold_transaction_id":"{transaction_id(hold.number)}"{part}'


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "account.open": _open,
        "account.freeze": _freeze,
        "account.unfreeze": _unfreeze,
        "account.limit": _limit,
        "account.close": _close,
        "deposit": _deposit,
        "withdrawal": _withdrawal,
        "transfer": _transfer,
        "payment": _payment,
        "refund": _refund,
        "reversal": _reversal,
        "journal": _journal,
        "fx.transfer": _exchange,
        "hold.place": _place,
        "hold.capture": _capture,
        "hold.release": _release,
    }
)
