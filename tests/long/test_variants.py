"""The long tests run what they say they run."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from loadtest import site
from tests.long import plan as plan_module
from tests.long.commands import FOLDER, StepError, environment, run, run_each
from tests.long.plan import Plan, PlanError
from tests.long.variants import pairs, pairwise, variants

FACTORS = (("3.11", "3.12", "3.13"), ("old", "new"), ("uvloop", "asyncio"), ("a", "b", "c"))


def test_each_two_choices_meet() -> None:
    """Whatever two things are combined, some row has both, with few rows."""
    rows = list(pairwise(FACTORS))
    met = {pair for row in rows for pair in pairs(row)}
    assert met == {pair for row in product(*FACTORS) for pair in pairs(row)}
    assert len(rows) <= 12


def test_variants_come_broker_by_broker() -> None:
    """Each Kafka version is started once."""
    kafkas = [row.kafka for row in variants(["3.11", "3.12"], ["3.9.1", "4.1.1"])]
    assert kafkas == sorted(kafkas)
    assert set(kafkas) == {"3.9.1", "4.1.1"}


def test_a_variants_event_loop_reaches_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of the sample hands the event loop on, and no other setting."""
    monkeypatch.setenv("PROCESSOR_EVENT_LOOP", "asyncio")
    monkeypatch.setenv("PROCESSOR_DATA_DIR", "/elsewhere")
    monkeypatch.setenv(site.BOOTSTRAP_SERVERS, "127.0.0.1:1")
    monkeypatch.setenv(site.DATABASE_URL, "postgresql://127.0.0.1:1/none")
    settings = site.the_users("run").environment
    assert settings["PROCESSOR_EVENT_LOOP"] == "asyncio"
    assert "PROCESSOR_DATA_DIR" not in settings


def test_the_plan_is_read_from_the_environment() -> None:
    """What is not given has a default; what can't be is refused by its name."""
    assert plan_module.read({}) == Plan()
    given = {"LONG_STEPS": "soak, python-3.12", "LONG_SEEDS": "2", "LONG_SOAK_PAYMENTS": "5"}
    plan = plan_module.read(given)
    assert (plan.steps, plan.seeds, plan.soak_payments) == (("soak", "python-3.12"), 2, 5)
    assert (plan.has("soak"), plan.has("seeds")) == (True, False)
    for wrong in ({"LONG_STEPS": "sock"}, {"LONG_SEEDS": "many"}, {"LONG_SCALE": "-1"}):
        with pytest.raises(PlanError, match=next(iter(wrong))):
            plan_module.read(wrong)


def test_a_command_that_fails_or_takes_too_long_fails_its_step() -> None:
    """No command outlives its limit, and a failure shows what was said last."""
    log = "test-of-commands"
    try:
        with pytest.raises(StepError, match="status 3") as failed:
            run(["/bin/sh", "-c", "echo why; exit 3"], log, 30.0, environment())
        assert failed.value.tail == "why"
        with pytest.raises(StepError, match="longer than 0 s"):
            run(["/bin/sleep", "600"], log, 0.2, environment())
    finally:
        Path(FOLDER / f"{log}.log").unlink()


def test_a_failure_does_not_stop_the_others() -> None:
    """All are done, and the failure tells what each of them found."""

    def fail() -> dict[str, int]:
        raise StepError("it broke", "last words")

    with pytest.raises(StepError, match="1 of 2 failed: it broke") as failed:
        run_each({"first": fail, "second": lambda: {"passed": 3}})
    assert failed.value.tail == "last words"
    assert failed.value.figures == {"first": {"fault": "it broke"}, "second": {"passed": 3}}
