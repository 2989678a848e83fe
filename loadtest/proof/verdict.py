"""Tie together what was sent, what was seen and what was known beforehand into one verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from loadtest.lanes import Lanes, Position
from loadtest.message import Message
from loadtest.proof.agreement import Agreement
from loadtest.proof.evidence import Lane, Listed, all_of
from loadtest.proof.turnover import Turnover, turnover_faults
from loadtest.publish import Published
from loadtest.reference.amounts import major_of
from loadtest.reporting import Ledger
from loadtest.sample import Expected


class Observed(NamedTuple):
    """What stood in the topics and in the ledger when everything had come to rest."""

    commands: list[Message]
    command_ends: dict[int, int]
    outcomes: list[Message]
    dead_letters: list[Message]
    ledger: Ledger


class Check(msgspec.Struct, frozen=True):
    """One thing that must hold. `faults` says how it does not, a line each; none where it holds."""

    title: str
    faults: tuple[str, ...] = ()


class Proof(msgspec.Struct, frozen=True):
    """The figures of a run and the checks on them."""

    commands: int
    labels: dict[str, int]
    dead_letters: dict[str, int]
    outcome_events: int
    delivered_again: int
    offsets: int
    aborted: int
    markers: int
    turnovers: tuple[Turnover, ...]
    checks: tuple[Check, ...]

    @property
    def holds(self) -> bool:
        """Whether every check holds."""
        return not any(check.faults for check in self.checks)


def prove(
    lanes: Lanes,
    digits: Mapping[str, int],
    published: Published,
    expected: Expected,
    observed: Observed,
) -> Proof:
    """Check everything; `lanes` are those of the commands, `digits` the active currencies."""
    labels: dict[Position, str] = {}

    def label(lane: Lane, offset: int, said: str) -> None:
        labels[lane.number, offset] = said

    topics = Listed(
        lanes,
        observed.command_ends,
        observed.commands,
        observed.outcomes,
        observed.dead_letters,
    )
    agreement = Agreement(digits, [topics], label)
    agreement.check(all_of(observed.ledger), observed.ledger.balances)
    turnovers = agreement.sums.turnovers(digits)
    checks = (
        Check("every offset accounted for", tuple(_offset_faults(lanes, published, observed))),
        Check("every answer and balance agrees with the model", agreement.differences.lines()),
        Check(
            "totals known beforehand agree",
            tuple(_known_faults(lanes, published, expected, agreement, labels)),
        ),
        Check("debits equal credits in every currency", tuple(turnover_faults(turnovers))),
    )
    return Proof(
        commands=agreement.commands,
        labels=dict(agreement.labels),
        dead_letters=dict(agreement.dead_letters),
        outcome_events=agreement.outcomes,
        delivered_again=agreement.delivered_again,
        offsets=sum(observed.command_ends.values()),
        aborted=len(published.aborted),
        markers=sum(published.markers.values()),
        turnovers=turnovers,
        checks=checks,
    )


def _offset_faults(lanes: Lanes, published: Published, observed: Observed) -> Iterable[str]:
    read = {message.position: message for message in observed.commands}
    for position in sorted(published.records.keys() - read.keys()):
        yield f"{lanes.name(position)}: was published, but can't be read"
    for position in sorted(read.keys() - published.records.keys()):
        yield f"{lanes.name(position)}: was read, but not published"
    for position, record in published.records.items():
        message = read.get(position)
        if message is not None and message[2:] != record[1:4]:
            yield f"{lanes.name(position)}: is not as it was published"
    for lane, end in observed.command_ends.items():
        stood = published.end(lane)
        if stood != end:
            what = f"{end} offsets, but {stood} records and holes are known"
            yield f"{lanes.name((lane, end))}: {what}"


def _known_faults(
    lanes: Lanes,
    published: Published,
    expected: Expected,
    agreement: Agreement,
    labels: Mapping[Position, str],
) -> Iterable[str]:
    totals = Counter(labels.values())
    for label in sorted(totals.keys() | expected.outcomes.keys()):
        if totals[label] != expected.outcomes.get(label, 0):
            yield f"{label}: {totals[label]}, expected {expected.outcomes.get(label, 0)}"
    if agreement.outcomes != expected.outcome_events:
        yield f"outcome events: {agreement.outcomes}, expected {expected.outcome_events}"
    for position, record in published.records.items():
        if record.expect is not None and labels.get(position) != record.expect:
            yield f"{lanes.name(position)}: {labels.get(position)}, expected {record.expect}"
    books = agreement.books
    for name, minor in expected.balances.items():
        account = books.account(name)
        held = books.posted.get(name, 0)
        if account is None or held != minor:
            places = books.digits[account.currency] if account else 0
            yield f"{name}: {major_of(held, places)}, expected {major_of(minor, places)}"
