"""
Rows of the tables that first answers are written to, as PostgreSQL's binary COPY format has them.

asyncpg's own encoder looks up a codec for every value of every row, and asks of every element of an
array whether it is an array again. Here a row is one `struct.pack` and the bytes of its texts,
which costs the worker half or less. Everything else is written through asyncpg.

Source: PostgreSQL, "COPY", Binary Format: a header, for each row the count of its fields and each
field as its length (-1 for NULL) and its bytes in network order, and a trailer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from struct import Struct
from typing import Final

from processor.core.books import Decided, Holding, Ruling
from processor.core.commands import Command, id_bytes
from processor.core.dates import UNDATED
from processor.core.fingerprint import FINGERPRINT_VERSION
from processor.core.hold_commands import HoldPlace
from processor.ledger.rows import details_of, metadata_of, shown_of

HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER: Final = b"\xff\xff"
NULL: Final = b"\xff\xff\xff\xff"

PIECE_ROWS: Final = 500
"""Rows handed to asyncpg at once: half a millisecond of work, and few enough pieces."""

WORDS_MAX: Final = 1_024
"""How many combinations of currency, type and channel are kept ready."""

_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_EPOCH_DATE: Final = date(2000, 1, 1)
_MICROSECOND: Final = timedelta(microseconds=1)

_LENGTH: Final = Struct(">i")
_UUID_LENGTH: Final = _LENGTH.pack(16)

TRANSACTION_COLUMNS: Final = (
    "transaction_id",
    "fingerprint",
    "fingerprint_version",
    "ledger_sequence",
    "decided_at",
)
_TRANSACTION: Final = Struct(">hi16si32sihiqiq")

POSTING_COLUMNS: Final = (
    "ledger_sequence",
    "decided_at",
    "transaction_id",
    "source_id",
    "source_offset",
    "debit_account_id",
    "credit_account_id",
    "amount",
    "debit_balance",
    "credit_balance",
    "value_date",
    "line",
    "overdraws",
    "booking_date",
    "currency",
    "type",
    "channel",
    "reference",
    "original_transaction_id",
    "metadata",
    "details",
    "shown",
    "hold_transaction_id",
    "held",
    "released",
)
_POSTING: Final = Struct(">hiqiqi16siiiqiqiqiqiqiqiiihi?ii")
"""The columns up to `booking_date`, each after its length."""

_NO_HOLD: Final = 3 * NULL
_HOLDING: Final = Struct(">i16siqiq")
_ONLY_ON_THE_FIRST_LINE: Final = 6 * NULL
"""`metadata` and what stands behind it, of the further lines of a transaction."""

_PLACE_COLUMNS: Final = (
    "ledger_sequence",
    "decided_at",
    "transaction_id",
    "source_id",
    "source_offset",
)
_PLACE: Final = Struct(">hiqiqi16siiiq")
"""The number of columns, then those of a command's place, each after its length."""

_ASKED_COLUMNS: Final = ("type", "channel", "reference", "metadata", "details")

REFUSAL_COLUMNS: Final = (
    *_PLACE_COLUMNS,
    "reason",
    "account",
    "debit_account",
    "credit_account",
    "amount",
    "currency",
    *_ASKED_COLUMNS,
    "shown",
)
CHANGE_COLUMNS: Final = (
    *_PLACE_COLUMNS,
    "account",
    "currency",
    "debit_account",
    "credit_account",
    *_ASKED_COLUMNS,
    "shown",
    "status",
    "overdraft_limit",
    "available",
    "amount",
    "hold_transaction_id",
    "held",
    "released",
    "capture_max",
    "expires_at_us",
    "changes_rules",
)
_BIGINT: Final = Struct(">iq")
_BOOLEAN: Final = {True: _LENGTH.pack(1) + b"\1", False: _LENGTH.pack(1) + b"\0"}

Encoder = Callable[[Sequence[Decided], datetime], bytes]


async def stream(
    encode: Encoder, decided: Sequence[Decided], now: datetime
) -> AsyncIterator[bytes]:
    """Give the rows in pieces: PostgreSQL works on the first while the next are encoded."""
    yield HEADER
    for start in range(0, len(decided), PIECE_ROWS):
        yield encode(decided[start : start + PIECE_ROWS], now)
    yield TRAILER


def transactions(decided: Sequence[Decided], now: datetime) -> bytes:
    """Encode rows of ledger.transaction."""
    pack, at = _TRANSACTION.pack, _microseconds(now)
    # Each value stands beside its length.
    # fmt: off
    return b"".join([
        pack(
            5,
            16, id_bytes(one.transaction_id),
            32, one.fingerprint,
            2, FINGERPRINT_VERSION,
            8, one.ledger_sequence,
            8, at,
        )
        for one in decided
    ])
    # fmt: on


