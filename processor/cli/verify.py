"""`processor verify`: proves the books, beside a live worker."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Final

import click
import msgspec

from processor import settings as settings_module
from processor.contracts import load_contract

if TYPE_CHECKING:
    from processor.audit.finding import Finding
    from processor.audit.run import Scope

CHECK_TIMEOUT_MS: Final = 1_800_000
"""How long one statement of a check may take; a ledger of years is read whole."""

TITLE_COLUMNS: Final = 44
COUNTED_COLUMNS: Final = 52


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as one JSON document.")
@click.option("--all", "every", is_flag=True, help="Every fingerprint and hole, not some of them.")
@click.option("--offline", is_flag=True, help="Leave the broker out.")
@click.option("--drained", is_flag=True, help="A record that waits to be read is an error.")
@click.option("--events", is_flag=True, help="Also read all outcome and dead-letter events.")
def verify(*, as_json: bool, every: bool, offline: bool, drained: bool, events: bool) -> None:
    """
    Prove that the books hold; works beside live workers.

    Exit status: 0 everything holds, 1 something is wrong, 69 PostgreSQL or Kafka does not answer,
    78 the settings are wrong or there is no ledger.
    """
    from processor.audit.run import Scope  # noqa: PLC0415 - imports Kafka's and PostgreSQL's clients

    if offline and (drained or events):
        raise click.UsageError("--drained and --events ask the broker, --offline leaves it out")
    scope = Scope(every=every, offline=offline, drained=drained, events=events)
    findings = asyncio.run(_verify(scope, show=not as_json))
    if as_json:
        document = {"holds": all(one.holds for one in findings), "checks": findings}
        click.echo(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())
    sys.exit(0 if all(one.holds for one in findings) else 1)


async def _verify(scope: Scope, *, show: bool) -> list[Finding]:
    from processor.audit.run import verify as run  # noqa: PLC0415 - as above
    from processor.cli.access import reading_access  # noqa: PLC0415 - as above

    settings = settings_module.read()
    access = reading_access(settings, "verify", statement_timeout_ms=CHECK_TIMEOUT_MS)
    findings = []
    async for finding in run(settings, access, load_contract(), scope):
        findings.append(finding)
        if show:
            _show(finding)
    if show:
        _conclude(findings)
    return findings


def _show(finding: Finding) -> None:
    mark = _mark(holds=finding.holds)
    took = f"{finding.took_ms / 1000:.2f} s"
    title = f"{finding.check:<{TITLE_COLUMNS}}"
    click.echo(f"{mark} {title} {finding.counted:<{COUNTED_COLUMNS}} {took}".rstrip())
    for line in finding.faults:
        click.secho(f"    {line}", fg="red")
    more = finding.fault_count - len(finding.faults)
    if more > 0:
        click.secho(f"    and {more:,} more", fg="red")
    for line in finding.notes:
        click.echo(f"    {line}")


def _conclude(findings: list[Finding]) -> None:
    took_s = sum(finding.took_ms for finding in findings) / 1000
    wrong = sum(not finding.holds for finding in findings)
    if wrong:
        click.secho(f"{wrong} of {len(findings)} checks found something wrong", fg="red", bold=True)
    else:
        click.secho(f"everything holds: {len(findings)} checks in {took_s:.1f} s", fg="green")


def _mark(*, holds: bool) -> str:
    """Give a tick or a cross, or words where the terminal has none."""
    tick, cross = click.style("✓", fg="green"), click.style("✗", fg="red", bold=True)
    try:
        "✓✗".encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        tick, cross = "ok   ", "WRONG"
    return tick if holds else cross
