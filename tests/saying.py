"""What a run of tests says beside its tests."""

from __future__ import annotations

import pytest


def say(config: pytest.Config, line: str) -> None:
    """A line that is shown whatever pytest captures: a skipped test is easily overlooked."""
    reporter, capture = (config.pluginmanager.get_plugin(name) for name in ("terminalreporter", "capturemanager"))
    if reporter is not None and capture is not None:
        with capture.global_and_fixture_disabled():
            reporter.ensure_newline()
            reporter.write_line(line)
