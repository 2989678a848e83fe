"""The accounts of the sample and the commands on them, with the balances that they must lead to."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import chain
from random import Random

from loadtest.lanes import in_internal
from loadtest.record import Record, partition_of
from loadtest.stories.pen import Account, Body, Pen

CURRENCY_MIX = ("EUR",) * 8 + ("USD",) * 4 + ("GBP",) * 2 + ("JPY",) * 3 + ("KWD",) * 2 + ("CHF",)
RESERVED_SHARE = 5
"""One account in this many is reserved for one script, which knows its balance."""

SHARED = (1, 2)
"""Two accounts of as many belong to one customer; a reserved one has a customer of its own."""

FUNDS_MINOR = (5_000_000, 15_000_000)
RESERVED_FUNDS_MINOR = (10_000, 90_000)
PAYMENT_MINOR = (10, 50_000)
REFERENCE_PERCENT = 25
METADATA_PERCENT = 10
HOT_PERCENT = 10
"""So many transfers in a hundred go to the first account of their currency."""

Script = list[Record]
"""Records of one story, in the order in which a partition must hold them."""

Kind = Callable[["World"], Script]


class World:
    """
    The accounts and a pen: `reserved` ones are handed out once, `pool` is the rest.

    What a story writes elsewhere than into the mix: `early` comes with the openings, `late` behind
    the mix, and behind the closing of the first day `next_day`, `changes` and `afterwards`.
    """

    def __init__(self, seed: int, accounts: int, partitions: int) -> None:
        self.pen = Pen(Random(seed), partitions)
        self.rng = self.pen.rng
        self.accounts: list[Account] = []
        self.pool: dict[str, list[Account]] = {currency: [] for currency in CURRENCY_MIX}
        self.reserved: deque[Account] = deque()
        self.early: Script = []
        self.late: list[Script] = []
        self.next_day: list[Script] = []
        self.changes: list[Script] = []
        self.afterwards: list[Script] = []
        for number in range(accounts):
            currency = CURRENCY_MIX[self.rng.randrange(len(CURRENCY_MIX))]
            account = Account(f"acc-{number:06d}", currency)
            self.accounts.append(account)
            group, place = divmod(number, RESERVED_SHARE)
            if place in SHARED:
                account.customer = f"cus-{group:05d}-shared"
            if place:
                self.pool[currency].append(account)
            else:
                account.customer = f"cus-{group:05d}"
                self.reserved.append(account)

    # --- choosing

    def currency(self) -> str:
        """Choose a currency as often as it is used."""
        return CURRENCY_MIX[self.rng.randrange(len(CURRENCY_MIX))]

    def minor(self) -> int:
        """Choose an everyday amount in minor units."""
        return self.rng.randint(*PAYMENT_MINOR)

    def payer(self, minor: int, currency: str) -> Account:
        """Choose an account that can pay whatever the order."""
        pool = self.pool[currency]
        while True:
            account = pool[self.rng.randrange(len(pool))]
            if account.spendable >= minor:
                return account

    def payee(self, currency: str, *others: Account) -> Account:
        """Choose an account to receive, some more often than others, and none of `others`."""
        pool = self.pool[currency]
        while True:
            hot = self.rng.randrange(100) < HOT_PERCENT
            account = pool[0 if hot else self.rng.randrange(len(pool))]
            if account not in others:
                return account

    def private(self) -> Account:
        """Hand out a reserved account: no other script touches it."""
        return self.reserved.popleft()

    def newcomer(self, prefix: str, currency: str) -> Account:
        """Name an account that its own script opens."""
        account = Account(f"{prefix}-{self.rng.getrandbits(40):010x}", currency)
        self.accounts.append(account)
        return account

    def home(self, account: Account) -> int:
        """Say to which partition the account's name leads."""
        return partition_of(account.name.encode(), self.pen.partitions)

    # --- bodies of commands

    def opening(self, account: Account, **fields: object) -> Body:
        """Write the opening of a customer account."""
        own = {"account": account.name, "currency": account.currency, "kind": "customer"}
        own |= {} if account.customer is None else {"customer": account.customer}
        return self.pen.body("account.open", **own | fields)

    def transfer(self, debit: Account, credit: Account, minor: int) -> Body:
        """Write a transfer, some with a reference or metadata."""
        body = self.pen.body(
            "transfer",
            debit_account=debit.name,
            credit_account=credit.name,
            amount=self.pen.amount(minor, debit.currency),
            currency=debit.currency,
        )
        if self.rng.randrange(100) < REFERENCE_PERCENT:
            body["reference"] = f"invoice {self.rng.randrange(100_000)} \u20ac/\u5186 \u2713"
        if self.rng.randrange(100) < METADATA_PERCENT:
            body["metadata"] = {"order": f"A-{self.rng.randrange(1000)}", "shop": "Caf\u00e9"}
        return body

    def sided(self, type_: str, debit: Account, credit: Account, minor: int, **fields: str) -> Body:
        """Write a command that is about an amount and two sides."""
        own = {"debit_account": debit.name, "credit_account": credit.name}
        amount = self.pen.amount(minor, debit.currency)
        return self.pen.body(type_, **own, amount=amount, currency=debit.currency, **fields)

    def line(self, account: Account, direction: str, minor: int, **fields: str) -> dict[str, str]:
        """Write a line of a journal."""
        amount = self.pen.amount(minor, account.currency)
        own = {"account": account.name, "direction": direction, "amount": amount}
        return {**own, "currency": account.currency, **fields}

    def deposit(self, credit: Account, minor: int, **fields: object) -> Body:
        """Write a deposit."""
        amount = self.pen.amount(minor, credit.currency)
        own = {"credit_account": credit.name, "amount": amount, "currency": credit.currency}
        return self.pen.body("deposit", **own | fields)

    def withdrawal(self, debit: Account, minor: int, **fields: object) -> Body:
        """Write a withdrawal."""
        amount = self.pen.amount(minor, debit.currency)
        own = {"debit_account": debit.name, "amount": amount, "currency": debit.currency}
        return self.pen.body("withdrawal", **own | fields)

    def reversal(self, original: Body, amount: str | None = None) -> Body:
        """Write a reversal; without an amount it asks for what is left."""
        body = self.pen.body("reversal", original_transaction_id=original["transaction_id"])
        if amount is not None:
            body["amount"] = amount
        return body

    def in_minor(self, body: Body) -> int:
        """Read back the amount that a body carries, in minor units."""
        return int(body["amount"].replace(".", ""))

    def told(self, account: Account, *told: tuple[Body | bytes, str]) -> Script:
        """Put all of a story into the account's partition, so that it happens in this order."""
        home = self.home(account)
        return [self.pen.record(account.name, body, ends, partition=home) for body, ends in told]

    def internal(
        self, key: str, body: Body, expect: str | None, partition: int | None = None
    ) -> Record:
        """Put a command into the internal topic, by its key unless a partition is given."""
        partitions = self.pen.partitions
        home = partition_of(key.encode(), partitions) if partition is None else partition
        return self.pen.record(key, body, expect, partition=in_internal(home, partitions))

    # --- what moves

    def moved(
        self, debit: Account | None, credit: Account | None, minor: int, currency: str
    ) -> None:
        """Take note that money surely moves; None is the currency's cash account."""
        for account, signed in ((debit, -minor), (credit, minor)):
            if account is None:
                self.pen.cash[f"cash-{currency}"] += signed
            elif account.final is not None:
                account.final += signed
        if debit is not None:
            debit.spendable -= minor

    def exchanged(self, giver: Account, given: int, getter: Account, got: int) -> None:
        """Take note that newcomers' money is surely exchanged, in minor units of each side."""
        for account, minor in ((giver, -given), (getter, got)):
            assert account.final is not None, "a newcomer's balance is known"
            account.final += minor
            self.pen.cash[f"position-{account.currency}"] -= minor

    def posted_transfer(self) -> tuple[Body, Account, Account, int, Record]:
        """Write a transfer that is posted in whatever order; give its parts and its record."""
        minor, currency = self.minor(), self.currency()
        debit = self.payer(minor, currency)
        credit = self.payee(currency, debit)
        body = self.transfer(debit, credit, minor)
        self.moved(debit, credit, minor, currency)
        return body, debit, credit, minor, self.pen.record(debit.name, body, "posted")

    def opened_and_funded(self) -> list[Record]:
        """Open every account and give it its first deposit, those of the pool a large one."""
        records = [
            self.pen.record(account.name, self.opening(account), "posted")
            for account in self.accounts
        ]
        pool = chain.from_iterable(self.pool.values())
        for accounts, range_minor in ((pool, FUNDS_MINOR), (self.reserved, RESERVED_FUNDS_MINOR)):
            for account in accounts:
                minor = self.rng.randint(*range_minor)
                account.spendable = minor
                self.moved(None, account, minor, account.currency)
                body = self.deposit(account, minor)
                records.append(self.pen.record(account.name, body, "posted"))
        return records
