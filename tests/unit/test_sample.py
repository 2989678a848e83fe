"""The sample input of the main job."""

import re
from collections import Counter
from functools import cache
from itertools import product
from uuid import UUID

import orjson
import pytest

from loadtest.proof.verdict import prove
from loadtest.record import CODECS, Ending, Record, partition_of
from loadtest.reference.contract import Fault, read
from loadtest.reference.limits import MEASURES, SCOPES
from loadtest.sample import ACCOUNTS, MIX, Sample, generate
from loadtest.stories.world import Kind, World
from tests.unit.memory_line import DIGITS, LANES, MemoryLine

REASONS = {
    "rejected:expired",
    "rejected:account_exists",
    "rejected:original_not_found",
    "rejected:original_not_posted",
    "rejected:not_reversible",
    "rejected:not_refundable",
    "rejected:account_not_found",
    "rejected:account_closed",
    "rejected:account_frozen",
    "rejected:currency_mismatch",
    "rejected:same_account",
    "rejected:kind_not_allowed",
    "rejected:nothing_to_change",
    "rejected:account_not_empty",
    "rejected:exceeds_original",
    "rejected:tariff_not_found",
    "rejected:tariff_overlaps",
    "rejected:limit_exceeded",
    "rejected:limit_not_found",
    "rejected:limit_overlaps",
    "rejected:day_not_open",
    "rejected:hold_not_found",
    "rejected:hold_not_placed",
    "rejected:hold_expired",
    "rejected:hold_not_open",
    "rejected:exceeds_hold",
    "rejected:insufficient_funds",
    "invalid:empty",
    "invalid:not_json",
    "invalid:unknown_type",
    "invalid:schema",
    "invalid:too_large",
}


@cache
def whole() -> Sample:
    """Return the sample of `make run`."""
    return generate()


@cache
def short() -> Sample:
    """Return a sample with every kind of story and few of each."""
    return generate(7, accounts=1000, scale=0.02)


def records(sample: Sample) -> list[Record]:
    """Return all records that are not aborted."""
    return [
        record
        for phase in sample.phases
        for step in phase.steps
        if step.ending is not Ending.ABORTED
        for record in step.records()
    ]


def test_the_same_seed_gives_the_same_bytes() -> None:
    """Two samples of one seed are equal in every byte, partition, batch and expectation."""
    assert generate(7, accounts=1000, scale=0.02) == short()


def test_another_seed_gives_other_bytes() -> None:
    """The seed decides what is sent."""
    assert generate(8, accounts=1000, scale=0.02).phases != short().phases


def test_it_is_as_large_as_promised() -> None:
    """50,000 to 75,000 commands go out over 10,000 accounts in several currencies."""
    sample = whole()
    openings = sample.phases[1].steps[0].records()
    assert 50_000 <= sample.visible() < 75_000
    assert sum(b'"account.open"' in (record.value or b"") for record in openings) == ACCOUNTS
    assert set(sample.expected.currencies.values()) == set(DIGITS)


def test_every_outcome_and_reason_is_reached() -> None:
    """Each reason that commands can lead to comes up, beside posted, repeats, conflicts."""
    assert set(whole().expected.outcomes) == REASONS | {"posted", "repeat", "conflict"}


def test_the_length_of_the_mix_changes_no_kind() -> None:
    """A short sample reaches what the whole one reaches."""
    assert set(short().expected.outcomes) == set(whole().expected.outcomes)


@pytest.mark.parametrize("kind", MIX, ids=lambda kind: kind.__name__)
def test_every_kind_of_story_is_told(kind: Kind) -> None:
    """Each kind writes records, at once or for the last phase."""
    world = World(7, 1000, 8)
    world.opened_and_funded()
    assert kind(world) + [record for script in world.late for record in script] != []


def test_the_model_expects_what_the_generator_does() -> None:
    """What the generator says will be invalid is what the reference reads as invalid, and why."""
    for record in records(short()):
        is_internal = LANES.is_internal(record.partition)
        meaning = read(record.value, DIGITS, is_internal=is_internal)
        if isinstance(meaning, Fault):
            assert f"invalid:{meaning.reason}" == record.expect
            assert (meaning.transaction_id is not None) == record.answered
        else:
            assert not (record.expect or "").startswith("invalid:")


