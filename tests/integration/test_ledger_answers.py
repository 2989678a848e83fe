"""What is recorded and read back: the same for every `Ledger`."""

import json

import pytest

from processor.core.answers import Conflict, First
from processor.core.fingerprint import Difference
from tests.builders import (
    Desk,
    Document,
    Partition,
    capture,
    closing,
    deposit,
    freeze,
    fx,
    hold,
    journal,
    limit,
    line,
    new_id,
    opening,
    payment,
    refund,
    reversal,
    tariff,
    tariff_end,
    tier,
    told,
    transfer,
    unfreeze,
    withdrawal,
)
from tests.integration.ledgers import Backend

ANNA, BERT = opening("anna"), opening("bert", overdraft_limit="50.00")
FUNDS = deposit("anna", "100.00", reference="salary", metadata={"order": "A-17"})
PAID = transfer("anna", "bert", "30.00", reference="rent")
SHOPPED = payment("anna", "shop", "20.00", reference="shoes")
OTHERS = [opening("shop", kind="merchant"), opening("andy", currency="USD")]
GIVEN = [ANNA, BERT, FUNDS, PAID, *OTHERS, SHOPPED]
SPLIT = [
    line("anna", "debit", "3", reference="yours"),
    line("bert", "credit", "1.00"),
    line("andy", "credit", "2.5", "USD"),
    line("cash-USD", "debit", "2.50", "USD"),
    line("shop", "credit", "2.00"),
]
TOO_MUCH = [line("bert", "debit", "400"), line("shop", "credit", "400")]

MERCHANTS = tariff("payment", "credit", tier("0.05", "120"), tariff="m", minimum="0.10")
HELD = hold("anna", "shop", "2.00")

EVERY_KIND: list[tuple[str, Document]] = [
    ("posted", opening("carl", currency="JPY", overdraft_limit="500", reference="new")),
    ("posted", opening("suspense", kind="internal")),
    ("account_exists", opening("anna", metadata={"a": "b"})),
    ("posted", deposit("anna", "0.01")),
    ("posted", deposit("anna", "0.01", debit_account="bert")),
    ("account_not_found", deposit("nobody", "1.00", reference="?")),
    ("posted", withdrawal("anna", "5", metadata={"b": "1", "a": "2"})),
    ("insufficient_funds", withdrawal("anna", "500.00")),
    ("posted", transfer("anna", "bert", "1.50", reference="lunch")),
    ("same_account", transfer("anna", "anna", "1.50")),
    ("expired", transfer("anna", "bert", "1.00", valid_until="2001-01-01T00:00:00Z")),
    ("posted", reversal(PAID, "1.5", metadata={"why": "late"})),
    ("posted", reversal(PAID, reference="sorry")),
    ("exceeds_original", reversal(FUNDS, "1000")),
    ("currency_mismatch", reversal(FUNDS, "1.125")),
    ("original_not_found", reversal(transfer("a", "b", "1"), "7.125")),
    ("posted", payment("bert", "shop", "2.5", metadata={"till": "7"})),
    ("kind_not_allowed", payment("anna", "bert", "1.00", reference="no shop")),
    ("posted", refund(SHOPPED, "1.5", reference="too small")),
    ("posted", reversal(SHOPPED, "2.5", on_shortfall="overdraw")),
    ("posted", refund(SHOPPED, metadata={"why": "broken"})),
    ("exceeds_original", refund(SHOPPED)),
    ("not_refundable", refund(PAID, "7.125")),
    ("posted", journal(*SPLIT, reference="split", metadata={"a": "b"})),
    ("insufficient_funds", journal(*TOO_MUCH, reference="salaries")),
    ("posted", journal(*TOO_MUCH, on_shortfall="overdraw", metadata={"by": "core"})),
    ("insufficient_funds", withdrawal("bert", "0.01")),
    ("kind_not_allowed", transfer("anna", "clearing-EUR", "0.01")),
    ("posted", fx("anna", "andy", "2", "2.16", rate="1.0800", reference="holiday")),
    ("posted", fx("anna", "andy", "1.99", "2.16", fixed_side="credit", rate="1.0833")),
    ("insufficient_funds", fx("anna", "andy", "100000", "108250", metadata={"a": "b"})),
    ("posted", limit("anna", "50.00")),
    ("posted", freeze("anna", "debit", reference="file 7")),
    ("posted", freeze("anna", "both")),
    ("nothing_to_change", freeze("anna", "credit")),
    ("posted", unfreeze("anna")),
    ("account_not_empty", closing("anna", metadata={"a": "b"})),
    ("posted", closing("suspense")),
    ("account_closed", freeze("suspense")),
    ("kind_not_allowed", closing("cash-EUR")),
    ("account_not_found", closing("nobody")),
    ("posted", MERCHANTS),
    ("posted", tariff("transfer", "debit", tier("0.50"), reference="list 7", metadata={"a": "b"})),
    ("posted", tariff("hold.capture", "debit", tier("0.10"), product="customer", tariff="h")),
    ("posted", tariff("fx.transfer", "credit", tier("0.01"), currency="USD", tariff="x")),
    ("tariff_overlaps", tariff("transfer", "debit", tier("0.40"), tariff="u")),
    ("nothing_to_change", {**MERCHANTS, "transaction_id": new_id()}),
    ("expired", tariff_end("m", valid_until="2001-01-01T00:00:00Z")),
    ("posted", deposit("anna", "20.00")),
    ("posted", payment("anna", "shop", "5.00", metadata={"till": "7"})),
    ("posted", transfer("anna", "shop", "1.00", reference="charged")),
    ("insufficient_funds", transfer("anna", "shop", "5000.00")),
    ("posted", HELD),
    ("posted", capture(HELD, reference="charged")),
    ("posted", fx("anna", "andy", "2", "2.16", rate="1.0800", metadata={"a": "b"})),
    ("posted", tariff_end("m", reference="list 8")),
    ("tariff_not_found", tariff_end("m")),
]
"""Commands of every kind, after GIVEN, with how each of them ends."""

