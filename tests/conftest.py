"""Fixtures for every folder; a folder's own conftest.py adds what only it needs."""

from datetime import UTC, datetime

import pytest
from hypothesis import settings

# No deadline per example: a loaded two-core machine is slow without being wrong.
settings.register_profile("pointsman", deadline=None)
settings.load_profile("pointsman")


@pytest.fixture
def now() -> datetime:
    """A time to decide at; pure code takes it as an argument."""
    return datetime(2026, 1, 1, 12, tzinfo=UTC)
