"""
Outages and faults; refusals are values and never raised.

    ProcessorError                  one clear line for people
    ├── SettingsError               a setting that can't be
    ├── OutageError                 waited out: the same work is tried again
    │   ├── LedgerUnavailableError  PostgreSQL does not answer, or asks to try again
    │   └── BrokerUnavailableError  Kafka does not answer
    ├── PartitionError              about single partitions: drop what is held of them
    │   ├── FencedError             another worker has claimed them
    │   └── RewoundError            the ledger stands before what was read: seek to the ledger
    ├── AlreadyDecidedError         an id taken for new is known: decide the batch again
    ├── UnpostableError             PostgreSQL refuses a row by its data
    └── FaultError                  must not happen: the process ends, nothing is acknowledged
"""

from __future__ import annotations


class ProcessorError(Exception):
    """Base of all errors of the processor; its text is one line for people."""


class SettingsError(ProcessorError):
    """A setting is missing or can't be."""


class OutageError(ProcessorError):
    """Something outside is away; the same work is tried again until it is back."""


class LedgerUnavailableError(OutageError):
    """PostgreSQL does not answer, or asks to try the transaction again."""


class BrokerUnavailableError(OutageError):
    """Kafka does not answer."""


class PartitionError(ProcessorError):
    """Something about single partitions; `partitions` holds their (topic, number)."""

    def __init__(self, message: str, partitions: frozenset[tuple[str, int]]) -> None:
        super().__init__(message)
        self.partitions = partitions


class FencedError(PartitionError):
    """Another worker has claimed these partitions."""


class RewoundError(PartitionError):
    """The ledger's position is before what was read: the database was restored or failed over."""


class AlreadyDecidedError(ProcessorError):
    """
    The ledger knows an id or an account that the batch took for new; decide it again with what is
    recorded.
    """


class UnpostableError(ProcessorError):
    """PostgreSQL refuses the data of a row."""

    def __init__(self, message: str, sqlstate: str) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


class FaultError(ProcessorError):
    """A bug or a broken promise: the process ends without acknowledging anything."""
