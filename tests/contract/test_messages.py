"""The published schemas against the code that executes them."""

import json
import re
from typing import Any

import msgspec
import pytest

from processor.contract_page import render_catalogue, replace_catalogue
from processor.contracts import contract_folders, load_contract
from processor.core import kinds
from processor.core.catalogue import CATALOGUE
from processor.core.commands import Command, JournalLine, content
from processor.core.currencies import DIGITS
from processor.core.decode import Decoder, Invalid, InvalidReason
from processor.core.document import METADATA_BYTES_MAX
from processor.core.money import AMOUNT_MINOR_MAX
from processor.core.outcomes import DeadLetterEvent, DetailedOutcomeEvent
from processor.core.own_accounts import kind_of_own
from processor.core.reasons import Reason
from processor.core.rules import SpendingLimit, Tariff
from processor.core.shown import Exceeded, Fee, Line

CONTRACT = load_contract()
SCHEMAS = contract_folders()[0]
DECODER = Decoder(CONTRACT, command_bytes_max=65_536)
KINDS = sorted(CONTRACT.commands)
OPTIONAL: dict[str, dict[str, object]] = {
    "account.open": {"customer": "customer-4711"},
    "deposit": {"debit_account": "nostro", "value_date": "2026-11-23"},
    "withdrawal": {"credit_account": "nostro", "value_date": "2026-11-23"},
    "reversal": {"on_shortfall": "overdraw", "value_date": "2026-11-23"},
    "journal": {"on_shortfall": "overdraw", "value_date": "2026-11-23"},
    "hold.place": {"capture_max": "99.00"},
    "hold.release": {"amount": "5.00"},
    **{
        kind: {"value_date": "2026-11-23"}
        for kind in ("transfer", "payment", "refund", "hold.capture")
    },
    "fx.transfer": {
        "value_date": "2026-11-23",
        "fixed_side": "credit",
        "amount": "100.01",
        "credit_amount": "108.26",
    },
}
"""Fields that an example leaves out, with values that are no default."""


def decoded(document: dict[str, Any]) -> Command:
    """Decode a document that must be accepted."""
    command = DECODER.decode(json.dumps(document).encode())

    assert isinstance(command, Command), command
    return command


def name_of_field(name: str) -> str:
    """Give the schema's name of a Struct's field."""
    plain = name.removesuffix("_us").removesuffix("_minor")
    return {"overdraws": "on_shortfall", "releases": "remainder"}.get(plain, plain)


def example(kind: str) -> dict[str, Any]:
    """Give the example that stands in the schema of a type."""
    found: dict[str, Any] = CONTRACT.command_schemas[kind]["examples"][0]
    return found


def test_the_chart_of_accounts_is_one_list() -> None:
    """The data file, the schema's enum and the code's table name the same kinds and limits."""
    chart = json.loads((SCHEMAS / "chart_of_accounts.v1.json").read_bytes())
    file, own = chart["kinds"], chart["own"]
    schema = CONTRACT.command_schemas["account.open"]
    without_overdraft, without_customer = (
        one["if"]["properties"]["kind"]["enum"] for one in schema["allOf"]
    )

    openable = schema["properties"]["kind"]["enum"]
    assert list(file) == list(kinds.KINDS)
    assert [kind for kind in file if kind not in own] == openable
    assert {kind_of_own(f"{kind}-EUR") for kind in own} == set(own)
    for kind, entry in file.items():
        assert kinds.KINDS[kind] == kinds.Kind(entry["limited"], entry["may_overdraw"])
        assert (kind in without_overdraft) == (kind in openable and not entry["may_overdraw"])
        assert (kind in without_customer) == (kind in openable and not entry["limited"])


def test_the_currencies_are_one_list() -> None:
    """The data file, the schema's enum and the code's table name the same, with the same digits."""
    file = json.loads((SCHEMAS / "currencies.v1.json").read_bytes())["currencies"]
    enum = CONTRACT.schemas["command_fields"]["$defs"]["currency"]["enum"]

    assert {code: entry["digits"] for code, entry in file.items()} == DIGITS
    assert sorted(DIGITS) == enum
    assert len(DIGITS) == 157


@pytest.mark.parametrize(
    ("currency", "digits"),
    [("EUR", 2), ("USD", 2), ("JPY", 0), ("KRW", 0), ("KWD", 3), ("TND", 3), ("CHF", 2)],
)
def test_currencies_have_the_digits_of_iso_4217(currency: str, digits: int) -> None:
    """A few that everybody knows."""
    assert digits == DIGITS[currency]


