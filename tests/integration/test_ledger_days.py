"""Business dates: what holds for every `Ledger`, and what two workers at once make of them."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, date, datetime, timedelta
from typing import cast

import pytest

from processor.core.answers import Answer, First
from processor.core.books import Books
from processor.core.dates import Dates
from processor.errors import UnpostableError
from processor.ledger import Ledger
from tests.builders import Desk, Document, day_close, deposit, opening, told, withdrawal
from tests.integration.ledgers import Backend, PostgresBackend, postgres_backend
from tests.integration.races import WAIT_S, PausedLedger, Race

PAST, MONDAY, TUESDAY = "2001-01-01", "2001-01-02", "2001-01-03"
FUTURE = "2999-01-01"


def dates(answers: list[Answer]) -> list[tuple[str, str] | str]:
    """Give booking and value date of each answer that moved money, else its word."""
    found: list[tuple[str, str] | str] = []
    for answer in answers:
        postings = answer.decided.ruling.postings if isinstance(answer, First) else ()
        days = [(one.dates.booking_date, one.dates.value_date) for one in postings]
        found.append(days[0] if days else told(answer))
    return found


async def test_a_batch_may_close_days_between_its_postings(backend: Backend) -> None:
    """Each posting is booked on the day that is open where it stands, also in one batch."""
    desk = Desk(await backend.connect())
    log = await desk.claim()
    today = datetime.now(UTC).date().isoformat()
    first = await desk.post(
        log.add(
            opening("anna"),
            deposit("anna", "1.00"),
            day_close(PAST),
            deposit("anna", "1.00", value_date=PAST),
            deposit("anna", "1.00", value_date=FUTURE),
            day_close(MONDAY),
            deposit("anna", "1.00"),
        )
    )
    second = await desk.post(
        log.add(deposit("anna", "1.00"), day_close(PAST), day_close(TUESDAY, "2001-01-08"))
    )
    third = await desk.post(log.add(deposit("anna", "1.00", value_date=TUESDAY)))

    assert dates(first) == [
        "posted",
        (today, today),
        "posted",
        (MONDAY, MONDAY),
        (MONDAY, FUTURE),
        "posted",
        (TUESDAY, TUESDAY),
    ]
    assert dates(second) == [(TUESDAY, TUESDAY), "day_not_open", "posted"]
    assert dates(third) == [("2001-01-08", "2001-01-08")]
    assert (await backend.counts())["postings"] == 6


async def test_a_worker_that_starts_knows_the_open_day(backend: Backend) -> None:
    """From the ledger, whoever closed it."""
    desk, other = Desk(await backend.connect()), Desk(await backend.connect())
    await desk.post((await desk.claim(0)).add(opening("anna"), day_close(PAST)))

    (answer,) = await other.post((await other.claim(1)).add(deposit("anna", "1.00")))

    assert dates([answer]) == [(MONDAY, MONDAY)]


@pytest.mark.parametrize("is_closing_first", [True, False])
async def test_no_posting_gets_behind_a_closing(
    race: Race, backend: Backend, *, is_closing_first: bool
) -> None:
    """One worker closes a day while the other posts: the one waits for the other, either way."""
    await race.given(opening("anna"), day_close(PAST))
    closing: list[Document] = [day_close(MONDAY)]
    paying: list[Document] = [deposit("anna", "1.00"), deposit("anna", "2.00", value_date=MONDAY)]
    both = (closing, paying) if is_closing_first else (paying, closing)

    words = await race.run(*both)

    assert [word for part in words for word in part] == ["posted"] * 3
    if isinstance(backend, PostgresBackend):
        rows = await backend.owner.fetch(
            "SELECT booking_date, value_date FROM ledger.posting ORDER BY ledger_sequence, line"
        )
        open_date = date.fromisoformat(TUESDAY if is_closing_first else MONDAY)
        assert [tuple(row) for row in rows] == [(open_date, open_date)] * 2


@pytest.mark.parametrize("is_closing_first", [True, False])
async def test_the_order_of_decisions_is_that_of_the_days(
    backend: Backend, *, is_closing_first: bool
) -> None:
    """Who comes second decides nothing before the first has written: neither posts nor closes."""
    paused = PausedLedger(await backend.connect())
    one, two = Desk(cast("Ledger", paused)), Desk(await backend.connect())
    first, second = await one.claim(0), await two.claim(1)
    await one.timelines.read()
    opened = [opening("anna"), day_close(PAST), deposit("anna", "1.00")]
    assert [told(answer) for answer in await two.post(second.add(*opened))] == ["posted"] * 3
    both = [[day_close(MONDAY)], [deposit("anna", "1.00")]]
    leads, follows = both if is_closing_first else both[::-1]

    leading = asyncio.create_task(one.post(first.add(*leads)))
    await paused.decided.wait()
    following = asyncio.create_task(two.post(second.add(*follows)))
    _, waiting = await asyncio.wait([following], timeout=WAIT_S)
    assert waiting == {following}
    paused.may_write.set()

    answers = [*await leading, *await following]
    open_date = TUESDAY if is_closing_first else MONDAY
    assert sorted(map(str, dates(answers))) == sorted(map(str, ["posted", (open_date, open_date)]))


async def test_two_workers_close_a_day_once(race: Race, backend: Backend) -> None:
    """The second finds another day open."""
    await race.given(opening("anna"), day_close(PAST))

    words = await race.run([day_close(MONDAY)], [day_close(MONDAY), withdrawal("anna", "1.00")])

    assert words == [["posted"], ["day_not_open", "insufficient_funds"]]
    assert (await backend.counts())["postings"] == 0


@pytest.mark.parametrize("dates_of_bug", [(PAST, MONDAY), (MONDAY, PAST), (TUESDAY, TUESDAY)])
async def test_a_bug_that_dates_wrongly_is_refused(
    backend: Backend, monkeypatch: pytest.MonkeyPatch, dates_of_bug: tuple[str, str]
) -> None:
    """Nothing is booked on another day than the open one, or counts from before it."""
    desk = Desk(await backend.connect())
    log = await desk.claim()
    await desk.post(log.add(opening("anna"), day_close(PAST)))

    def wrongly(books: Books) -> None:
        books.dates = Dates(*dates_of_bug)

    with monkeypatch.context() as patched:
        patched.setattr(Books, "rule_from_here", wrongly)
        with pytest.raises(UnpostableError) as refused:
            await desk.post(log.add(deposit("anna", "1.00")))
    assert refused.value.sqlstate == "23514"
    assert (await backend.counts())["postings"] == 0


async def test_a_worker_with_old_dates_is_refused(ledger_url: str) -> None:
    """By the database, though it holds no lock and takes its own rules for those that hold."""
    async with postgres_backend(ledger_url) as backend:
        desk, other = Desk(await backend.connect()), Desk(await backend.connect())
        await desk.post((await desk.claim(0)).add(opening("anna"), day_close(PAST)))
        log = await other.claim(1)
        await other.post(log.add(deposit("anna", "1.00")))
        await backend.owner.execute("SET session_replication_role = replica")
        await backend.owner.execute(
            "INSERT INTO ledger.closing VALUES (1000000, $1, $2)",
            date.fromisoformat(MONDAY),
            date.fromisoformat(TUESDAY),
        )

        with pytest.raises(UnpostableError, match="23514"):
            await other.post(log.add(deposit("anna", "1.00")))
        assert (await backend.counts())["postings"] == 1


async def test_the_trial_balance_of_a_closed_day_stays(ledger_url: str) -> None:
    """Whatever is posted and opened later; debits equal credits, and the views tell of the day."""
    of_day = "SELECT * FROM reporting.trial_balance_of_day($1) ORDER BY currency, code"
    day = date.fromisoformat(MONDAY)
    async with postgres_backend(ledger_url) as backend:
        desk = Desk(await backend.connect())
        log = await desk.claim()
        await desk.post(log.add(opening("anna"), day_close(PAST), deposit("anna", "10.00")))
        await desk.post(log.add(deposit("anna", "5.00", value_date=FUTURE), day_close(MONDAY)))
        before = await backend.owner.fetch(of_day, day)
        closed_at = datetime.now(UTC)
        await desk.post(log.add(opening("bert"), deposit("bert", "3.00"), withdrawal("anna", "1")))
        after = await backend.owner.fetch(of_day, day)
        weekend = await backend.owner.fetch(of_day, day - timedelta(days=1))
        now = await backend.owner.fetch(of_day, date.fromisoformat(TUESDAY))
        (open_day,) = await backend.owner.fetch("SELECT * FROM reporting.business_day")
        closed = await backend.owner.fetch(
            "SELECT business_date::text, next_date::text FROM reporting.closed_days"
            " ORDER BY ledger_sequence"
        )
        entries = await backend.owner.fetch(
            "SELECT DISTINCT booking_date::text, value_date::text FROM reporting.entries ORDER BY 2"
        )

    assert before == after
    assert [(row["kind"], str(row["debits"]), str(row["credits"])) for row in before] == [
        ("internal", "15.00", "0.00"),
        ("customer", "0.00", "15.00"),
    ]
    assert [row["accounts"] for row in before] == [1, 1]
    assert [str(row["debits"]) for row in weekend] == ["0.00"] * 2
    assert [str(row["credits"]) for row in now] == ["1.00", "18.00"]
    assert open_day["open_date"] == date.fromisoformat(TUESDAY)
    assert open_day["since"] <= closed_at
    assert [tuple(row) for row in closed] == [(PAST, MONDAY), (MONDAY, TUESDAY)]
    assert [tuple(row) for row in entries] == [
        (MONDAY, MONDAY),
        (TUESDAY, TUESDAY),
        (MONDAY, FUTURE),
    ]


async def test_before_any_closing_the_utc_date_is_open(ledger_url: str) -> None:
    """Since nothing, by no command."""
    async with postgres_backend(ledger_url) as backend:
        (row,) = await backend.owner.fetch("SELECT * FROM reporting.business_day")
        today = await backend.owner.fetchval("SELECT (now() AT TIME ZONE 'UTC')::date")

    assert tuple(row) == (today, None, None, None)


async def test_balances_by_value_date_know_other_days(ledger_url: str) -> None:
    """Money counts from its value date on, whatever day it was booked on."""
    today = datetime.now(UTC).date()
    later = (today + timedelta(days=3)).isoformat()
    async with postgres_backend(ledger_url) as backend:
        desk = Desk(await backend.connect())
        await desk.post(
            (await desk.claim()).add(
                opening("anna"),
                deposit("anna", "1.00"),
                deposit("anna", "2.00", value_date=later),
                day_close(PAST),
                deposit("anna", "4.00"),
                deposit("anna", "8.00", value_date=today.isoformat()),
            )
        )
        days = [PAST, MONDAY, today.isoformat(), later]
        found = [
            await backend.owner.fetchval(
                "SELECT reporting.balance_at_value_date('anna', $1)", date.fromisoformat(day)
            )
            for day in days
        ]

    assert [str(one) for one in found] == ["0.00", "4.00", "13.00", "15.00"]


async def test_balances_by_booking_date_are_those_of_the_business_days(ledger_url: str) -> None:
    """What is booked on a day and before: by UTC dates before the first closing, then by days."""
    today = datetime.now(UTC).date()
    read = "SELECT reporting.balance_at_booking_date($1, $2)"
    async with postgres_backend(ledger_url) as backend:
        desk = Desk(await backend.connect())
        log = await desk.claim()

        async def balances(*days: date) -> list[str]:
            return [str(await backend.owner.fetchval(read, "anna", day)) for day in days]

        await desk.post(log.add(opening("anna"), deposit("anna", "1.00")))
        yesterday, past, monday, tuesday, later = (
            today - timedelta(days=1),
            *(date.fromisoformat(day) for day in (PAST, MONDAY, TUESDAY, "2001-01-08")),
        )
        unclosed = await balances(yesterday, today)
        await desk.post(
            log.add(
                deposit("anna", "2.00"),
                day_close(PAST),
                deposit("anna", "4.00"),
                deposit("anna", "8.00", value_date=FUTURE),
                day_close(MONDAY),
                deposit("anna", "16.00"),
                day_close(TUESDAY, "2001-01-08"),
                withdrawal("anna", "0.50"),
            )
        )
        closed = await balances(past, monday, tuesday, later, yesterday, today)
        nobody = await backend.owner.fetchval(read, "nobody", today)
        summed = [
            await backend.owner.fetchval(
                "SELECT credit_balance FROM reporting.trial_balance_of_accounts_of_day($1)"
                " WHERE account = 'anna'",
                day,
            )
            for day in (monday, tuesday, later, today)
        ]

    assert unclosed == ["0.00", "1.00"]
    assert closed == ["0.00", "12.00", "28.00", "27.50", "27.50", "30.50"]
    assert [str(one) for one in summed] == [closed[1], closed[2], closed[3], closed[5]]
    assert nobody is None


async def test_dates_are_recorded_as_they_were_answered(backend: Backend) -> None:
    """A repeat shows what the first outcome did, a conflict names the dates that were asked for."""
    desk = Desk(await backend.connect())
    log = await desk.claim()
    paid = deposit("anna", "1.00", value_date=PAST)
    out = withdrawal("anna", "9.00", value_date=FUTURE)
    closed = day_close(MONDAY, "2001-01-08")
    asked = [paid, out, closed, day_close(FUTURE)]
    changed = [
        {**paid, "value_date": MONDAY},
        {**out, "value_date": MONDAY},
        {**closed, "next_date": "2001-01-09"},
    ]
    await desk.post(log.add(opening("anna"), day_close(PAST)))
    firsts = await desk.post(log.add(*asked))
    suspects = {one["transaction_id"] for one in asked}
    again = await desk.post(log.add(*asked), suspects=suspects)
    others = await desk.post(log.add(*changed), suspects=suspects)

    assert [told(one) for one in firsts] == [
        "posted",
        "insufficient_funds",
        "posted",
        "day_not_open",
    ]
    told_first, told_again = [
        [json.loads(one.value) for one in desk.events(part)] for part in (firsts, again)
    ]
    names = ("value_date", "late", "business_date", "next_date", "reason", "decided_at")
    for first, repeat in zip(told_first, told_again, strict=True):
        assert repeat["repeat"]
        assert [first.get(name) for name in names] == [repeat.get(name) for name in names]
    assert (told_again[0]["value_date"], told_again[0]["late"]) == (MONDAY, True)
    assert (told_again[1]["value_date"], told_again[1]["late"]) == (FUTURE, False)
    differing = [json.loads(one.value)["differences"] for one in desk.events(others)]
    assert differing == [
        [{"field": "value_date", "first": PAST, "now": MONDAY}],
        [{"field": "value_date", "first": FUTURE, "now": MONDAY}],
        [{"field": "next_date", "first": "2001-01-08", "now": "2001-01-09"}],
    ]
