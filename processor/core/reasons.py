"""Why a decided command was refused, in the order in which the reasons are checked."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """
    Reasons of the outcome `rejected`, by precedence: a command with two faults is refused for the
    first.
    """

    EXPIRED = "expired"
    ACCOUNT_EXISTS = "account_exists"
    ORIGINAL_NOT_FOUND = "original_not_found"
    ORIGINAL_NOT_POSTED = "original_not_posted"
    NOT_REVERSIBLE = "not_reversible"
    NOT_REFUNDABLE = "not_refundable"
    HOLD_NOT_FOUND = "hold_not_found"
    HOLD_NOT_PLACED = "hold_not_placed"
    HOLD_EXPIRED = "hold_expired"
    HOLD_NOT_OPEN = "hold_not_open"
    HOLD_NOT_EXPIRED = "hold_not_expired"
    TARIFF_NOT_FOUND = "tariff_not_found"
    TARIFF_OVERLAPS = "tariff_overlaps"
    LIMIT_NOT_FOUND = "limit_not_found"
    LIMIT_OVERLAPS = "limit_overlaps"
    DAY_NOT_OPEN = "day_not_open"
    ACCOUNT_NOT_FOUND = "account_not_found"
    ACCOUNT_CLOSED = "account_closed"
    ACCOUNT_FROZEN = "account_frozen"
    CURRENCY_MISMATCH = "currency_mismatch"
    SAME_ACCOUNT = "same_account"
    KIND_NOT_ALLOWED = "kind_not_allowed"
    NOTHING_TO_CHANGE = "nothing_to_change"
    ACCOUNT_NOT_EMPTY = "account_not_empty"
    EXCEEDS_ORIGINAL = "exceeds_original"
    EXCEEDS_HOLD = "exceeds_hold"
    LIMIT_EXCEEDED = "limit_exceeded"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    BALANCE_OVERFLOW = "balance_overflow"
