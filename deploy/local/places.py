"""Where things lie on this machine.

Invariant: everything that running leaves behind lies in `.cache/` of the project, never in the home folder.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from deploy.local.processes import is_alive

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache"
ENGINES = CACHE / "engines"
"""Fetched jars, data and logs of the engines."""
RUN = CACHE / "run"
"""Logs and development secrets of the services."""


def shown(path: Path) -> str:
    """A path as people read it: from the project's folder where it lies there."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def session_folder(pid: int) -> Path:
    """A folder for the engines of one test session; those of sessions that are gone are removed."""
    sessions = ENGINES / "sessions"
    if sessions.is_dir():
        for folder in sessions.iterdir():
            if folder.name.isdecimal() and int(folder.name) != pid and not is_alive(int(folder.name)):
                shutil.rmtree(folder, ignore_errors=True)
    return sessions / str(pid)
