"""
The commands as frozen values. Adding one here is a Struct with its own content; `reading.py` has
how it is read.
"""

from __future__ import annotations

from binascii import a2b_hex
from typing import ClassVar, Final

import msgspec

from processor.core.currencies import DIGITS
from processor.core.money import to_major
from processor.core.own_accounts import CASH_PREFIX

OVERDRAW: Final = "overdraw"
"""What `on_shortfall` says where lacking funds are no reason to refuse."""


def id_bytes(transaction_id: str) -> bytes:
    """Give the 16 bytes of an id in its 8-4-4-4-12 form."""
    return a2b_hex(transaction_id.replace("-", ""))


class Command(msgspec.Struct, frozen=True, gc=False):
    """
    What every command has.

    `transaction_id` is in lower case, `requested_at` as it was written, `valid_until_us` in
    microseconds since the epoch, `metadata` None where it is absent or empty.
    """

    transaction_id: str
    fingerprint: bytes
    channel: str
    requested_at: str
    valid_until_us: int | None
    reference: str | None
    metadata: dict[str, str] | None

    TYPE: ClassVar[str]

    def own_content(self) -> dict[str, object]:
        """Give the content of the fields that only this type has, None where left out."""
        return {}


class AccountOpen(Command, frozen=True, gc=False):
    """
    Open an account. `overdraft_limit_minor` is 0 where none was asked for, `customer` None where
    the account is nobody's.
    """

    account: str
    currency: str
    kind: str
    overdraft_limit_minor: int
    customer: str | None

    TYPE: ClassVar[str] = "account.open"

    def own_content(self) -> dict[str, object]:
        """Leave out a limit of zero, which is the default."""
        limit = self.overdraft_limit_minor
        return {
            "account": self.account,
            "currency": self.currency,
            "kind": self.kind,
            "overdraft_limit": to_major(limit, DIGITS[self.currency]) if limit else None,
            "customer": self.customer,
        }


class AccountSide(Command, frozen=True, gc=False):
    """Freeze or unfreeze a side of an account: `debit`, `credit` or `both`."""

    account: str
    side: str
    reason: str

    def own_content(self) -> dict[str, object]:
        """Leave nothing out."""
        return {"account": self.account, "side": self.side, "reason": self.reason}


class AccountFreeze(AccountSide, frozen=True, gc=False):
    """Stop money from leaving an account, from coming in, or both."""

    TYPE: ClassVar[str] = "account.freeze"


class AccountUnfreeze(AccountSide, frozen=True, gc=False):
    """Let money leave an account again, come in, or both."""

    TYPE: ClassVar[str] = "account.unfreeze"


class AccountLimit(Command, frozen=True, gc=False):
    """Set how far below zero an account may go."""

    account: str
    currency: str
    overdraft_limit_minor: int

    TYPE: ClassVar[str] = "account.limit"

    def own_content(self) -> dict[str, object]:
        """Leave nothing out: a limit of zero is what is asked for."""
        return {
            "account": self.account,
            "currency": self.currency,
            "overdraft_limit": to_major(self.overdraft_limit_minor, DIGITS[self.currency]),
        }


class AccountClose(Command, frozen=True, gc=False):
    """Close an account for ever."""

    account: str

    TYPE: ClassVar[str] = "account.close"

    def own_content(self) -> dict[str, object]:
        """Leave nothing out."""
        return {"account": self.account}


class Movement(Command, frozen=True, gc=False):
    """
    Move money from the debit to the credit account; defaults are filled in.

    `amount` is in major units with all of the currency's digits, however it was written.
    `value_date` is the day from which on it is to count, None for the day of its booking; the same
    in every command that moves money.
    """

    debit_account: str
    credit_account: str
    amount: str
    amount_minor: int
    currency: str
    value_date: str | None = None

    CASH_SIDE: ClassVar[str | None] = None
    """The side that is the currency's cash account where it isn't given."""

    def own_content(self) -> dict[str, object]:
        """Leave out the cash account on the side where it is the default."""
        own: dict[str, object] = {
            "debit_account": self.debit_account,
            "credit_account": self.credit_account,
            "amount": self.amount,
            "currency": self.currency,
            "value_date": self.value_date,
        }
        if self.CASH_SIDE is not None and own[self.CASH_SIDE] == CASH_PREFIX + self.currency:
            del own[self.CASH_SIDE]
        return own


class Deposit(Movement, frozen=True, gc=False):
    """Pay into an account, from the cash account unless another is named."""

    TYPE: ClassVar[str] = "deposit"
    CASH_SIDE: ClassVar[str | None] = "debit_account"


