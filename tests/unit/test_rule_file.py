"""A file of rules: how it is read, how it differs from what holds, and what mends that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from processor.cli.rule_file import LIMITS, TARIFFS, Fields, changes, commands, read
from processor.contracts import INTERNAL
from processor.core.decode import Decoder
from processor.core.rule_commands import LimitSet, TariffEnd, TariffSet
from processor.errors import ProcessorError
from processor.ledger.rules import Said
from tests.builders import CONTRACT

CHECKOUT = Path(__file__).resolve().parents[2]
DECODER = Decoder(CONTRACT, CONTRACT.types[INTERNAL], command_bytes_max=65_536)
GOOD = """
[atm]
command = "withdrawal"
currency = "EUR"
payer = "debit"
tiers = [{from = "0", fixed = "1.5", basis_points = "10.0"}]
"""
ATM: Fields = {
    "tariff": "atm",
    "command": "withdrawal",
    "currency": "EUR",
    "payer": "debit",
    "tiers": [{"from": "0.00", "fixed": "1.50", "basis_points": "10"}],
}


def tariffs(folder: Path, text: str) -> dict[str, Fields]:
    """Read a file of a text."""
    path = folder / "t.toml"
    path.write_text(text)
    return read(TARIFFS, path, DECODER)


def said(name: str, sequence: int, **fields: Any) -> Said:
    """Say that a tariff was set; without fields that it was ended."""
    return Said(name, {**ATM, "tariff": name, **fields} if fields else None, "then", sequence)


def asked(values: list[bytes]) -> list[tuple[str, str]]:
    """Give type and tariff of each command, all of which must be valid."""
    found = [DECODER.decode(value) for value in values]
    assert all(isinstance(one, TariffSet | TariffEnd) for one in found)
    return [(one["type"], one["tariff"]) for one in map(json.loads, values)]


def test_a_tariff_is_read_in_its_canonical_form(tmp_path: Path) -> None:
    """So that what is written differently is no difference."""
    assert tariffs(tmp_path, GOOD + 'minimum = "0"\n') == {"atm": ATM}


def test_the_example_can_be_read() -> None:
    """Whoever copies it has a file that works."""
    found = read(TARIFFS, CHECKOUT / "schemas" / "tariffs.example.toml", DECODER)

    assert len(found) == 3
    assert len(asked(commands(changes(TARIFFS, found, []), []))) == 3


def test_the_example_of_limits_can_be_read() -> None:
    """Whoever copies it has a file that works, and no two limits are for the same."""
    found = read(LIMITS, CHECKOUT / "schemas" / "limits.example.toml", DECODER)
    written = commands(changes(LIMITS, found, []), [])

    assert sorted(found) == ["cards", "customer-4711", "each-customer", "pocket-money"]
    assert [json.loads(value)["limit"] for value in written] == sorted(found)
    assert all(isinstance(DECODER.decode(value), LimitSet) for value in written)


def test_limits_that_change_are_ended_first_where_they_are_for_something_else(
    tmp_path: Path,
) -> None:
    """One that is only wider is set in its place; and two for the same are refused."""
    path = tmp_path / "l.toml"
    wide = '[a]\nscope = "channel"\ncurrency = "EUR"\ndaily_count = "9"\n'
    path.write_text(wide + '[b]\nscope = "account"\ncurrency = "EUR"\ndaily_count = "9"\n')
    wanted = read(LIMITS, path, DECODER)
    narrow = {"limit": "a", "scope": "channel", "currency": "EUR", "daily_count": "8"}
    other = {**narrow, "limit": "b", "scope": "customer"}
    known = [Said("a", narrow, "then", 7), Said("b", other, "then", 8)]
    found = changes(LIMITS, wanted, known)
    written = [json.loads(value) for value in commands(found, known)]

    assert [(one["type"], one["limit"]) for one in written] == [
        ("limit.end", "b"),
        ("limit.set", "a"),
        ("limit.set", "b"),
    ]
    assert found[0].lines() == ['~ a: daily_count: "8" becomes "9"']

    path.write_text(wide + wide.replace("[a]", "[c]"))
    with pytest.raises(ProcessorError, match="limits a and c are for the same"):
        read(LIMITS, path, DECODER)


WRONG = {
    "no TOML": ("[atm", "not TOML: "),
    "no table": ("atm = 1", "atm is no table; each tariff is one: [atm]"),
    "a field that is not one": (GOOD + 'fee = "1"', "tariff atm: fee is no field of a tariff"),
    "a field of the command's": (GOOD + 'channel = "x"', "tariff atm: channel is no field"),
    "a field that is missing": (GOOD.replace('payer = "debit"', ""), "tariff atm: "),
    "a wrong value": (GOOD.replace("debit", "both"), "tariff atm/payer: "),
    "a number for a text": (GOOD.replace('"1.5"', "1.5"), "tariff atm/tiers/0/fixed: "),
    "a date": (GOOD + "minimum = 2026-11-21", "tariff atm"),
    "tiers that do not begin at zero": (
        GOOD.replace('from = "0"', 'from = "1"'),
        "tariff atm/tiers/0/from: tiers begin at 0",
    ),
    "a maximum below the minimum": (GOOD + 'minimum = "2"\nmaximum = "1"', "tariff atm/maximum: "),
    "a name that can't be": (GOOD.replace("[atm]", '["a b"]'), "tariff a b/tariff: "),
    "two for the same": (
        GOOD + GOOD.replace("[atm]", "[other]"),
        "tariffs atm and other are for the same",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_is_refused_in_one_line(tmp_path: Path, case: str) -> None:
    """The line names the file, the tariff and the field."""
    text, words = WRONG[case]

    with pytest.raises(ProcessorError) as error:
        tariffs(tmp_path, text)
    assert str(error.value).startswith(f"{tmp_path / 't.toml'}: {words}")
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """In one line, as every other."""
    with pytest.raises(ProcessorError, match="No such file or directory"):
        read(TARIFFS, tmp_path / "none.toml", DECODER)


def test_what_is_charged_so_already_needs_nothing() -> None:
    """Whatever was ended before."""
    known = [said("atm", 7, maximum="9.00"), said("old", 8)]

    assert changes(TARIFFS, {"atm": {**ATM, "maximum": "9.00"}}, known) == []


def test_differences_are_named() -> None:
    """What comes, what goes, and each field of what changes."""
    known = [said("a", 1, maximum="9.00"), said("b", 2, payer="credit"), said("c", 3)]
    wanted = {"a": {**ATM, "tariff": "a", "minimum": "1.00"}, "c": {**ATM, "product": "loan"}}

    found = changes(TARIFFS, wanted, known)

    assert [line.partition(": {")[0] for change in found for line in change.lines()] == [
        '~ a: maximum: "9.00" becomes none',
        '~ a: minimum: none becomes "1.00"',
        "- b",
        "+ c",
    ]


def test_what_goes_or_moves_is_ended_before_anything_is_set() -> None:
    """So that two tariffs may exchange what they are for."""
    known = [
        said("a", 1, payer="debit"),
        said("b", 2, payer="credit"),
        said("c", 3, product="loan"),
    ]
    wanted = {
        "a": {**ATM, "tariff": "a", "payer": "credit"},
        "b": {**ATM, "tariff": "b", "payer": "debit"},
        "d": {**ATM, "tariff": "d", "product": "loan"},
    }

    assert asked(commands(changes(TARIFFS, wanted, known), known)) == [
        ("tariff.end", "a"),
        ("tariff.end", "b"),
        ("tariff.end", "c"),
        ("tariff.set", "a"),
        ("tariff.set", "b"),
        ("tariff.set", "d"),
    ]


def test_ids_follow_from_what_is_asked_and_what_was_said_before() -> None:
    """The same again is a repeat; after the tariff was changed or ended it is a new command."""

    def ids(wanted: Fields, *known: Said) -> list[str]:
        values = commands(changes(TARIFFS, {"atm": wanted}, known), known)
        return [json.loads(value)["transaction_id"] for value in values]

    other = {**ATM, "maximum": "9.00"}
    assert ids(ATM) == ids(ATM)
    found = [ids(ATM), ids(other), ids(ATM, said("atm", 7)), ids(ATM, said("atm", 8))]
    found.append(ids(ATM, said("atm", 7, maximum="9.00")))
    assert [len(one) for one in found] == [1] * 5
    assert len({one[0] for one in found}) == 4
    assert found[2] == found[4]
