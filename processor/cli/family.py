"""A payment and what came of it as a tree of lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Member = Mapping[str, Any]


def tree_of(root: Member, asked: str) -> Iterator[str]:
    """Give a line for each member, those below one after it and drawn beneath it."""
    yield _line(root, asked)
    yield from _below(root, asked, "")


def _below(member: Member, asked: str, stem: str) -> Iterator[str]:
    last = len(member["members"]) - 1
    for number, child in enumerate(member["members"]):
        branch, space = ("└─ ", "   ") if number == last else ("├─ ", "│  ")
        yield stem + branch + _line(child, asked)
        yield from _below(child, asked, stem + space)


def _line(member: Member, asked: str) -> str:
    amount = " ".join(part for part in (member["amount"], member["currency"]) if part)
    outcome = member["outcome"] + (f": {member['reason']}" if member["reason"] else "")
    mark = "  <- this one" if member["transaction_id"] == asked else ""
    return (
        f"{member['type']} {amount or '-'} {outcome}, {member['decided_at']}, "
        f"{member['transaction_id']}{mark}"
    )
