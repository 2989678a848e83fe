"""Prove a load: all that was sent against the model, and what was known beforehand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from rich.console import Console

from loadtest.ground import Ground
from loadtest.load.accounts import RECORDS_EACH, TITLE
from loadtest.load.answers import KINDS, POSTED, REJECTED
from loadtest.load.drive import Load
from loadtest.load.share import Share
from loadtest.load.transfers import load_of
from loadtest.proof.books import Faults, prove_load
from loadtest.proof.prove import Proof
from loadtest.proof.prove import prove as prove_against_the_model
from loadtest.site import Site
from loadtest.traffic.blocks import FIRST, Blocks


async def prove(
    ground: Ground, case: Site, load: Load, found: Mapping[str, Any], console: Console
) -> Proof:
    """
    Prove what came of a load; `found` is what its sender and reader told.

    The ledger of a load is a copy of one with accounts, whose topics are still there: so the proof
    begins with the first opening, and takes nothing for granted.
    """
    sites = (ground.site(TITLE), case)
    proof = await prove_against_the_model(sites, load.partitions, console)
    if load.traffic.is_plain:
        events = proof.checked["outcomes"] - RECORDS_EACH * load.accounts
        known = list((await prove_transfers(case, load, found, events)).lines)
    else:
        known = answered_wrongly(found) + told_wrongly(
            found["outcomes"], meant_of(load, sent_by(found))
        )
    return msgspec.structs.replace(proof, lines=(*known, *proof.lines))


async def prove_transfers(case: Site, load: Load, found: Mapping[str, Any], events: int) -> Faults:
    """
    Hold a load of plain transfers against what their seed leads to, without any model.

    Each is posted, and every balance is known beforehand. `events` is how many outcomes there are,
    each counted once.
    """
    lines = answered_wrongly(found)
    others = found["read"] - found["outcomes"].get(POSTED, 0)
    if others:
        lines.append(f"{others:,} outcomes that are not {POSTED}")
    wanted = load_of(sent_by(found), load.accounts, load.partitions, seed=load.seed)
    faults = await prove_load(case.database_url, wanted, load.accounts, events)
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


def sent_by(found: Mapping[str, Any]) -> list[int]:
    """Give how many commands each generator has sent, in the order of their shares."""
    return [one["sent"] for one in found["generators"]]


def meant_of(load: Load, sent: Sequence[int]) -> Counter[str]:
    """Count what the commands of a load were meant to be; `sent` is how many of each share were."""
    blocks = Blocks(load.accounts, load.partitions, load.seed, load.traffic)
    shares = (Share(number, len(sent)) for number in range(len(sent)))
    return Counter(
        one.meant
        for share, count in zip(shares, sent, strict=True)
        for one in blocks.commands(count, share=share)
    )


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