def postings(decided: Sequence[Decided], now: datetime) -> bytes:
    """Encode rows of ledger.posting, of commands whose money moved."""
    pack, at = _POSTING.pack, _microseconds(now)
    parts: list[bytes] = []
    # Nearly all have the same dates: one look at them serves for those that follow.
    known = UNDATED
    booking_date, value_date = _days(known.booking_date), _days(known.value_date)
    for one in decided:
        source, ruling, command = one.source, one.ruling, one.command
        assert command is not None, "what was decided just now has its command at hand"
        transaction_id, written = id_bytes(one.transaction_id), command.reference
        own_reference = NULL if written is None else _text(written)
        line = 0
        for moved in ruling.postings:
            line += 1  # noqa: SIM113 - most have one line, and enumerate costs more than they do
            original, reference = moved.original_transaction_id, moved.reference
            if moved.dates is not known:
                known = moved.dates
                booking_date, value_date = _days(known.booking_date), _days(known.value_date)
            # fmt: off
            row = pack(
                25,
                8, one.ledger_sequence,
                8, at,
                16, transaction_id,
                4, source.source_id,
                8, source.offset,
                8, moved.debit.account_id,
                8, moved.credit.account_id,
                8, moved.amount,
                8, moved.debit_balance,
                8, moved.credit_balance,
                4, value_date,
                2, line,
                1, moved.overdraws,
                4, booking_date,
            )
            # fmt: on
            parts += (
                row,
                _words(moved.debit.currency, one.type, one.channel),
                own_reference if reference is None else _text(reference),
                NULL if original is None else _UUID_LENGTH + id_bytes(original),
                _ONLY_ON_THE_FIRST_LINE if line > 1 else _of_first_line(ruling, command),
            )
    return b"".join(parts)


def _of_first_line(ruling: Ruling, command: Command) -> bytes:
    """Encode `metadata` and what stands behind it; a plain movement has nothing there."""
    details, is_plain = details_of(command), ruling.shown is None and ruling.holding is None
    if is_plain and details is None and command.metadata is None:
        return _ONLY_ON_THE_FIRST_LINE
    return b"".join(
        (
            _text(metadata_of(command)),
            _text(details),
            _text(shown_of(ruling)),
            _NO_HOLD if ruling.holding is None else _holding(ruling.holding),
        )
    )


def refusals(decided: Sequence[Decided], now: datetime) -> bytes:
    """Encode rows of ledger.refusal, of commands that a rule forbade."""
    at = _microseconds(now)
    parts: list[bytes] = []
    for one in decided:
        ruling = one.ruling
        parts += (
            _place(len(REFUSAL_COLUMNS), one, at),
            _text(ruling.reason),
            _text(ruling.account),
            _text(ruling.debit_account),
            _text(ruling.credit_account),
            _text(ruling.amount),
            _text(ruling.currency),
            *_asked(one),
            _text(shown_of(ruling)),
        )
    return b"".join(parts)


def account_changes(decided: Sequence[Decided], now: datetime) -> bytes:
    """
    Encode rows of ledger.account_change, of commands that were carried out without moving money.
    """
    at = _microseconds(now)
    parts: list[bytes] = []
    for one in decided:
        ruling = one.ruling
        parts += (
            _place(len(CHANGE_COLUMNS), one, at),
            _text(ruling.account or ruling.debit_account),
            _text(ruling.currency),
            _text(ruling.debit_account),
            _text(ruling.credit_account),
            *_asked(one),
            _text(shown_of(ruling)),
            *_changed(ruling),
            _bigint(ruling.amount_minor),
            _NO_HOLD if ruling.holding is None else _holding(ruling.holding),
            *_placed(one.command),
            _BOOLEAN[ruling.changes_rules],
        )
    return b"".join(parts)


def _place(columns: int, one: Decided, at: int) -> bytes:
    """Encode which command it was, and where it stood."""
    source = one.source
    # fmt: off
    return _PLACE.pack(
        columns,
        8, one.ledger_sequence,
        8, at,
        16, id_bytes(one.transaction_id),
        4, source.source_id,
        8, source.offset,
    )
    # fmt: on


def _asked(one: Decided) -> tuple[bytes, ...]:
    """Encode what every command has, and what no column of its own holds."""
    command = one.command
    assert command is not None, "what was decided just now has its command at hand"
    return (
        _text(one.type),
        _text(one.channel),
        _text(command.reference),
        _text(metadata_of(command)),
        _text(details_of(command)),
    )


def _changed(ruling: Ruling) -> tuple[bytes, ...]:
    """Encode what became of an account."""
    change = ruling.change
    if change is None:
        return (NULL, NULL, NULL)
    return (_text(change.status), _bigint(change.overdraft_limit), _bigint(change.available))


def _placed(command: Command | None) -> tuple[bytes, bytes]:
    """Encode what a hold allows beyond what it sets aside."""
    if not isinstance(command, HoldPlace):
        return (NULL, NULL)
    return (_bigint(command.capture_max_minor), _bigint(command.expires_at_us))


def _holding(holding: Holding) -> bytes:
    hold_id = id_bytes(holding.hold_transaction_id)
    return _HOLDING.pack(16, hold_id, 8, holding.held, 8, holding.released)


@lru_cache(maxsize=WORDS_MAX)
def _days(day: str) -> int:
    return (date.fromisoformat(day) - _EPOCH_DATE).days


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def _bigint(value: int | None) -> bytes:
    return NULL if value is None else _BIGINT.pack(8, value)


def _text(text: str | None) -> bytes:
    if text is None:
        return NULL
    data = text.encode()
    return _LENGTH.pack(len(data)) + data


@lru_cache(maxsize=WORDS_MAX)
def _words(currency: str, kind: str, channel: str) -> bytes:
    return _text(currency) + _text(kind) + _text(channel)
