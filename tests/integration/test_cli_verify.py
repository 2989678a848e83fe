"""`processor verify` finds each way in which books can be wrong, and nothing in books that hold."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from deploy.local import PostgresServer
from processor import settings as settings_module
from processor.audit.finding import FAULTS_SHOWN_MAX, Finding
from processor.audit.run import Scope, verify
from processor.contracts import load_contract
from tests.builders import Desk, journal, line, told
from tests.integration.command_line import CommandLine
from tests.integration.filled import GIVEN_BACK, HELD, PAID, REFUSED, fill
from tests.integration.ledgers import copied, postgres_backend, settings_for

BALANCE = "books balance"
SUMS = "balances are the sum of the entries"
CHAINS = "each balance follows from the one before"
TERMS = "status and limit follow from the changes"
DATES = "closed days stay as they were"
LIMITS = "spending stays within its limits"
HOLDS = "what is held follows from the holds"
IDS = "each id was decided once"
REVERSALS = "reversals stay within their originals"
FINGERPRINTS = "fingerprints agree with the content"
OFFSETS = "every offset is accounted for"

PAID_ID, REFUSED_ID = PAID["transaction_id"], REFUSED["transaction_id"]
GIVEN_BACK_ID, HELD_ID = GIVEN_BACK["transaction_id"], HELD["transaction_id"]


@pytest.fixture(scope="module")
def template(postgres: PostgresServer, ledger_template: str) -> Iterator[str]:
    """Return the name of a filled ledger, to be copied."""
    with copied(postgres, ledger_template) as url:
        asyncio.run(fill(url))
        yield url.rpartition("/")[2]


@pytest.fixture
def filled(postgres: PostgresServer, template: str) -> Iterator[str]:
    """Return the URL of a filled ledger of the test's own."""
    with copied(postgres, template) as url:
        yield url


