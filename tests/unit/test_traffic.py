"""The traffic of a load: blocks that anyone can write again, and what builds on what in them."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from functools import cache
from itertools import islice
from typing import Any

import pytest

from loadtest.load.share import BLOCK
from loadtest.record import partition_of
from loadtest.reference.contract import Command as Meaning
from loadtest.reference.contract import read
from loadtest.reference.model import Books
from loadtest.stories.pen import DIGITS
from loadtest.traffic.blocks import CONFLICT, FIRST, INVALID, REPEAT, Blocks, Command
from loadtest.traffic.population import opened, openings
from loadtest.traffic.shape import NEEDS, PLAIN, Traffic
from processor.contracts import load_contract
from processor.core.commands import Command as Known
from processor.core.decode import Decoder

ACCOUNTS, PARTITIONS, SEED = 400, 8, 7
NOW_US = 1_795_255_200_000_000
EVERYTHING = Traffic(
    repeats_percent=10,
    conflicts_percent=5,
    poison_percent=5,
    insufficient_percent=4,
    hot_percent=10,
    skew=0.8,
    kinds=dict.fromkeys(NEEDS, 1.0) | {"transfer": 4.0, "hold.place": 3.0, "account.open": 2.0},
)
NAMED = ("original_transaction_id", "hold_transaction_id")


@cache
def written(count: int, traffic: str = "everything", first: int = 0) -> tuple[Command, ...]:
    """Return commands of the traffic of a name."""
    shape = {"everything": EVERYTHING, "hot": Traffic(hot_percent=40), "skewed": Traffic(skew=1.0)}
    blocks = Blocks(ACCOUNTS, PARTITIONS, SEED, shape[traffic])
    return tuple(blocks.commands(count, first))


def bodies(meant: str = FIRST) -> list[dict[str, Any]]:
    """Return the bodies of some commands that are meant to be something."""
    return [json.loads(one.value) for one in written(BLOCK) if one.meant == meant]


def test_a_block_is_written_from_the_seed_and_its_number_alone() -> None:
    """By any process, in any order; fewer commands are the first of more."""
    more = written(BLOCK + 500)
    for first, count in ((0, 1), (BLOCK - 3, 7), (BLOCK, 500), (123, 1_000)):
        assert written(count, first=first) == more[first : first + count]
    third = Blocks(ACCOUNTS, PARTITIONS, SEED, EVERYTHING).block(2)
    assert tuple(islice(third, 300)) == written(300, first=2 * BLOCK)
    other = Blocks(ACCOUNTS, PARTITIONS, SEED + 1, EVERYTHING)
    parts = (other.commands(300), more[:300], more[BLOCK : BLOCK + 300])
    assert len({tuple(one.meant for one in part) for part in parts}) == len(parts)


def test_every_command_is_one_to_the_product_and_to_the_model_and_no_poison_is() -> None:
    """By the published schemas as the product executes them, and by the model's own reading."""
    decoder = Decoder(load_contract(), command_bytes_max=65_536)
    for one in written(BLOCK):
        is_command = one.meant != INVALID
        assert isinstance(decoder.decode(one.value), Known) is is_command, one.value
        assert isinstance(read(one.value, DIGITS), Meaning) is is_command, one.value


def test_every_record_lies_where_its_key_leads() -> None:
    """The key is an account that the command is about, or that of what it builds on."""
    keys: dict[str, bytes] = {}
    for one in written(BLOCK):
        assert partition_of(one.key, PARTITIONS) == one.partition
        if one.meant == INVALID:
            continue
        body = json.loads(one.value)
        named = next((body[field] for field in NAMED if field in body), None)
        if named is None:
            assert f'"{one.key.decode()}"' in one.value.decode()
        else:
            assert one.key == keys[named]
        assert keys.setdefault(body["transaction_id"], one.key) == one.key


def test_what_builds_on_another_comes_behind_it_in_its_partition() -> None:
    """Or it would be refused now and then because of nothing but a race between partitions."""
    seen: dict[str, tuple[str, int]] = {}
    born: dict[str, int] = {}
    building: Counter[str] = Counter()
    for one in written(BLOCK):
        if one.meant == INVALID:
            continue
        body = json.loads(one.value)
        if one.meant != FIRST:
            assert seen[body["transaction_id"]] == (body["type"], one.partition)
            building[one.meant] += 1
            continue
        for field in NAMED:
            if field in body:
                kind, partition = seen[body[field]]
                assert partition == one.partition
                assert kind in NEEDS[body["type"]]
                building[field] += 1
        if body["type"] == "account.open":
            born[body["account"]] = one.partition
        accounts = [body.get(field) for field in ("account", "debit_account", "credit_account")]
        for account in accounts:
            if account is not None and account.startswith("new-"):
                assert born[account] == one.partition
                building["account"] += 1
        assert body["transaction_id"] not in seen
        seen[body["transaction_id"]] = (body["type"], one.partition)
    assert min(building[what] for what in (*NAMED, "account", REPEAT, CONFLICT)) > 100


def test_a_repeat_is_the_same_bytes_and_a_conflict_the_same_id_with_other_content() -> None:
    """As the model reads them; both have the key of their first."""
    firsts: dict[str, Command] = {}
    for one in written(BLOCK):
        if one.meant == INVALID:
            continue
        id_ = json.loads(one.value)["transaction_id"]
        first = firsts.setdefault(id_, one)
        if one.meant == FIRST:
            assert first is one
            continue
        assert one.key == first.key
        assert (one.value == first.value) is (one.meant == REPEAT)
        then, now = (read(each.value, DIGITS) for each in (first, one))
        assert isinstance(then, Meaning)
        assert isinstance(now, Meaning)
        assert (then.content == now.content) is (one.meant == REPEAT)


