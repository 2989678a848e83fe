"""
The rules a second time, one command after another, with nothing but dictionaries.

It is told which command the ledger decided when, in `ledger_sequence` order, and says what the
answer must have been.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from datetime import date
from functools import partial
from types import MappingProxyType
from typing import Any

from loadtest.reference import days, fees, holds, limits
from loadtest.reference.amounts import major_of, minor_of
from loadtest.reference.answer import Account, Answer, Entry, Move, stopped, sums_of
from loadtest.reference.contract import OVERDRAWN, UNLIMITED, Command

BALANCE_MINOR_MAX = 9 * 10**18
OWN = {"cash": "internal", "clearing": "clearing", "position": "position", "fees": "income"}
"""Beginnings of the names of the bank's own accounts in each currency, with their kinds."""

ORDER = (
    "account_not_found",
    "account_closed",
    "account_frozen",
    "currency_mismatch",
    "same_account",
    "kind_not_allowed",
)
"""Reasons about two sides, as they come first."""

REFUNDABLE = ("payment", "hold.capture")
REVERSIBLE = (*REFUNDABLE, "deposit", "withdrawal", "transfer")
SIDES = {"debit": {"debit"}, "credit": {"credit"}, "both": {"debit", "credit"}}


Rule = Callable[[Mapping[str, Any], str | None], Answer]
"""Answers what was asked for, refused already for a reason or not."""