async def tamper(url: str, sql: str) -> None:
    """Change what can't be changed: as a superuser for whom triggers and constraints are off."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f"SET session_replication_role = replica; {sql}")
    finally:
        await connection.close()


async def found(url: str, data: Path) -> dict[str, Finding]:
    """Verify without the broker; give the findings by check."""
    settings = settings_module.read({"PROCESSOR_DATA_DIR": str(data)})
    access = settings_for(url)
    checks = verify(settings, access, load_contract(), Scope(every=True, offline=True))
    return {one.check: one async for one in checks}


async def test_nothing_is_wrong_with_books_that_hold(filled: str, tmp_path: Path) -> None:
    """Books with every kind of record pass every check, and what was counted is said."""
    findings = await found(filled, tmp_path)

    assert [one.check for one in findings.values() if not one.holds] == []
    assert findings[BALANCE].counted == "8 postings, 2 currencies"
    assert findings[SUMS].counted == "8 accounts"
    assert findings[IDS].counted == "21 ids, 1 repeats, 1 conflicts"
    assert findings[FINGERPRINTS].counted == "21 of 21 ids"
    assert findings[OFFSETS].counted == "24 records, 1 holes"


WRONG = {
    "balance changed": (
        "UPDATE ledger.account SET posted = posted + 1 WHERE name = 'anna'",
        {
            BALANCE: "EUR: the balances sum to 0.01, not to zero",
            SUMS: "account anna: balance 8001, entries sum to 8000 (minor units)",
            CHAINS: "account anna: balance 8001, but 8000 after the last entry",
        },
    ),
    "below the limit": (
        (
            "ALTER TABLE ledger.account DROP CONSTRAINT balance_within_limit;"
            "UPDATE ledger.account SET held = 8001 WHERE name = 'anna'"
        ),
        {
            SUMS: "account anna: balance 8000, held 8001, limit 0: below its limit",
            HOLDS: "account anna: 8001 is held, by its holds 0 (minor units)",
        },
    ),
    "hold changed": (
        "UPDATE ledger.hold SET remaining = 14, captured = 2001",
        {HOLDS: f"hold {HELD_ID}: holds 14, captured 2001, released 500; its commands say 15"},
    ),
    "capture changed": (
        f"UPDATE ledger.posting SET held = -1999 WHERE hold_transaction_id = '{HELD_ID}'",
        {HOLDS: f"hold {HELD_ID}: holds 1500, captured 2000, released 500; its commands say 1501"},
    ),
    "booked on a closed day": (
        "UPDATE ledger.closing SET ledger_sequence = 1",
        {DATES: " while 2001-01-02 was open"},
    ),
    "another day closed": (
        "UPDATE ledger.closing SET business_date = '2000-12-31'",
        {DATES: "not what its command says"},
    ),
    "a day closed twice": (
        "INSERT INTO ledger.closing VALUES (1000000, '2001-01-03', '2001-01-04')",
        {DATES: "2001-01-03 was closed while 2001-01-02 was open"},
    ),
    "limit changed": (
        "UPDATE ledger.spending_limit SET single_amount = 501 WHERE name = 'b'",
        {LIMITS: ": not what its command says"},
    ),
    "limit lowered by hand": (
        "UPDATE ledger.spending_limit SET single_amount = 199 WHERE name = 'b'",
        {LIMITS: ", number 1: not counted on from the one before, or not within limit b"},
    ),
    "limit ended by hand": (
        "UPDATE ledger.spending_limit SET ended_sequence = set_sequence + 1 WHERE name = 'b'",
        {LIMITS: "account bert in EUR"},
    ),
    "spending not counted": (
        "DELETE FROM ledger.spending WHERE scope = 'customer'",
        {LIMITS: "customer c-2 in EUR"},
    ),
    "spending counted that was none": (
        "UPDATE ledger.spending SET subject = 'anna' WHERE scope = 'account'",
        {LIMITS: "account anna in EUR"},
    ),
    "spending counted as less": (
        "UPDATE ledger.spending SET amount = 100, spent_amount = 100 WHERE scope = 'account'",
        {LIMITS: "spent 200 under limit b, counted 100 under b"},
    ),
    "spending counted from nothing": (
        "UPDATE ledger.spending SET spent_amount = 0 WHERE scope = 'account'",
        {LIMITS: ", number 1: not counted on from the one before, or not within limit b"},
    ),
    "spent and forgotten": (
        "UPDATE ledger.spent SET amount = 0, count = 0 WHERE scope = 'account'",
        {LIMITS: "account bert in EUR"},
    ),
    "held and forgotten": (
        "UPDATE ledger.account SET ahead = 1 WHERE name = 'carl'",
        {HOLDS: "account carl: 1500 is held, by its holds 1500"},
    ),
    "status changed": (
        "UPDATE ledger.account SET status = 'frozen' WHERE name = 'anna'",
        {TERMS: "account anna: status frozen, limit 0; its last change says open, as opened"},
    ),
    "amount changed": (
        f"UPDATE ledger.posting SET amount = 3001 WHERE transaction_id = '{PAID_ID}'",
        {
            SUMS: "account anna: balance 8000, entries sum to 7999",
            CHAINS: "account anna: balance 7000 after ledger_sequence",
            REVERSALS: f"transaction {PAID_ID} moved 3001, gave back 1000, total says 1000 of 3000",
            FINGERPRINTS: f"transaction {PAID_ID}: its fingerprint does not agree",
        },
    ),
    "balance after changed": (
        f"UPDATE ledger.posting SET debit_balance = 1 WHERE transaction_id = '{PAID_ID}'",
        {CHAINS: "account anna: balance 1 after ledger_sequence"},
    ),
    "currency changed": (
        f"UPDATE ledger.posting SET currency = 'USD' WHERE transaction_id = '{GIVEN_BACK_ID}'",
        {REVERSALS: f"transaction {GIVEN_BACK_ID} is a reversal that does not turn its original"},
    ),
    "posting deleted": (
        f"DELETE FROM ledger.posting WHERE transaction_id = '{PAID_ID}'",
        {
            SUMS: "account anna: balance 8000, entries sum to 11000",
            CHAINS: "account anna: balance 8000 after ledger_sequence",
            REVERSALS: f"transaction {PAID_ID} moved 0, gave back 1000, total says 1000 of 3000",
            IDS: f"transaction {PAID_ID} is registered, but nothing was decided",
            OFFSETS: "payments.commands.v1/0: offset 7: no record",
        },
    ),
    "id forgotten": (
        f"DELETE FROM ledger.transaction WHERE transaction_id = '{REFUSED_ID}'",
        {IDS: f"transaction {REFUSED_ID} was decided, but is not registered"},
    ),
    "decided twice": (
        (
            "INSERT INTO ledger.refusal (ledger_sequence, decided_at, transaction_id, source_id,"
            " source_offset, reason, type, channel) SELECT ledger_sequence, decided_at,"
            " transaction_id, source_id, source_offset, 'expired', type, channel"
            f" FROM ledger.posting WHERE transaction_id = '{PAID_ID}'"
        ),
        {
            IDS: f"transaction {PAID_ID} was decided 2 times",
            OFFSETS: "payments.commands.v1/0: offset 7: is recorded more than once",
        },
    ),
    "sequence out of order": (
        (
            "UPDATE ledger.transaction SET ledger_sequence = 1000000 + ledger_sequence"
            f" WHERE transaction_id = '{PAID_ID}'; UPDATE ledger.posting"
            f" SET ledger_sequence = 1000000 + ledger_sequence WHERE transaction_id = '{PAID_ID}'"
        ),
        {
            CHAINS: "account anna: balance 8000 after ledger_sequence",
            IDS: "payments.commands.v1/0: offset 10 has ledger_sequence",
            DATES: " while 2001-01-02 was open",
        },
    ),
    "conflict points elsewhere": (
        "UPDATE ledger.conflict SET first_sequence = 999",
        {IDS: f"the conflict of {PAID_ID} names ledger_sequence 999, the ledger has"},
    ),
    "reversal total lowered": (
        "UPDATE ledger.reversal_total SET reversed_amount = 1",
        {REVERSALS: f"transaction {PAID_ID} moved 3000, gave back 1000, total says 1 of 3000"},
    ),
    "content changed": (
        f"UPDATE ledger.posting SET reference = 'another' WHERE transaction_id = '{GIVEN_BACK_ID}'",
        {FINGERPRINTS: f"transaction {GIVEN_BACK_ID}: its fingerprint does not agree"},
    ),
    "content destroyed": (
        f"UPDATE ledger.refusal SET metadata = '{{' WHERE transaction_id = '{REFUSED_ID}'",
        {FINGERPRINTS: f"transaction {REFUSED_ID}: its fingerprint can't be computed"},
    ),
    "repeat lost": (
        "DELETE FROM ledger.repeat",
        {OFFSETS: "payments.commands.v1/0: offset 8: no record"},
    ),
    "hole lost": (
        "DELETE FROM ledger.hole",
        {OFFSETS: "payments.commands.v1/0: offset 0: no record"},
    ),
    "hole over a record": (
        "UPDATE ledger.hole SET to_offset = 3",
        {OFFSETS: "payments.commands.v1/0: offset 1: is recorded more than once"},
    ),
    "position ahead": (
        "UPDATE ledger.position SET next_offset = next_offset + 5",
        {OFFSETS: "payments.commands.v1/0: offsets 25 to 29: no record"},
    ),
    "position behind": (
        "UPDATE ledger.position SET next_offset = 24, delivered_offset = 24, last_offset = 23",
        {OFFSETS: "payments.commands.v1/0: offset 24: is recorded beyond the position"},
    ),
    "position begins later": (
        "UPDATE ledger.position SET first_offset = 1, delivered_offset = 1",
        {OFFSETS: "payments.commands.v1/0: offset 0: is recorded before the beginning"},
    ),
    "source of no position": (
        "DELETE FROM ledger.position",
        {
            OFFSETS: "/0: offsets 0 to 24: is of a source that no position or decision ends",
        },
    ),
}


@pytest.mark.parametrize("what", WRONG)
async def test_what_is_wrong_is_found_and_named(filled: str, tmp_path: Path, what: str) -> None:
    """Each thing that can be wrong fails the checks that are about it, in a line that names it."""
    sql, expected = WRONG[what]
    await tamper(filled, sql)
    findings = await found(filled, tmp_path)

    assert {one.check for one in findings.values() if not one.holds} == expected.keys()
    for check, wrong in expected.items():
        assert any(wrong in fault for fault in findings[check].faults), findings[check].faults


SPLIT = journal(line("anna", "debit", "5.00"), line("bert", "credit", "5.00"))
SPLIT_ID = SPLIT["transaction_id"]
OF_SECOND = f"WHERE transaction_id = '{SPLIT_ID}' AND line = 2"
WRONG_LINES = {
    "a line lost from between": (
        f"UPDATE ledger.posting SET line = 3 {OF_SECOND}",
        f"transaction {SPLIT_ID}: line 3 has no line before it",
    ),
    "a line of another command": (
        f"UPDATE ledger.posting SET source_offset = 3 {OF_SECOND}",
        f"transaction {SPLIT_ID}: line 2 is not of the same command as the line before it",
    ),
    "a line of another type": (
        f"UPDATE ledger.posting SET type = 'transfer' {OF_SECOND}",
        f"transaction {SPLIT_ID}: line 2 is not of the same command as the line before it",
    ),
}
"""What can be wrong with the lines of a journal of two."""


@pytest.mark.parametrize("what", WRONG_LINES)
async def test_lines_that_do_not_follow_each_other_are_found(
    filled: str, tmp_path: Path, what: str
) -> None:
    """A journal passes every check until one of its lines is not where it was written."""
    async with postgres_backend(filled) as backend:
        desk = Desk(await backend.connect())
        partition = await desk.claim()
        assert [told(one) for one in await desk.post(partition.add(SPLIT))] == ["posted"]
    before = await found(filled, tmp_path)
    sql, expected = WRONG_LINES[what]
    await tamper(filled, sql)
    after = await found(filled, tmp_path)

    assert [one.check for one in before.values() if not one.holds] == []
    assert [one.check for one in after.values() if not one.holds] == [IDS]
    assert after[IDS].faults == [expected]


async def test_only_the_first_faults_are_shown_and_all_are_counted(
    filled: str, tmp_path: Path
) -> None:
    """A ledger that is wrong everywhere gives a page, not a flood."""
    await tamper(
        filled,
        "INSERT INTO ledger.account (name, currency, kind, overdraft_limit, opened_at, posted)"
        " SELECT 'x-' || n, 'EUR', 'customer', 0, now(), 1 FROM generate_series(1, 50) AS n",
    )
    findings = await found(filled, tmp_path)

    assert len(findings[SUMS].faults) == FAULTS_SHOWN_MAX
    assert findings[SUMS].fault_count == 50


def test_the_exit_status_says_whether_the_books_hold(filled: str, tmp_path: Path) -> None:
    """0 and ticks where everything holds; 1, a cross and each wrong thing in a line where not."""
    line = CommandLine(database_url=filled, data_dir=str(tmp_path))
    good = line.run("verify", "--offline")
    asyncio.run(tamper(filled, "DELETE FROM ledger.repeat"))
    bad = line.run("verify", "--offline")
    document = line.run("verify", "--offline", "--json").document

    assert (good.status, good.err) == (0, "")
    assert good.out.splitlines()[-1].startswith("everything holds: 12 checks in ")
    assert (bad.status, bad.err) == (1, "")
    assert "    payments.commands.v1/0: offset 8: no record" in bad.out.splitlines()
    assert bad.out.splitlines()[-1] == "1 of 12 checks found something wrong"
    assert document["holds"] is False
    wrong = [one for one in document["checks"] if one["fault_count"]]
    assert [(one["check"], one["faults"]) for one in wrong] == [
        (OFFSETS, ["payments.commands.v1/0: offset 8: no record"])
    ]