def test_shares_come_out_as_asked() -> None:
    """Within what chance gives in a block of ten thousand."""
    meant = Counter(one.meant for one in written(BLOCK))
    assert meant[REPEAT] == pytest.approx(1_000, rel=0.15)
    assert meant[CONFLICT] == pytest.approx(500, rel=0.2)
    assert meant[INVALID] == pytest.approx(500, rel=0.2)
    sent = bodies()
    short = [one for one in sent if one.get("amount") == "999999999999.00"]
    assert len(short) == pytest.approx(400, rel=0.25)
    kinds = Counter(one["type"] for one in sent if one not in short)
    weights = EVERYTHING.kinds
    share = sum(kinds.values()) / sum(weights.values())
    assert kinds.keys() == NEEDS.keys()
    for kind, weight in weights.items():
        assert kinds[kind] == pytest.approx(share * weight, rel=0.25), kind


def test_where_nothing_is_left_to_take_up_what_it_needs_is_sent() -> None:
    """Of refunds alone with payments as rare as can be, half of all are payments."""
    traffic = Traffic(kinds={"payment": 0.001, "refund": 1.0, "reversal": 0.0})
    commands = Blocks(ACCOUNTS, PARTITIONS, SEED, traffic).commands(2_000)
    kinds = Counter(json.loads(one.value)["type"] for one in commands)
    assert kinds["payment"] + kinds["refund"] == 2_000
    assert 0.4 < kinds["payment"] / 2_000 < 0.55


def test_poison_is_of_every_sort() -> None:
    """Undecodable, against the schema with an id to answer to and without, an unknown type."""
    decoder = Decoder(load_contract(), command_bytes_max=65_536)
    found: defaultdict[str, set[bool]] = defaultdict(set)
    for one in written(BLOCK):
        if one.meant == INVALID:
            letter: Any = decoder.decode(one.value)
            found[letter.reason].add(letter.transaction_id is not None)
    assert found == {
        "empty": {False},
        "not_json": {False},
        "schema": {True, False},
        "unknown_type": {True},
    }


def test_a_hot_account_gets_its_share() -> None:
    """And never pays itself."""
    credits_ = Counter(json.loads(one.value)["credit_account"] for one in written(5_000, "hot"))
    hot, number = credits_.most_common(1)[0]
    assert hot == "acc-000000"
    assert number == pytest.approx(2_000, rel=0.1)
    assert all(
        json.loads(one.value)["debit_account"] != json.loads(one.value)["credit_account"]
        for one in written(5_000, "hot")
    )


def test_skewed_accounts_follow_zipf() -> None:
    """With exponent 1 the first is used twice as often as the second, ten times as the tenth."""
    payers = Counter(json.loads(one.value)["debit_account"] for one in written(BLOCK, "skewed"))
    whole = sum(1 / rank for rank in range(1, ACCOUNTS + 1))
    for rank in (1, 2, 10):
        wanted = BLOCK / rank / whole
        assert payers[f"acc-{rank - 1:06d}"] == pytest.approx(wanted, rel=0.2)
    assert len(payers) > ACCOUNTS / 2


def test_nearly_all_that_is_asked_for_the_first_time_is_posted() -> None:
    """By the model, with the accounts opened beforehand; what is refused has many reasons."""
    books = Books(DIGITS)
    for lane in openings(ACCOUNTS, PARTITIONS, EVERYTHING):
        for _, value in lane:
            meaning = read(value, DIGITS)
            assert isinstance(meaning, Meaning)
            assert books.decide(meaning, NOW_US).reason is None
    reasons: Counter[str | None] = Counter()
    for one in written(BLOCK):
        meaning = read(one.value, DIGITS)
        if one.meant == FIRST:
            assert isinstance(meaning, Meaning)
            reasons[books.decide(meaning, NOW_US).reason] += 1
    posted = reasons.pop(None)
    assert posted > 0.75 * (posted + sum(reasons.values()))
    assert "account_not_found" not in reasons
    assert "currency_mismatch" not in reasons
    assert reasons.keys() >= {"insufficient_funds", "exceeds_original", "account_not_empty"}


def test_only_the_accounts_that_a_traffic_needs_are_opened() -> None:
    """Customers always; merchants for payments and holds; other currencies for exchanges."""
    kinds = Counter((one.kind, one.currency) for one in opened(ACCOUNTS, EVERYTHING))
    assert kinds == {
        ("customer", "EUR"): 400,
        ("merchant", "EUR"): 4,
        ("customer", "USD"): 20,
        ("customer", "JPY"): 20,
        ("customer", "KWD"): 20,
    }
    assert {one.currency for one in opened(2, PLAIN)} == {"EUR"}
    assert sum(1 for _ in opened(2, PLAIN)) == 2
    assert sum(1 for _ in opened(2, EVERYTHING)) == 6


@pytest.mark.parametrize(
    ("traffic", "is_plain"),
    [
        (PLAIN, True),
        (Traffic(kinds={"transfer": 3.0, "payment": 0.0}), True),
        (Traffic(kinds={"transfer": 3.0, "payment": 1.0}), False),
        (Traffic(kinds={"payment": 1.0}), False),
        (Traffic(skew=0.1), False),
        (Traffic(hot_percent=1), False),
        (Traffic(repeats_percent=1), False),
    ],
)
def test_plain_are_transfers_between_even_accounts(traffic: Traffic, is_plain: bool) -> None:  # noqa: FBT001 - a case
    """Of those every balance is known beforehand."""
    assert traffic.is_plain is is_plain
