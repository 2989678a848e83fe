"""Spending limits: what holds for every `Ledger`, and what two workers at once make of them."""

from __future__ import annotations

import asyncio

import pytest

from processor.core.books import Books, Spent, Subject
from processor.errors import UnpostableError
from tests.builders import (
    Desk,
    bound,
    bound_end,
    day_close,
    deposit,
    hold,
    journal,
    line,
    opening,
    told,
    transfer,
)
from tests.integration.ledgers import Backend
from tests.integration.races import Race

GIVEN = [
    opening("anna", customer="c-1"),
    opening("hers", customer="c-1"),
    opening("bert", customer="c-2"),
    *(deposit(name, "100.00", channel="branch") for name in ("anna", "hers", "bert")),
]


async def test_limits_hold_from_batch_to_batch(backend: Backend) -> None:
    """They are read again with what was spent, by this worker and by another."""
    desk, other = Desk(await backend.connect()), Desk(await backend.connect())
    log = await desk.claim()
    others = await other.claim(1)
    await desk.post(log.add(*GIVEN))
    words = []
    for worker, run in (
        (desk, log.add(bound("k", "customer", daily_amount="60.00", daily_count="3"))),
        (desk, log.add(transfer("anna", "bert", "40.00"), transfer("bert", "anna", "1.00"))),
        (other, others.add(transfer("hers", "bert", "20.01"), transfer("hers", "bert", "5.00"))),
        (desk, log.add(transfer("anna", "bert", "15.01"), transfer("anna", "bert", "1.00"))),
        (other, others.add(transfer("hers", "bert", "0.01"), bound_end("k"))),
        (desk, log.add(transfer("hers", "bert", "60.00"))),
    ):
        words += [told(answer) for answer in await worker.post(run)]

    assert words == [
        *["posted"] * 3,
        *["limit_exceeded", "posted"] * 2,
        *["limit_exceeded", "posted", "posted"],
    ]


async def test_a_batch_sets_opens_and_spends(backend: Backend) -> None:
    """What an account that the batch itself opens spends under a limit that it sets itself."""
    desk = Desk(await backend.connect())
    log = await desk.claim()
    words = await desk.post(
        log.add(
            *GIVEN,
            bound("a", "account", "anna", daily_amount="10.00"),
            transfer("anna", "bert", "10.00"),
            transfer("anna", "bert", "0.01"),
            bound("a", "account", "anna", daily_amount="5.00"),
            transfer("anna", "bert", "0.01"),
            bound("a", "account", "hers", daily_amount="5.00"),
            transfer("anna", "bert", "50.00"),
            transfer("hers", "bert", "5.01"),
            bound_end("a"),
            transfer("hers", "bert", "5.01"),
            bound("c", "channel", daily_count="2"),
            *[transfer("bert", "anna", "1.00") for _ in range(3)],
            journal(line("anna", "debit", "1.00"), line("bert", "credit", "1.00"), channel="pay"),
            hold("anna", "bert", "1.00", channel="pay"),
            hold("anna", "bert", "1.00", channel="pay"),
        )
    )

    assert [told(answer) for answer in words[len(GIVEN) :]] == [
        *["posted", "posted", "limit_exceeded", "posted", "limit_exceeded", "posted", "posted"],
        *["limit_exceeded", "posted", "posted", "posted"],
        *["posted", "posted", "limit_exceeded"] * 2,
    ]


async def test_a_date_that_a_batch_closes_begins_anew(backend: Backend) -> None:
    """What is spent on two dates lies in one batch, and the next counts on from the last."""
    desk = Desk(await backend.connect())
    log = await desk.claim()
    await desk.post(
        log.add(*GIVEN, day_close("2001-01-01"), bound("a", "account", daily_count="2"))
    )
    first = await desk.post(
        log.add(
            *[transfer("anna", "bert", "1.00") for _ in range(3)],
            day_close("2001-01-02"),
            transfer("anna", "bert", "1.00"),
        )
    )
    second = await desk.post(log.add(*[transfer("anna", "bert", "1.00") for _ in range(2)]))

    assert [told(one) for one in first] == ["posted", "posted", "limit_exceeded", *["posted"] * 2]
    assert [told(one) for one in second] == ["posted", "limit_exceeded"]


