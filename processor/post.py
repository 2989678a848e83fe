"""
The step that moves money: one PostgreSQL transaction per batch.

Everything lands in it together: positions, ids, postings, balances, answers and dead letters. Or
nothing does.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from processor.batch import Answered, Batch, Run, joined
from processor.core.answers import Answer, Arrival, Clock, answer_again, decide_all, ids_of
from processor.core.books import Account, Books, Decided, Subject
from processor.core.catalogue import CATALOGUE
from processor.core.commands import AccountOpen, Command
from processor.core.own_accounts import FEES_PREFIX, kind_of_own
from processor.core.rule_commands import LimitSet, TariffSet
from processor.core.rules import ACCOUNT, CHANNEL, CUSTOMER, Bounded, Rules
from processor.errors import AlreadyDecidedError, FaultError, RulesChangedError
from processor.ledger import Ledger, PostingSession
from processor.timelines import Timelines

REDECISIONS_MAX: Final = 10
"""
How often a batch is decided anew because ids or accounts turned out to be known or the rules to
have changed, before that is a fault.
"""

Delivered = dict[tuple[str, int], int]


async def post(
    batch: Batch, ledger: Ledger, timelines: Timelines, delivered: Delivered
) -> Answered:
    """
    Decide a batch and commit it. `delivered` is how far earlier outcomes were delivered; it is
    noted along the way.

    Raises FencedError, RewoundError, UnpostableError and LedgerUnavailableError; nothing is written
    then.
    """
    probed = batch.suspects
    for _ in range(REDECISIONS_MAX):
        try:
            return await _post_once(batch, probed, ledger, timelines, delivered)
        except RulesChangedError:
            continue
        except AlreadyDecidedError:
            # The table was lost, or the first came through another partition: ask about every id of
            # the batch.
            probed = set(ids_of(batch.arrivals))
    raise FaultError(f"a batch had to be decided anew {REDECISIONS_MAX} times")


async def _post_once(
    batch: Batch, probed: set[str], ledger: Ledger, timelines: Timelines, delivered: Delivered
) -> Answered:
    runs = joined(batch.runs)
    async with ledger.posting() as session:
        changing = _changing(batch.arrivals)
        fence = await session.fence(runs, changes_rules=bool(changing))
        await timelines.know(fence.timeline_id)
        again, fresh = _split(batch.arrivals, fence.next_offsets)
        decided = await session.decided(_ids_to_read(again, fresh, probed))
        await timelines.know_sources([one.source.source_id for one in decided.values()])
        answers = await _answer_again(session, runs, again, decided, timelines)
        books = await _read_books(session, fresh, decided, changing)
        clock, sequences = await _draw(session, fresh, decided)
        new = decide_all(
            fresh,
            books,
            clock=clock,
            timeline_id=fence.timeline_id,
            sequences=iter(sequences),
        )
        if new:
            await session.record(new, list(books.opened.values()))
        await session.advance(runs, delivered)
    return Answered(batch, [*answers, *new])


def _changing(arrivals: Sequence[Arrival]) -> list[Command]:
    """Find the commands that may change the rules; hardly a batch has any."""
    kinds = {type(one.asked) for one in arrivals}
    if not any(rule.changes_rules for kind, rule in CATALOGUE.items() if kind in kinds):
        return []
    commands = [one.asked for one in arrivals if isinstance(one.asked, Command)]
    return [asked for asked in commands if CATALOGUE[type(asked)].changes_rules]


def _split(
    arrivals: list[Arrival], next_offsets: dict[tuple[str, int], int]
) -> tuple[list[Arrival], list[Arrival]]:
    """
    Part what was committed before (a redelivery) from what is new, by the ledger's position of each
    partition.
    """
    if not arrivals:
        return [], []
    again: list[Arrival] = []
    fresh: list[Arrival] = []
    for arrival in arrivals:
        source = arrival.source
        is_new = source.offset >= next_offsets[source.topic, source.partition]
        (fresh if is_new else again).append(arrival)
    return again, fresh


def _ids_to_read(again: Sequence[Arrival], fresh: Sequence[Arrival], probed: set[str]) -> set[str]:
    """
    Name the ids whose recorded answers decide: redelivered ones, suspected repeats, originals and
    holds.
    """
    wanted = set(ids_of(again))
    for arrival in fresh:
        asked = arrival.asked
        if isinstance(asked, Command):
            if asked.transaction_id in probed:
                wanted.add(asked.transaction_id)
            rule = CATALOGUE[type(asked)]
            if rule.original_of is not None:
                wanted.add(rule.original_of(asked))
            if rule.hold_of is not None:
                wanted.add(rule.hold_of(asked))
    return wanted


async def _answer_again(
    session: PostingSession,
    runs: Sequence[Run],
    again: Sequence[Arrival],
    decided: dict[str, Decided],
    timelines: Timelines,
) -> list[Answer]:
    if not again:
        return []
    return answer_again(again, decided, await session.answered(runs), timelines.of_sequence)


async def _read_books(
    session: PostingSession,
    fresh: Sequence[Arrival],
    decided: dict[str, Decided],
    changing: Sequence[Command],
) -> Books:
    """
    Lock every account that the new commands name, directly, by an original or by what they may
    cost, then read what is bounded by totals. `changing` are the batch's changes of the rules.
    """
    names: set[str] = set()
    charging = _charging(session.rules, changing)
    originals: set[str] = set()
    held: set[str] = set()
    for arrival in fresh:
        asked = arrival.asked
        if not isinstance(asked, Command) or asked.transaction_id in decided:
            continue
        rule = CATALOGUE[type(asked)]
        names.update(rule.accounts_of(asked))
        if rule.original_of is not None:
            originals.add(rule.original_of(asked))
            names.update(_sides(decided.get(rule.original_of(asked))))
        if rule.hold_of is not None:
            held.add(rule.hold_of(asked))
            names.update(_sides(decided.get(rule.hold_of(asked))))
        if charging and rule.is_charged:
            currencies = charging & _currencies(asked, decided)
            names.update(FEES_PREFIX + currency for currency in currencies)
    accounts = await session.lock(names)
    reversed_minor = await session.reversed_totals(originals)
    holds = await session.holds(held)
    bounded = _bounded(session.rules, changing)
    spent = await session.lock_spent(_spending(bounded, fresh, accounts.values()))
    return Books(
        accounts=accounts,
        decided=decided,
        reversed_minor=reversed_minor,
        holds=holds,
        spent=spent,
    )


def _bounded(rules: Rules, changing: Sequence[Command]) -> set[Bounded]:
    """Name what is limited, or may be once the batch has set its limits."""
    return {*rules.limits, *(one.limit.bounded for one in changing if isinstance(one, LimitSet))}


def _spending(
    bounded: set[Bounded], fresh: Sequence[Arrival], accounts: Collection[Account]
) -> list[Subject]:
    """Name whose spending is counted under limits, in the global order."""
    if not bounded:
        return []
    commands = [one.asked for one in fresh if isinstance(one.asked, Command)]
    subjects: set[Subject] = set()
    channels = {asked.channel for asked in commands}
    known = [(one.name, one.customer, one.currency) for one in accounts]
    opened = [one for one in commands if isinstance(one, AccountOpen)]
    known += [(one.account, one.customer, one.currency) for one in opened]
    for name, customer, currency in known:
        if kind_of_own(name) is None:
            subjects.add((ACCOUNT, name, currency))
            subjects.update((CHANNEL, channel, currency) for channel in channels)
            if customer is not None:
                subjects.add((CUSTOMER, customer, currency))
    return sorted(
        (scope, name, currency)
        for scope, name, currency in subjects
        if not bounded.isdisjoint(((scope, name, currency), (scope, None, currency)))
    )


def _sides(first: Decided | None) -> list[str]:
    """Name the accounts of an earlier payment or hold, where it was found."""
    if first is None:
        return []
    sides = (first.ruling.debit_account, first.ruling.credit_account)
    return [name for name in sides if name is not None]


def _charging(rules: Rules, changing: Sequence[Command]) -> set[str]:
    """Name the currencies in which fees are charged, or may be once the batch has set a tariff."""
    new = [one.tariff for one in changing if isinstance(one, TariffSet)]
    return {tariff.currency for tariff in (*rules.tariffs.values(), *new)}


def _currencies(asked: Command, decided: dict[str, Decided]) -> set[str]:
    """Name the currencies in which a command may cost something."""
    held = decided.get(getattr(asked, "hold_transaction_id", ""))
    known: list[str | None] = [
        getattr(asked, "currency", None),
        getattr(asked, "credit_currency", None),
        None if held is None else held.ruling.currency,
    ]
    return {one for one in known if one is not None}


async def _draw(
    session: PostingSession, fresh: Sequence[Arrival], decided: dict[str, Decided]
) -> tuple[Clock, list[int]]:
    return await session.clock(len(set(ids_of(fresh)) - decided.keys()))
