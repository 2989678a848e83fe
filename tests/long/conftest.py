"""The worlds of the acceptance tests, for the same promises kept longer."""

from tests.acceptance.conftest import ledgers, world, worlds

__all__ = ["ledgers", "world", "worlds"]
