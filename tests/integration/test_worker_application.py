"""Faust's application as the worker builds it: what it must never be set to."""

from __future__ import annotations

from pathlib import Path

import pytest

from processor import settings as settings_module
from processor.app import Worker
from processor.contracts import load_contract
from processor.errors import SettingsError


async def test_faust_is_set_as_the_line_needs_it(tmp_path: Path) -> None:
    """One agent on runs, no changelogs, no standbys, no reset, at least once."""
    environment = {"PROCESSOR_DATA_DIR": str(tmp_path), "PROCESSOR_HTTP_PORT": "0"}
    worker = Worker(settings_module.read(environment), load_contract())
    conf = worker.stream.conf
    assert str(conf.processing_guarantee.value) == "at_least_once"
    assert conf.consumer_auto_offset_reset == "none"
    assert conf.table_standby_replicas == 0
    assert conf.stream_wait_empty is True
    assert conf.topic_disable_leader is True
    assert [agent.concurrency for agent in worker.stream.agents.values()] == [1]
    assert dict(worker.stream.tables) == {}
    assert worker.stream.conf.broker_commit_interval == 0.5


@pytest.mark.parametrize(
    "name", ["PROCESSING_GUARANTEE", "STANDBYS", "CONCURRENCY", "AUTO_OFFSET_RESET", "TAKE"]
)
def test_no_setting_changes_it(name: str) -> None:
    """Nothing in the environment turns the line into another one."""
    with pytest.raises(SettingsError, match=f"PROCESSOR_{name} is no setting"):
        settings_module.read({f"PROCESSOR_{name}": "1"})
