"""
The sample input: about 74,000 messages over 10,000 accounts, the same bytes from the same seed.

What comes of nearly every message is known beforehand, for it does not depend on how partitions
interleave: payers are rich enough in any order, and what needs an earlier answer is in a later
phase. A few stories race on purpose; of those only the totals are known. So two runs have the same
summary, and the proof has something to find.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec

from loadtest.lanes import COMMAND_TOPICS
from loadtest.record import Ending, Phase, Record, pack
from loadtest.stories import (
    broken,
    days,
    fees,
    holds,
    late,
    limits,
    money,
    ordinary,
    refused,
    terms,
)
from loadtest.stories.world import Kind, Script, World

SEED = 20_261_121
ACCOUNTS = 10_000
PARTITIONS = 8

MIX: dict[Kind, int] = {
    ordinary.transfer: 14_500,
    ordinary.transfer_in_time: 200,
    ordinary.transfer_with_odd_key: 100,
    ordinary.deposit: 3_000,
    ordinary.withdrawal: 4_000,
    ordinary.internal_account: 60,
    ordinary.overdraft: 100,
    ordinary.last_minor_unit: 150,
    ordinary.reversal_full: 400,
    ordinary.reversal_partial: 250,
    ordinary.repeat_exact: 900,
    ordinary.repeat_respelled: 600,
    ordinary.repeat_late: 60,
    ordinary.repeat_refused: 150,
    ordinary.conflict: 300,
    terms.frozen_debits: 150,
    terms.frozen_whole: 80,
    terms.limit_moved: 120,
    terms.kinds: 30,
    terms.closed: 120,
    terms.terms_refused: 30,
    holds.captured: 60,
    holds.released: 50,
    holds.captured_and_given_back: 40,
    holds.more_than_held: 30,
    holds.held_in_vain: 15,
    money.payments: 200,
    money.refunds: 120,
    money.refund_without_funds: 40,
    money.reversal_overdraws: 40,
    money.payroll: 40,
    money.two_currencies: 50,
    money.fee_overdraws: 40,
    money.exchanges: 100,
    money.own_accounts: 20,
    money.racing_refund: 30,
    fees.charged: 120,
    fees.given_back: 60,
    fees.exchanged: 30,
    fees.tariffs_refused: 20,
    fees.racing_tariffs: 30,
    limits.by_default: 40,
    limits.one_customer: 30,
    limits.held: 30,
    limits.in_a_channel: 20,
    limits.of_an_account: 30,
    limits.across_days: 30,
    limits.limits_refused: 10,
    limits.racing_limits: 15,
    limits.racing_spending: 30,
    limits.racing_with_a_limit: 30,
    days.value_dated: 120,
    days.late_for_the_day: 60,
    days.days_refused: 10,
    refused.insufficient_funds: 500,
    refused.account_not_found: 300,
    refused.currency_mismatch: 300,
    refused.same_account: 100,
    refused.account_exists: 100,
    refused.expired: 200,
    refused.original_not_found: 100,
    refused.original_not_posted: 60,
    refused.not_reversible: 60,
    refused.not_reversible_opening: 30,
    refused.reversal_too_large: 150,
    refused.reversal_too_fine: 40,
    broken.unknown_field: 80,
    broken.missing_field: 60,
    broken.missing_id: 40,
    broken.wrong_value: 300,
    broken.wrong_digits: 60,
    broken.huge_number: 60,
    broken.nul_character: 60,
    broken.duplicate_key: 80,
    broken.broken_json: 160,
    broken.no_object: 30,
    broken.empty_value: 40,
    broken.null_value: 40,
    broken.unknown_type: 60,
    broken.too_large: 12,
    broken.invalid_under_used_id: 60,
    late.repeat_elsewhere: 250,
    late.conflict_elsewhere: 150,
    late.reversal_of_spent_money: 60,
    late.racing_reversals: 60,
    late.racing_ids: 80,
    late.racing_for_the_last_money: 60,
}
"""How many stories of each kind the mix tells."""

UPSTREAM_COMMITTED = 300
UPSTREAM_ABORTED = 200
NEXT_DAY = 120


class Expected(msgspec.Struct, frozen=True):
    """
    What is known before anything is sent.

    `outcomes` counts posted, repeat, conflict, `rejected:<reason>` and `invalid:<reason>`.
    `outcome_events` counts the events, for some dead letters have none. `balances` holds the final
    balance of every account that does not depend on a race, in minor units; `unknown` names the
    others.
    """

    outcomes: dict[str, int]
    outcome_events: int
    balances: dict[str, int]
    currencies: dict[str, str]
    unknown: frozenset[str]


class Sample(msgspec.Struct, frozen=True):
    """The phases to publish one after another, and what must come of them."""

    seed: int
    accounts: int
    partitions: int
    phases: tuple[Phase, ...]
    expected: Expected

    def visible(self) -> int:
        """Count the messages that a reader of committed records gets to see."""
        return sum(phase.visible() for phase in self.phases)


def generate(
    seed: int = SEED,
    *,
    accounts: int = ACCOUNTS,
    partitions: int = PARTITIONS,
    scale: float = 1.0,
) -> Sample:
    """Write the sample; `scale` shortens the mix, but every kind keeps two stories."""
    world = World(seed, accounts, partitions)
    lanes = len(COMMAND_TOPICS) * partitions
    first_closing = days.first_closing(world)
    openings = [*world.opened_and_funded(), *fees.tariffs(world), *limits.limits(world)]
    aborted = [_aborted(world) for _ in range(_scaled(UPSTREAM_ABORTED, scale))]
    committed = [world.posted_transfer()[-1] for _ in range(_scaled(UPSTREAM_COMMITTED, scale))]
    scripts = [kind(world) for kind, count in MIX.items() for _ in range(_scaled(count, scale))]
    days.racing_closings(world)
    next_day = days.next_day(world, _scaled(NEXT_DAY, scale))
    mix = list(_interleaved(scripts, world))
    half = len(mix) // 2
    phases = (
        Phase("the first business date", (pack(first_closing, lanes),)),
        Phase(
            "openings, first deposits, tariffs and limits",
            (pack([*openings, *world.early], lanes),),
        ),
        Phase(
            "the mix",
            (
                pack(mix[:half], lanes),
                pack(aborted, lanes, Ending.ABORTED),
                pack(committed, lanes, Ending.COMMITTED),
                pack(mix[half:], lanes),
            ),
        ),
        Phase(
            "late, racing and closing commands",
            (pack(_interleaved(world.late, world), lanes),),
        ),
        Phase(
            "the next business date",
            (pack([*next_day, *_interleaved(world.next_day, world)], lanes),),
        ),
        Phase("limits changed", (pack(_interleaved(world.changes, world), lanes),)),
        Phase("under changed limits", (pack(_interleaved(world.afterwards, world), lanes),)),
    )
    return Sample(seed, accounts, partitions, phases, _expected(phases, world))


def _scaled(count: int, scale: float) -> int:
    return max(2, round(count * scale))


def _aborted(world: World) -> Record:
    """Write a transfer that is aborted, and one with its id and other content for later."""
    minor, currency = world.minor(), world.currency()
    debit = world.payer(minor, currency)
    credit = world.payee(currency, debit)
    never = world.transfer(debit, credit, minor)
    after = world.transfer(debit, credit, minor) | {"transaction_id": never["transaction_id"]}
    after["reference"] = "sent again after the abort"
    world.moved(debit, credit, minor, currency)
    world.late.append([world.pen.record(debit.name, after, "posted")])
    return world.pen.record(debit.name, never, None)


def _interleaved(scripts: Iterable[Script], world: World) -> Iterator[Record]:
    """Shuffle the stories into one another; each keeps its own order."""
    tellers = [iter(script) for script in scripts if script]
    turns = [
        teller
        for teller, script in zip(tellers, filter(None, scripts), strict=True)
        for _ in script
    ]
    world.rng.shuffle(turns)
    for teller in turns:
        yield next(teller)


def _expected(phases: Iterable[Phase], world: World) -> Expected:
    outcomes: Counter[str] = Counter(world.pen.races)
    silent = 0
    for phase in phases:
        for step in phase.steps:
            if step.ending is Ending.ABORTED:
                continue
            for record in step.records():
                if record.expect is not None:
                    outcomes[record.expect] += 1
                    silent += not record.answered
    known = {a.name: a.final for a in world.accounts if a.final is not None}
    return Expected(
        outcomes=dict(sorted(outcomes.items())),
        outcome_events=outcomes.total() - silent,
        balances=known | dict(world.pen.cash),
        currencies={a.name: a.currency for a in world.accounts},
        unknown=frozenset(a.name for a in world.accounts if a.final is None),
    )