@pytest.mark.parametrize("kind", KINDS)
def test_fields_of_schema_and_struct_agree(kind: str) -> None:
    """Each field of the schema is one of the Struct, and the other way round."""
    schema = CONTRACT.command_schemas[kind]
    fields = {name_of_field(name) for name in type(decoded(example(kind))).__struct_fields__}
    if kind == "tariff.set":
        fields |= {name_of_field(name) for name in Tariff.__struct_fields__}
        fields = fields - {"name"} | {"for_channel"}
    if kind == "limit.set":
        fields |= {name_of_field(name) for name in SpendingLimit.__struct_fields__}
        # The Struct says minor units where the schema says amounts.
        fields = fields - {"name", "single", "daily"} | {"single_amount", "daily_amount"}

    never = {"on_shortfall"} if kind == "refund" else set()
    assert (set(schema["properties"]) - {"type"}) | never == fields - {"fingerprint"}


def test_fields_of_a_line_agree_with_the_schema() -> None:
    """As it is read, and as an outcome shows it."""
    asked = CONTRACT.command_schemas["journal"]["properties"]["lines"]["items"]
    shown = CONTRACT.schemas["payment_outcome"]["properties"]["lines"]["items"]
    always = [field.encode_name for field in msgspec.structs.fields(Line) if field.required]

    assert list(asked["properties"]) == [
        name_of_field(name) for name in JournalLine.__struct_fields__
    ]
    assert list(shown["properties"]) == list(Line.__struct_fields__) == list(asked["properties"])
    assert asked["required"] == shown["required"] == always
    assert (asked["additionalProperties"], shown["additionalProperties"]) == (False, False)


def test_fields_of_a_fee_agree_with_the_schema() -> None:
    """As an outcome shows it."""
    shown = CONTRACT.schemas["payment_outcome"]["properties"]["fees"]["items"]

    assert list(shown["properties"]) == list(Fee.__struct_fields__) == shown["required"]
    assert shown["additionalProperties"] is False


def test_fields_of_an_exceeded_limit_agree_with_the_schema() -> None:
    """As an outcome shows it."""
    shown = CONTRACT.schemas["payment_outcome"]["properties"]["exceeded"]

    assert list(shown["properties"]) == list(Exceeded.__struct_fields__) == shown["required"]
    assert shown["additionalProperties"] is False


def test_a_tariff_is_for_accounts_that_can_be_opened_and_commands_that_are_charged() -> None:
    """The kinds are those of openings: the bank's own accounts pay nothing."""
    properties = CONTRACT.command_schemas["tariff.set"]["properties"]
    openable = CONTRACT.command_schemas["account.open"]["properties"]["kind"]["enum"]
    charged = {kind.TYPE for kind, rule in CATALOGUE.items() if rule.is_charged}

    assert set(properties["product"]["enum"]) == set(openable)
    assert {*properties["command"]["enum"], "hold.place"} == charged


@pytest.mark.parametrize("kind", KINDS)
def test_the_content_leaves_out_what_the_schema_marks_and_nothing_else(kind: str) -> None:
    """`x-fingerprint: false` is executed, not only written."""
    properties = CONTRACT.command_schemas[kind]["properties"]
    marked = {name for name, field in properties.items() if field.get("x-fingerprint") is False}
    everything = {
        **example(kind),
        "valid_until": "2026-11-21T10:05:00Z",
        "reference": "r",
        "metadata": {"a": "b"},
        **OPTIONAL.get(kind, {}),
    }

    assert set(properties) == set(everything)
    assert {"requested_at", "valid_until"} == marked
    assert set(properties) - marked == set(content(decoded(everything)))


