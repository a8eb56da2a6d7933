"""Shares of the tests: whatever their number, every test is run by exactly one of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.shares import DIVIDED, Share

TESTS = Path(__file__).parents[2]
FILES = sorted(path.relative_to(TESTS) for path in TESTS.rglob("test_*.py"))


@pytest.mark.parametrize("of", [1, 2, 3, 4, 9])
def test_every_file_is_in_exactly_one_share(of: int) -> None:
    shares = [Share(number, of).files(FILES) for number in range(1, of + 1)]
    assert sorted(file for share in shares for file in share) == FILES
    assert all(shares), "a run without tests would look like one that failed"


@pytest.mark.parametrize("of", [1, 2, 3, 4, 9])
def test_whole_folders_are_in_the_last_share(of: int) -> None:
    others = {file for file in FILES if file.parts[0] != DIVIDED}
    assert others
    assert others <= Share(of, of).files(FILES)


def test_a_share_is_the_same_for_every_order_and_repetition_of_its_files() -> None:
    assert Share(1, 3).files(reversed(FILES * 2)) == Share(1, 3).files(FILES)


@pytest.mark.parametrize("text", ["", "0/3", "4/3", "1", "1/0", "one/3", "1/3/3", " 1/3"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no share"):
        Share.parse(text)


@pytest.mark.parametrize("text", ["4/3", "all"])
def test_a_run_of_what_is_no_share_is_wrong_usage_and_no_run_of_nothing(text: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--share", text, __file__]
    done = subprocess.run(command, capture_output=True, text=True, cwd=TESTS.parent, timeout=60)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"'{text}' is no share" in done.stderr + done.stdout