class Books:
    """
    The bank, re-decided. `digits` are the active currencies with their minor-unit digits.

    `answers` are kept for what later commands refer to. Where it is known which ids those will
    be, `referred` names them, and no more than theirs are kept.
    """

    def __init__(self, digits: Mapping[str, int], referred: Container[str] | None = None) -> None:
        self.digits = digits
        self._referred = referred
        self.opened: dict[str, Account] = {}
        self.posted: dict[str, int] = {}
        self.answers: dict[str, Answer] = {}
        self.reversed: dict[str, int] = {}
        self.held: dict[str, int] = {}
        self.holds: dict[str, holds.Hold] = {}
        self.tariffs: dict[str, fees.Tariff] = {}
        self.limits: dict[limits.For, limits.Limit] = {}
        self.spent: dict[tuple[date, limits.Subject], limits.Spent] = {}
        self.now_us = 0
        self.open_day: date | None = None
        self._own = {
            f"{beginning}-{currency}": Account(currency, None, kind)
            for beginning, kind in OWN.items()
            for currency in digits
        }
        self._rules: dict[str, Rule] = {
            "account.open": self._open,
            "account.freeze": self._change,
            "account.unfreeze": self._change,
            "account.limit": self._change,
            "account.close": self._change,
            "reversal": self._reverse,
            "refund": self._reverse,
            "journal": self._post_lines,
            "fx.transfer": self._exchange,
            "hold.place": partial(holds.place, self),
            "hold.capture": partial(holds.capture, self),
            "hold.release": partial(holds.free, self),
            "hold.expire": partial(holds.free, self),
            "tariff.set": partial(fees.set_tariff, self),
            "tariff.end": partial(fees.end_tariff, self),
            "limit.set": partial(limits.set_limit, self),
            "limit.end": partial(limits.end_limit, self),
            "day.close": partial(days.close, self),
        }

    @property
    def day(self) -> date:
        """The business date of what is decided now."""
        return self.open_day or days.today(self.now_us)

    def decide(self, command: Command, decided_at_us: int) -> Answer:
        """Answer a command whose id has not been answered, and remember the answer."""
        expired = command.valid_until_us is not None and decided_at_us > command.valid_until_us
        self.now_us = decided_at_us
        rule = self._rules.get(command.content["type"], self._move)
        asked = command.content
        if command.amount_written is not None:
            asked = {**asked, "amount": command.amount_written}
        day = self.day
        answer = days.dated(asked, rule(asked, "expired" if expired else None), day)
        for entry in answer.entries:
            self.posted[entry.account] = entry.balance_after
        if self._referred is None or command.transaction_id in self._referred:
            self.answers[command.transaction_id] = answer
        return answer

    def account(self, name: str) -> Account | None:
        """Find an account; the bank's own are there for every currency from the first moment."""
        return self._own.get(name) or self.opened.get(name)

    def is_own(self, name: str) -> bool:
        """Say whether an account is there by itself."""
        return name in self._own

    def _open(self, asked: Mapping[str, Any], reason: str | None) -> Answer:
        name, currency = asked["account"], asked["currency"]
        if reason is None and self.account(name) is not None:
            reason = "account_exists"
        if reason is None:
            limit = minor_of(asked.get("overdraft_limit", "0"), self.digits[currency])
            kind = asked["kind"]
            limit = None if kind in UNLIMITED else limit
            self.opened[name] = Account(currency, limit, kind, customer=asked.get("customer"))
            self.posted[name] = 0
        return Answer(asked["type"], reason, None, None, currency, None, None, name)

    def _change(self, asked: Mapping[str, Any], reason: str | None) -> Answer:
        name, type_ = asked["account"], asked["type"]
        was = self.account(name)
        currency = asked.get("currency", was and was.currency)
        now: Account | str
        if reason is not None:
            now = reason
        elif was is None:
            now = "account_not_found"
        else:
            now = self._becomes(was, name, asked)
        if isinstance(now, str):
            return Answer(type_, now, None, None, currency, None, None, name)
        self.opened[name] = now
        available = None
        if now.limit is not None:
            spendable = self.posted.get(name, 0) - self.held.get(name, 0) + now.limit
            available = major_of(spendable, self.digits[now.currency])
        changed = (now.status, available)
        return Answer(type_, None, None, None, currency, None, None, name, changed=changed)

    def _becomes(self, was: Account, name: str, asked: Mapping[str, Any]) -> Account | str:
        """Say what an account becomes, or why it does not."""
        if was.is_closed:
            return "account_closed"
        if asked["type"] == "account.limit":
            now = self._limited(was, asked)
        elif asked["type"] == "account.close":
            now = self._closed(was, name)
        elif self.is_own(name):
            now = "kind_not_allowed"
        else:
            sides = SIDES[asked["side"]]
            freezes = asked["type"] == "account.freeze"
            now = was._replace(stopped=was.stopped | sides if freezes else was.stopped - sides)
        return "nothing_to_change" if now == was else now

    def _limited(self, was: Account, asked: Mapping[str, Any]) -> Account | str:
        if asked["currency"] != was.currency:
            return "currency_mismatch"
        if was.kind not in OVERDRAWN:
            return "kind_not_allowed"
        return was._replace(limit=minor_of(asked["overdraft_limit"], self.digits[was.currency]))

    def _closed(self, was: Account, name: str) -> Account | str:
        if was.stopped:
            return "account_frozen"
        if self.is_own(name):
            return "kind_not_allowed"
        if self.posted.get(name, 0) or self.held.get(name, 0):
            return "account_not_empty"
        return was._replace(is_closed=True)

    def _move(self, asked: Mapping[str, Any], reason: str | None) -> Answer:
        currency = asked["currency"]
        debit = asked.get("debit_account", f"cash-{currency}")
        credit = asked.get("credit_account", f"cash-{currency}")
        minor = minor_of(asked["amount"], self.digits[currency]) or 0
        reason = (
            reason
            or self.sides_refused(debit, credit, currency)
            or self._payee_refused(asked["type"], credit)
        )
        answer = Answer(
            asked["type"], reason, asked["amount"], minor, currency, debit, credit, None
        )
        return answer if reason else self._charged(answer, asked, (debit, credit, minor))

    def _charged(self, answer: Answer, asked: Mapping[str, Any], *moves: Move) -> Answer:
        """Make the moves, the first from who gives and the last to who gets, and the fees'."""
        (debit, _, given), (_, credit, got) = moves[0], moves[-1]
        exceeding = limits.exceeded(self, asked, [(debit, given)])
        if exceeding is not None:
            return limits.refused(answer, exceeding)
        costs = fees.fees_of(self, asked, (debit, given), (credit, got))
        moves += tuple(fees.moves_of(costs))
        reason = self.sums_refused(sums_of(moves))
        if reason is not None:
            return answer._replace(reason=reason)
        limits.count(self, asked, [(debit, given)])
        shown = {**answer.shown, **fees.shown_of(costs, self.digits)}
        return answer._replace(entries=self.entries(*moves), shown=shown)

    def _reverse(self, asked: Mapping[str, Any], reason: str | None) -> Answer:
        id_, amount = asked["original_transaction_id"], asked.get("amount")
        original = self.answers.get(id_)
        if original is None:
            reason = reason or "original_not_found"
            return Answer(asked["type"], reason, amount, None, None, None, None, None)
        currency = original.currency or ""
        giver, receiver = original.credit_account, original.debit_account
        left = (original.minor or 0) - self.reversed.get(id_, 0)
        minor = left if amount is None else minor_of(amount, self.digits.get(currency, 0))
        reason = (
            reason
            or ("original_not_posted" if original.reason else None)
            or self._original_refused(asked["type"], original.type)
            or self._given_back(giver or "", receiver or "")
            or ("currency_mismatch" if minor is None else None)
            or ("exceeds_original" if not left or (minor or 0) > left else None)
            or self.amount_refused(
                giver or "", receiver or "", minor or 0, overdraws=_overdraws(asked)
            )
        )
        entries: tuple[Entry, ...] = ()
        if reason is None:
            entries = self.entries((giver or "", receiver or "", minor or 0))
            self.reversed[id_] = self.reversed.get(id_, 0) + (minor or 0)
        if minor is not None and original.currency and (amount is not None or reason is None):
            amount = major_of(minor, self.digits[currency])
        return Answer(
            asked["type"],
            reason,
            amount,
            minor,
            original.currency,
            giver,
            receiver,
            None,
            entries,
        )

    def sides_refused(self, debit: str, credit: str, currency: str) -> str | None:
        """Say what is wrong with two accounts as the sides of a movement."""
        giver, receiver = self.account(debit), self.account(credit)
        if giver is None or receiver is None:
            return "account_not_found"
        reason = stopped(giver, receiver)
        if reason is not None:
            return reason
        if giver.currency != currency or receiver.currency != currency:
            return "currency_mismatch"
        if debit == credit:
            return "same_account"
        return "kind_not_allowed" if "clearing" in (giver.kind, receiver.kind) else None

    def _payee_refused(self, type_: str, name: str) -> str | None:
        if type_ != "payment":
            return None
        payee = self.account(name)
        return None if payee is not None and payee.kind == "merchant" else "kind_not_allowed"

    def _original_refused(self, type_: str, original_type: str) -> str | None:
        if type_ == "refund":
            return None if original_type in REFUNDABLE else "not_refundable"
        return None if original_type in REVERSIBLE else "not_reversible"

    def _given_back(self, giver: str, receiver: str) -> str | None:
        """Say what keeps the accounts of an original from giving back and getting it."""
        debit, credit = self.account(giver), self.account(receiver)
        assert debit is not None, "both sides exist"
        assert credit is not None, "both sides exist"
        return stopped(debit, credit)

    def amount_refused(
        self, debit: str, credit: str, minor: int, *, overdraws: bool = False
    ) -> str | None:
        """Say what keeps an amount from moving between two accounts."""
        return self.sums_refused({debit: -minor, credit: minor}, overdraws=overdraws)

    def sums_refused(
        self,
        changes: Mapping[str, int],
        *,
        overdraws: bool = False,
        freed: Mapping[str, int] = MappingProxyType({}),
    ) -> str | None:
        """
        Hold what becomes of each account to its limit and to the bound of all. `freed` is what
        holds give back to accounts at once.
        """
        after = {name: self.posted.get(name, 0) + change for name, change in changes.items()}
        for name, change in changes.items():
            account, free = self.account(name), freed.get(name, 0)
            if account is None or overdraws or change + free >= 0:
                continue
            held = self.held.get(name, 0) - free
            is_short = account.limit is not None and after[name] - held + account.limit < 0
            if is_short or "debit" in account.stopped:
                return "insufficient_funds"
        return "balance_overflow" if max(map(abs, after.values())) > BALANCE_MINOR_MAX else None

    def entries(self, *moves: Move) -> tuple[Entry, ...]:
        """Write both sides of each move."""
        balances: dict[str, int] = {}
        entries: list[Entry] = []
        for debit, credit, minor in moves:
            account = self.account(debit)
            currency = "" if account is None else account.currency
            for name, direction, change in ((debit, "debit", -minor), (credit, "credit", minor)):
                balances[name] = balances.get(name, self.posted.get(name, 0)) + change
                entries.append(Entry(name, direction, minor, balances[name], currency))
        return tuple(entries)

    def _post_lines(self, asked: Mapping[str, Any], reason: str | None) -> Answer:
        lines = [
            (line["account"], line["direction"], line["currency"], self._minor(line))
            for line in asked["lines"]
        ]
        shown = {"lines": asked["lines"]}
        reason = reason or self._lines_refused(lines)
        answer = Answer(asked["type"], reason, None, None, None, None, None, None, shown=shown)
        if reason is not None:
            return answer
        changes = dict.fromkeys((name for name, *_ in lines), 0)
        for name, direction, _, minor in lines:
            changes[name] += minor if direction == "credit" else -minor
        overdraws = _overdraws(asked)
        taken = [] if overdraws else [(name, -change) for name, change in changes.items()]
        exceeding = limits.exceeded(self, asked, taken)
        if exceeding is not None:
            return limits.refused(answer, exceeding)
        reason = self.sums_refused(changes, overdraws=overdraws)
        if reason is not None:
            return answer._replace(reason=reason)
        limits.count(self, asked, taken)
        moves = [
            (name, f"clearing-{currency}", minor)
            if direction == "debit"
            else (f"clearing-{currency}", name, minor)
            for name, direction, currency, minor in lines
        ]
        return answer._replace(entries=self.entries(*moves))

    def _lines_refused(self, lines: Sequence[tuple[str, str, str, int]]) -> str | None:
        accounts = {name: self.account(name) for name, *_ in lines}
        found = {name: one for name, one in accounts.items() if one is not None}
        if len(found) < len(accounts):
            return "account_not_found"
        if any(one.is_closed for one in found.values()):
            return "account_closed"
        if any(direction in found[name].stopped for name, direction, *_ in lines):
            return "account_frozen"
        if any(found[name].currency != currency for name, _, currency, _ in lines):
            return "currency_mismatch"
        are_clearing = any(one.kind == "clearing" for one in found.values())
        return "kind_not_allowed" if are_clearing else None

    def _exchange(self, asked: Mapping[str, Any], reason: str | None) -> Answer:
        debit, credit = asked["debit_account"], asked["credit_account"]
        sold, bought = asked["currency"], asked["credit_currency"]
        minor = minor_of(asked["amount"], self.digits[sold]) or 0
        credited = minor_of(asked["credit_amount"], self.digits[bought]) or 0
        legs = ((debit, f"position-{sold}", minor), (f"position-{bought}", credit, credited))
        refusals = [
            self.sides_refused(legs[0][0], legs[0][1], sold),
            self.sides_refused(legs[1][0], legs[1][1], bought),
        ]
        reason = reason or min(filter(None, refusals), key=ORDER.index, default=None)
        shown = {name: asked[name] for name in ("credit_amount", "credit_currency", "rate")}
        amount = asked["amount"]
        answer = Answer(
            asked["type"], reason, amount, minor, sold, debit, credit, None, shown=shown
        )
        return answer if reason else self._charged(answer, asked, *legs)

    def _minor(self, asked: Mapping[str, Any]) -> int:
        return minor_of(asked["amount"], self.digits[asked["currency"]]) or 0


def _overdraws(asked: Mapping[str, Any]) -> bool:
    return asked.get("on_shortfall") == "overdraw"
