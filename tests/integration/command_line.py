"""The product's commands, run as people run them: as processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any, NamedTuple

from deploy.local import KafkaBroker

CHECKOUT = Path(__file__).resolve().parents[2]
COMMAND_LIMIT_S = 60.0


class Ran(NamedTuple):
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What it printed as JSON."""
        return json.loads(self.out)


class CommandLine:
    """Runs commands in an environment; `settings` are the names without their prefix."""

    def __init__(self, **settings: str) -> None:
        self.settings = settings

    def environment(self, **settings: str) -> dict[str, str]:
        """Give the environment of a process."""
        plain = {name: one for name, one in os.environ.items() if not name.startswith("PROCESSOR_")}
        given = self.settings | settings
        return plain | {f"PROCESSOR_{name.upper()}": value for name, value in given.items()}

    def run(self, *words: str, stdin: str = "", **settings: str) -> Ran:
        """Run a command to its end."""
        done = subprocess.run(
            [sys.executable, "-m", "processor", *words],
            cwd=CHECKOUT,
            env=self.environment(**settings),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=COMMAND_LIMIT_S,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)


def on(broker: KafkaBroker, database_url: str, folder: Path, **settings: str) -> CommandLine:
    """Run commands against servers, with topics and a data folder of the caller's own."""
    return CommandLine(
        kafka_bootstrap_servers=broker.bootstrap_servers,
        database_url=database_url,
        topic_prefix=f"{uuid.uuid4().hex[:10]}.",
        data_dir=str(folder / "data"),
        **settings,
    )


def only_line(ran: Ran) -> str:
    """Give the one line that a failed command said; more would be a traceback or noise."""
    lines = ran.err.splitlines()
    assert len(lines) == 1, ran.err
    assert ran.status != 0
    return lines[0]


def command(kind: str, /, **fields: Any) -> dict[str, Any]:
    """Build a valid command of a type."""
    return {
        "transaction_id": str(uuid.uuid4()),
        "type": kind,
        "requested_at": "2026-11-21T10:00:00Z",
        "channel": "mobile",
        **fields,
    }


def opening(account: str, /, **fields: Any) -> dict[str, Any]:
    """Build an opening in EUR."""
    own = {"account": account, "currency": "EUR", "kind": "customer"}
    return command("account.open", **own | fields)


def deposit(account: str, amount: str) -> dict[str, Any]:
    """Build a deposit in EUR."""
    return command("deposit", credit_account=account, amount=amount, currency="EUR")


def transfer(debit: str, credit: str, amount: str) -> dict[str, Any]:
    """Build a transfer in EUR."""
    sides = {"debit_account": debit, "credit_account": credit}
    return command("transfer", amount=amount, currency="EUR", **sides)


def reversal(original: dict[str, Any], amount: str | None = None) -> dict[str, Any]:
    """Build a reversal, of what is left where no amount is given."""
    own = {} if amount is None else {"amount": amount}
    return command("reversal", original_transaction_id=original["transaction_id"], **own)
