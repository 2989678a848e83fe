"""What the peers are asked beside their load: known beforehand, and what it is called."""

import json
from collections import Counter

from loadtest.load.transfers import FUNDS_MINOR, load
from loadtest.peers.demonstrations import (
    BEHIND_NO_JSON,
    KILLED_AT,
    NUMBERS,
    STRUCK,
    demonstrations,
)
from loadtest.peers.orders import NO_JSON, PARTITIONS, lanes_of, orders
from loadtest.sample import SEED

ACCOUNTS = 50
PAYMENTS = 300


def test_orders_are_those_of_the_load() -> None:
    """A caller of a function is asked for the same payments as a reader of the topic."""
    asked = orders(PAYMENTS, ACCOUNTS)
    wanted = load(PAYMENTS, ACCOUNTS, PARTITIONS, seed=SEED)
    balances = dict.fromkeys(wanted.balances, FUNDS_MINOR)
    for order in asked:
        balances[order.debit] -= order.minor
        balances[order.credit] += order.minor

    assert lanes_of(asked) == wanted.lanes
    assert balances == wanted.balances
    for order in asked:
        body = json.loads(order.value)
        said = (body["transaction_id"], body["debit_account"], body["credit_account"])
        assert said == order[:3]
        assert int(body["amount"].replace(".", "")) == order.minor


def test_an_order_for_another_amount_differs_in_nothing_else() -> None:
    """A conflict is the same id with other content, and the call and the record say the same."""
    (order,) = orders(1, ACCOUNTS)
    other = order.of(order.minor + 1)

    before, after = json.loads(order.value), json.loads(other.value)
    assert {name for name in before if before[name] != after[name]} == {"amount"}
    assert int(after["amount"].replace(".", "")) == other.minor == order.minor + 1
    assert other.id == order.id


def test_demonstrations_have_ids_of_their_own() -> None:
    """Only what comes again, as it was or with another amount, has ids of the load."""
    of_load = {order.id for order in orders(PAYMENTS, ACCOUNTS)}
    found = demonstrations(PAYMENTS, ACCOUNTS)
    ids = {one.name: {order.id for order in one.asked} for one in found}

    assert list(ids) == ["repeats", "conflicts", "uncovered", "no_json", "cut", "killed"]
    assert ids["conflicts"] < ids["repeats"] < of_load
    times = Counter(id_ for name in list(ids)[2:] for id_ in ids[name])
    assert set(times.values()) == {1}
    assert not times.keys() & of_load
    assert len(ids["killed"]) == STRUCK < NUMBERS


def test_what_has_no_funds_can_never_have_them() -> None:
    """All money of the load in one account would not do."""
    (one,) = [one for one in demonstrations(PAYMENTS, ACCOUNTS) if one.name == "uncovered"]

    assert not one.should_post
    assert {order.minor > FUNDS_MINOR for order in one.asked} == {True}
    assert all(json.loads(order.value)["amount"] == "1000000000.00" for order in one.asked)


def test_what_is_no_json_lies_before_the_others_in_their_partition() -> None:
    """Whoever stops at it answers none of them."""
    (one,) = [one for one in demonstrations(PAYMENTS, ACCOUNTS) if one.name == "no_json"]
    (lane,) = [lane for lane in one.lanes if lane]

    assert [value for _, value in lane] == [NO_JSON, *(order.value for order in one.asked)]
    assert len(one.asked) == BEHIND_NO_JSON
    assert {order.partition for order in one.asked} == {one.asked[0].partition}


def test_a_quick_run_strikes_nobody() -> None:
    """Cuts and kills take long; without them the rest is the same."""
    quick = demonstrations(PAYMENTS, ACCOUNTS, is_quick=True)

    assert {one.blows_at for one in quick} == {()}
    assert quick == demonstrations(PAYMENTS, ACCOUNTS)[:4]
    assert demonstrations(PAYMENTS, ACCOUNTS)[-1].blows_at == KILLED_AT
