"""Runs of the test suites, on any Python, with what they counted."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any
from xml.etree import ElementTree as ET

from tests.long.commands import FOLDER, StepError, environment, run, run_each
from tests.long.pythons import Python, make_environment

SUITE_LIMIT_S = 7_200.0
TEST_LIMIT_S = 1_800
"""Of one test: the thorough property tests take longer than usual ones."""

FAST_SUITES = ("tests/unit", "tests/contract", "tests/property")


def on_python(python: Python, profile: str) -> dict[str, Any]:
    """Run on a Python what does not need it compared, and every crash. Raises StepError."""
    make_environment(python)
    suites = {
        "fast": (FAST_SUITES, profile),
        "acceptance": (("-m", "long", "tests/acceptance"), "quick"),
    }
    return run_each(
        {
            name: partial(
                run_suite, python.executable, words, f"{name}-{python.version}", profile=tried
            )
            for name, (words, tried) in suites.items()
        }
    )


def run_suite(
    executable: str, words: Sequence[str], name: str, *, profile: str = "quick", **settings: str
) -> dict[str, Any]:
    """Run pytest; give how many tests passed, in how many seconds. Raises StepError."""
    result = FOLDER / f"{name}.xml"
    command = [executable, "-m", "pytest", f"--junit-xml={result}", f"--timeout={TEST_LIMIT_S}"]
    run(
        [*command, *words], name, SUITE_LIMIT_S, environment(HYPOTHESIS_PROFILE=profile, **settings)
    )
    suite = ET.parse(result).getroot().find("testsuite")  # noqa: S314 - written by pytest just now
    if suite is None or int(suite.attrib["tests"]) == 0:
        raise StepError(f"`{name}` ran no test")
    return {"passed": int(suite.attrib["tests"]), "seconds": round(float(suite.attrib["time"]), 1)}
