"""Records that are no commands: each becomes a dead letter, and nothing else. Pure."""

from __future__ import annotations

from typing import Final

import orjson

from loadtest.stories.broken import NOT_JSON, WRONG_VALUES
from loadtest.traffic.population import Draw, choose

UNKNOWN: Final = ({"type": "payment.explode"}, {"type": "Transfer"})
NO_ID: Final = ({"transaction_id": "42"}, {"transaction_id": None})
"""Those are answered by a dead letter alone: there is no id to answer to."""

EMPTY: Final = (b"", b" \r\n")


def spoilt(value: bytes, draw: Draw) -> bytes:
    """Spoil a transfer: no JSON, against the schema, of an unknown type, without an id, empty."""
    way = int(draw() * 8)
    if way == 0:
        return choose(EMPTY, draw)
    if way <= 3:  # noqa: PLR2004 - three of eight
        return choose(NOT_JSON, draw)(value)
    change = choose((WRONG_VALUES, WRONG_VALUES, UNKNOWN, NO_ID)[way - 4], draw)
    return orjson.dumps(orjson.loads(value) | change)
