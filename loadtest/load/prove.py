"""Prove a load: each command posted once and told once, and the books as they were known before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loadtest.ground import OUTCOMES
from loadtest.load.drive import Load
from loadtest.load.transfers import load as written_again
from loadtest.measure.drain import OutcomesEnd
from loadtest.proof.books import Faults, prove_load
from loadtest.site import Site


async def prove(place: Site, load: Load, found: Mapping[str, Any]) -> Faults:
    """Hold what a load's reader found, and the ledger, against what was sent."""
    wrong = {
        "commands without an outcome": found["missing"],
        "outcomes that came twice": found["repeated"],
        "outcomes that are not posted": found["not_posted"],
    }
    lines = [f"{number:,} {what}" for what, number in wrong.items() if number]
    wanted = written_again(
        found["sent"], load.accounts, load.partitions, seed=load.seed, keep_records=False
    )
    topic = place.topic(OUTCOMES)
    async with OutcomesEnd(place.bootstrap_servers, topic, load.partitions) as end:
        events = await end.end()
    faults = await prove_load(place.database_url, wanted, load.accounts, events)
    return Faults((*lines, *faults.lines))
