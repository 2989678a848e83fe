"""The commands of holds: money set aside in an account, and taken, freed or timed out later."""

from __future__ import annotations

from typing import ClassVar, Final

from processor.core.commands import Command, without_needless_zeros
from processor.core.currencies import DIGITS
from processor.core.money import to_major
from processor.core.timestamps import from_epoch_us

RELEASE: Final = "release"
"""What `remainder` says where a capture frees what it does not take."""


class HoldPlace(Command, frozen=True, gc=False):
    """
    Set money aside in the debit account for the credit account.

    `capture_max_minor` bounds all captures together; it is the amount unless more was asked for.
    `expires_at_us` in microseconds since the epoch, None for a hold that does not expire.
    """

    debit_account: str
    credit_account: str
    amount_minor: int
    currency: str
    capture_max_minor: int
    expires_at_us: int | None

    TYPE: ClassVar[str] = "hold.place"

    def own_content(self) -> dict[str, object]:
        """Leave out a bound of captures that is the amount, which is the default."""
        digits, most = DIGITS[self.currency], self.capture_max_minor
        at_us = self.expires_at_us
        return {
            "debit_account": self.debit_account,
            "credit_account": self.credit_account,
            "amount": to_major(self.amount_minor, digits),
            "currency": self.currency,
            "capture_max": None if most == self.amount_minor else to_major(most, digits),
            "expires_at": None if at_us is None else from_epoch_us(at_us),
        }


class OnHold(Command, frozen=True, gc=False):
    """
    Do something to a hold.

    `amount` is in major units as it was written, because only the hold knows the currency; None
    asks for what remains.
    """

    hold_transaction_id: str
    amount: str | None

    def own_content(self) -> dict[str, object]:
        """Leave out needless zeros: "125.50" and "125.5" are the same content."""
        return {
            "hold_transaction_id": self.hold_transaction_id,
            "amount": None if self.amount is None else without_needless_zeros(self.amount),
        }


class HoldCapture(OnHold, frozen=True, gc=False):
    """Take all or part of a hold. `releases` where what is not taken is freed."""

    releases: bool
    value_date: str | None = None

    TYPE: ClassVar[str] = "hold.capture"

    def own_content(self) -> dict[str, object]:
        """Leave out that the remainder is kept, which is the default."""
        return {
            **super().own_content(),
            "remainder": RELEASE if self.releases else None,
            "value_date": self.value_date,
        }


class HoldRelease(OnHold, frozen=True, gc=False):
    """Free all or part of a hold."""

    TYPE: ClassVar[str] = "hold.release"


class HoldExpire(Command, frozen=True, gc=False):
    """Free what remains of a hold whose time is over."""

    hold_transaction_id: str

    TYPE: ClassVar[str] = "hold.expire"

    def own_content(self) -> dict[str, object]:
        """Name the hold."""
        return {"hold_transaction_id": self.hold_transaction_id}
