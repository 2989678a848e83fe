"""The proof finds what is wrong: each way to break a run is reported."""

from collections.abc import Callable, Iterator

import pytest

from loadtest.lanes import Lanes
from loadtest.message import Message
from loadtest.proof.agreement import Agreement
from loadtest.proof.evidence import Listed, Window
from loadtest.proof.turnover import turnover_faults
from loadtest.proof.verdict import Observed, Proof, prove
from tests.unit.broken_runs import CHANGES, UNPUBLISHED, Broken, line, sample
from tests.unit.memory_line import DIGITS, LANES

WINDOW_SEQUENCES = 50


class Streamed:
    """Topics that are read record by record, as often as they are asked for."""

    def __init__(self, observed: Observed) -> None:
        self.ends = observed.command_ends
        self._listed = Listed(
            LANES, self.ends, observed.commands, observed.outcomes, observed.dead_letters
        )

    @property
    def lanes(self) -> Lanes:
        """The lanes of the commands."""
        return LANES

    def commands(self, lane: int) -> Iterator[Message]:
        """Give the commands of a lane."""
        return iter(self._listed.commands(lane))

    def outcomes(self, lane: int) -> Iterator[Message]:
        """Give the outcomes of a partition."""
        return iter(self._listed.outcomes(lane))

    def dead_letters(self, lane: int) -> Iterator[Message]:
        """Give the dead letters of a partition."""
        return iter(self._listed.dead_letters(lane))


def windows(observed: Observed) -> Iterator[Window]:
    """Give the rows of a ledger bit by bit."""
    payments, entries = observed.ledger.payments, observed.ledger.entries
    last = max(row.ledger_sequence for rows in (payments, entries) for row in rows)
    for begin in range(0, last + 1, WINDOW_SEQUENCES):
        part = range(begin, begin + WINDOW_SEQUENCES)
        yield Window(
            part.stop,
            [row for row in payments if row.ledger_sequence in part],
            [row for row in entries if row.ledger_sequence in part],
        )


def agreement_of(observed: Observed) -> Agreement:
    """Hold a run against the model as one that is too long to be in memory."""
    agreement = Agreement(DIGITS, [Streamed(observed)])
    agreement.check(windows(observed), iter(observed.ledger.balances))
    return agreement


def streamed(observed: Observed) -> list[str]:
    """Return what does not hold, found while reading."""
    agreement = agreement_of(observed)
    return [*agreement.differences.lines(), *turnover_faults(agreement.sums.turnovers(DIGITS))]


def proof_of(observed: Observed) -> Proof:
    """Prove a run."""
    return prove(LANES, DIGITS, line().published, sample().expected, observed)


def faults(observed: Observed) -> dict[str, tuple[str, ...]]:
    """Return the checks that do not hold."""
    return {check.title: check.faults for check in proof_of(observed).checks if check.faults}


def listed(observed: Observed) -> list[str]:
    """Return what does not hold of a run that was read as a whole."""
    return [fault for lines in faults(observed).values() for fault in lines]


@pytest.mark.parametrize("find", [listed, streamed])
@pytest.mark.parametrize("broken", CHANGES, ids=[broken.title for broken in CHANGES])
def test_a_broken_run_is_reported(broken: Broken, find: Callable[[Observed], list[str]]) -> None:
    """One change makes the proof fail, and a line says what is wrong and where."""
    found = find(broken.change(line().observed()))
    assert any(broken.words in fault for fault in found), found[:3]


@pytest.mark.parametrize("broken", UNPUBLISHED, ids=[broken.title for broken in UNPUBLISHED])
def test_what_was_not_published_is_reported(broken: Broken) -> None:
    """Topics that do not hold what was sent are no proof of it."""
    found = listed(broken.change(line().observed()))
    assert any(broken.words in fault for fault in found), found[:3]


def test_a_good_run_has_no_fault() -> None:
    """Nothing is reported of a line that does as it should, redelivered events included."""
    observed = line().observed()
    again = observed._replace(outcomes=[*observed.outcomes, *observed.outcomes[-5:]])
    assert streamed(again) == listed(again) == []
    assert proof_of(again).delivered_again == agreement_of(again).delivered_again == 5


def test_totals_known_beforehand_are_held_against_the_run() -> None:
    """A run that agrees with itself but not with what was known before fails."""
    expected = sample().expected
    balances = expected.balances | {"acc-000001": -1}
    outcomes = expected.outcomes | {"posted": 1}
    proof = prove(
        LANES,
        DIGITS,
        line().published,
        type(expected)(
            outcomes=outcomes,
            outcome_events=1,
            balances=balances,
            currencies=expected.currencies,
            unknown=expected.unknown,
        ),
        line().observed(),
    )
    [check] = [check for check in proof.checks if check.faults]
    assert check.title == "totals known beforehand agree"
    assert [fault.split(":")[0] for fault in check.faults] == [
        "posted",
        "outcome events",
        "acc-000001",
    ]


def test_debits_and_credits_are_added_up() -> None:
    """A missing line shows in the sums of its currency."""
    observed = line().observed()
    rows = observed.ledger.entries
    proof = proof_of(observed._replace(ledger=observed.ledger._replace(entries=rows[1:])))
    [check] = [check for check in proof.checks if check.title.startswith("debits")]
    assert check.faults[0].startswith(f"{rows[0].currency}: ")
