"""Values for tests, valid unless said otherwise, so that a test names only what it is about."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID, uuid4

import msgspec

from processor.batch import Batch, Log, Run
from processor.contracts import load_contract
from processor.core.answers import Answer, Arrival, Clock, DeadLetter, First, decide_all
from processor.core.books import Account, Books, Ruling, Source
from processor.core.commands import Command
from processor.core.decode import Decoder, Invalid
from processor.core.outcomes import Event, EventIds, EventWriter
from processor.ledger import Ledger
from processor.pipeline import decode
from processor.post import post
from processor.timelines import Timelines

TOPIC: Final = "payments.commands.v1"
DEAD_LETTER_BYTES_MAX: Final = 1_000_000
CONTRACT: Final = load_contract()
DECODER: Final = Decoder(CONTRACT, command_bytes_max=65_536)

Document = Mapping[str, Any]
Line = dict[str, str]
_numbers = itertools.count(1)

ID_STEP: Final = 618_033_988_749
"""Without a factor of 10^12, so that every number has its own; half of its steps lead back."""


def new_id() -> str:
    """Give a transaction id that no other test uses. Later ones may well stand before earlier."""
    return f"01933a5e-0000-7000-8000-{next(_numbers) * ID_STEP % 10**12:012d}"


def _document(kind: str, own: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    document = {
        "transaction_id": new_id(),
        "type": kind,
        "requested_at": "2026-11-21T10:00:00Z",
        "channel": "mobile",
        **own,
        **fields,
    }
    return {name: value for name, value in document.items() if value is not None}


def opening(account: str, **fields: Any) -> dict[str, Any]:
    """Ask for an account: a customer's in EUR."""
    own = {"account": account, "currency": "EUR", "kind": "customer"}
    return _document("account.open", own, fields)


def freeze(account: str, side: str = "both", **fields: Any) -> dict[str, Any]:
    """Freeze an account, whole unless a side is named."""
    own = {"account": account, "side": side, "reason": "a case"}
    return _document("account.freeze", own, fields)


def unfreeze(account: str, side: str = "both", **fields: Any) -> dict[str, Any]:
    """Unfreeze an account, whole unless a side is named."""
    own = {"account": account, "side": side, "reason": "the case is over"}
    return _document("account.unfreeze", own, fields)


def limit(account: str, overdraft_limit: str, **fields: Any) -> dict[str, Any]:
    """Set the limit of an account in EUR."""
    own = {"account": account, "currency": "EUR", "overdraft_limit": overdraft_limit}
    return _document("account.limit", own, fields)


def closing(account: str, **fields: Any) -> dict[str, Any]:
    """Close an account."""
    return _document("account.close", {"account": account}, fields)


def deposit(credit: str, amount: str, **fields: Any) -> dict[str, Any]:
    """Pay EUR in, from the cash account."""
    own = {"credit_account": credit, "amount": amount, "currency": "EUR"}
    return _document("deposit", own, fields)


def withdrawal(debit: str, amount: str, **fields: Any) -> dict[str, Any]:
    """Pay EUR out, to the cash account."""
    own = {"debit_account": debit, "amount": amount, "currency": "EUR"}
    return _document("withdrawal", own, fields)


def transfer(debit: str, credit: str, amount: str, **fields: Any) -> dict[str, Any]:
    """Move EUR."""
    own = {"debit_account": debit, "credit_account": credit, "amount": amount, "currency": "EUR"}
    return _document("transfer", own, fields)


def reversal(original: Document, amount: str | None = None, **fields: Any) -> dict[str, Any]:
    """Give a payment back, all that is left of it unless an amount says otherwise."""
    own = {"original_transaction_id": original["transaction_id"], "amount": amount}
    return _document("reversal", own, fields)


def hold(debit: str, credit: str, amount: str, **fields: Any) -> dict[str, Any]:
    """Set EUR aside in the debit account for the credit account."""
    own = {"debit_account": debit, "credit_account": credit, "amount": amount, "currency": "EUR"}
    return _document("hold.place", own, fields)


def capture(placed: Document, amount: str | None = None, **fields: Any) -> dict[str, Any]:
    """Take what a hold holds, all of it unless an amount says otherwise."""
    own = {"hold_transaction_id": placed["transaction_id"], "amount": amount}
    return _document("hold.capture", own, fields)


