"""
The kinds of accounts, as far as decisions depend on them.

A copy of `schemas/chart_of_accounts.v1.json`, because nothing in `core` reads files; a test holds
the two equal.
"""

from collections.abc import Mapping
from typing import Final

import msgspec


class Kind(msgspec.Struct, frozen=True):
    """
    What an account of a kind allows.

    `limited`: a debit may not go below zero minus the overdraft limit. `may_overdraw`: that limit
    may be above zero.
    """

    limited: bool
    may_overdraw: bool


_CREDIT: Final = Kind(limited=True, may_overdraw=True)
_SAVING: Final = Kind(limited=True, may_overdraw=False)
_BANKS: Final = Kind(limited=False, may_overdraw=False)

KINDS: Final[Mapping[str, Kind]] = {
    "internal": _BANKS,
    "nostro": _BANKS,
    "position": _BANKS,
    "loan": _CREDIT,
    "customer": _CREDIT,
    "current": _CREDIT,
    "savings": _SAVING,
    "merchant": _CREDIT,
    "term_deposit": _SAVING,
    "suspense": _BANKS,
    "clearing": _BANKS,
    "income": _BANKS,
    "expense": _BANKS,
}
"""What is allowed, by the kind's name."""
