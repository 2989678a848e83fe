"""
Loads the named statements of this package's SQL files.

A name that is missing fails at start, not in the middle of a payment.
"""

from __future__ import annotations

import re
from importlib import resources
from typing import Final

_NAME: Final = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def load(file: str) -> dict[str, str]:
    """Give every statement of a file by its name, without the comments that explain it."""
    text = resources.files("processor.ledger").joinpath(file).read_text()
    pieces = _NAME.split(text)
    statements: dict[str, str] = {}
    for name, body in zip(pieces[1::2], pieces[2::2], strict=True):
        lines = [line for line in body.strip().splitlines() if not line.startswith("--")]
        assert name not in statements, f"two statements are named {name}"
        statements[name] = "\n".join(lines).rstrip(";")
    return statements


SQL: Final = load("queries.sql")
