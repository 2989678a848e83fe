"""What a person reads at the end of a run."""

from decimal import Decimal

import msgspec

from loadtest.proof.turnover import Turnover
from loadtest.proof.verdict import Check, Proof
from loadtest.summary import Summary, render


def proof(*checks: Check) -> Proof:
    """Return a small proof with these checks."""
    return Proof(
        commands=12_345,
        labels={"posted": 12_000, "repeat": 40, "conflict": 5, "rejected:expired": 300},
        dead_letters={"not_json": 2},
        outcome_events=12_345,
        delivered_again=0,
        offsets=12_350,
        aborted=4,
        markers=1,
        turnovers=(
            Turnover("JPY", 0, Decimal(1000), Decimal(1000), Decimal(0)),
            Turnover("KWD", 3, Decimal("7.5"), Decimal("7.5"), Decimal("0.0000")),
        ),
        checks=checks,
    )


def test_a_good_run_is_understood_at_a_glance() -> None:
    """Every figure is there with its name, money has its currency's digits, the verdict is last."""
    lines = render(Summary(proof(Check("the books balance")), (), 23_456.7)).splitlines()
    assert lines == [
        "commands read                                 12,345",
        "  posted                                      12,000",
        "  rejected                                       300",
        "    expired                                      300",
        "  repeats, answered as the first time             40",
        "  conflicts                                        5",
        "  dead letters                                     2",
        "    not_json                                       2",
        "outcome events                                12,345",
        "payments per second, in the mix               23,457",
        "",
        "                        debits                credits   all balances",
        "JPY                      1,000 =                1,000   0",
        "KWD                      7.500 =                7.500   0.000",
        "",
        "12,350 offsets = 12,345 commands + 4 aborted records + 1 transaction markers",
        "",
        "  ok    the books balance",
        "",
        "All of it holds.",
    ]


def test_a_fault_is_shown_with_its_first_lines() -> None:
    """A check that does not hold shows ten lines and how many more there are."""
    faults = tuple(f"line {number}" for number in range(13))
    summary = Summary(proof(), (Check("the worker ended in order", faults),), 1.0)
    lines = render(summary).splitlines()
    assert lines[17:] == [
        "  FAULT the worker ended in order: 13 faults",
        *(f"        line {number}" for number in range(10)),
        "        and 3 more",
        "",
        "NOT ALL OF IT HOLDS.",
    ]


def test_a_run_holds_only_if_every_check_does() -> None:
    """One fault in the proof or beside it is enough."""
    bad = Check("x", ("a fault",))
    assert Summary(proof(), (), 1.0).holds
    assert not Summary(proof(bad), (), 1.0).holds
    assert not Summary(proof(), (bad,), 1.0).holds


def test_debits_that_differ_from_credits_look_different() -> None:
    """The table does not claim an equality that is not there."""
    odd = Turnover("EUR", 2, Decimal(2), Decimal(1), Decimal(0))
    text = render(Summary(msgspec.structs.replace(proof(), turnovers=(odd,)), (), 1.0))
    assert "EUR                       2.00 \u2260                 1.00   0.00" in text
