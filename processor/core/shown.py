"""
What the outcomes of some kinds of commands show besides what all of them do.

It is recorded as it was shown, so that a repeat shows the same. Where it names a field that every
outcome has, it wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec


class Line(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A line of a journal. `amount` is canonical: major units with exactly the digits."""

    account: str
    direction: str
    amount: str
    currency: str
    reference: str | msgspec.UnsetType = msgspec.UNSET


class Fee(msgspec.Struct, frozen=True, gc=False):
    """A fee that an account paid. `amount` is canonical."""

    account: str
    amount: str
    currency: str
    tariff: str


class Exceeded(msgspec.Struct, frozen=True, gc=False):
    """
    The spending limit that a command would exceed: its name, whose spending it bounds, what it
    bounds (`measure`), its `maximum` and how much of that is `left`; amounts are canonical.
    """

    limit: str
    scope: str
    subject: str
    currency: str
    measure: str
    maximum: str
    left: str


class Shown(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Fields of an outcome, under their names in `payment_outcome.v1.json`."""

    amount: str | msgspec.UnsetType | None = msgspec.UNSET
    currency: str | msgspec.UnsetType | None = msgspec.UNSET
    debit_account: str | msgspec.UnsetType | None = msgspec.UNSET
    credit_account: str | msgspec.UnsetType | None = msgspec.UNSET
    lines: Sequence[Line] | msgspec.UnsetType = msgspec.UNSET
    credit_amount: str | msgspec.UnsetType = msgspec.UNSET
    credit_currency: str | msgspec.UnsetType = msgspec.UNSET
    rate: str | msgspec.UnsetType = msgspec.UNSET
    hold_transaction_id: str | msgspec.UnsetType = msgspec.UNSET
    capture_max: str | msgspec.UnsetType = msgspec.UNSET
    expires_at: str | msgspec.UnsetType | None = msgspec.UNSET
    held: str | msgspec.UnsetType = msgspec.UNSET
    captured: str | msgspec.UnsetType = msgspec.UNSET
    fees: Sequence[Fee] | msgspec.UnsetType = msgspec.UNSET
    tariff: str | msgspec.UnsetType = msgspec.UNSET
    limit: str | msgspec.UnsetType = msgspec.UNSET
    exceeded: Exceeded | msgspec.UnsetType = msgspec.UNSET
    value_date: str | msgspec.UnsetType = msgspec.UNSET
    late: bool | msgspec.UnsetType = msgspec.UNSET
    business_date: str | msgspec.UnsetType = msgspec.UNSET
    next_date: str | msgspec.UnsetType = msgspec.UNSET

    def fields(self) -> dict[str, Any]:
        """Give what is set, by its name."""
        found = msgspec.structs.asdict(self)
        return {name: value for name, value in found.items() if value is not msgspec.UNSET}


SIDELESS: Final = Shown(amount=None, currency=None, debit_account=None, credit_account=None)
"""What has no single amount and no two sides: a journal."""

encode_shown: Final = msgspec.json.Encoder().encode
decode_shown: Final = msgspec.json.Decoder(Shown).decode