def release(placed: Document, amount: str | None = None, **fields: Any) -> dict[str, Any]:
    """Free what a hold holds, all of it unless an amount says otherwise."""
    own = {"hold_transaction_id": placed["transaction_id"], "amount": amount}
    return _document("hold.release", own, fields)


def expiry(placed: Document, **fields: Any) -> dict[str, Any]:
    """Let a hold expire, as the processor itself does."""
    return _document("hold.expire", {"hold_transaction_id": placed["transaction_id"]}, fields)


def payment(debit: str, credit: str, amount: str, **fields: Any) -> dict[str, Any]:
    """Pay EUR to a merchant."""
    own = {"debit_account": debit, "credit_account": credit, "amount": amount, "currency": "EUR"}
    return _document("payment", own, fields)


def refund(original: Document, amount: str | None = None, **fields: Any) -> dict[str, Any]:
    """Let a merchant give a payment back, all that is left of it unless an amount says so."""
    own = {"original_transaction_id": original["transaction_id"], "amount": amount}
    return _document("refund", own, fields)


def line(account: str, direction: str, amount: str, currency: str = "EUR", **fields: str) -> Line:
    """Give a line of a journal, in EUR."""
    own = {"account": account, "direction": direction, "amount": amount, "currency": currency}
    return {**own, **fields}


def journal(*lines: Line, **fields: Any) -> dict[str, Any]:
    """Post lines together."""
    return _document("journal", {"lines": list(lines)}, fields)


def fx(debit: str, credit: str, amount: str, credit_amount: str, **fields: Any) -> dict[str, Any]:
    """Exchange EUR for USD at 1.0825."""
    own = {
        "debit_account": debit,
        "credit_account": credit,
        "amount": amount,
        "currency": "EUR",
        "credit_amount": credit_amount,
        "credit_currency": "USD",
        "rate": "1.0825",
    }
    return _document("fx.transfer", own, fields)


def tier(fixed: str = "0", basis_points: str = "0", begins: str = "0") -> dict[str, str]:
    """Charge a fixed part and a share from an amount on."""
    return {"from": begins, "fixed": fixed, "basis_points": basis_points}


def tariff(command: str, payer: str, *tiers: dict[str, str], **fields: Any) -> dict[str, Any]:
    """Charge a fee in EUR, under the name `t` unless another is given."""
    own = {
        "tariff": "t",
        "command": command,
        "currency": "EUR",
        "payer": payer,
        "tiers": list(tiers),
    }
    return _document("tariff.set", own, fields)


def tariff_end(name: str = "t", **fields: Any) -> dict[str, Any]:
    """Charge a fee no more."""
    return _document("tariff.end", {"tariff": name}, fields)


def bound(name: str, scope: str, subject: str | None = None, **fields: Any) -> dict[str, Any]:
    """Limit spending in EUR: `single_amount`, `daily_amount`, `daily_count` are given as fields."""
    own = {"limit": name, "scope": scope, "subject": subject, "currency": "EUR"}
    return _document("limit.set", own, fields)


def bound_end(name: str, **fields: Any) -> dict[str, Any]:
    """Limit spending no more."""
    return _document("limit.end", {"limit": name}, fields)


def day_close(business_date: str, next_date: str | None = None, **fields: Any) -> dict[str, Any]:
    """Close a day; the following one is open then unless another is named."""
    own = {"business_date": business_date, "next_date": next_date}
    return _document("day.close", own, fields)


def command_of(document: Document) -> Command:
    """Read a document, which must be a command."""
    command = DECODER.decode(json.dumps(document).encode())
    assert isinstance(command, Command), command
    return command


