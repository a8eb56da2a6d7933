"""What became of each rule in this session, for the test that the suite skipped nothing."""

from __future__ import annotations

import pytest

OUTCOMES = pytest.StashKey[dict[str, str]]()
"""Outcome by node id."""
