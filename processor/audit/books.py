"""What the ledger proves by itself: balances, chains, ids and offsets, all of one moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from processor.audit.finding import Finding, finding
from processor.core.currencies import DIGITS
from processor.core.money import to_major
from processor.ledger.verify import percent_for

if TYPE_CHECKING:
    from processor.ledger.verify import Faults, Snapshot

FINGERPRINTS_SAMPLED: Final = 20_000
"""Fingerprints computed again unless all are asked for."""

RECORDS: Final = ("posted", "refusals", "account_changes", "repeats", "conflicts", "dead_letters")


async def balanced(ledger: Snapshot, counts: dict[str, int]) -> Finding:
    """Per currency debits equal credits and the balances sum to zero."""
    faults, totals = [], []
    for books in await ledger.currencies():
        digits = DIGITS[books.currency]
        if books.debits != books.credits:
            both = to_major(books.debits, digits), to_major(books.credits, digits)
            faults.append(f"{books.currency}: debits are {both[0]}, credits {both[1]}")
        if books.balance:
            balance = to_major(books.balance, digits)
            faults.append(f"{books.currency}: the balances sum to {balance}, not to zero")
        totals.append(f"{books.currency} {to_major(books.debits, digits)}")
    counted = f"{counts['postings']:,} postings, {len(totals)} currencies"
    notes = [f"debits = credits: {', '.join(totals)}"] if totals and not faults else []
    return finding("books balance", counted, faults, notes)


async def balances(ledger: Snapshot, counts: dict[str, int]) -> Finding:
    """Each balance is the sum of the account's entries, and not below its limit."""
    wrong = await ledger.faults("wrong_balances")
    return _told("balances are the sum of the entries", f"{counts['accounts']:,} accounts", wrong)


async def chains(ledger: Snapshot, counts: dict[str, int]) -> Finding:
    """Each entry's balance follows from the one before."""
    wrong = await ledger.faults("broken_chains")
    return _told(
        "each balance follows from the one before", f"{2 * counts['postings']:,} entries", wrong
    )


async def terms(ledger: Snapshot, counts: dict[str, int]) -> Finding:
    """Each account's status and limit are what its last change says."""
    wrong = await ledger.faults("wrong_terms")
    return _told(
        "status and limit follow from the changes", f"{counts['account_changes']:,} changes", wrong
    )


async def holds(ledger: Snapshot, counts: dict[str, int]) -> Finding:
    """Each hold is what its commands say, and each account has held what its holds hold."""
    wrong = await ledger.faults("wrong_holds")
    return _told("what is held follows from the holds", f"{counts['holds']:,} holds", wrong)


async def dates(ledger: Snapshot, counts: dict[str, int]) -> Finding:
    """Nothing was booked on a day after its closing, and no money counts from before it."""
    wrong = await ledger.faults("wrong_dates")
    return _told("closed days stay as they were", f"{counts['closings']:,} closings", wrong)


async def limits(ledger: Snapshot, counts: dict[str, int]) -> Finding:
    """Whatever was spent under a limit was counted, and nothing went beyond."""
    wrong = [await ledger.faults(name) for name in ("wrong_limits", "wrong_spending")]
    counted = f"{counts['spendings']:,} spendings"
    return _told("spending stays within its limits", counted, *wrong)


async def ids(ledger: Snapshot, counts: dict[str, int]) -> Finding:
    """Each transaction id was decided once; repeats and conflicts point at that decision."""
    wrong = [
        await ledger.faults(name)
        for name in ("wrong_ids", "wrong_lines", "wrong_sequences", "wrong_references")
    ]
    counted = (
        f"{counts['transactions']:,} ids, {counts['repeats']:,} repeats, "
        f"{counts['conflicts']:,} conflicts"
    )
    return _told("each id was decided once", counted, *wrong)


async def reversals(ledger: Snapshot, counts: dict[str, int]) -> Finding:
    """Reversals give back no more than their originals moved."""
    wrong = await ledger.faults("wrong_reversals")
    return _told(
        "reversals stay within their originals", f"{counts['reversed']:,} originals", wrong
    )


async def fingerprints(ledger: Snapshot, counts: dict[str, int], *, every: bool) -> Finding:
    """Fingerprints agree with what is recorded."""
    total = counts["transactions"]
    wanted = total if every else FINGERPRINTS_SAMPLED
    compared, wrong = await ledger.wrong_fingerprints(percent_for(wanted, total))
    return _told("fingerprints agree with the content", f"{compared:,} of {total:,} ids", wrong)


async def offsets(ledger: Snapshot, counts: dict[str, int]) -> Finding:
    """Each offset up to the position has exactly one record."""
    wrong = await ledger.faults("wrong_offsets")
    records = sum(counts[name] for name in RECORDS)
    counted = f"{records:,} records, {counts['holes']:,} holes"
    return _told("every offset is accounted for", counted, wrong)


def _told(check: str, counted: str, *wrong: Faults) -> Finding:
    lines = [line for faults in wrong for line in faults.lines]
    return finding(check, counted, lines, fault_count=sum(faults.total for faults in wrong))
