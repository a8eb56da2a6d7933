"""What the command says where it cannot begin."""

from __future__ import annotations

import subprocess
import sys


def test_a_python_without_the_packages_is_told_in_one_line_what_to_do() -> None:
    # -S leaves the installed packages out.
    command = [sys.executable, "-S", "-m", "deploy.local", "run"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert sys.executable in line
    assert "make -B install" in line
