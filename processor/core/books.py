"""
What a batch sees of the ledger: accounts, earlier decisions and reversal totals, changed in memory
as it is decided.

The values of the hot path are out of the garbage collector's sight (`gc=False`): they never form
cycles, and tracking them cost a fifth of the worker's time.
"""

from __future__ import annotations

import msgspec

from processor.core.commands import Command, content
from processor.core.dates import UNDATED, Dates
from processor.core.own_accounts import CASH_PREFIX, currency_of_own, kind_of_own
from processor.core.rules import NO_RULES, Scope, Tariff
from processor.core.shown import Shown

BALANCE_MINOR_MAX = 9_000_000_000_000_000_000
"""Bound of |balance| in minor units; the database holds the same bound as a CHECK."""


class Account(msgspec.Struct, gc=False):
    """
    An account while its batch is decided. Balances are credits minus debits, in minor units of its
    currency.

    `account_id` is None until its row exists; `overdraft_limit` is None where there is no lower
    limit (internal).
    """

    name: str
    currency: str
    kind: str
    status: str = "open"
    posted: int = 0
    held: int = 0
    overdraft_limit: int | None = None
    account_id: int | None = None
    customer: str | None = None

    def lacks(self, amount: int) -> bool:
        """Say whether taking `amount` would go below what is held and the limit."""
        limit = self.overdraft_limit
        return limit is not None and self.posted - self.held + limit < amount

    def available(self) -> int | None:
        """Say how much may be taken; below zero where the limit was set below what is used."""
        limit = self.overdraft_limit
        return None if limit is None else self.posted - self.held + limit


class Source(msgspec.Struct, frozen=True, gc=False):
    """Where a command stands: its log's identity in the ledger (`source_id`) and its position."""

    source_id: int
    topic: str
    partition: int
    offset: int


class Posting(msgspec.Struct, frozen=True, gc=False):
    """
    Money that moved from the debit to the credit account, with both balances after it (minor
    units).

    `reference` is a line's own text, None for the command's. `overdraws` where the debit account
    may be below its limit afterwards. `dates` are the days that it belongs to.
    """

    debit: Account
    credit: Account
    amount: int
    debit_balance: int
    credit_balance: int
    dates: Dates = UNDATED
    original_transaction_id: str | None = None
    reference: str | None = None
    overdraws: bool = False


class Change(msgspec.Struct, frozen=True, gc=False):
    """An account as a command left it without moving money. `available` in minor units."""

    status: str
    overdraft_limit: int | None
    available: int | None


class Hold(msgspec.Struct, gc=False):
    """
    Money set aside while its batch is decided, in minor units.

    `remaining` of what was placed is still held; all captures together may be `capture_max`, less
    what was `released`. `expires_at_us` is None for a hold that does not expire.
    """

    placed: int
    remaining: int
    capture_max: int
    expires_at_us: int | None
    captured: int = 0
    released: int = 0

    def left(self) -> int:
        """Say how much may still be captured; nothing once the hold has ended."""
        return self.capture_max - self.captured - self.released

    def is_over(self, now_us: int) -> bool:
        """Say whether its time is over."""
        return self.expires_at_us is not None and now_us > self.expires_at_us


class Holding(msgspec.Struct, frozen=True, gc=False):
    """
    What a command did to a hold: by how much what is `held` changed, and how much of what it
    allowed was `released`, in minor units.
    """

    hold_transaction_id: str
    held: int
    released: int


Subject = tuple[str, str, str]
"""Whose spending is counted: scope, name, currency."""


class Spent(msgspec.Struct, gc=False):
    """What a subject has spent on a business date under limits: minor units, and how often."""

    booking_date: str
    amount: int = 0
    count: int = 0


class Spending(msgspec.Struct, frozen=True, gc=False):
    """What a command has spent of a subject under a limit, and all of the date with it."""

    limit: str
    subject: Subject
    amount: int
    after: Spent


class Ruling(msgspec.Struct, frozen=True, gc=False):
    """
    What was decided about a command, as its event shows it.

    `reason` is None where it was carried out. `amount` is in major units, `amount_minor` what
    moved. `postings` are there only while the batch that moved the money is at hand. `change` is
    what became of an account that was changed; `shown` what only some kinds of commands show.
    `holding` is what was done to a hold and `spendings` what was spent under limits, while the
    batch is at hand. `changes_rules` where others are decided by other rules from here on.
    """

    reason: str | None
    amount: str | None = None
    currency: str | None = None
    debit_account: str | None = None
    credit_account: str | None = None
    account: str | None = None
    amount_minor: int | None = None
    postings: tuple[Posting, ...] = ()
    change: Change | None = None
    shown: Shown | None = None
    holding: Holding | None = None
    changes_rules: bool = False
    spendings: tuple[Spending, ...] = ()