async def test_what_comes_again_counts_once(backend: Backend) -> None:
    """Redelivered or repeated, it is answered as before."""
    desk = Desk(await backend.connect())
    log = await desk.claim()
    await desk.post(log.add(*GIVEN, bound("a", "account", daily_amount="10.00")))
    asked = transfer("anna", "bert", "6.00")
    run = log.add(asked)
    words = [told(one) for one in await desk.post(run)]
    words += [told(one) for one in await desk.post(run)]
    words += [told(one) for one in await desk.post(log.add(asked), suspects={"x"})]
    words += [told(one) for one in await desk.post(log.add(transfer("anna", "bert", "4.00")))]

    assert words == ["posted", "posted", "Repeat", "posted"]


async def test_two_who_spend_of_one_customer_wait_for_each_other(race: Race) -> None:
    """From two accounts that only the customer has in common, for the first time."""
    await race.given(*GIVEN, bound("k", "customer", daily_amount="60.00"))

    words = await race.run(
        [transfer("anna", "bert", "40.00")], [transfer("hers", "cash-EUR", "40.00")]
    )

    assert words == [["posted"], ["limit_exceeded"]]


async def test_two_who_spend_by_one_channel_wait_for_each_other(race: Race) -> None:
    """The accounts have nothing in common."""
    await race.given(*GIVEN, opening("carl"), bound("c", "channel", daily_count="1"))

    words = await race.run([transfer("anna", "carl", "1.00")], [transfer("bert", "hers", "1.00")])

    assert words == [["posted"], ["limit_exceeded"]]


async def test_a_command_waits_for_a_limit_that_is_being_set(race: Race) -> None:
    """It is decided by the limit."""
    await race.given(*GIVEN)

    words = await race.run(
        [bound("a", "account", single_amount="1.00")], [transfer("anna", "bert", "1.01")]
    )

    assert words == [["posted"], ["limit_exceeded"]]


async def test_a_limit_waits_for_a_command_in_flight(race: Race) -> None:
    """Which was decided without it."""
    await race.given(*GIVEN)

    words = await race.run(
        [transfer("anna", "bert", "1.01")],
        [bound("a", "account", single_amount="1.00"), transfer("anna", "bert", "1.01")],
    )

    assert words == [["posted"], ["posted", "limit_exceeded"]]


async def test_two_limits_for_the_same(race: Race) -> None:
    """One is set; the other is found to overlap."""
    words = await race.run(
        [bound("one", "channel", daily_count="1")], [bound("two", "channel", daily_count="1")]
    )

    assert words == [["posted"], ["limit_overlaps"]]


async def test_many_who_spend_at_once_stay_within_the_limit(backend: Backend) -> None:
    """Four workers with accounts of one customer in any order: no circle, and not one too many."""
    names = [f"a-{number}" for number in range(8)]
    desks = [Desk(await backend.connect()) for _ in range(4)]
    logs = [await desk.claim(number) for number, desk in enumerate(desks)]
    given = [opening("shop", kind="merchant")]
    given += [opening(name, customer=f"c-{number % 2}") for number, name in enumerate(names)]
    given += [deposit(name, "100.00", channel="branch") for name in names]
    given += [bound("k", "customer", daily_count="50"), bound("c", "channel", daily_count="60")]
    await desks[0].post(logs[0].add(*given))

    async def spend(number: int) -> list[str]:
        words = []
        order = names if number % 2 else names[::-1]
        for _ in range(5):
            run = logs[number].add(*[transfer(name, "shop", "0.10") for name in order])
            words += [told(answer) for answer in await desks[number].post(run)]
        return words

    words = [word for found in await asyncio.gather(*map(spend, range(4))) for word in found]

    assert words.count("posted") == 60
    assert words.count("limit_exceeded") == 100
    assert (await backend.balances())["shop"] == 60 * 10


async def test_a_worker_that_forgets_what_was_spent_is_refused(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger counts for itself: a bug of ours spends nobody's money."""
    desk = Desk(await backend.connect())
    log = await desk.claim()
    await desk.post(log.add(*GIVEN, bound("a", "account", daily_amount="10.00")))
    await desk.post(log.add(transfer("anna", "bert", "6.00")))

    def nothing(books: Books, _subject: Subject) -> Spent:
        return Spent(books.dates.booking_date)

    monkeypatch.setattr(Books, "spent_today", nothing)
    with pytest.raises(UnpostableError):
        await desk.post(log.add(transfer("anna", "bert", "6.00")))
