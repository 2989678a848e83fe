"""The commands that show results: `report`, `history`, `compare`."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from loadtest.measure.session import screen
from loadtest.report import history
from loadtest.report.compare import Comparison, compare
from loadtest.report.publish import write_knee, write_page
from loadtest.report.result import Head, read_head
from loadtest.report.screens import (
    changes_table,
    closing,
    differences_table,
    history_table,
    sides_table,
)


@click.command("report")
@click.argument("result")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Written here; beside RESULT unless told.",
)
@click.option(
    "--knee",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Instead, the knee of a ramp as a picture for documents: an SVG file.",
)
def report_command(result: str, output: Path | None, knee: Path | None) -> int:
    """
    Write the page of RESULT anew: one HTML file that needs no network.

    RESULT is a file, or a run of the history by its number or its name.
    """
    path = history.find(result, history.folder())
    if knee is not None and output is not None:
        raise click.UsageError("--output and --knee are two files: ask for one at a time")
    click.echo(
        write_knee(path, knee) if knee else write_page(path, output or path.with_suffix(".html"))
    )
    return 0


@click.command("history")
@click.argument("profile", required=False)
def history_command(profile: str | None) -> int:
    """List the runs that were kept, the newest last; only those of PROFILE where it is given."""
    found, wrong = history.runs(history.folder())
    own = [run for run in found if profile in {None, run.head.profile}]
    for line in wrong:
        click.echo(f"loadtest: {line}", err=True)
    if own:
        screen().print(history_table(own))
    else:
        click.echo("no runs yet" if profile is None else f"no runs of {profile} yet")
    return 0


@click.command("compare")
@click.argument("a")
@click.argument("b")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def compare_command(a: str, b: str, *, as_json: bool) -> int:
    """
    Show results A and B side by side, and whether what changed is more than noise.

    Each is a file, or a run of the history by its number (1 is the newest) or its name. The noise
    is that of the runs of the history that are like A and B.
    """
    within = history.folder()
    named = [
        (path.stem, read_head(path)) for path in (history.find(a, within), history.find(b, within))
    ]
    found = compare(named[0][1], named[1][1], [run.head for run in history.runs(within)[0]])
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(_document(named, found)), indent=2))
    else:
        _show(named, found)
    return 0


def _document(named: list[tuple[str, Head]], found: Comparison) -> dict[str, object]:
    sides = {
        letter: {
            "name": name,
            "profile": head.profile,
            "finished_at": head.finished_at,
            "verdict": head.verdict,
        }
        for letter, (name, head) in zip("ab", named, strict=True)
    }
    return {"format": 1, **sides, **msgspec.to_builtins(found)}


def _show(named: list[tuple[str, Head]], found: Comparison) -> None:
    console = screen()
    console.print(sides_table(named[0], named[1]))
    if found.differences:
        console.print()
        console.print(differences_table(found))
    console.print()
    console.print(changes_table(found.figures, "figure"))
    if found.percentiles:
        console.print()
        console.print(changes_table(found.percentiles, "latency"))
    console.print()
    console.print(closing(found), markup=False)


COMMANDS = (report_command, history_command, compare_command)
