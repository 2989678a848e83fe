"""What is kept of a run that could not be done."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from loadtest.measure.session import keep_logs

LOGS = ("worker-1/worker.log", "stack/kafka/kafka.log", "stack/postgres/postgres.log")
OTHERS = (
    "stack/kafka/server.properties",
    "stack/kafka/data/payments.commands.v1-0/00000000000000000000.log",
    "stack/postgres/password",
    "stack/postgres/data/PG_VERSION",
)


def filled(folder: Path, *names: str) -> Path:
    """Make a run's folder with these files."""
    for name in names:
        path = folder / "run" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("some text")
    return folder / "run"


def test_all_logs_are_kept_and_nothing_else_of_the_servers(tmp_path: Path) -> None:
    """An error names the log of the server that failed: it is there to be read."""
    folder = filled(tmp_path, *LOGS, *OTHERS)
    console = Console(record=True, width=200)
    keep_logs(folder, console)
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == {
        *LOGS
    }
    assert f"Kept for a look: {folder}" in console.export_text()


def test_a_folder_without_logs_goes(tmp_path: Path) -> None:
    """Nothing is there to be looked at."""
    folder = filled(tmp_path, *OTHERS)
    console = Console(record=True, width=200)
    keep_logs(folder, console)
    assert not folder.exists()
    assert console.export_text() == ""