@pytest.mark.parametrize("kind", KINDS)
def test_commands_are_closed_and_explained(kind: str) -> None:
    """No unknown field passes, and every field says what it means."""
    schema = CONTRACT.command_schemas[kind]

    assert schema["additionalProperties"] is False
    assert kind == schema["title"] == schema["properties"]["type"]["const"]
    assert all(field["description"] for field in schema["properties"].values())
    assert set(schema["required"]) <= set(schema["properties"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_command_is_one_of_the_payment_commands(kind: str) -> None:
    """Its topic's schema accepts what a type's own schema accepts; no other type's does."""
    document = example(kind)

    schemas = {"commands": "payment_command", "internal": "internal_command"}
    for role, types in CONTRACT.types.items():
        assert CONTRACT.validators[schemas[role]].is_valid(document) == (kind in types)
    assert [kind] == [
        other for other, validator in CONTRACT.commands.items() if validator.is_valid(document)
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_reasons_of_a_command_stand_in_the_order_of_checks(kind: str) -> None:
    """The published order is the order of the code."""
    order = [reason.value for reason in Reason]
    reasons = CONTRACT.command_schemas[kind]["x-reasons"]

    assert sorted(reasons, key=order.index) == reasons


def test_reasons_of_outcomes_are_those_of_the_code() -> None:
    """Neither side has one that the other lacks, and the order is the same."""
    definitions = CONTRACT.schemas["payment_outcome"]["$defs"]
    published = {
        reason for schema in CONTRACT.command_schemas.values() for reason in schema["x-reasons"]
    }

    assert [reason.value for reason in Reason] == definitions["rejection"]["enum"]
    assert [reason.value for reason in InvalidReason] == definitions["invalidity"]["enum"]
    assert set(Reason) == published


def test_the_types_of_outcomes_are_those_of_commands() -> None:
    """An outcome names the type of its command, or null where there was none."""
    types = CONTRACT.schemas["payment_outcome"]["properties"]["type"]["enum"]

    assert {*KINDS, None} == set(types)


@pytest.mark.parametrize(
    ("name", "struct"),
    [("payment_outcome", DetailedOutcomeEvent), ("dead_letter", DeadLetterEvent)],
)
def test_fields_of_events_agree_with_their_schema(name: str, struct: type[msgspec.Struct]) -> None:
    """Field by field, in the same order, each explained, and the required ones always written."""
    schema = CONTRACT.schemas[name]
    always = [field.encode_name for field in msgspec.structs.fields(struct) if field.required]

    assert set(struct.__struct_fields__) == set(schema["properties"])
    assert always == schema["required"]
    assert schema["additionalProperties"] is False
    assert all(field["description"] for field in schema["properties"].values())


def test_bounds_that_stand_beside_the_schema_are_those_that_are_described() -> None:
    """The numbers in the descriptions are the numbers of the code."""
    fields = CONTRACT.schemas["command_fields"]["$defs"]

    assert AMOUNT_MINOR_MAX == 10**15
    assert "10^15 minor units" in fields["amount"]["description"]
    assert f"{METADATA_BYTES_MAX} bytes" in fields["metadata"]["description"]


def test_patterns_mean_the_same_in_every_dialect() -> None:
    """Anchored, without classes that some engines widen to other scripts, without look-around."""
    text = "".join(path.read_text() for path in sorted((SCHEMAS / "messages").glob("*.json")))
    patterns = [json.loads(f'"{found}"') for found in re.findall(r'"pattern": "(.*?)"', text)]

    assert len(patterns) > 10
    for pattern in patterns:
        assert pattern == "Z$" or (pattern.startswith("^") and pattern.endswith("$"))
        assert not re.search(r"\\[dwsDWS]|\(\?", pattern)


def test_the_catalogue_is_current() -> None:
    """`python -m processor.contract_page` would change nothing."""
    page = (SCHEMAS / "README.md").read_text()

    assert replace_catalogue(page, render_catalogue(CONTRACT)) == page


@pytest.mark.parametrize("kind", KINDS)
def test_each_part_of_a_schema_refuses_something(kind: str) -> None:
    """Each field of the example, set to a number, is refused where it stands."""
    for name in example(kind):
        invalid = DECODER.decode(json.dumps({**example(kind), name: 7}).encode())

        assert isinstance(invalid, Invalid)
        assert (InvalidReason.SCHEMA, f"/{name}") == (invalid.reason, invalid.pointer)


@pytest.mark.parametrize("field", example("journal")["lines"][2])
def test_each_part_of_a_line_refuses_something(field: str) -> None:
    """Each field of a line, set to a number, is refused where it stands."""
    document = example("journal")
    lines = [*document["lines"][:2], {**document["lines"][2], field: 7}]

    invalid = DECODER.decode(json.dumps({**document, "lines": lines}).encode())

    assert isinstance(invalid, Invalid)
    assert (InvalidReason.SCHEMA, f"/lines/2/{field}") == (invalid.reason, invalid.pointer)
