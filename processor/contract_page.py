"""
Writes the catalogue in `schemas/README.md` from the schemas: `python -m processor.contract_page`.

A test holds the page to what this module writes.
"""

from pathlib import Path
from typing import Any, Final

from processor.contracts import Contract, Schema, contract_folders, load_contract

START: Final = "<!-- The catalogue: written by `python -m processor.contract_page`. -->\n"
END: Final = "<!-- End of the catalogue. -->\n"

_OTHERS: Final = ("payment_outcome", "dead_letter")
_FEW: Final = 8
"""Of as many values at most are all named in the table."""


def render_catalogue(contract: Contract) -> str:
    """Write every message with its fields and what they mean, as Markdown."""
    commands = [_command(kind, schema) for kind, schema in contract.command_schemas.items()]
    others = [_message(contract.schemas[name]) for name in _OTHERS]
    return "\n".join([*commands, *others])


def replace_catalogue(page: str, catalogue: str) -> str:
    """Put the catalogue between its two marks, which the page must have."""
    before, start, rest = page.partition(START)
    _, end, after = rest.partition(END)
    assert start, "the page has the mark of the start"
    assert end, "the page has the mark of the end"
    return f"{before}{START}\n{catalogue}\n{END}{after}"


def _command(kind: str, schema: Schema) -> str:
    reasons = ", ".join(f"`{reason}`" for reason in schema["x-reasons"])
    return (
        f"### `{kind}`\n\n{schema['description']}\n\n{_fields(schema)}\n\nRefused for: {reasons}.\n"
    )


def _message(schema: Schema) -> str:
    return f"### {schema['title']}\n\n{schema['description']}\n\n{_fields(schema)}\n"


def _fields(schema: Schema) -> str:
    required = schema["required"]
    rows = [
        f"| `{name}` | {'yes' if name in required else ''} | {_values(field)}"
        f"{field.get('description', '')} |"
        for name, field in schema["properties"].items()
    ]
    return "\n".join(["| field | always there | meaning |", "|---|---|---|", *rows])


def _values(field: dict[str, Any]) -> str:
    """Name the values of a field that has few."""
    if "const" in field:
        return f"`{field['const']}`. "
    values = [value for value in field.get("enum", ()) if value is not None]
    return ", ".join(f"`{value}`" for value in values) + ". " if 0 < len(values) <= _FEW else ""


def main(page: Path | None = None) -> None:
    """Rewrite the catalogue of the page."""
    path = page or contract_folders()[0] / "README.md"
    text = path.read_text(encoding="utf-8")
    path.write_text(replace_catalogue(text, render_catalogue(load_contract())), encoding="utf-8")


if __name__ == "__main__":
    main()
