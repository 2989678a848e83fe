"""What the pages say about settings, metrics and logs, held to the code."""

import re
from pathlib import Path

import click
import pytest
from opentelemetry.trace import NoOpTracer

from processor.settings import PREFIX, Settings
from processor.telemetry import Telemetry

CHECKOUT = Path(__file__).resolve().parents[2]
PAGE = (CHECKOUT / "processor" / "README.md").read_text()
UNITS = {
    "_s": "seconds",
    "_ms": "milliseconds",
    "_bytes_max": "bytes",
    "_records_max": "records",
}


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the first table below a heading of the page, without its head."""
    section = re.split(rf"^## {heading}$", PAGE, flags=re.MULTILINE)[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def unit_of(field: str) -> str:
    """Return the unit that a setting's name tells, empty where it has none."""
    return next((unit for suffix, unit in UNITS.items() if field.endswith(suffix)), "")


def test_every_setting_is_on_the_page_with_its_default_and_unit() -> None:
    """Nobody has to read the code to know a setting, and no setting on the page is gone."""
    defaults = {
        PREFIX + field.upper(): (f"{getattr(Settings(), field)}", unit_of(field))
        for field in Settings.__struct_fields__
    }
    on_page = {row[0].strip("`"): (row[1].strip("`"), row[2]) for row in rows("Settings")}
    assert on_page == defaults
    assert list(on_page) == list(defaults)


def test_every_metric_is_on_the_page_with_its_type() -> None:
    """What can be scraped is what is described."""
    registry = Telemetry(NoOpTracer()).registry
    suffix = {"counter": "_total"}
    scraped = {
        metric.name + suffix.get(metric.type, ""): metric.type for metric in registry.collect()
    }
    assert {row[0].strip("`"): row[1] for row in rows("Metrics")} == scraped


def test_every_label_of_a_metric_is_on_the_page() -> None:
    """An alert that is copied from the page finds its series."""
    registry = Telemetry(NoOpTracer()).registry
    shown = {row[0].strip("`"): set(filter(None, row[2].split(", "))) for row in rows("Metrics")}
    bare = {"le"}
    for metric in registry.collect():
        for sample in metric.samples:
            name = next(
                name for name in shown if sample.name.startswith(name.removesuffix("_total"))
            )
            assert (sample.name, set(sample.labels) - bare) == (sample.name, shown[name])


def test_every_event_of_the_log_is_on_the_page() -> None:
    """Whoever reads a log line finds what it means."""
    logged = {
        event
        for path in (CHECKOUT / "processor").rglob("*.py")
        for event in re.findall(
            r"\blog\.(?:debug|info|warning|error|critical)\(\s*\"([a-z_.]+)\"", path.read_text()
        )
    }
    told = {event for row in rows("Logs") for event in re.findall(r"`([a-z_.]+)`", row[0])}
    assert told == logged


@pytest.mark.parametrize("page", ["README.md", "deploy/README.md"])
def test_every_command_on_a_page_exists(page: str) -> None:
    """`processor x` on a page is a command of the command line."""
    from processor.cli import cli  # noqa: PLC0415 - only this test needs it

    assert isinstance(cli, click.Group)
    text = (CHECKOUT / page).read_text()
    command = r"(?:`|^|bin/)processor ([a-z]+(?:-[a-z]+)*)\b"
    named = set(re.findall(command, text, flags=re.MULTILINE))
    assert named
    assert named - set(cli.commands) == set()
