"""Prove whatever was sent to a ledger, from its topics and its views alone."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import msgspec
from rich.console import Console

from loadtest.currencies import active_digits
from loadtest.proof.agreement import Agreement
from loadtest.proof.evidence import Window
from loadtest.proof.fetching import Fetching
from loadtest.proof.kafka import KafkaTopics
from loadtest.proof.progress import Proving
from loadtest.proof.turnover import turnover_faults
from loadtest.reporting import LedgerReader
from loadtest.site import Site


class Proof(msgspec.Struct, frozen=True):
    """What a proof found: lines where something does not hold, and how much was checked."""

    lines: tuple[str, ...]
    checked: dict[str, int]

    @property
    def holds(self) -> bool:
        """Whether everything holds."""
        return not self.lines

    def shown(self) -> dict[str, Any]:
        """Give what the result file says of it."""
        return {"holds": self.holds, "lines": list(self.lines), "checked": self.checked}


async def prove(sites: Sequence[Site], partitions: int, console: Console) -> Proof:
    """
    Hold a ledger against all that was ever sent to it.

    `sites` are those whose topics fed it, one after another; the last one's database is the ledger.
    Nothing may write to them any more. Raises LoadTestError where they can't be read.
    """
    fetching = Fetching()
    async with AsyncExitStack() as stack:
        topics = [
            await stack.enter_async_context(KafkaTopics(site, partitions, fetching))
            for site in sites
        ]
        ledger = await stack.enter_async_context(LedgerReader(sites[-1].database_url))
        digits = active_digits()
        agreement = Agreement(digits, topics)

        async def window() -> list[Window]:
            found = await ledger.window()
            return [] if found is None else [Window(*found)]

        def compute() -> None:
            agreement.check(fetching.stream(window), fetching.stream(ledger.balances))

        async with Proving(console, topics, agreement):
            await fetching.work(compute)
    faults = turnover_faults(agreement.sums.turnovers(digits))
    return Proof((*agreement.differences.lines(), *faults), _checked(agreement))


def _checked(agreement: Agreement) -> dict[str, int]:
    return {
        "commands": agreement.commands,
        "outcomes": agreement.outcomes,
        "dead_letters": sum(agreement.dead_letters.values()),
        "delivered_again": agreement.delivered_again,
        "payments": agreement.payments,
        "entries": agreement.entries,
        "accounts": agreement.accounts,
    }
