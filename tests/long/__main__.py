"""
`make test-long`: the full matrix, a step after another, into build/test-long.json.

A step that fails does not stop the others; the exit status is 0 only where all of them passed.
LONG_STEPS, LONG_SCALE, LONG_SEEDS and LONG_SOAK_PAYMENTS say how much is run, see tests/README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from deploy.local import StackError
from loadtest.measure.machine import machine, versions
from tests.long import plan as plan_module
from tests.long import pythons as pythons_module
from tests.long.commands import CHECKOUT, FOLDER, StepError, say
from tests.long.plan import SUITES, Plan, PlanError
from tests.long.pythons import Python, make_environment
from tests.long.samples import run_seeds, run_variants
from tests.long.suites import on_python, run_suite
from tests.long.variants import variants

RESULT = CHECKOUT / "build" / "test-long.json"
INTERRUPTED_STATUS = 130
SETTINGS_STATUS = 2
KAFKA_LOCKS = CHECKOUT / "deploy" / "local"

Work = Callable[[], dict[str, Any]]


class Record:
    """What was run, written anew after each step, so that an interrupt loses no figure."""

    def __init__(self, plan: Plan) -> None:
        self.steps: list[dict[str, Any]] = []
        self._head = {
            "started_at": _now(),
            "plan": plan._asdict(),
            "machine": machine(),
            "versions": versions(CHECKOUT),
        }

    @property
    def passed(self) -> bool:
        """Whether something was run and none of it failed."""
        return bool(self.steps) and all(step["passed"] for step in self.steps)

    def take(self, name: str, title: str, work: Work) -> None:
        """Run a step, say how it went and how long it took, and keep its figures."""
        say(f"{name}: {title}")
        began = time.monotonic()
        figures: dict[str, Any] = {}
        fault = None
        try:
            figures = work()
        except StackError as error:
            fault = str(error)
        except StepError as error:
            fault, figures = str(error), error.figures
            for line in error.tail.splitlines():
                say(f"    | {line}")
        seconds = round(time.monotonic() - began, 1)
        say(f"{name}: {'FAILED' if fault else 'passed'} in {seconds:.0f} s")
        if fault:
            say(f"    {fault}")
        self.steps.append(
            {
                "step": name,
                "title": title,
                "passed": fault is None,
                "seconds": seconds,
                "fault": fault,
                "figures": figures,
            }
        )
        self._write()

    def _write(self) -> None:
        written = self._head | {
            "finished_at": _now(),
            "passed": self.passed,
            "steps": self.steps,
        }
        draft = RESULT.with_suffix(".draft")
        draft.write_text(json.dumps(written, indent=2))
        draft.replace(RESULT)

    def table(self) -> str:
        """Lay the steps out as lines for people."""
        lines = [f"{'step':<14}{'':<8}{'seconds':>9}  figures"]
        for step in self.steps:
            mark = "ok" if step["passed"] else "FAILED"
            shown = step["fault"] or _short(step["figures"])
            lines.append(f"{step['step']:<14}{mark:<8}{step['seconds']:>9,.0f}  {shown}")
        return "\n".join(lines)


def run_all(plan: Plan, record: Record) -> None:
    """Run the steps of a plan."""
    pythons = _pythons()
    for python in pythons:
        name = f"{SUITES}{python.version}"
        if plan.has(name):
            title = f"all fast tests and every crash on Python {python.full_version}"
            record.take(name, title, partial(on_python, python, plan.hypothesis_profile))
    if plan.has("variants"):
        title = "the sample on Pythons, Kafka versions, event loops and Faust's compiled parts"
        record.take("variants", title, partial(_variants, pythons, plan.scale))
    if plan.has("seeds"):
        title = f"the sample with {plan.seeds} new seeds"
        record.take("seeds", title, partial(run_seeds, plan.seeds, plan.seeds_scale))
    if plan.has("repetitions"):
        words = ("-m", "long", "tests/integration", "tests/long/test_rebalances.py")
        suite = partial(run_suite, sys.executable, words, "repetitions")
        record.take("repetitions", "rebalances again and again, and a quick bench", suite)
    if plan.has("soak"):
        title = f"{plan.soak_payments:,} payments through one worker"
        record.take("soak", title, partial(_soak, plan.soak_payments))


def _pythons() -> list[Python]:
    found = []
    for version in pythons_module.VERSIONS:
        python = pythons_module.find(version)
        if python is None:
            say(f"Python {version} is not on this machine: left out")
        else:
            found.append(python)
    return found


def _variants(pythons: list[Python], scale: float) -> dict[str, Any]:
    for python in pythons:
        make_environment(python)
    locks = sorted(KAFKA_LOCKS.glob("kafka-*.lock"))
    kafkas = [lock.stem.removeprefix("kafka-") for lock in locks]
    rows = variants([python.version for python in pythons], kafkas)
    return run_variants(rows, pythons, scale)


def _soak(payments: int) -> dict[str, Any]:
    figures = FOLDER / "soak.json"
    figures.unlink(missing_ok=True)
    words = ("-m", "long", "-s", "tests/long/test_soak.py")
    try:
        run_suite(sys.executable, words, "soak", LONG_SOAK_PAYMENTS=str(payments))
    except StepError as error:
        if figures.exists():
            error.figures = _without_samples(figures)
        raise
    return _without_samples(figures)


def _without_samples(figures: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(figures.read_text())
    return {name: one for name, one in found.items() if name not in {"fields", "each"}}


def _short(figures: dict[str, Any]) -> str:
    """Give figures on one line: of groups the rates or counts, of the rest all."""
    rates = [one["per_second"] for one in figures.values() if _has(one, "per_second")]
    if rates:
        return f"{len(rates)} runs, {min(rates):,} to {max(rates):,} payments/s"
    counts = [
        f"{name} {one['passed']} passed" for name, one in figures.items() if _has(one, "passed")
    ]
    if counts:
        return ", ".join(counts)
    return ", ".join(f"{name} {one}" for name, one in figures.items() if one not in ([], None))


def _has(value: object, key: str) -> bool:
    return isinstance(value, dict) and key in value


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Run what the environment asks for; give the exit status."""
    argparse.ArgumentParser(
        prog="python -m tests.long",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        plan = plan_module.read(os.environ)
    except PlanError as error:
        sys.stderr.write(f"test-long: {error}\n")
        return SETTINGS_STATUS
    FOLDER.mkdir(parents=True, exist_ok=True)
    record = Record(plan)
    try:
        run_all(plan, record)
    except KeyboardInterrupt:
        sys.stderr.write("test-long: interrupted\n")
        return INTERRUPTED_STATUS
    print(f"\n{record.table()}\n")  # noqa: T201 - the report
    print(f"Written to {RESULT.relative_to(Path.cwd())}")  # noqa: T201 - the report
    return 0 if record.passed else 1


if __name__ == "__main__":
    sys.exit(main())
