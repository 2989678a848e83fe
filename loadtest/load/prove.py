"""Prove a load: each command answered once, and the ledger as the answers say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from loadtest.ground import OUTCOMES
from loadtest.load.answers import KINDS, POSTED, REJECTED
from loadtest.load.drive import Load
from loadtest.load.transfers import load as written_again
from loadtest.measure.drain import OutcomesEnd
from loadtest.proof.books import Faults, prove_answers, prove_load
from loadtest.site import Site
from loadtest.traffic.blocks import FIRST, Blocks
from loadtest.traffic.population import opened


async def prove(place: Site, load: Load, found: Mapping[str, Any]) -> Faults:
    """Hold what a load's reader found, and the ledger, against what was sent."""
    lines = answered_wrongly(found)
    if load.traffic.is_plain:
        faults = await _prove_transfers(place, load, found)
    else:
        meant = meant_of(load, found["sent"])
        lines += told_wrongly(found["outcomes"], meant)
        beforehand = 2 * sum(1 for _ in opened(load.accounts, load.traffic))
        faults = await prove_answers(place.database_url, found["outcomes"], beforehand)
    return Faults((*lines, *faults.lines))


def answered_wrongly(found: Mapping[str, Any]) -> list[str]:
    """Say what is wrong with the answers, one by one: each command has one, and they agree."""
    wrong = {
        "commands without an outcome": found["missing"],
        "commands answered by two events": found["answered_otherwise"],
        "answers to what nobody sent": found["foreign"],
        "answers of no known kind": sum(
            number for kind, number in found["outcomes"].items() if kind not in KINDS
        ),
    }
    return [f"{number:,} {what}" for what, number in wrong.items() if number]


def meant_of(load: Load, sent: int) -> Counter[str]:
    """Count what the commands of a load were meant to be."""
    blocks = Blocks(load.accounts, load.partitions, load.seed, load.traffic)
    return Counter(one.meant for one in blocks.commands(sent))


def told_wrongly(outcomes: Mapping[str, int], meant: Mapping[str, int]) -> list[str]:
    """Compare the kinds of answers with what was meant: firsts may be refused, others can't."""
    wanted = {kind: meant.get(kind, 0) for kind in KINDS if kind not in (POSTED, REJECTED)}
    found = {kind: outcomes.get(kind, 0) for kind in wanted}
    wanted["posted or rejected"] = meant.get(FIRST, 0)
    found["posted or rejected"] = outcomes.get(POSTED, 0) + outcomes.get(REJECTED, 0)
    return [
        f"outcomes that are {kind}: {found[kind]:,}, expected {number:,}"
        for kind, number in wanted.items()
        if found[kind] != number
    ]


async def _prove_transfers(place: Site, load: Load, found: Mapping[str, Any]) -> Faults:
    """Of plain transfers everything is known beforehand: each is posted, and every balance."""
    wanted = written_again(
        found["sent"], load.accounts, load.partitions, seed=load.seed, keep_records=False
    )
    others = found["read"] - found["outcomes"].get(POSTED, 0)
    lines = [f"{others:,} outcomes that are not {POSTED}"] if others else []
    topic = place.topic(OUTCOMES)
    async with OutcomesEnd(place.bootstrap_servers, topic, load.partitions) as end:
        events = await end.end() - found["delivered_again"]
    faults = await prove_load(place.database_url, wanted, load.accounts, events)
    return Faults((*lines, *faults.lines))