class Written(msgspec.Struct):
    """A record as the line reads it."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()


def written(offset: int, content: Document | bytes | None, key: bytes | None = b"k") -> Written:
    """Make a record of a document or of bytes as they are."""
    value = json.dumps(content).encode() if isinstance(content, Mapping) else content
    return Written(offset, key, value)


def arrival_of(asked: Command | Invalid, offset: int = 0, *, source_id: int = 1) -> Arrival:
    """Make a decoded record at an offset of partition 0."""
    return Arrival(Written(offset, b"k", b"{}"), Source(source_id, TOPIC, 0, offset), asked)


class Partition:
    """A partition's log, read by one worker under a claim."""

    def __init__(self, log: Log, first_offset: int = 0) -> None:
        self.log = log
        self.records: list[Written] = []
        self.next_offset = first_offset
        self._read_up_to = first_offset

    def append(self, *contents: Document | bytes | None) -> None:
        """Append records, to be read later."""
        for content in contents:
            self.records.append(written(self.next_offset, content))
            self.next_offset += 1

    def add(self, *contents: Document | bytes | None) -> Run:
        """Append records; give them as a run that goes on where the last one ended."""
        self.append(*contents)
        return self.read()

    def leave_hole(self, offsets: int) -> None:
        """Append offsets without a record, as markers and aborted records leave them."""
        self.next_offset += offsets

    def read(self) -> Run:
        """Give what was added since the last run."""
        start, self._read_up_to = self._read_up_to, self.next_offset
        return self.run(start, self.next_offset)

    def run(self, start: int, end: int) -> Run:
        """Give the records of `[start, end)`, read before or not."""
        return Run(self.log, start, end, [r for r in self.records if start <= r.offset < end])


class Bank:
    """Books in memory, decided one command at a time at a moment of the test's choice."""

    NOW = Clock(1_795_255_200_000_000, "2026-11-21T10:00:00.000000Z")

    def __init__(self, *accounts: Account) -> None:
        self.books = Books(
            accounts={account.name: account for account in accounts}, decided={}, reversed_minor={}
        )
        self._sequences = itertools.count(1)
        self._offsets = itertools.count(0)

    def ask(self, *asked: Document | Invalid, clock: Clock = NOW) -> list[Answer]:
        """Decide a batch, by the rules that the one before has left."""
        clock = msgspec.structs.replace(clock, rules=self.books.rules)
        arrivals = [
            arrival_of(one if isinstance(one, Invalid) else command_of(one), next(self._offsets))
            for one in asked
        ]
        return decide_all(
            arrivals, self.books, clock=clock, timeline_id=1, sequences=self._sequences
        )

    def tell(self, *asked: Document | Invalid, clock: Clock = NOW) -> list[str]:
        """Decide a batch and say in a word each what became of it."""
        return [told(answer) for answer in self.ask(*asked, clock=clock)]

    def ruling(self, document: Document) -> Ruling:
        """Decide a new command and give how."""
        (answer,) = self.ask(document)
        assert isinstance(answer, First)
        return answer.decided.ruling

    def posted(self) -> dict[str, int]:
        """Give what each account holds, in minor units; accounts with nothing are left out."""
        accounts = self.books.accounts.items()
        return {name: account.posted for name, account in accounts if account.posted}


class Desk:
    """A worker without Kafka: it decodes runs, posts them to a ledger and writes their events."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.timelines = Timelines(ledger)

    async def claim(self, partition: int = 0, first_offset: int = 0) -> Partition:
        """Claim a partition and give its log, empty up to where the ledger stands."""
        position = await self.ledger.claim(TOPIC, partition, first_offset, uuid4(), "a test")
        await self.timelines.read()
        return Partition(position.log, position.next_offset)

    async def post(
        self,
        *runs: Run,
        suspects: set[str] | None = None,
        delivered: dict[tuple[str, int], int] | None = None,
    ) -> list[Answer]:
        """Post one batch; nothing is suspected to be known unless it is said."""
        batch = Batch(
            list(runs),
            [one for run in runs for one in decode(run.log, run.records, DECODER)],
            suspects or set(),
        )
        answered = await post(batch, self.ledger, self.timelines, delivered or {})
        return answered.answers

    def events(self, answers: Sequence[Answer]) -> list[Event]:
        """Write the outcome events and dead letters of answers."""
        ids = EventIds(self.timelines.incarnations, self.timelines.tokens)
        writer = EventWriter(ids, self.timelines.of_sequence)
        outcomes = [writer.outcome(answer) for answer in answers]
        letters = [
            writer.dead_letter(answer, DEAD_LETTER_BYTES_MAX)
            for answer in answers
            if isinstance(answer, DeadLetter)
        ]
        return [event for event in outcomes if event is not None] + letters


def told(answer: Answer) -> str:
    """Say in a word what an answer is: its kind, or of a first one `posted` or its reason."""
    if not isinstance(answer, First):
        return type(answer).__name__
    return str(answer.decided.ruling.reason or "posted")


def uuid_of(number: int) -> UUID:
    """Give a UUID that is easy to recognise."""
    return UUID(int=number)
