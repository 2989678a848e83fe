"""Runs of the sample on servers that are there already, each with a ledger of its own."""

from __future__ import annotations

import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from deploy.local import KAFKA_VERSION, Stack
from deploy.local.stack import VARIABLES
from loadtest.processes import COMMAND_LIMIT_S
from tests.long.commands import CHECKOUT, FOLDER, StepError, environment, run, run_each
from tests.long.pythons import Python
from tests.long.variants import FAUST_ENVIRONMENT, PROBE, Variant

SAMPLE_LIMIT_S = 600.0
SEED_BITS = 31
RATE = re.compile(r"^payments per second, in the mix +([\d,]+)$", re.MULTILINE)


def run_variants(
    rows: Sequence[Variant], pythons: Sequence[Python], scale: float
) -> dict[str, Any]:
    """
    Run the sample once on each variant, broker by broker; give the figures by variant.

    Raises StepError.
    """
    executables = {one.version: one.executable for one in pythons}
    for python in pythons:
        _refuse_unless_compiled(python)
    with ExitStack() as ends:
        stacks: dict[str, Stack] = {}

        def work(row: Variant) -> dict[str, float]:
            if row.kafka not in stacks:
                ends.close()
                stacks[row.kafka] = ends.enter_context(_stack(row.kafka))
            words = [executables[row.python], *_words(scale)]
            return _sample(stacks[row.kafka], words, f"variant-{'-'.join(row)}", row.settings)

        return run_each({str(row): partial(work, row) for row in rows})


def run_seeds(count: int, scale: float) -> dict[str, Any]:
    """Run the sample with seeds that nobody has tried. Raises StepError naming the seed."""
    with _stack(KAFKA_VERSION) as stack:

        def work(seed: int) -> dict[str, float]:
            words = [sys.executable, *_words(scale), "--seed", str(seed)]
            return _sample(stack, words, f"seed-{seed}", {})

        seeds = [secrets.randbits(SEED_BITS) for _ in range(count)]
        return run_each({f"seed {seed}": partial(work, seed) for seed in seeds})


@contextmanager
def _stack(kafka: str) -> Iterator[Stack]:
    """Start servers for some runs; their data go when they end."""
    folder = FOLDER / f"stack-{secrets.token_hex(3)}"
    try:
        with Stack(folder, kafka_version=kafka) as stack:
            yield stack
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _words(scale: float) -> list[str]:
    return ["-m", "loadtest", "run-sample", "--scale", str(scale)]


def _sample(
    stack: Stack, words: Sequence[str], log: str, settings: dict[str, str]
) -> dict[str, float]:
    database = f"sample_{secrets.token_hex(4)}"
    stack.postgres.create_database(database)
    given = (stack.broker.bootstrap_servers, stack.postgres.url(database))
    addresses = dict(zip(VARIABLES, given, strict=True))
    began = time.monotonic()
    try:
        path = run(words, log, SAMPLE_LIMIT_S, environment(**addresses, **settings))
    finally:
        stack.postgres.drop_database(database)
    seconds = time.monotonic() - began
    rate = RATE.search(path.read_text())
    if rate is None:
        raise StepError(f"`{log}` told no payments per second (log: {path})")
    return {"seconds": round(seconds, 1), "per_second": int(rate[1].replace(",", ""))}


def _refuse_unless_compiled(python: Python) -> None:
    """Raise StepError where Faust does not do as its environment variables say."""
    for kind, settings in FAUST_ENVIRONMENT.items():
        done = subprocess.run(
            [python.executable, "-c", PROBE],
            cwd=CHECKOUT,
            env=environment(**settings),
            capture_output=True,
            text=True,
            timeout=COMMAND_LIMIT_S,
            check=False,
        )
        if done.stdout.strip() != kind:
            raise StepError(f"Faust on Python {python.version} is not {kind}: {done.stdout}")
