"""The currencies that are active, as the project publishes them."""

from __future__ import annotations

from pathlib import Path

import orjson

CURRENCIES = Path(__file__).resolve().parents[1] / "schemas" / "currencies.v1.json"


def active_digits() -> dict[str, int]:
    """Read the active currencies and their minor-unit digits from the published list."""
    found = orjson.loads(CURRENCIES.read_bytes())["currencies"]
    return {code: currency["digits"] for code, currency in found.items()}
