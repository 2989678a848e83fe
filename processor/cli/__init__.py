"""The command line. Errors are one line and a non-zero status, never a traceback."""

from __future__ import annotations

import logging
import sys
from typing import Final, NoReturn

import click

from processor import __version__
from processor.cli.books import account, payment
from processor.cli.days import day_end
from processor.cli.operate import config, migrate, position, topics, worker
from processor.cli.reads import balance, statement, trial_balance
from processor.cli.rules import limits, tariffs
from processor.cli.talk import outcomes, send
from processor.cli.verify import verify
from processor.contracts import ContractError
from processor.errors import FaultError, OutageError, ProcessorError, SettingsError

EXIT_CONFIG: Final = 78
EXIT_UNAVAILABLE: Final = 69
EXIT_FAILED: Final = 1
EXIT_INTERRUPTED: Final = 130
EXIT_FAULT: Final = 70
_TRACEBACK: Final = "--traceback"
_STATUSES: Final = (
    ((SettingsError, ContractError), EXIT_CONFIG),
    (OutageError, EXIT_UNAVAILABLE),
    (FaultError, EXIT_FAULT),
    (ProcessorError, EXIT_FAILED),
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(_TRACEBACK, is_flag=True, hidden=True)
@click.version_option(__version__, prog_name="processor")
def cli(*, traceback: bool) -> None:
    """Payments core: commands from Kafka become posted double entries and outcome events."""
    del traceback  # read by `main`, where errors end


for command in (
    worker,
    migrate,
    topics,
    send,
    outcomes,
    account,
    payment,
    balance,
    statement,
    trial_balance,
    day_end,
    tariffs,
    limits,
    verify,
    position,
    config,
):
    cli.add_command(command)


def main() -> NoReturn:
    """Run a command; tell any error in one line."""
    for name in ("aiokafka", "asyncio"):
        # Where no log is configured theirs would go to standard error, beside our one line.
        logging.getLogger(name).addHandler(logging.NullHandler())
    try:
        cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.exceptions.Exit as ended:
        sys.exit(ended.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(EXIT_INTERRUPTED)
    except Exception as error:
        if _TRACEBACK in sys.argv:
            raise
        _fail(error)
    sys.exit(0)


def _fail(error: Exception) -> NoReturn:
    """End with the status of an error; one that nobody foresaw is a bug, told in one line too."""
    for kinds, status in _STATUSES:
        if isinstance(error, kinds):
            click.echo(f"processor: {error}", err=True)
            sys.exit(status)
    line = f"{type(error).__name__}: {error}".partition("\n")[0]
    click.echo(f"processor: a bug: {line} ({_TRACEBACK} before the command shows where)", err=True)
    sys.exit(EXIT_FAULT)
