"""The transfers of a bench: valid, known beforehand, the same every time."""

import json
import os
from uuid import UUID

from loadtest.load.share import BLOCK, Share
from loadtest.load.transfers import (
    FUNDS_MINOR,
    account_name,
    load,
    load_of,
    number_of,
    transaction_id,
    transfers,
    with_cash,
)
from loadtest.measure.usage import Usage, cpu_seconds, peak_memory_bytes
from loadtest.record import partition_of
from loadtest.traffic.population import openings
from processor.contracts import load_contract
from processor.core.commands import Command
from processor.core.decode import Decoder

ACCOUNTS = 50
PARTITIONS = 8


def test_ids_are_time_ordered_and_carry_their_number() -> None:
    """Each number has an id of its own, of version 7, from which the number can be read back."""
    numbers = [0, 1, 19, 20, 21, 299_999, 2_000_000]
    ids = [UUID(transaction_id(number)) for number in numbers]

    assert [number_of(str(one)) for one in ids] == numbers
    assert {one.version for one in ids} == {7}
    assert ids[2] < ids[3] < ids[-2] < ids[-1]


def test_every_command_is_valid_and_lies_where_its_key_leads() -> None:
    """The product reads each record as a command, in the partition that its key chooses."""
    decoder = Decoder(load_contract(), command_bytes_max=65_536)
    written = load(500, ACCOUNTS, PARTITIONS, seed=3)

    for lanes in (written.lanes, openings(ACCOUNTS, PARTITIONS)):
        for partition, lane in enumerate(lanes):
            for key, value in lane:
                assert isinstance(decoder.decode(value), Command)
                assert partition_of(key, PARTITIONS) == partition


def test_what_must_come_of_a_load_is_known() -> None:
    """Balances, sums and counts are those of the commands as they were written."""
    written = load(2_000, ACCOUNTS, PARTITIONS, seed=4)
    expected = {account_name(number): FUNDS_MINOR for number in range(ACCOUNTS)}
    bodies = [json.loads(value) for lane in written.lanes for _, value in lane]
    for body in bodies:
        minor = int(body["amount"].replace(".", ""))
        expected[body["debit_account"]] -= minor
        expected[body["credit_account"]] += minor

    assert len(bodies) == written.payments == 2_000
    assert written.balances == expected
    assert written.ids_sum == sum(number_of(body["transaction_id"]) for body in bodies)
    assert sum(with_cash(written.balances, ACCOUNTS).values()) == 0


def test_the_same_seed_writes_the_same_bytes() -> None:
    """Rounds differ by noise alone, and a load without its records expects the same."""
    assert load(300, ACCOUNTS, PARTITIONS, seed=5) == load(300, ACCOUNTS, PARTITIONS, seed=5)
    light = load(300, ACCOUNTS, PARTITIONS, seed=5, keep_records=False)
    assert light.balances == load(300, ACCOUNTS, PARTITIONS, seed=5).balances


def test_fewer_transfers_are_the_first_of_more() -> None:
    """A load that was interrupted is proved as if no more had been meant."""
    more = list(transfers(25_000, ACCOUNTS, PARTITIONS, seed=5))
    for count in (1, 9_999, 10_000, 10_001, 24_999):
        assert list(transfers(count, ACCOUNTS, PARTITIONS, seed=5)) == more[:count]


def test_any_part_of_a_load_can_be_written_again() -> None:
    """Each block from the seed and its number alone, and no block like another."""
    more = list(transfers(25_000, ACCOUNTS, PARTITIONS, seed=5))
    for first, count in ((0, 3), (9_990, 20), (10_000, 10_000), (24_999, 1)):
        part = transfers(count, ACCOUNTS, PARTITIONS, seed=5, first=first)
        assert list(part) == more[first : first + count]
    assert [one.debit for one in more[:100]] != [one.debit for one in more[10_000:10_100]]


def test_hot_transfers_credit_one_account() -> None:
    """All of them, and never from that account to itself."""
    hot = list(transfers(2_000, ACCOUNTS, PARTITIONS, seed=6, hot=True))
    plain = list(transfers(2_000, ACCOUNTS, PARTITIONS, seed=6))

    assert {one.credit for one in hot} == {0}
    assert 0 not in {one.debit for one in hot}
    assert {one.credit for one in plain} == set(range(ACCOUNTS))
    assert all(one.debit != one.credit for one in plain)


def test_cpu_per_payment_is_what_was_used_in_between() -> None:
    """Microseconds per payment for each process; nothing for a server that is not ours."""
    before, after = Usage(1.0, 2.0, None), Usage(1.5, 2.25, None)

    assert after.per_payment_us(before, 10_000) == {
        "worker": 50.0,
        "postgres": 25.0,
        "broker": None,
    }


def test_processes_are_measured() -> None:
    """CPU time grows with work, and the peak of memory covers what was held."""
    held = bytearray(64 * 1024 * 1024)
    began = cpu_seconds(os.getpid())
    while cpu_seconds(os.getpid()) < began + 0.05:
        sum(held[:100_000])
    assert peak_memory_bytes(os.getpid()) > len(held)


def test_shares_are_disjoint_parts_of_one_load() -> None:
    """Whoever sends them, and however many of each: what must come of them adds up."""
    counts = [BLOCK + 3, 7]
    parts = [
        list(transfers(count, ACCOUNTS, PARTITIONS, seed=5, share=Share(number, 2)))
        for number, count in enumerate(counts)
    ]
    whole = list(transfers(2 * BLOCK + 3, ACCOUNTS, PARTITIONS, seed=5))
    assert parts == [[*whole[:BLOCK], *whole[2 * BLOCK :]], whole[BLOCK : BLOCK + 7]]

    sent = [one for part in parts for one in part]
    written = load_of(counts, ACCOUNTS, PARTITIONS, seed=5)
    assert (written.payments, written.amount_minor) == (
        len(sent),
        sum(one.amount_minor for one in sent),
    )
    ids = [json.loads(one.value)["transaction_id"] for one in sent]
    assert len(set(ids)) == len(ids)
    assert written.ids_sum == sum(map(number_of, ids))
    assert sum(written.balances.values()) == ACCOUNTS * FUNDS_MINOR
    assert load_of([500], ACCOUNTS, PARTITIONS, seed=5) == load(
        500, ACCOUNTS, PARTITIONS, seed=5, keep_records=False
    )
