"""How rounds of peers become medians, ratios and tables, and how peers are chosen."""

import io
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from loadtest.__main__ import cli
from loadtest.peers.figures import habits, speeds, summed_up
from loadtest.peers.systems import NAMES, SYSTEMS, chosen, in_turn
from loadtest.peers.verdicts import DEMONSTRATED

MEBIBYTE = 1024 * 1024


def timed(per_second: float, own_us: float = 30.0, *faults: str) -> dict[str, Any]:
    """Give what the timed part of a system gives."""
    return {
        "payments": 1000,
        "per_second": per_second,
        "cpu_us_per_payment": {"worker": own_us, "postgres": 20.0, "broker": None},
        "peak_memory_bytes": 64 * MEBIBYTE,
        "faults": list(faults),
    }


SHOWN = chosen("product,naive,sql8")
ROUNDS = [
    {"product": timed(20_000.0), "naive": timed(1_000.0, 700.0), "sql8": timed(2_000.0)},
    {"product": timed(30_000.0), "naive": timed(750.0, 900.0), "sql8": timed(500.0, 1.0, "wrong")},
    {"product": timed(10_000.0), "naive": timed(800.0, 800.0), "sql8": timed(5_000.0)},
]


def test_medians_are_taken_over_rounds_and_ratios_round_by_round() -> None:
    """A ratio compares what ran in the same round; it is the median of the rounds' ratios."""
    found = summed_up(SHOWN, ROUNDS)

    assert found["naive"] == {
        "payments": 1000,
        "per_second": 800.0,
        "product_times": 20.0,
        "own_cpu_us": 800.0,
        "postgres_cpu_us": 20.0,
        "broker_cpu_us": None,
        "memory_mib": 64.0,
    }
    assert found["product"]["product_times"] == 1.0


def test_what_does_not_prove_has_no_figure() -> None:
    """A round in which the books are wrong says nothing, of the product for all of them."""
    found = summed_up(SHOWN, ROUNDS)
    assert found["sql8"]["per_second"] == 3_500.0
    assert found["sql8"]["product_times"] == 6.0

    void = summed_up(SHOWN, [{"product": timed(9.0, 1.0, "wrong"), "naive": timed(3.0)}])
    assert void["product"]["per_second"] is None
    assert void["naive"]["product_times"] is None
    assert void["naive"]["per_second"] == 3.0
    assert void["sql8"]["payments"] is None


def drawn(*tables: Any) -> list[str]:
    """Draw tables as people see them, without what is only air."""
    console = Console(file=io.StringIO(), width=120, force_terminal=False)
    for table in tables:
        console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def cells(lines: list[str], title: str) -> list[str]:
    """Give the cells of the row of a title."""
    (row,) = [line for line in lines if line.startswith(f"│ {title}")]
    return [cell.strip() for cell in row.strip("│").split("│")]


def test_the_table_shows_how_many_times_as_fast_the_product_is() -> None:
    """Rates, ratios, CPU and how many payments each was given stand side by side."""
    lines = drawn(speeds(SHOWN, summed_up(SHOWN, ROUNDS)))

    assert cells(lines, "naive consumer")[1:] == [
        "800",
        "20.0",
        "800",
        "20.0",
        "-",
        "64.0",
        "1,000",
    ]
    assert cells(lines, "the product")[:3] == ["the product", "20,000", "-"]
    void = summed_up(SHOWN, [{"naive": timed(3.0, 1.0, "wrong")}])
    assert cells(drawn(speeds(SHOWN, void)), "naive consumer")[1] == "void"


def test_the_second_table_fits_the_screen() -> None:
    """All columns of all systems stand on 120 columns, and none is cut off."""
    words = {
        system.name: dict.fromkeys(DEMONSTRATED, "caller asks again")
        | {"repeats": "told, unmarked", "conflicts": "told conflict", "proof": "verify: holds"}
        for system in SYSTEMS
    }
    lines = drawn(habits(SYSTEMS, words))

    assert max(map(len, lines)) <= 120
    assert not any("…" in line for line in lines)


def test_systems_are_chosen_by_name() -> None:
    """A name that is none is told, as is a choice of nothing; the order is the table's."""
    assert [one.name for one in chosen(" sql8, product ")] == ["product", "sql8"]
    with pytest.raises(ValueError, match="kafka is none of product, naive, faust, quix"):
        chosen("product,kafka")
    with pytest.raises(ValueError, match="nothing is none of"):
        chosen(" ,")


def test_a_system_that_is_none_is_a_wrong_word() -> None:
    """The command line names those that there are, with the status of a wrong word."""
    done = CliRunner().invoke(cli, ["peers", "--only", "kafka"])

    assert done.exit_code == 2
    assert "kafka is none of product, naive, faust, quix, sql8, sql32" in done.output


def test_each_round_begins_with_another_system() -> None:
    """What disturbs the first of a round disturbs each of them once."""
    firsts = [in_turn(SYSTEMS, number)[0].name for number in range(1, len(SYSTEMS) + 1)]
    assert firsts == list(NAMES)
    assert in_turn(SYSTEMS, len(SYSTEMS) + 1) == SYSTEMS
    assert {one.name for one in in_turn(SYSTEMS, 4)} == set(NAMES)


def test_slower_systems_are_given_fewer_payments() -> None:
    """Nobody gets more than the product, and the product gets what was asked for."""
    naive = chosen("naive")[0]
    assert chosen("product")[0].payments(1_000_000) == 1_000_000
    assert naive.payments(1_000_000) == naive.payments_max
    assert naive.payments(100) == 100
