"""The variables of what runs here, for commands in another terminal.

Invariant: the file is there only while it runs, and only its owner can read it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

PATH = Path(__file__).resolve().parents[1] / ".cache" / "run" / "environment"


@contextmanager
def kept(variables: Mapping[str, str], path: Path = PATH) -> Iterator[None]:
    """Keep variables, one KEY='VALUE' a line, until the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # A new file: the rights of one that was left behind would stay as they are.
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.writelines(f"{name}='{value}'\n" for name, value in variables.items())
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