@pytest.mark.parametrize("seed", range(5))
def test_no_interleaving_changes_what_is_known(seed: int) -> None:
    """However partitions interleave, the totals and the balances are those known beforehand."""
    line = MemoryLine(short().phases, seed)
    proof = prove(LANES, DIGITS, line.published, short().expected, line.observed())
    assert [check for check in proof.checks if check.faults] == []


def test_some_stories_race() -> None:
    """Two interleavings differ in who wins, so that the model has something to decide again."""
    lines = (MemoryLine(short().phases, seed).observed() for seed in range(2))
    first, second = ({one.position: one.value for one in line.outcomes} for line in lines)
    assert first != second
    assert short().expected.unknown != frozenset()


def test_each_measure_of_each_scope_is_exceeded() -> None:
    """A limit of an account, a customer and a channel: by one command, a day's sum and number."""
    events = [orjson.loads(one.value or b"") for one in MemoryLine(short().phases, 0).outcomes]
    exceeded = [event["exceeded"] for event in events if "exceeded" in event]
    assert {(one["scope"], one["measure"]) for one in exceeded} == set(product(SCOPES, MEASURES))


def test_ids_are_uuids_of_version_7() -> None:
    """Every id that is used has the version and variant of a time-ordered UUID, and they grow."""
    pattern = re.compile(rb'^\{"transaction_id":"([^"]+)"')
    openings = [pattern.match(one.value or b"") for one in whole().phases[1].steps[0].records()]
    ids = [UUID(found[1].decode()) for found in openings if found]
    assert len(ids) == len(set(ids)) == len(openings)
    assert {(one.version, one.variant) for one in ids} == {(7, UUID(int=0x8 << 60).variant)}


def test_channels_partition_by_murmur2() -> None:
    """Keys lead where Kafka's own client leads them (hashes from its tests); a few go elsewhere."""
    hashes = {b"21": -973932308, b"foobar": -790332482, b"abc": 479470107}
    for key, hashed in hashes.items():
        assert partition_of(key, 1000) == (hashed & 0x7FFFFFFF) % 1000
    homes = Counter(
        LANES.partition(record.partition) == partition_of(record.key, 8)
        for record in records(whole())
        if record.key and record.key.isascii()
    )
    assert homes[False] > 300
    assert homes[True] > 50 * homes[False]


def test_all_codecs_and_both_endings_are_used() -> None:
    """Plain, lz4, zstd, gzip and snappy batches go out, a committed and an aborted transaction."""
    steps = [step for phase in whole().phases for step in phase.steps]
    assert {batch.codec for step in steps for batch in step.batches} == set(CODECS)
    assert {step.ending for step in steps} == {None, Ending.COMMITTED, Ending.ABORTED}


def test_ids_of_aborted_records_come_again() -> None:
    """An aborted command uses no id up: its id is posted later with other content."""
    pattern = re.compile(rb'"transaction_id":"([^"]+)"')
    steps = [step for phase in whole().phases for step in phase.steps]
    aborted = {
        found[1]
        for step in steps
        if step.ending is Ending.ABORTED
        for record in step.records()
        if (found := pattern.search(record.value or b""))
    }
    again = {
        found[1]: record.expect
        for record in records(whole())
        if (found := pattern.search(record.value or b"")) and found[1] in aborted
    }
    assert len(aborted) == 200
    assert again == dict.fromkeys(aborted, "posted")


def test_headers_carry_traces() -> None:
    """About a third of the records has a traceparent, and some are broken."""
    headers = Counter(name for record in records(whole()) for name, _ in record.headers)
    broken = sum(b"zz" in raw for record in records(whole()) for _, raw in record.headers)
    assert 15_000 < headers["traceparent"] < 25_000
    assert headers["ce_type"] > 100
    assert broken > 100
