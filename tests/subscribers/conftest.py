"""What the tests of subscribers share.

Invariant: npm packages are installed once, before any test's own time begins to count.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.subscribers.node import installed


@pytest.fixture(scope="session")
def node_subscriber() -> Path:
    """The Node subscriber of the guide, with what it needs."""
    return installed("docs/subscribers")


@pytest.fixture(scope="session")
def asyncapi_check() -> Path:
    """The check of AsyncAPI, with what it needs."""
    return installed("tests/subscribers")
