"""
The tables of the ledger in memory, and the constraints that PostgreSQL would hold them to.

A transaction changes them at once and takes every change back when it fails.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final, TypeVar
from uuid import UUID

import msgspec
from msgspec.structs import replace

from processor.core.answers import RecordedAnswer
from processor.core.books import (
    BALANCE_MINOR_MAX,
    Account,
    Change,
    Decided,
    Hold,
    Holding,
    Opened,
    Posting,
    Spending,
    Spent,
    Subject,
)
from processor.core.day_commands import DayClose
from processor.core.hold_commands import HoldPlace
from processor.core.own_accounts import CLEARING
from processor.core.rule_commands import LimitEnd, LimitSet, TariffEnd, TariffSet
from processor.core.rules import NO_RULES, SpendingLimit
from processor.errors import AlreadyDecidedError, UnpostableError
from processor.ledger import Position, Timeline

_NOT_NULL: Final = "23502"
_NO_SUCH_ROW: Final = "23503"
_NOT_UNIQUE: Final = "23505"
CHECK: Final = "23514"

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


class Entry(msgspec.Struct, frozen=True):
    """A posting as it is recorded: ids of accounts, minor units; lines count from 1."""

    ledger_sequence: int
    transaction_id: str
    line: int
    debit_account_id: int
    credit_account_id: int
    amount: int
    debit_balance: int
    credit_balance: int
    currency: str
    original_transaction_id: str | None
    booking_date: str
    value_date: str


class Tables:
    """All tables, and what the transaction under way has changed in them."""

    def __init__(self) -> None:
        self.sources: dict[int, UUID] = {}
        self.positions: dict[tuple[str, int], Position] = {}
        self.accounts: dict[str, Account] = {}
        self.decided: dict[str, Decided] = {}
        self.entries: dict[tuple[str, int], Entry] = {}
        self.reversed_minor: dict[str, int] = {}
        self.holds: dict[str, Hold] = {}
        self.rules = [NO_RULES]
        self.spent: dict[Subject, Spent] = {}
        self.spendings: dict[tuple[int, Subject], Spending] = {}
        self.recorded: dict[tuple[int, int], RecordedAnswer] = {}
        self.holes: dict[tuple[int, int], int] = {}
        self.timelines: list[Timeline] = []
        self.tolerated: dict[str, int] = {}
        self.last_sequence = 0
        self._changes: dict[str, Change] = {}
        self._overdrawn: set[str] = set()
        self._undo: list[Callable[[], None]] = []

    def next_sequence(self) -> int:
        """Draw a number; it is never given back."""
        self.last_sequence += 1
        return self.last_sequence

    def open(self, opened: Opened) -> None:
        """Add a row with the limit that the account was opened with."""
        accounts, account = self.accounts, opened.account
        if account.name in accounts:
            raise AlreadyDecidedError("an account was opened meanwhile")
        account.account_id = len(accounts) + 1
        row = Account(
            account.name,
            account.currency,
            account.kind,
            overdraft_limit=opened.overdraft_limit,
            account_id=account.account_id,
            customer=account.customer,
        )
        self.insert(accounts, account.name, row, "account_name_once")

    def post(self, decided: Decided, line: int, posting: Posting) -> None:
        """Move both balances and record the posting."""
        debit_id, credit_id = posting.debit.account_id, posting.credit.account_id
        if debit_id is None or credit_id is None:
            raise refused("a posting names no account", _NOT_NULL)
        currency = posting.debit.currency
        if posting.amount <= 0:
            raise refused("posting_moves_money", CHECK)
        if debit_id == credit_id:
            raise refused("posting_has_two_sides", CHECK)
        open_date, dates = self.rules[-1].open_date, posting.dates
        if open_date is not None and (
            dates.booking_date != open_date or dates.value_date < open_date
        ):
            raise refused("period_is_open", CHECK)
        self._move(posting.debit.name, currency, -posting.amount)
        self._move(posting.credit.name, currency, posting.amount)
        if posting.overdraws:
            self._overdrawn.add(posting.debit.name)
        original = posting.original_transaction_id
        if original is not None:
            self._give_back(original, debit_id, credit_id, posting.amount)
        entry = Entry(
            decided.ledger_sequence,
            decided.transaction_id,
            line,
            debit_id,
            credit_id,
            posting.amount,
            posting.debit_balance,
            posting.credit_balance,
            currency,
            original,
            posting.dates.booking_date,
            posting.dates.value_date,
        )
        self.insert(self.entries, (decided.transaction_id, line), entry, "posting_once")

    def _move(self, name: str, currency: str, change: int) -> None:
        account = self.accounts[name]
        if account.currency != currency:
            raise refused("posting_in_currency_of_accounts", _NO_SUCH_ROW)
        moved = replace(account, posted=account.posted + change)
        self.put(self.accounts, name, moved)

    def _give_back(self, original: str, debit_id: int, credit_id: int, amount: int) -> None:
        entry = self.entries.get((original, 1))
        if (
            entry is None
            or entry.original_transaction_id is not None
            or (entry.credit_account_id, entry.debit_account_id) != (debit_id, credit_id)
        ):
            raise refused("reversal_of_posting", _NO_SUCH_ROW)
        total = self.reversed_minor.get(original, 0) + amount
        if total > entry.amount:
            raise refused("reversed_within_original", CHECK)
        self.put(self.reversed_minor, original, total)

    def hold(self, decided: Decided, holding: Holding) -> None:
        """Change a hold and what its account has held."""
        id_, command = holding.hold_transaction_id, decided.command
        if isinstance(command, HoldPlace):
            hold = Hold(holding.held, 0, command.capture_max_minor, command.expires_at_us)
        elif id_ in self.holds:
            hold = self.holds[id_]
        else:
            raise refused("change_of_hold", _NO_SUCH_ROW)
        # The lines after the first are fees.
        captured = sum(posting.amount for posting in decided.ruling.postings[:1])
        hold = replace(
            hold,
            remaining=hold.remaining + holding.held,
            captured=hold.captured + captured,
            released=hold.released + holding.released,
        )
        if not 0 <= hold.remaining <= hold.placed:
            raise refused("remaining_of_placed", CHECK)
        if hold.left() < 0:
            raise refused("captured_within_hold", CHECK)
        if hold.remaining > hold.left():
            raise refused("holds_what_may_be_captured", CHECK)
        self.put(self.holds, id_, hold)
        name = decided.ruling.debit_account or ""
        account = self.accounts[name]
        self.put(self.accounts, name, replace(account, held=account.held + holding.held))

    def change_rules(self, decided: Decided) -> None:
        """Note the rules as a command has left them."""
        rules = self.rules[-1]
        if isinstance(decided.command, TariffSet):
            rules = rules.with_tariff(decided.command.tariff)
        elif isinstance(decided.command, TariffEnd):
            rules = rules.without_tariff(decided.command.tariff)
        elif isinstance(decided.command, LimitSet):
            rules = rules.with_limit(decided.command.limit)
        elif isinstance(decided.command, LimitEnd):
            rules = rules.without_limit(decided.command.limit)
        elif isinstance(decided.command, DayClose):
            if rules.open_date not in (None, decided.command.business_date):
                raise refused("days_follow", CHECK)
            rules = rules.with_open_date(decided.command.next_date)
        self.rules.append(replace(rules, version=decided.ledger_sequence))
        self._undo.append(lambda: self.rules.__delitem__(-1))

    def spend(self, ledger_sequence: int, spending: Spending) -> None:
        """Count what is spent under the limit that is in force."""
        subject, after = spending.subject, spending.after
        before = self.spent.get(subject)
        if before is None or before.booking_date != after.booking_date:
            before = Spent(after.booking_date)
        if (after.amount, after.count) != (before.amount + spending.amount, before.count + 1):
            raise refused("spending_counts_on", CHECK)
        limit = self.rules[-1].limit(*subject)
        if limit is None or limit.name != spending.limit or _is_beyond(limit, spending):
            raise refused("spent_within_limit", CHECK)
        self.put(self.spent, subject, after)
        self.insert(self.spendings, (ledger_sequence, subject), spending, "spending_once")

    def change(self, name: str, change: Change) -> None:
        """Note what a command made of an account: the last change holds at the commit."""
        if name not in self.accounts:
            raise refused("change_of_account", _NO_SUCH_ROW)
        self._changes[name] = change

    def commit(self) -> None:
        """
        Apply the changes of accounts, then hold every account against its limits: the database does
        it once for a batch, too.
        """
        for name, change in self._changes.items():
            row = self.accounts[name]
            if row.status == "closed":
                raise refused("change_of_account", _NO_SUCH_ROW)
            limit = change.overdraft_limit
            self.put(self.accounts, name, replace(row, status=change.status, overdraft_limit=limit))
        for name, account in self.accounts.items():
            self._check(name, account)
        self._changes.clear()
        self._overdrawn.clear()
        self._undo.clear()

    def _check(self, name: str, account: Account) -> None:
        if abs(account.posted) > BALANCE_MINOR_MAX:
            raise refused("balance_within_bounds", CHECK)
        if account.status == "closed" and (account.posted or account.held):
            raise refused("closed_is_empty", CHECK)
        if account.kind == CLEARING and account.posted:
            raise refused("clearing_is_even", CHECK)
        below = max(0, -(account.available() or 0))
        tolerated = self.tolerated.get(name, 0)
        if name not in self._changes and name not in self._overdrawn and below > tolerated:
            raise refused("balance_within_limit", CHECK)
        if below != tolerated:
            self.put(self.tolerated, name, below)

    def roll_back(self) -> None:
        """Take every change back, the last first."""
        self._changes.clear()
        self._overdrawn.clear()
        while self._undo:
            self._undo.pop()()

    def insert(self, table: dict[_K, _V], key: _K, value: _V, constraint: str) -> None:
        """Add a row; refuse a second one under its key."""
        if key in table:
            raise refused(constraint, _NOT_UNIQUE)
        self.put(table, key, value)

    def put(self, table: dict[_K, _V], key: _K, value: _V) -> None:
        """Write a row, remembering what was there."""
        if key in table:
            before = table[key]
            self._undo.append(lambda: table.__setitem__(key, before))
        else:
            self._undo.append(lambda: table.__delitem__(key))
        table[key] = value


def _is_beyond(limit: SpendingLimit, spending: Spending) -> bool:
    bounds = (
        (limit.single_minor, spending.amount),
        (limit.daily_minor, spending.after.amount),
        (limit.daily_count, spending.after.count),
    )
    return any(bound is not None and value > bound for bound, value in bounds)


def refused(constraint: str, sqlstate: str) -> UnpostableError:
    """Give the refusal of a constraint."""
    return UnpostableError(f"refused: {constraint}", sqlstate)
