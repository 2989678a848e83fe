"""
The step that moves money: one PostgreSQL transaction per batch.

Everything lands in it together: positions, ids, postings, balances, answers and dead letters. Or
nothing does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any, Final

from msgspec.structs import replace

from processor.batch import Answered, Batch, Run, joined
from processor.core.answers import Answer, Arrival, answer_again, decide_all, ids_of
from processor.core.books import Account, Books, Decided, Subject
from processor.core.catalogue import CATALOGUE
from processor.core.commands import AccountOpen, Command
from processor.core.decode import Invalid
from processor.core.own_accounts import FEES_PREFIX, kind_of_own
from processor.core.rule_commands import LimitSet, TariffSet
from processor.core.rules import ACCOUNT, CHANNEL, CUSTOMER, Rules
from processor.errors import AlreadyDecidedError, FaultError
from processor.ledger import Ledger, PostingSession
from processor.timelines import Timelines

REDECISIONS_MAX: Final = 10
"""
How often a batch is decided anew because ids or accounts turned out to be known, before that is a
fault.
"""

Delivered = dict[tuple[str, int], int]

Kinds = Mapping[type[Command], list[Any]]
"""Commands by their kind, in their order; a list holds that kind alone."""


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
        kinds = _by_kind(batch.arrivals)
        changing = _changing(kinds)
        fence = await session.fence(runs, changes_rules=bool(changing))
        await timelines.know(fence.timeline_id)
        again, fresh = _split(runs, batch.arrivals, fence.next_offsets)
        kinds = _by_kind(fresh) if again else kinds
        decided = await session.decided(_ids_to_read(again, fresh, kinds, probed))
        await timelines.know_sources([one.source.source_id for one in decided.values()])
        answers = await _answer_again(session, runs, again, decided, timelines)
        books = await _read_books(session, kinds, decided, changing)
        ids = set(ids_of(fresh))
        clock, sequences = await session.clock(len(ids) - len(ids.intersection(decided)))
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


def _by_kind(arrivals: Sequence[Arrival]) -> Kinds:
    """Sort commands by their kind, each of which has one rule."""
    found: dict[Any, list[Any]] = defaultdict(list)
    for arrival in arrivals:
        asked = arrival.asked
        found[type(asked)].append(asked)
    found.pop(Invalid, None)
    return found


def _changing(kinds: Kinds) -> list[Command]:
    """Find the commands that may change the rules; hardly a batch has any."""
    return [one for kind, asked in kinds.items() if CATALOGUE[kind].changes_rules for one in asked]


def _split(
    runs: Sequence[Run], arrivals: list[Arrival], next_offsets: dict[tuple[str, int], int]
) -> tuple[list[Arrival], list[Arrival]]:
    """
    Part what was committed before (a redelivery) from what is new, by the ledger's position of each
    partition.
    """
    if all(next_offsets[run.log.topic, run.log.partition] <= run.start for run in runs):
        return [], arrivals
    again: list[Arrival] = []
    fresh: list[Arrival] = []
    for arrival in arrivals:
        source = arrival.source
        is_new = source.offset >= next_offsets[source.topic, source.partition]
        (fresh if is_new else again).append(arrival)
    return again, fresh


def _ids_to_read(
    again: Sequence[Arrival], fresh: Sequence[Arrival], kinds: Kinds, probed: set[str]
) -> set[str]:
    """
    Name the ids whose recorded answers decide: redelivered ones, suspected repeats, originals and
    holds.
    """
    wanted = set(ids_of(again))
    if probed:
        wanted |= probed.intersection(ids_of(fresh))
    for kind, asked in kinds.items():
        rule = CATALOGUE[kind]
        for earlier_of in (rule.original_of, rule.hold_of):
            if earlier_of is not None:
                wanted.update(map(earlier_of, asked))
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
    session: PostingSession, kinds: Kinds, decided: dict[str, Decided], changing: Sequence[Command]
) -> Books:
    """
    Lock every account that the new commands name, directly, by an original or by what they may
    cost, then read what is bounded by totals. `changing` are the batch's changes of the rules.
    """
    names: set[str] = set()
    charging = _charging(session.rules, changing)
    originals: set[str] = set()
    held: set[str] = set()
    for kind, asked in kinds.items():
        rule = CATALOGUE[kind]
        new = _undecided(asked, decided)
        names.update(chain.from_iterable(map(rule.accounts_of, new)))
        if rule.original_of is not None:
            originals.update(map(rule.original_of, new))
        if rule.hold_of is not None:
            held.update(map(rule.hold_of, new))
        if charging and rule.is_charged and new:
            names.update(FEES_PREFIX + currency for currency in charging & _currencies(new))
    for earlier in originals | held:
        names.update(_sides(decided.get(earlier)))
    if charging:
        found = [decided[hold].ruling.currency for hold in held if hold in decided]
        names.update(FEES_PREFIX + currency for currency in charging.intersection(found))
    accounts = await session.lock(names)
    reversed_minor = await session.reversed_totals(originals)
    holds = await session.holds(held)
    bounding = _bounding(session.rules, changing)
    spent = await session.lock_spent(_spending(bounding, kinds, accounts.values()))
    return Books(
        accounts=accounts,
        decided=decided,
        reversed_minor=reversed_minor,
        holds=holds,
        spent=spent,
    )


def _undecided(asked: list[Command], decided: dict[str, Decided]) -> list[Command]:
    """Leave out repeats of what was decided before."""
    return [one for one in asked if one.transaction_id not in decided] if decided else asked


def _bounding(rules: Rules, changing: Sequence[Command]) -> Rules:
    """Add to the limits in force those that the batch may set."""
    new = {one.limit.bounded: one.limit for one in changing if isinstance(one, LimitSet)}
    return replace(rules, limits={**rules.limits, **new}) if new else rules


def _spending(rules: Rules, kinds: Kinds, accounts: Collection[Account]) -> list[Subject]:
    """Name whose spending is counted under limits, in the global order."""
    bounded = rules.limits
    if not bounded:
        return []
    opened: list[AccountOpen] = kinds.get(AccountOpen, [])
    known = [(one.name, one.customer, one.currency) for one in accounts]
    known += [(one.account, one.customer, one.currency) for one in opened]
    subjects: set[Subject] = set()
    if CHANNEL in rules.limited_scopes:
        channels = {one.channel for asked in kinds.values() for one in asked}
        currencies = {currency for _, _, currency in known}
        subjects = {(CHANNEL, channel, currency) for channel in channels for currency in currencies}
    # Hardly an account of a batch is limited: what is no subject at all is passed over at once.
    named, everywhere = rules.limited_subjects, rules.limited_currencies
    for name, customer, currency in known:
        if name in named or customer in named or currency in everywhere:
            if kind_of_own(name) is None:
                subjects.add((ACCOUNT, name, currency))
            if customer is not None:
                subjects.add((CUSTOMER, customer, currency))
    return sorted(
        (scope, name, currency)
        for scope, name, currency in subjects
        if (scope, name, currency) in bounded or (scope, None, currency) in bounded
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


def _currencies(asked: Sequence[Any]) -> set[str]:
    """Name the currencies that commands of one kind name."""
    fields = [field for field in ("currency", "credit_currency") if hasattr(asked[0], field)]
    return {currency for field in fields for currency in map(attrgetter(field), asked)}