class Decided(msgspec.Struct, frozen=True, gc=False):
    """
    A command's first and lasting answer, decided just now or read back from the ledger.

    `content` is the typed content that the fingerprint covers; None while `command` still has it.
    """

    transaction_id: str
    type: str
    fingerprint: bytes
    ledger_sequence: int
    decided_at: str
    channel: str
    source: Source
    ruling: Ruling
    command: Command | None = None
    recorded_content: dict[str, object] | None = None

    def content(self) -> dict[str, object]:
        """Give the typed content, from the command at hand or as it was read back."""
        if self.command is not None:
            return content(self.command)
        assert self.recorded_content is not None, "an answer without its content"
        return self.recorded_content


class Opened(msgspec.Struct, gc=False):
    """A new account and the limit it was opened with: later commands of the batch may change it."""

    account: Account
    overdraft_limit: int | None


class Books:
    """
    The accounts and earlier answers that a batch asked to read, and what its own commands have
    changed so far.
    """

    def __init__(
        self,
        *,
        accounts: dict[str, Account],
        decided: dict[str, Decided],
        reversed_minor: dict[str, int],
        holds: dict[str, Hold] | None = None,
        spent: dict[Subject, Spent] | None = None,
    ) -> None:
        self.accounts = accounts
        self.decided = decided
        self.reversed_minor = reversed_minor
        self.holds = {} if holds is None else holds
        self.spent = {} if spent is None else spent
        self.now_us = 0
        """The moment of the decisions, in microseconds since the epoch."""

        self.rules = NO_RULES
        """The bank's rules, as earlier commands of the batch have left them."""

        self.is_ruled = False
        """Whether money that moves may cost something, or is limited."""

        self._tariffs: dict[Scope, Tariff | None] = {}

        self.today = UNDATED.booking_date
        """The UTC date of the decisions, which is the open one until a day is closed."""

        self.dates = UNDATED
        """The days of what is posted now."""

        self.opened: dict[str, Opened] = {}

    def account(self, name: str) -> Account | None:
        """Find an account; the bank's own ones exist whether or not their rows do."""
        found = self.accounts.get(name)
        if found is None:
            kind = kind_of_own(name)
            if kind is not None:
                found = Account(name, currency_of_own(name), kind)
                self.accounts[name] = found
        return found

    def open(self, account: Account) -> None:
        """
        Add a new account, and the row of its currency's cash account where this is the first in the
        currency.
        """
        cash = self.account(CASH_PREFIX + account.currency)
        assert cash is not None, "every currency has a cash account"
        self.make_row(cash)
        self.accounts[account.name] = account
        self.opened[account.name] = Opened(account, account.overdraft_limit)

    def change(self, account: Account, *, status: str, overdraft_limit: int | None) -> Change:
        """Change an account in memory, once the rules have been checked."""
        account.status = status
        account.overdraft_limit = overdraft_limit
        return Change(status, overdraft_limit, account.available())

    def move(self, debit: Account, credit: Account, amount: int) -> Posting:
        """Move money in memory. The rules have been checked: from here on it must succeed."""
        if debit.account_id is None:
            self.make_row(debit)
        if credit.account_id is None:
            self.make_row(credit)
        debit.posted -= amount
        credit.posted += amount
        return Posting(debit, credit, amount, debit.posted, credit.posted, self.dates)

    def rule_from_here(self) -> None:
        """Decide and date what comes from here on as the rules say."""
        self.is_ruled = bool(self.rules.tariffs or self.rules.limits)
        self._tariffs = {}
        open_date = self.rules.open_date or self.today
        self.dates = Dates(open_date, open_date)

    def tariff(self, command: str, channel: str, account: Account, payer: str) -> Tariff | None:
        """Find what an account pays by; looked for once, as most commands are of a few sorts."""
        sort = (command, channel, account.kind, account.currency, payer)
        if sort not in self._tariffs:
            self._tariffs[sort] = self.rules.tariff(*sort)
        return self._tariffs[sort]

    def spent_today(self, subject: Subject) -> Spent:
        """Say what a subject has spent on the business date of what is decided now."""
        booking_date = self.dates.booking_date
        spent = self.spent.get(subject)
        if spent is None or spent.booking_date != booking_date:
            return Spent(booking_date)
        return spent

    def spend(self, spendings: tuple[Spending, ...]) -> None:
        """Count what is spent. The limits have been checked."""
        for spending in spendings:
            self.spent[spending.subject] = spending.after

    def give_back(self, original: str, amount: int) -> None:
        """Count what was given back of an original."""
        self.reversed_minor[original] = self.reversed_minor.get(original, 0) + amount

    def make_row(self, account: Account) -> None:
        """Note that an account of the bank's own is used for the first time."""
        if account.account_id is None and account.name not in self.opened:
            self.opened[account.name] = Opened(account, None)
