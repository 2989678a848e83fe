"""Tie together what was sent, what was seen and what was known beforehand into one verdict."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from loadtest.lanes import Lanes, Position
from loadtest.message import Message
from loadtest.proof.agreement import Agreement
from loadtest.publish import Published
from loadtest.reference.amounts import major_of
from loadtest.reporting import Ledger
from loadtest.sample import Expected

SCALE = 4
"""Decimal places that no currency exceeds; sums are kept as integers of the last one."""


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


class Turnover(msgspec.Struct, frozen=True):
    """Sums of one currency in major units: all debits, all credits, all balances."""

    currency: str
    digits: int
    debits: Decimal
    credits: Decimal
    balances: Decimal


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
    agreement = Agreement(lanes, observed.commands, digits)
    agreement.check(observed.outcomes, observed.dead_letters, observed.ledger)
    labels = _labels(agreement)
    turnovers = _turnovers(observed.ledger, digits)
    checks = (
        Check("every offset accounted for", tuple(_offset_faults(lanes, published, observed))),
        Check("every answer and balance agrees with the model", tuple(agreement.differences)),
        Check(
            "totals known beforehand agree",
            tuple(_known_faults(published, expected, agreement, labels, digits)),
        ),
        Check("debits equal credits in every currency", tuple(_turnover_faults(turnovers))),
    )
    return Proof(
        commands=len(observed.commands),
        labels=dict(Counter(labels.values())),
        dead_letters=dict(
            Counter(str(one.value.get("reason")) for one in agreement.dead_letters.values())
        ),
        outcome_events=len(agreement.outcomes),
        delivered_again=agreement.delivered_again,
        offsets=sum(observed.command_ends.values()),
        aborted=len(published.aborted),
        markers=sum(published.markers.values()),
        turnovers=turnovers,
        checks=checks,
    )


def _labels(agreement: Agreement) -> dict[Position, str]:
    """Say in one word what came of each command, in the words of `Record.expect`."""
    labels = {
        at: f"invalid:{one.value.get('reason')}" for at, one in agreement.dead_letters.items()
    }
    labels.update(
        (position, _label(event.value))
        for position, event in agreement.outcomes.items()
        if event.value.get("outcome") != "invalid"
    )
    return labels


def _label(value: Mapping[str, Any]) -> str:
    if value.get("repeat"):
        return "repeat"
    if value.get("outcome") == "rejected":
        return f"rejected:{value.get('reason')}"
    return str(value.get("outcome"))


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
    published: Published,
    expected: Expected,
    agreement: Agreement,
    labels: Mapping[Position, str],
    digits: Mapping[str, int],
) -> Iterable[str]:
    totals = Counter(labels.values())
    for label in sorted(totals.keys() | expected.outcomes.keys()):
        if totals[label] != expected.outcomes.get(label, 0):
            yield f"{label}: {totals[label]}, expected {expected.outcomes.get(label, 0)}"
    if len(agreement.outcomes) != expected.outcome_events:
        events = len(agreement.outcomes)
        yield f"outcome events: {events}, expected {expected.outcome_events}"
    for position, record in published.records.items():
        if record.expect is not None and labels.get(position) != record.expect:
            yield (
                f"{agreement.lanes.name(position)}: {labels.get(position)}, "
                f"expected {record.expect}"
            )
    for name, minor in expected.balances.items():
        account = agreement.books.account(name)
        held = agreement.books.posted.get(name, 0)
        if account is None or held != minor:
            places = digits[account.currency] if account else 0
            yield f"{name}: {major_of(held, places)}, expected {major_of(minor, places)}"


def _turnovers(ledger: Ledger, digits: Mapping[str, int]) -> tuple[Turnover, ...]:
    sums: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for entry in ledger.entries:
        sums[entry.currency][entry.direction] += _scaled(entry.amount)
    for balance in ledger.balances:
        sums[balance.currency]["balance"] += _scaled(balance.posted)
    return tuple(
        Turnover(
            currency,
            digits.get(currency, SCALE),
            *(Decimal(found[kind]).scaleb(-SCALE) for kind in ("debit", "credit", "balance")),
        )
        for currency, found in sorted(sums.items())
    )


def _scaled(money: str) -> int:
    whole, _, rest = money.partition(".")
    return int(whole + rest.ljust(SCALE, "0"))


def _turnover_faults(turnovers: Iterable[Turnover]) -> Iterable[str]:
    found = False
    for one in turnovers:
        found = True
        if one.debits != one.credits:
            yield f"{one.currency}: {one.debits} debited, {one.credits} credited"
        if one.balances != 0:
            yield f"{one.currency}: all balances together are {one.balances}, not zero"
    if not found:
        yield "no entry was posted"
