"""`loadtest peers`: the same payments through each system in turn, and what each does with them."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.console import Console

from loadtest.bench.run import BUSY_PERCENT_MAX
from loadtest.ground import Ground
from loadtest.load.accounts import funded
from loadtest.measure.session import CHECKOUT, ground_of, head, screen, write_result
from loadtest.peers import environment
from loadtest.peers.beds import Plan, Tour, bed_for
from loadtest.peers.books import make_function
from loadtest.peers.calls import called_wrongly
from loadtest.peers.figures import habits, speeds, summed_up
from loadtest.peers.orders import PARTITIONS
from loadtest.peers.seen import Seen
from loadtest.peers.systems import PRODUCT, QUIX, SYSTEMS, System, in_turn
from loadtest.peers.timed import called, drained
from loadtest.peers.trials import tried
from loadtest.peers.verdicts import NOT_SHOWN, gaps_of, words_of
from loadtest.processes import Command

RESULT: Final = CHECKOUT / "build" / "peers.json"
TIMED: Final = (
    "from the first message in the system's hands (the product: its first claim of a partition, "
    "just before) to the broker's acknowledgement of the last outcome; "
    "of the SQL function from the first call to the last commit"
)
WARM_UP: Final = "naive"
WARM_UP_PAYMENTS: Final = 2_000
"""A broker that has just started compiles what small requests run through: the first would pay."""

VERIFY: Final = ("verify", "--drained")
"""Without its check of all events: those of the accounts stand in the topics of another ledger."""

VERIFIED: Final = "verify: holds"
NO_PROOF: Final = "none"

Found = dict[str, Any]


def peers(plan: Plan, result: Path) -> int:
    """
    Run all, print the tables and write the result; give the exit status.

    It is 0, or 1 where the product's own books do not prove. Raises LoadTestError where it can't be
    done.
    """
    gc.disable()  # millions of small objects and no cycles
    console = screen()
    if any(system.name == QUIX for system in plan.systems):
        environment.made(console)
    with ground_of("peers", console) as (ground, folder), asyncio.Runner() as runner:
        found = runner.run(_measure(plan, ground, folder, console))
    return _report(plan, found, result, console)


async def _measure(plan: Plan, ground: Ground, folder: Path, console: Console) -> Found:
    await ground.refuse_unless_for_tests()
    begun = await head(ground, folder, outcome_acks="all")
    begun["versions"] |= environment.versions()
    busy = begun["machine"]["busy_before_percent"]
    if busy > BUSY_PERCENT_MAX:
        console.print(f"others keep {busy:.0f} % of this machine busy: no figures to judge by")
    async with AsyncExitStack() as stack:
        template = None
        if any(system.name == PRODUCT for system in plan.systems):
            console.print(f"opening {plan.accounts:,} accounts")
            accounts = funded(ground, plan.accounts, PARTITIONS, folder)
            template = await stack.enter_async_context(accounts)
        visits = Visits(Tour(plan, ground, folder, console, time.monotonic(), template))
        await visits.warm_up()
        rounds = [await visits.round(number) for number in range(1, plan.rounds + 1)]
    return begun | {"rounds": rounds, "trials": visits.trials, "proof": visits.proof}


class Visits:
    """Goes from system to system. `proof` is what the product says of its own books."""

    def __init__(self, tour: Tour) -> None:
        self._tour = tour
        self.trials: dict[str, dict[str, Seen]] = {}
        self.proof = NOT_SHOWN

    async def warm_up(self) -> None:
        """Have a broker of this run's own compile what it runs, before anything is timed."""
        tour = self._tour
        if tour.plan.is_quick or not tour.ground.is_own:
            return
        (system,) = [one for one in SYSTEMS if one.name == WARM_UP]
        tour.print(f"warming up: {WARM_UP_PAYMENTS:,} payments that are not counted")
        few = msgspec.structs.replace(system, payments_max=WARM_UP_PAYMENTS)
        async with bed_for(tour, few, "warm-up") as bed:
            await drained(tour, bed)

    async def round(self, number: int) -> Found:
        """Time each system once; in the last round show it the demonstrations as well."""
        plan = self._tour.plan
        self._tour.print(f"round {number} of {plan.rounds}")
        found: Found = {}
        for system in in_turn(plan.systems, number):
            visit = self._call if system.is_called else self._feed
            title = f"{system.name}{number}"
            found[system.name] = await visit(system, title, is_last=number == plan.rounds)
        return found

    async def _call(self, system: System, title: str, *, is_last: bool) -> Found:
        tour = self._tour
        async with tour.ground.database_alone(title) as url:
            await make_function(url, tour.plan.accounts)
            found = await called(tour, system, url)
            _say(tour, system, found)
            if is_last:
                self.trials[system.name] = await called_wrongly(tour, system, url)
        return found

    async def _feed(self, system: System, title: str, *, is_last: bool) -> Found:
        tour = self._tour
        async with bed_for(tour, system, title) as bed:
            found = await drained(tour, bed)
            _say(tour, system, found)
            if is_last:
                self.trials[system.name] = await tried(tour, bed)
            if is_last and system.name == PRODUCT:
                self.proof = await asyncio.to_thread(_verified, bed.site.environment)
        return found


def _verified(settings: Mapping[str, str]) -> str:
    """Have the product prove its own books, beside the worker that has met all of it."""
    status, said = Command(list(VERIFY), settings).end()
    return VERIFIED if status == 0 else f"fails: {said.splitlines()[-1] if said else status}"


def _say(tour: Tour, system: System, found: Found) -> None:
    rate = f"{found['per_second']:>9,.0f}/s  ({found['payments']:,} in {found['seconds']:.2f} s)"
    tour.print(f"  {system.name:<8} {rate}")
    for fault in found["faults"]:
        tour.print(f"    its books do not prove: {fault}")


def _report(plan: Plan, found: Found, result: Path, console: Console) -> int:
    systems, trials = plan.systems, found["trials"]
    figures = summed_up(systems, found["rounds"])
    proofs = {one.name: NO_PROOF for one in systems} | {PRODUCT: found["proof"]}
    words = {one.name: words_of(one, trials[one.name], proofs[one.name]) for one in systems}
    gaps = {one.name: gaps_of(one, trials[one.name]) for one in systems}
    written = {
        "figures": figures,
        "seen": words,
        "does_not": gaps,
        "systems": {one.name: {"title": one.title, "what": one.what} for one in systems},
        "timed": TIMED,
        "plan": msgspec.to_builtins(plan) | {"systems": [one.name for one in systems]},
        "finished_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        **found,
        "trials": msgspec.to_builtins(trials),
    }
    write_result(result, written)
    console.print(speeds(systems, figures))
    console.print(habits(systems, words))
    for system in systems:
        for gap in gaps[system.name]:
            console.print(f"{system.title}: {gap}", markup=False)
    if plan.is_quick:
        console.print("A quick run: nothing was cut or killed, and it is too short to judge by.")
    console.print(f"Written to {result}", markup=False)
    faults = [fault for one in found["rounds"] for fault in one.get(PRODUCT, {}).get("faults", [])]
    return 1 if faults or gaps.get(PRODUCT) or found["proof"] not in (VERIFIED, NOT_SHOWN) else 0