class Withdrawal(Movement, frozen=True, gc=False):
    """Pay out of an account, to the cash account unless another is named."""

    TYPE: ClassVar[str] = "withdrawal"
    CASH_SIDE: ClassVar[str | None] = "credit_account"


class Transfer(Movement, frozen=True, gc=False):
    """Move money between two accounts of one currency."""

    TYPE: ClassVar[str] = "transfer"


class Payment(Movement, frozen=True, gc=False):
    """Pay a merchant."""

    TYPE: ClassVar[str] = "payment"


class GivesBack(Command, frozen=True, gc=False):
    """
    Give back a payment, whole or in part.

    `amount` is in major units as it was written, because only the original knows the currency and
    how many digits may be written; None asks for what is left. `overdraws` where lacking funds are
    no reason to refuse.
    """

    original_transaction_id: str
    amount: str | None
    overdraws: bool
    value_date: str | None = None

    def own_content(self) -> dict[str, object]:
        """Leave out needless zeros: "125.50" and "125.5" are the same content."""
        return {
            "original_transaction_id": self.original_transaction_id,
            "amount": None if self.amount is None else without_needless_zeros(self.amount),
            "on_shortfall": OVERDRAW if self.overdraws else None,
            "value_date": self.value_date,
        }


class Reversal(GivesBack, frozen=True, gc=False):
    """The bank turns a payment around."""

    TYPE: ClassVar[str] = "reversal"


class Refund(GivesBack, frozen=True, gc=False):
    """A merchant gives a payment back; never without the funds."""

    TYPE: ClassVar[str] = "refund"


class JournalLine(msgspec.Struct, frozen=True, gc=False):
    """One line of a journal: `direction` is `debit` or `credit`."""

    account: str
    direction: str
    amount_minor: int
    currency: str
    reference: str | None

    def content(self) -> dict[str, str]:
        """Give the line in canonical form, without a reference that is absent."""
        line = {
            "account": self.account,
            "direction": self.direction,
            "amount": to_major(self.amount_minor, DIGITS[self.currency]),
            "currency": self.currency,
        }
        return line if self.reference is None else {**line, "reference": self.reference}


class Journal(Command, frozen=True, gc=False):
    """
    Post many lines together; they balance in each currency.

    `overdraws` where lacking funds are no reason to refuse.
    """

    lines: tuple[JournalLine, ...]
    overdraws: bool
    value_date: str | None = None

    TYPE: ClassVar[str] = "journal"

    def own_content(self) -> dict[str, object]:
        """Give every line, in the order in which they were given."""
        return {
            "lines": [line.content() for line in self.lines],
            "on_shortfall": OVERDRAW if self.overdraws else None,
            "value_date": self.value_date,
        }


class FxTransfer(Command, frozen=True, gc=False):
    """
    Exchange money: `amount_minor` of `currency` against `credit_amount_minor` of
    `credit_currency`.

    `rate` is without needless zeros; `fixed_side` (`debit`, `credit`) is the side whose amount was
    given, while the other one follows from the rate.
    """

    debit_account: str
    credit_account: str
    amount_minor: int
    currency: str
    credit_amount_minor: int
    credit_currency: str
    rate: str
    fixed_side: str
    value_date: str | None = None

    TYPE: ClassVar[str] = "fx.transfer"

    def own_content(self) -> dict[str, object]:
        """Leave out the side that is fixed where it is the debit, which is the default."""
        return {
            "debit_account": self.debit_account,
            "credit_account": self.credit_account,
            "amount": to_major(self.amount_minor, DIGITS[self.currency]),
            "currency": self.currency,
            "credit_amount": to_major(self.credit_amount_minor, DIGITS[self.credit_currency]),
            "credit_currency": self.credit_currency,
            "rate": self.rate,
            "fixed_side": None if self.fixed_side == "debit" else self.fixed_side,
            "value_date": self.value_date,
        }


def content(command: Command) -> dict[str, object]:
    """
    Give the typed content that the fingerprint covers, under the names of the schema.

    Values are canonical (amounts in major units with exactly the currency's digits); defaults,
    absent fields and fields marked `"x-fingerprint": false` are left out.
    """
    fields: dict[str, object] = {
        "transaction_id": command.transaction_id,
        "type": command.TYPE,
        "channel": command.channel,
        "reference": command.reference,
        "metadata": command.metadata,
        **command.own_content(),
    }
    return {name: value for name, value in fields.items() if value is not None}


def without_needless_zeros(amount: str) -> str:
    """Write a decimal string without zeros at its end: "125.50" and "125.5" are the same."""
    return amount.rstrip("0").rstrip(".") if "." in amount else amount