DOCUMENTS = [document for _, document in EVERY_KIND]


async def opened(backend: Backend) -> tuple[Desk, Partition, Partition]:
    """Give a worker with two partitions, and GIVEN posted through the first."""
    desk = Desk(await backend.connect())
    first, second = await desk.claim(0), await desk.claim(1)
    await desk.post(first.add(*GIVEN))
    return desk, first, second


async def test_redelivery_writes_nothing_and_tells_the_same(backend: Backend) -> None:
    """The same records at the same positions give the byte-identical events, and no new row."""
    desk, first, second = await opened(backend)
    changed = [{**document, "channel": "branch"} for document in DOCUMENTS]
    invalid = [{**document, "transaction_id": new_id(), "more": 1} for document in DOCUMENTS]
    runs = [first.add(*DOCUMENTS, *DOCUMENTS), second.add(*changed, *invalid, b"{", None)]
    before = await desk.post(*runs)
    counts, events = await backend.counts(), desk.events(before)
    positions = [await desk.ledger.position(run.log.topic, run.log.partition) for run in runs]

    again = Desk(desk.ledger)
    await again.timelines.read()
    answers = await again.post(*runs)

    number = len(DOCUMENTS)
    assert [told(answer) for answer in before[:number]] == [end for end, _ in EVERY_KIND]
    others = ["Repeat"] * number + ["Conflict"] * number + ["DeadLetter"] * (number + 2)
    assert [told(answer) for answer in before[number:]] == others
    assert again.events(answers) == events
    assert len(events) == 5 * number + 2
    assert await backend.counts() == counts
    assert positions == [
        await desk.ledger.position(run.log.topic, run.log.partition) for run in runs
    ]


@pytest.mark.parametrize("is_suspected", [True, False])
async def test_a_repeat_elsewhere_gets_the_recorded_answer(
    backend: Backend, *, is_suspected: bool
) -> None:
    """Whether the table suspects the ids or has lost them; the money does not move again."""
    desk, first, second = await opened(backend)
    before = desk.events(await desk.post(first.add(*DOCUMENTS)))
    balances = await backend.balances()
    suspects = {document["transaction_id"] for document in DOCUMENTS if is_suspected}

    answers = await desk.post(second.add(*DOCUMENTS), suspects=suspects)

    for event, repeat in zip(before, desk.events(answers), strict=True):
        first_told, told_again = json.loads(event.value), json.loads(repeat.value)
        own = {"event_id": told_again["event_id"], "source": told_again["source"]}
        assert told_again == first_told | own | {"repeat": True}
    assert await backend.balances() == balances


async def test_a_conflict_names_what_differs_from_what_was_recorded(backend: Backend) -> None:
    """The content is compared field by field, however the first one ended."""
    desk, first, second = await opened(backend)
    await desk.post(first.add(*DOCUMENTS))
    balances = await backend.balances()
    changed = [{**one, "reference": "other", "channel": "atm"} for one in DOCUMENTS]

    answers = await desk.post(second.add(*changed))

    assert [answer.differing for answer in answers if isinstance(answer, Conflict)] == [
        (
            Difference("channel", "mobile", "atm"),
            Difference("reference", document.get("reference"), "other"),
        )
        for document in DOCUMENTS
    ]
    assert await backend.balances() == balances


async def test_a_conflict_of_types_names_every_field(backend: Backend) -> None:
    """An absent field is None; amounts are canonical; a default written out is no difference."""
    desk, _, second = await opened(backend)
    clash = {**withdrawal("anna", "30"), "transaction_id": PAID["transaction_id"]}

    (answer,) = await desk.post(second.add({**clash, "metadata": {"a": "b"}}))

    assert isinstance(answer, Conflict)
    assert answer.differing == (
        Difference("credit_account", "bert", None),
        Difference("metadata", None, {"a": "b"}),
        Difference("reference", "rent", None),
        Difference("type", "transfer", "withdrawal"),
    )


