"""
The key of a command gives its order, never its correctness: missing and odd ones are counted, and
nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from processor.core.answers import Arrival
from processor.core.catalogue import CATALOGUE
from processor.core.commands import Command

KeyFields = dict[type[Command], str]


def key_fields(by_type: Mapping[str, str]) -> KeyFields:
    """Give for each command the field that is its key, from a topic's `key_fields` by type."""
    return {kind: by_type[kind.TYPE] for kind in CATALOGUE if kind.TYPE in by_type}


def odd_keys(arrivals: Sequence[Arrival], fields: KeyFields) -> int:
    """Count commands whose key is missing or is not what their topic says."""
    odd = 0
    for arrival in arrivals:
        field = fields.get(type(arrival.asked))  # type: ignore[arg-type] # an Invalid has no field either
        if field is not None:
            odd += arrival.record.key != getattr(arrival.asked, field).encode()
    return odd
