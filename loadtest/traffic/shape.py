"""The `[traffic]` table of a profile: which commands a load sends, and how often. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

NEEDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "account.open": (),
        "account.freeze": ("account.open",),
        "account.unfreeze": ("account.freeze",),
        "account.limit": ("account.open",),
        "account.close": ("account.open",),
        "deposit": (),
        "withdrawal": (),
        "transfer": (),
        "payment": (),
        "refund": ("payment",),
        "reversal": ("transfer", "payment", "deposit", "withdrawal"),
        "journal": (),
        "fx.transfer": (),
        "hold.place": (),
        "hold.capture": ("hold.place",),
        "hold.release": ("hold.place",),
    }
)
"""
Every command that a channel may send, and the commands of which it takes up one, if any.

Each is taken up from the same block, and once as a rule. Where none is left, the first of them that
is among the traffic is sent in its place.
"""

WEIGHT_MAX: Final = 1_000_000
NEW_PERCENT_MIN: Final = 5
SKEW_MAX: Final = 5.0


class Traffic(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    What is sent, in percent of all commands; what no share takes is new commands of the `kinds`.

    `skew` is the exponent of a Zipf distribution over the accounts, 0 for even; `kinds` are
    weights, of which only their proportions count.
    """

    repeats_percent: float = 0.0
    """The same id with the same body, sent again."""

    conflicts_percent: float = 0.0
    """The same id with another body."""

    poison_percent: float = 0.0
    """What can't be decoded, is against its schema, or of an unknown type."""

    insufficient_percent: float = 0.0
    """Transfers of more than any account ever has."""

    hot_percent: float = 0.0
    """Of new transfers and deposits: those to one account."""

    skew: float = 0.0
    kinds: dict[str, float] = msgspec.field(default_factory=lambda: {"transfer": 1.0})

    @property
    def is_plain(self) -> bool:
        """Whether it is transfers between even accounts and nothing else."""
        return self == Traffic(kinds=self.kinds) and self.sent_kinds == ("transfer",)

    @property
    def sent_kinds(self) -> tuple[str, ...]:
        """The types of new commands that are sent at all, in their order."""
        return tuple(kind for kind in NEEDS if self.kinds.get(kind, 0) > 0)

    def wrong(self, where: str) -> list[str]:
        """Say what is wrong with it beyond its form, a line each."""
        shares = {
            "repeats_percent": self.repeats_percent,
            "conflicts_percent": self.conflicts_percent,
            "poison_percent": self.poison_percent,
            "insufficient_percent": self.insufficient_percent,
        }
        found = [
            f"{where}.{name}: from 0 to 100"
            for name, percent in {**shares, "hot_percent": self.hot_percent}.items()
            if not 0 <= percent <= 100  # noqa: PLR2004 - percent
        ]
        found += _wrong_rest(where, shares)
        if not 0 <= self.skew <= SKEW_MAX:
            found.append(f"{where}.skew: from 0 to {SKEW_MAX:g}")
        return found + self._wrong_kinds(f"{where}.kinds")

    def _wrong_kinds(self, where: str) -> list[str]:
        unknown = [kind for kind in self.kinds if kind not in NEEDS]
        if unknown:
            return [f"{where}: no channel sends {unknown[0]!r}; there are {', '.join(NEEDS)}"]
        found = [
            f'{where}."{kind}": from 0 to {WEIGHT_MAX:,}'
            for kind, weight in self.kinds.items()
            if not 0 <= weight <= WEIGHT_MAX
        ]
        sent = self.sent_kinds
        if not found and not sent:
            found.append(f"{where}: at least one above 0")
        return found + [
            f'{where}."{kind}": needs {" or ".join(NEEDS[kind])} beside it'
            for kind in sent
            if NEEDS[kind] and not set(NEEDS[kind]).intersection(sent)
        ]


def _wrong_rest(where: str, shares: Mapping[str, float]) -> list[str]:
    """Repeats and conflicts need commands to be like; that much must be left for new ones."""
    if sum(shares.values()) > 100:  # noqa: PLR2004 - percent
        return [f"{where}: all shares together are at most 100 %"]
    if sum(shares.values()) - shares["insufficient_percent"] > 100 - NEW_PERCENT_MIN:
        return [f"{where}: at least {NEW_PERCENT_MIN} % must be new commands"]
    return []


PLAIN: Final = Traffic()
"""Transfers alone, each for the first time."""