async def test_a_first_answer_that_only_another_worker_has_read_can_be_named(
    backend: Backend,
) -> None:
    """A conflict shows the first event's id, though its partition came up later elsewhere."""
    one, other = Desk(await backend.connect()), Desk(await backend.connect())
    mine = await one.claim(0)
    theirs = await other.claim(1)
    (first,) = other.events(await other.post(theirs.add(ANNA)))

    (conflict,) = one.events(await one.post(mine.add({**ANNA, "channel": "atm"})))

    assert json.loads(conflict.value)["first"]["event_id"] == json.loads(first.value)["event_id"]


async def test_a_refused_id_stays_refused(backend: Backend) -> None:
    """The money has come meanwhile; the answer is the one that was given."""
    desk, first, second = await opened(backend)
    asked = transfer("anna", "bert", "100.00")

    words = [told(answer) for answer in await desk.post(first.add(asked))]
    words += [told(answer) for answer in await desk.post(first.add(deposit("anna", "500.00")))]
    (answer,) = await desk.post(second.add(asked))

    assert words == ["insufficient_funds", "posted"]
    assert b'"reason":"insufficient_funds","repeat":true' in desk.events([answer])[0].value


async def test_sequences_grow_with_the_offsets(backend: Backend) -> None:
    """Each decision has one of its own, refused ones too; a repeat shows the first's."""
    desk, first, second = await opened(backend)
    answers = await desk.post(first.add(*DOCUMENTS[:8]), second.add(*DOCUMENTS[8:]))
    answers += await desk.post(first.add(deposit("anna", "1.00"), DOCUMENTS[0]))

    *firsts, repeat = answers
    assert not isinstance(repeat, Conflict)
    sequences = [answer.decided.ledger_sequence for answer in firsts if isinstance(answer, First)]
    assert len(sequences) == len(DOCUMENTS) + 1
    assert sequences == sorted(set(sequences))
    assert b'"ledger_sequence":%d,' % sequences[0] in desk.events([repeat])[0].value


def history(who: str) -> list[Document]:
    """Give commands that lean on each other, between accounts whose names begin with `who`."""
    anna, bert = f"{who}-anna", f"{who}-bert"
    salary, rent = deposit(anna, "100.00"), transfer(anna, bert, "60.00")
    return [
        transfer(anna, bert, "1.00"),
        opening(anna),
        opening(anna, kind="internal"),
        salary,
        rent,
        opening(bert),
        {**rent, "transaction_id": new_id()},
        salary,
        {**salary, "amount": "100.01"},
        rent,
        (paid := transfer(anna, bert, "40.00")),
        transfer(anna, bert, "40.01"),
        reversal(paid, "20.00"),
        reversal(paid, "20.01"),
        (back := reversal(paid)),
        reversal(paid),
        reversal(back),
        reversal(salary, "100.00"),
        withdrawal(anna, "0.01"),
    ]


async def test_a_batch_equals_its_commands_one_by_one(backend: Backend) -> None:
    """Later commands see what earlier ones left, in one transaction or in many."""
    desk = Desk(await backend.connect())
    first, second = await desk.claim(0), await desk.claim(1)

    at_once = await desk.post(first.add(*history("x")))
    singly = [answer for one in history("y") for answer in await desk.post(second.add(one))]

    words = [told(answer) for answer in at_once]
    assert words == [told(answer) for answer in singly]
    assert {"posted", "Repeat", "Conflict", "exceeds_original", "insufficient_funds"} < set(words)
    balances = await backend.balances()
    assert balances.pop("cash-EUR") == -19_998
    assert balances == {"x-anna": 3_999, "x-bert": 6_000, "y-anna": 3_999, "y-bert": 6_000}
    assert sorted((await backend.totals()).values()) == [4_000, 4_000]


async def test_answers_belong_to_the_timeline_they_were_given_on(backend: Backend) -> None:
    """A new life of the ledger gives new event ids; what was answered before keeps its own."""
    desk, first, second = await opened(backend)
    paid, owed = transfer("anna", "bert", "1.00"), transfer("anna", "bert", "2.00")
    run = first.add(paid, paid, b"{")
    before = desk.events(await desk.post(run))
    (known,) = await desk.ledger.timelines()

    begun = await desk.ledger.start_timeline(known.timeline_id, "restored")
    assert await desk.ledger.start_timeline(known.timeline_id, "restored too") == begun
    assert await desk.ledger.timelines() == [known, begun]
    assert begun.from_sequence > known.from_sequence

    assert desk.events(await desk.post(run)) == before
    later = await desk.post(second.add(paid, owed))
    assert [answer.timeline_id for answer in later] == [begun.timeline_id] * 2
    assert [told(answer) for answer in later] == ["Repeat", "posted"]
    conflict = await desk.post(second.add({**paid, "channel": "atm"}))
    assert before[0].value[13:49] in desk.events(conflict)[0].value
